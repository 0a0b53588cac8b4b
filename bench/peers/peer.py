"""What the Python peers share: reading the problem (problem.py), training block by block with a clock, and the JSON
line that is a peer's answer. Needs numpy.

A trainer has
    networks             indices of the networks that it trains together
    prepare()            compiles, and captures where it does; leaves the initial state
    run(first, steps)    queues steps
    take_nll()           waits; the summed NLL of each network since the last call
    sigma()              of each network, root mean square over its weights without biases
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy


@dataclass
class Problem:
    fields: dict
    images: numpy.ndarray
    labels: numpy.ndarray
    order: numpy.ndarray
    mu: numpy.ndarray

    def __getitem__(self, name):
        return self.fields[name]

    def normalised(self, dtype):
        """Images as the paper normalises them."""
        scaled = self.images.astype(dtype) / 255
        return (scaled - self["pixel_mean"]) / self["pixel_sd"]

    def initial_phi(self, network):
        return math.log(math.expm1(self["networks"][network]["sigma_init"]))

    def initial_mu(self, network):
        """Weights (outputs x inputs) and biases of each layer, alternating."""
        row, at, result = self.mu[network % len(self.mu)], 0, []
        for inputs, outputs in zip(self["sizes"], self["sizes"][1:]):
            for shape in ((outputs, inputs), (outputs,)):
                count = math.prod(shape)
                result.append(row[at : at + count].reshape(shape))
                at += count
        return result

    def groups(self, networks):
        """Those networks that are heterogeneous, and those that are homogeneous."""
        kinds = [[k for k in networks if self["networks"][k]["homogeneous"] == kind] for kind in (False, True)]
        return [(kind, members) for kind, members in zip((False, True), kinds) if members]


def load(folder):
    folder = Path(folder)
    fields = json.loads((folder / "problem.json").read_text())
    images = numpy.fromfile(folder / "images.bin", numpy.uint8).reshape(fields["examples"], -1)
    return Problem(
        fields,
        images,
        numpy.fromfile(folder / "labels.bin", numpy.uint8),
        numpy.fromfile(folder / "order.bin", numpy.int32).reshape(-1, fields["batch"]),
        numpy.fromfile(folder / "mu.bin", numpy.float32).reshape(fields["mu_rows"], -1),
    )


def train(problem, trainer):
    start = time.perf_counter()
    trainer.prepare()
    compiling = time.perf_counter() - start
    seconds, nll = [], []
    examples = problem["block"] * problem["batch"]
    for block in range(problem["blocks"]):
        start = time.perf_counter()
        trainer.run(block * problem["block"], problem["block"])
        sums = trainer.take_nll()
        seconds.append(time.perf_counter() - start)
        nll.append([float(value) / examples for value in sums])
    return {
        "networks": list(trainer.networks),
        "nll": [list(curve) for curve in zip(*nll)],
        "sigma_rms": [float(value) for value in trainer.sigma()],
        "seconds": seconds,
        "prepare_seconds": compiling,
    }


def main(variants, make, describe):
    """`make(problem, device, variant, networks)` gives the trainers one after another. Prints a line for each problem
    as soon as it is done, so that an answer counts even if the next problem is too large."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--problem",
        action="append",
        required=True,
        metavar="FOLDER[:INDEX,...]",
        help="and which of its networks to train; repeat for several problems",
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), required=True)
    parser.add_argument("--variant", choices=variants, required=True)
    options = parser.parse_args()
    for argument in options.problem:
        folder, _, chosen = argument.partition(":")
        problem = load(folder)
        networks = [int(k) for k in chosen.split(",")] if chosen else range(len(problem["networks"]))
        trainers = make(problem, options.device, options.variant, networks)
        runs = [train(problem, trainer) for trainer in trainers]
        print(json.dumps({"runs": runs, "with": describe(options.device)}), flush=True)
