#!/usr/bin/env python3
"""clang-tidy over the library and the driver: cmake/tidy.py [BUILD], a folder
configured with CUDA on, ENSYN_UNITY_BUILD and ENSYN_CCACHE off; build/tidy unless given.

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
TOGETHER = 24
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
        while files:
            group, files = files[:TOGETHER], files[TOGETHER:]
            while others := misfits(list(words), directory, group):
                # They may fit to each other and to what comes later.
                group, files = [file for file in group if file not in others], files + others
            yield list(words), directory, group


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


def written_together(folder, files):
    """One source for all, and where its lines come from; a single one stays where it is."""
    if len(files) == 1:
        return files[0], None
    together, source = Together(files), Path(folder) / "together.cpp"
    source.write_text(together.text)
    return source, together


def misfits(words, directory, files):
    """Those of `files` that do not compile behind the others; never all of them."""
    if len(files) == 1:
        return []
    with tempfile.TemporaryDirectory(prefix="ensyn-tidy-", dir=directory) as folder:
        source, together = written_together(folder, files)
        command = ["clang++", *words, *FOR_CLANG, "-w", "-fsyntax-only", "-ferror-limit=0", str(source)]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
        report = together.in_sources(source, done.stderr)
    if done.returncode == 0:
        return []
    named = "".join(re.findall(r"^.*: (?:fatal )?error: ", report, re.MULTILINE))
    found = [file for file in files if f"{file}:" in named]
    # Where all are at fault, or none is named, the first may be what the others suffer from.
    return found if 0 < len(found) < len(files) else files[1:]


def check(words, directory, files):
    """The findings, as text; empty when there are none."""
    with tempfile.TemporaryDirectory(prefix="ensyn-tidy-", dir=directory) as folder:
        source, together = written_together(folder, files)
        options = ["--checks=-readability-duplicate-include"] if together else []
        command = ["clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}", *options, str(source), "--", *words,
                   *FOR_CLANG]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
        report = done.stdout + done.stderr
        return "" if done.returncode == 0 else together.in_sources(source, report) if together else report


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
