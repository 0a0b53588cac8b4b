#!/usr/bin/env python3
"""Plants faults in the kernels, one at a time, and asserts that their tests fail.

Each mutant replaces one text, which must stand in its file exactly once, in a copy of a kernel's source; the copy is
compiled for the emulation (tests/simt), plain or for the race detector, and linked with the tests' prebuilt objects.
"""

import argparse
import concurrent.futures
import itertools
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

import mutants
import whole_network_mutants

JOBS = 2
RUN_TIMEOUT_S = 60
RACE = "race on "  # begins the race detector's report


class Failure(Exception):
    """The mutation test itself does not work."""


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)


def compile_command(args, variant, unit):
    """The build's own command for one kernel, without optimisation level, warnings, input and output."""
    marker = {"plain": "kernels_simt_kernels.dir", "race": "kernels_race_kernels.dir"}[variant]
    commands = args.build / "compile_commands.json"
    for entry in json.loads(commands.read_text()):
        if marker in entry["command"] and entry["file"].endswith("/kernels/" + unit):
            # The compiler may stand behind a launcher such as ccache.
            words = itertools.dropwhile(lambda word: word != args.compiler, shlex.split(entry["command"]))
            kept = []
            for word in words:
                if word in ("-o", "-c"):
                    next(words)
                elif not word.startswith(("-W", "-O")):
                    kept.append(word)
            return kept, entry["directory"]
    raise Failure("{} has no command for {} of {}".format(commands, unit, marker))


def mutate(args, mutant, folder):
    source = args.source / "kernels" / mutant.file
    text = source.read_text()
    count = text.count(mutant.text)
    if count != 1:
        raise Failure("{}: {!r} stands {} times in {}: bring the mutant up to date".format(
            mutant.name, mutant.text, count, source))
    copy = folder / "kernels" / mutant.file
    copy.parent.mkdir(parents=True)
    copy.write_text(text.replace(mutant.text, mutant.replacement))


def try_mutant(args, mutant, folder):
    """Whether the tests pass, and the first that does not."""
    mutate(args, mutant, folder)
    unit = mutant.unit or mutant.file
    command, directory = compile_command(args, mutant.variant, unit)
    changed = folder / "kernels" / unit
    source = changed if changed.exists() else args.source / "kernels" / unit
    # The folder of the copy comes first in the search path, so that a changed header is found there.
    built = run(command[:1] + ["-I", str(folder)] + command[1:] + [mutant.level, "-w", "-c", str(source), "-o",
                                                                    str(folder / "kernel.o")], cwd=directory)
    if built.returncode != 0:
        raise Failure("{} does not compile:\n{}".format(mutant.name, built.stdout))
    program = folder / "test"
    # The changed object comes before the libraries, which therefore do not give theirs.
    libraries = args.race if mutant.variant == "race" else args.plain
    linked = run([args.compiler, str(folder / "kernel.o")] + args.objects +
                 [name if "/" in name else "-l" + name for name in libraries] + ["-o", str(program)], cwd=directory)
    if linked.returncode != 0:
        raise Failure("{} does not link:\n{}".format(mutant.name, linked.stdout))
    try:
        tested = run([str(program), "--gtest_filter=" + mutant.tests], timeout=RUN_TIMEOUT_S)
    except subprocess.TimeoutExpired as hung:
        raise Failure("{} hangs".format(mutant.name)) from hung
    program.unlink()
    if "[==========] Running 0 tests" in tested.stdout:
        raise Failure("{}: no test matches {}".format(mutant.name, mutant.tests))
    if tested.returncode == 0:
        return True, ""
    failed = [line for line in tested.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    caught = failed[0].split()[3].rstrip(",") if failed else "exit status {}".format(tested.returncode)
    if mutant.variant == "race":
        if RACE not in tested.stdout:
            raise Failure("{} fails {}, but no race is reported".format(mutant.name, caught))
        caught = "the race detector in " + caught
    return False, caught


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole-networks", action="store_true", help="faults in the kernels for whole networks instead")
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--objects", nargs="+", required=True, help="of the tests")
    parser.add_argument("--plain", nargs="+", required=True, help="libraries of the emulation")
    parser.add_argument("--race", nargs="+", required=True, help="likewise with the race detector")
    args = parser.parse_args()
    chosen = whole_network_mutants.MUTANTS if args.whole_networks else mutants.MUTANTS
    cases = [(mutant, True) for mutant in mutants.CONTROLS] + [(mutant, False) for mutant in chosen]
    problems = []
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        futures = []
        for number, (mutant, _) in enumerate(cases):
            folder = pathlib.Path(scratch) / str(number)
            folder.mkdir()
            futures.append(pool.submit(try_mutant, args, mutant, folder))
        for (mutant, passes), future in zip(cases, futures):
            try:
                passed, caught = future.result()
            except Failure as failure:
                problems.append(str(failure))
                continue
            print("{:<50} {}".format(mutant.name, "passes" if passed else "caught by " + caught), flush=True)
            if passed != passes:
                problems.append("{}: {} {}".format(mutant.name, mutant.tests, "fail" if passes else "pass"))
    for problem in problems:
        print("FAILED:", problem)
    print("{} mutants, {} problems".format(len(cases), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
