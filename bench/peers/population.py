#!/usr/bin/env python3
"""The paper's sweep of 240 noisy networks by ensyn and by the tools that anybody else would take, side by side.

    bench/peers/population.py --ensyn build/release/bin/ensyn --cublas-peer build/release/bin/ensyn_peer_cublas
        --data FOLDER --device cuda --out table.txt

First every peer trains nine networks (two exponents, a small and a large cost, both kinds of noise, and one that shows
what the gradient of a shared phi is divided by), whose loss curves and final sigma must be ensyn's within what other
random numbers explain (curves.py). At the paper's learning rate sigma would hardly move in so few steps, so these
networks learn 40 times faster, most of them from sigma 0.1. Then a peer trains the networks of the sweep with the
paper's settings against the clock: one stretch of steps to warm up, three that are timed, the median counts. Peers that
train one network at a time do so with three, and then with two, one of each kind of noise.

A peer runs in a process of its own; one that is missing, fails or takes too long is a row that says why. Exit status 1
when a peer's curves were refused, ensyn's row failed, or no peer could be compared; else 0.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import curves
import ensyn_rows
import problem
import table

HERE = Path(__file__).parent
CHECK = {"block": 100, "blocks": 4, "learning_rate": 4e-3}
# A small cost lets sigma fall and a large one makes it grow. In the last network the gradient of phi is so small that
# Adam's epsilon tells whether it was divided by the number of weights: sigma grows three times slower if it was.
CHECK_NETWORKS = [
    *problem.grid([2 / 3, 2.0], [1e-3, 0.1], sigma_init=0.1),
    problem.network(1 / 2, 3e-10, homogeneous=True, sigma_init=1e-7),
]
CHECK_SEEDS = 12
# For peers that train one network at a time.
CHECK_SINGLES = [1, 6, 8]


# What running the driver may end with.
FAILURES = (RuntimeError, OSError, KeyError, subprocess.TimeoutExpired)


@dataclass
class Peer:
    name: str
    title: str
    command: list
    module: str = ""  # what its Python must have
    single: bool = False  # trains one network at a time
    default: bool = True


@dataclass
class Row:
    peer: str
    title: str
    verdict: str = ""
    agrees: bool | None = None  # None: could not be compared
    networks: int = 0
    prepare: float | None = None
    seconds: float | None = None  # of a network-step
    whole: float | None = None  # of the whole sweep, where that was measured
    notes: list = field(default_factory=list)


def peers(options):
    """The strongest and the quickest to time first, so that they are there when the time is up."""

    def python(name, title, script, variant, module, **more):
        command = [options.python, str(HERE / script), "--variant", variant, "--device", options.device]
        return Peer(name, title, command, module, **more)

    def torch(name, title, variant, **more):
        return python(name, "PyTorch " + title, "torch_population.py", variant, "torch", **more)

    def jax(name, title, variant, **more):
        return python(name, "JAX vmap, lax.scan, jit, " + title, "jax_population.py", variant, "jax", **more)

    graph = ", CUDA graph" if options.device == "cuda" else ""
    return [
        Peer("cublas", "C++: cuBLAS strided-batched, cuRAND, CUDA graph", [options.cublas_peer or ""]),
        torch("vmap_compiled", "torch.compile(vmap)" + graph, "vmap_compiled"),
        jax("jax_rbg", "rbg", "rbg"),
        torch("vmap", "vmap, eager", "vmap"),
        python(
            "float32",
            "PyTorch eager float32, one network, data on the device",
            "torch_eager.py",
            "float32",
            "torch",
            single=True,
        ),
        python(
            "published",
            "PyTorch eager float64, one network, as published",
            "torch_eager.py",
            "published",
            "torch",
            single=True,
        ),
        jax("jax_threefry", "threefry", "threefry"),
        torch("compiled", "torch.compile, one network" + graph, "compiled", single=True),
        torch("vmap_tuned", "torch.compile(vmap), kernels chosen by timing" + graph, "vmap_tuned", default=False),
        torch("vmap_compiled_tf32", "torch.compile(vmap), TF32" + graph, "vmap_compiled_tf32", default=False),
        jax("jax_rbg_tf32", "rbg, TF32", "rbg_tf32", default=False),
    ]


def described_peers():
    known = peers(argparse.Namespace(python="", device="cpu", cublas_peer=""))
    by_default, others = ([peer.name for peer in known if peer.default == kind] for kind in (True, False))
    return f"{', '.join(by_default)} (these by default), {', '.join(others)}"


class Clock:
    """What is left of the whole run's time."""

    def __init__(self, limit):
        self.end = time.monotonic() + limit

    def left(self, limit):
        return max(0.0, min(limit, self.end - time.monotonic()))


def answers(output):
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


def run_peer(peer, problems, limit):
    """\\returns its answers, one for each problem that it finished, and what went wrong, empty if nothing did"""
    if not peer.command[0]:
        return [], "not run: --cublas-peer was not given"
    if limit <= 1:
        return [], "not run: the run's time was up"
    if peer.module and not has_module(peer.command[0], peer.module):
        return [], f"not run: {peer.command[0]} has no {peer.module} or no numpy"
    command = peer.command + [word for p in problems for word in ("--problem", p)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired as stopped:
        output = stopped.stdout or b""
        return answers(output.decode() if isinstance(output, bytes) else output), f"stopped after {limit:.0f} s"
    except OSError as error:
        return [], f"not run: {error}"
    failure = "" if done.returncode == 0 else f"status {done.returncode}: {ensyn_rows.last_line(done.stderr)[:200]}"
    return answers(done.stdout), failure


def has_module(python, module):
    if python == sys.executable and importlib.util.find_spec(module) is None:
        return False
    code = f"import importlib.util as u, sys; sys.exit(not (u.find_spec('{module}') and u.find_spec('numpy')))"
    return subprocess.run([python, "-c", code], capture_output=True).returncode == 0


def judge(row, comparison):
    ratio, where = comparison.worst
    row.agrees = comparison.agrees
    if row.agrees:
        row.verdict = f"agrees ({comparison.compared} figures, the worst at {ratio:.2f} of its tolerance)"
    else:
        row.verdict = f"REFUSED: {where}"


def time_of(answer):
    """Seconds of a network-step, of compiling, and how many networks: of runs with several networks or of several with
    one."""
    runs, block = answer["runs"], answer["runs"][0]["block"]
    steps = [statistics.median(run["seconds"][1:]) / (block * len(run["networks"])) for run in runs]
    return statistics.fmean(steps), sum(run["prepare_seconds"] for run in runs), len(runs[0]["networks"])


def row_of(peer, folder, block, reference, options, clock):
    row = Row(peer.name, peer.title)
    singles = (CHECK_SINGLES, [options.networks // 4, options.networks // 2 + options.networks // 4])
    folders = [str(folder / "check"), str(folder / "timed")]
    if peer.single:
        folders = [f"{path}:{','.join(map(str, chosen))}" for path, chosen in zip(folders, singles)]
    found, failure = run_peer(peer, folders, clock.left(options.limit))
    if found:
        runs = found[0]["runs"]
        networks = [k for run in runs for k in run["networks"]]
        nll, sigma = ([value for run in runs for value in run[name]] for name in ("nll", "sigma_rms"))
        judge(row, curves.compare(reference, networks, nll, sigma))
        row.notes.append(found[0]["with"])
    if len(found) > 1:
        for run in found[1]["runs"]:
            run["block"] = block
        row.seconds, row.prepare, row.networks = time_of(found[1])
    if failure:
        row.verdict = "; ".join(part for part in (row.verdict, failure) if part)
    return row


def ensyn_row(sweep, folder, reference, options, clock):
    row = Row("ensyn", "ensyn sweep")
    check, timed = (json.loads((folder / name / "problem.json").read_text()) for name in ("check", "timed"))
    try:
        nll, sigma = sweep.check(check, clock.left(options.limit))
        judge(row, curves.compare(reference, range(len(sigma)), nll, sigma))
        row.networks = options.networks
        row.seconds, device = sweep.seconds_per_network_step(timed, clock.left(options.limit))
        row.notes.append(device)
    except FAILURES as error:
        row.verdict = "; ".join(part for part in (row.verdict, f"failed: {error}"[:200]) if part)
    if options.whole_sweep and row.seconds is not None:
        try:
            row.whole = sweep.whole_sweep(timed["examples"], clock.left(options.limit))
        except FAILURES as error:
            row.notes.append(f"the whole sweep was not measured: {error}"[:200])
    return row


def write_problems(folder, data, options):
    """`check` with what --plant makes wrong in it, and `timed`."""
    check = {**problem.constants(CHECK["block"] * 20), "learning_rate": CHECK["learning_rate"]}
    problem.write(folder / "right", data, check, CHECK_NETWORKS, CHECK["block"], CHECK["blocks"])
    planted = {name: 1.0 for name in options.plant}
    problem.with_constants(folder / "right", folder / "check", **planted)
    networks = problem.grid(problem.RHOS, problem.sweep_costs(options.networks))
    problem.write(folder / "timed", data, problem.constants(options.examples), networks, options.steps, 4)
    return json.loads((folder / "right" / "problem.json").read_text())


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.machine()


def machine():
    try:
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        gpu = subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        gpu = "no NVIDIA GPU"
    return f"{gpu}; {os.cpu_count()} processors, {processor()}, {platform.system()}"


def compare_all(folder, options):
    clock = Clock(options.total_limit)
    data = options.data
    if data == "synthetic":
        data = folder / "synthetic"
        data.mkdir()
        problem.write_synthetic(data, max(options.examples, CHECK["block"] * 20))
    right = write_problems(folder, data, options)
    start = time.monotonic()
    training, testing = ensyn_rows.reference(options.ensyn, data, right, CHECK_SEEDS)
    print(
        f"population: {len(training) * CHECK_SEEDS} reference networks, {time.monotonic() - start:.0f} s",
        file=sys.stderr,
    )
    rows = [ensyn_row(ensyn_rows.Sweep(options.ensyn, data, options.device), folder, testing, options, clock)]
    for peer in peers(options):
        if peer.name in options.peers or (not options.peers and peer.default):
            start = time.monotonic()
            rows.append(row_of(peer, folder, options.steps, training, options, clock))
            print(f"population: {peer.name}, {time.monotonic() - start:.0f} s: {rows[-1].verdict}", file=sys.stderr)
    return rows


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ensyn", required=True, help="the driver")
    parser.add_argument("--cublas-peer", help="the program ensyn_peer_cublas")
    parser.add_argument("--data", default="synthetic", help="folder with MNIST as IDX files, or synthetic")
    parser.add_argument("--examples", type=int, default=60000, help="of the data, in the timed part")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--networks", type=int, default=240, help="of the sweep, a multiple of 8, in the timed part")
    parser.add_argument("--steps", type=int, default=300, help="of a timed stretch, a multiple of 10")
    parser.add_argument(
        "--peers",
        type=lambda text: text.split(","),
        default=[],
        help="which, instead of the default ones: " + described_peers(),
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the frameworks")
    parser.add_argument("--limit", type=float, default=300, help="seconds for one peer")
    parser.add_argument("--total-limit", type=float, default=3600, help="seconds for all")
    parser.add_argument("--whole-sweep", action="store_true", help="let ensyn train all 240 networks to the end")
    parser.add_argument(
        "--plant",
        action="append",
        default=[],
        choices=("cost_scale", "phi_divisor"),
        help="give the peers this constant wrong (1), to see them refused",
    )
    parser.add_argument("--out", type=Path, help="file for the table")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of the table")
    options = parser.parse_args()
    names = [peer.name for peer in peers(options)]
    unknown = [name for name in options.peers if name not in names]
    if unknown:
        parser.error(f"no peer {unknown[0]}: there are {', '.join(names)}")
    if options.steps % 10 != 0 or options.steps < 10:
        parser.error("--steps must be a multiple of 10")
    return options


def main():
    options = parse()
    with tempfile.TemporaryDirectory() as folder:
        rows = compare_all(Path(folder), options)
    head = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "commit": os.environ.get("ENSYN_COMMIT", ""),
        "command": shlex.join(sys.argv),
        "planted": options.plant,
    }
    text = table.text(head, rows, options)
    if options.out:
        options.out.write_text(text)
    print(json.dumps({**head, "rows": table.records(rows)}, indent=1) if options.json else text, end="")
    compared = [row for row in rows[1:] if row.agrees is not None]
    failed = not rows[0].agrees or rows[0].seconds is None or not compared or not all(row.agrees for row in compared)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
