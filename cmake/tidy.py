#!/usr/bin/env python3
"""clang-tidy over the library and the driver: cmake/tidy.py [BUILD], a folder
configured with CUDA on and ENSYN_UNITY_BUILD off; build/tidy unless given.

Nearly all of clang-tidy's time goes into the standard library's headers, once for every source. Sources with the same
flags are therefore checked together, written one after the other into one file, and what is found is given back its file
and line. (Including them would not do: clang's analyzer looks at the main file only.) Those that cannot be compiled
together, since names in their unnamed namespaces are the same, are taken apart again.
"""

import collections
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOGETHER = 14
# The compile commands are those of GCC, some of whose warnings clang does not know.
FOR_CLANG = ["-Wno-unknown-warning-option"]


def sources():
    listed = subprocess.run(["git", "ls-files", "-z", "--", "host/*.cpp"], cwd=ROOT, check=True, capture_output=True,
                            text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def flags_by_source(build):
    """Of each source the flags it is compiled with; the first, where several targets compile it."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])[1:]
        flags, skip = [], False
        for word in words:
            if skip or word in ("-o", "-c"):
                skip = word == "-o"
            elif word != entry["file"]:
                flags.append(word)
        found.setdefault(Path(entry["file"]), (tuple(flags), entry["directory"]))
    return found


def groups(build):
    flags, by_flags = flags_by_source(build), collections.defaultdict(list)
    for source in sources():
        # What stands in for CUDA where there is none is compiled elsewhere: with the flags of its neighbours.
        known = [source, *(other for other in flags if other.parent == source.parent)]
        if not any(other in flags for other in known):
            sys.exit(f"tidy: {build} compiles nothing in {source.parent.relative_to(ROOT)}: configure it with CUDA on, "
                     "ENSYN_UNITY_BUILD off")
        by_flags[next(flags[other] for other in known if other in flags)].append(source)
    for (words, directory), files in by_flags.items():
        for first in range(0, len(files), TOGETHER):
            yield list(words), directory, files[first:first + TOGETHER]


class Together:
    """Sources as one text, and where its lines come from."""

    def __init__(self, files):
        texts = [file.read_text() for file in files]
        self.text = "".join(texts)
        self.origins = [(file, line) for file, text in zip(files, texts) for line in range(1, text.count("\n") + 1)]

    def in_sources(self, path, report):
        def origin(match):
            file, line = self.origins[int(match[1]) - 1]
            return f"{file}:{line}:"
        return re.sub(re.escape(str(path)) + r":(\d+):", origin, report)


def misfits(words, directory, files, source, together):
    """Those of `files` that do not compile behind the others in `source`."""
    command = ["clang++", *words, *FOR_CLANG, "-w", "-fsyntax-only", "-ferror-limit=0", str(source)]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    report = together.in_sources(source, done.stderr)
    found = [file for file in files if f"{file}:" in "".join(re.findall(r"^.*: (?:fatal )?error: ", report, re.MULTILINE))]
    return found if found or done.returncode == 0 else files[1:]


def check(words, directory, files):
    """The findings, as text; empty when there are none."""
    if not files:
        return ""
    together = Together(files)
    with tempfile.TemporaryDirectory(prefix="ensyn-tidy-", dir=directory) as folder:
        source, options = files[0], []
        if len(files) > 1:
            source, options = Path(folder) / "together.cpp", ["--checks=-readability-duplicate-include"]
            source.write_text(together.text)
            others = misfits(words, directory, files, source, together)
            if others:
                apart = [file for file in files if file not in others]
                # Where all are at fault the first may be what the others suffer from.
                return check(words, directory, apart or files[:1]) + check(words, directory, others if apart else files[1:])
        command = ["clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}", *options, str(source), "--", *words,
                   *FOR_CLANG]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
        report = done.stdout + done.stderr
        return "" if done.returncode == 0 else together.in_sources(source, report) if len(files) > 1 else report


def duplicate_includes():
    """What readability-duplicate-include looks for, which sources in one file set off."""
    for file in sources():
        includes = re.findall(r"^ *# *include .*$", file.read_text(), re.MULTILINE)
        yield from (f"{file}: {line} twice\n" for line, count in collections.Counter(includes).items() if count > 1)


def main():
    os.chdir(ROOT)
    build = ROOT / (sys.argv[1] if len(sys.argv) > 1 else "build/tidy")
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        findings = list(duplicate_includes()) + list(pool.map(lambda group: check(*group), groups(build)))
    print("".join(findings), end="")
    return any(findings)


if __name__ == "__main__":
    sys.exit(main())
