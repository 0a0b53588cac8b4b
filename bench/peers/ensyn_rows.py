"""ensyn's part: the reference curves by the CPU backend, and the driver's sweep as a row of the table."""

import csv
import json
import os
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import problem

KINDS = {False: "heterogeneous", True: "homogeneous"}
TEST_EXAMPLES = 1000


def axis(networks, name):
    """The values of a grid along one of its axes, as the driver takes them."""
    return ",".join(repr(value) for value in dict.fromkeys(network[name] for network in networks))


def shared_flags(data, fields):
    flags = ["--data", str(data), "--lr", repr(fields["learning_rate"]), "--lambda", repr(fields["lambda"])]
    flags += ["--mu-range", repr(fields["mu_range"])]
    flags += ["--batch", str(fields["batch"]), "--limit-train", str(fields["examples"]), "--samples", "1"]
    return flags + ["--checkpoint-every", "0", "--quiet", "--json"]


def run(command, limit=None):
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} ended with status {done.returncode}: {last_line(done.stderr)}")
    return done.stdout


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "nothing on standard error"


def name_of(network):
    start = f"sigma from {network['sigma_init']:.3g}"
    return f"rho {network['rho']:.3g}, c {network['c']:.3g}, {KINDS[network['homogeneous']]}, {start}"


def train(ensyn, data, fields, network, seed):
    """An epoch is a block. \\returns loss of each block, sigma at the end, test loss of one draw at the end"""
    with tempfile.TemporaryDirectory() as folder:
        command = [ensyn, "train", "--out", folder + "/run", *shared_flags(data, fields), "--device", "cpu"]
        command += ["--threads", "1", "--epochs", str(fields["blocks"]), "--evaluate-every", "0"]
        command += ["--limit-test", str(TEST_EXAMPLES), "--seed", str(seed), "--data-seed", str(seed)]
        command += ["--rho", repr(network["rho"]), "--c", repr(network["c"]), "--noise", KINDS[network["homogeneous"]]]
        command += ["--sigma-init", repr(network["sigma_init"])]
        summary = json.loads(run(command))
        with open(Path(folder) / "run" / "metrics.csv", newline="") as file:
            curve = [float(row["train_nll"]) for row in csv.DictReader(file)]
    return curve, summary["sigma_rms"], summary["nll_sample"]


def reference(ensyn, data, fields, seeds):
    """What curves.compare takes, and the same with the loss on test examples in place of the curve, for `sweep`."""
    if fields["block"] * fields["batch"] != fields["examples"]:
        raise SystemExit("population: for a comparison with ensyn a block must be an epoch")
    jobs = [(network, seed) for network in fields["networks"] for seed in range(1, seeds + 1)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: train(ensyn, data, fields, *job), jobs))
    training, testing = [], []
    for k, network in enumerate(fields["networks"]):
        curves, sigmas, tests = zip(*results[k * seeds : (k + 1) * seeds])
        training.append({"name": name_of(network), "nll": curves, "sigma": sigmas})
        testing.append({"name": name_of(network), "nll": [[test] for test in tests], "sigma": sigmas})
    return training, testing


class Sweep:
    """`ensyn sweep` on a device, with whatever kernels it chooses there."""

    def __init__(self, ensyn, data, device):
        self.ensyn, self.data, self.device = ensyn, data, device

    def run(self, fields, networks, epochs, limit, test=("--limit-test", str(TEST_EXAMPLES))):
        """`networks` are a grid. \\returns seconds of the whole command, its summary and its rows"""
        with tempfile.TemporaryDirectory() as folder:
            command = [self.ensyn, "sweep", "--out", folder + "/run", *shared_flags(self.data, fields)]
            command += ["--device", self.device, "--epochs", str(epochs), *test]
            command += ["--rho", axis(networks, "rho"), "--c", axis(networks, "c")]
            command += ["--noise", ",".join(KINDS[kind] for kind in dict.fromkeys(n["homogeneous"] for n in networks))]
            command += ["--sigma-init", axis(networks, "sigma_init")]
            start = time.perf_counter()
            summary = json.loads(run(command, limit))
            seconds = time.perf_counter() - start
            with open(Path(folder) / "run" / "sweep.csv", newline="") as file:
                rows = list(csv.DictReader(file))
        return seconds, summary, rows

    def check(self, fields, limit):
        """Networks that start at one sigma are a grid. \\returns test loss and sigma of each, in the problem's order"""
        found = {}
        for start in dict.fromkeys(n["sigma_init"] for n in fields["networks"]):
            members = [n for n in fields["networks"] if n["sigma_init"] == start]
            for row in self.run(fields, members, fields["blocks"], limit)[2]:
                found[start, float(row["rho"]), float(row["c"]), row["noise"]] = row
        keys = [(n["sigma_init"], n["rho"], n["c"], KINDS[n["homogeneous"]]) for n in fields["networks"]]
        ordered = [found[key] for key in keys]
        return [[float(row["nll_sample"])] for row in ordered], [float(row["sigma_rms"]) for row in ordered]

    def seconds_per_network_step(self, fields, limit):
        """Of three pairs the difference between a longer and a shorter sweep: start-up, evaluation and files, the same
        in both, drop out. \\returns seconds of a network-step and what was computed with"""
        epochs = {"short": 1, "long": 3}
        steps = (epochs["long"] - epochs["short"]) * (fields["examples"] // fields["batch"]) * len(fields["networks"])
        differences = []
        for _ in range(3):
            times = {}
            for name, count in epochs.items():
                times[name], summary, _ = self.run(fields, fields["networks"], count, limit)
            differences.append((times["long"] - times["short"]) / steps)
        return statistics.median(differences), summary["device"]

    def whole_sweep(self, examples, limit):
        """The paper's 240 networks from data to the table of results, as the command is given by hand."""
        networks = problem.grid(problem.RHOS, problem.sweep_costs(240))
        return self.run(problem.constants(examples), networks, 50, limit, test=())[0]
