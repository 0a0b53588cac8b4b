"""The training step of ensyn's `paper` preset in PyTorch, as one would write it for speed without giving up clarity.

Prints one JSON line: steps per second, and the mean training loss of the steps before and during the timing, by which
compare.py checks that both programs do the same work. Needs torch and numpy (Debian: python3-torch).
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy
import torch
from torch.nn import functional


def read_idx(folder, name):
    for path, opener in ((folder / (name + ".gz"), gzip.open), (folder / name, open)):
        if path.exists():
            with opener(path, "rb") as file:
                raw = file.read()
            dimensions = raw[3]
            shape = [int.from_bytes(raw[4 + 4 * k : 8 + 4 * k], "big") for k in range(dimensions)]
            return numpy.frombuffer(raw, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape)
    raise SystemExit(f"torch_step: {folder} holds no {name}")


class NoisyLinear:
    """w ~ Normal(mu, softplus(phi)^2), one draw per call; the bias is the last column."""

    def __init__(self, inputs, outputs, dtype):
        self.mu = torch.empty(outputs, inputs + 1, dtype=dtype).uniform_(-0.1, 0.1).requires_grad_()
        start = float(numpy.log(numpy.expm1(1e-4)))
        self.phi = torch.full((outputs, inputs + 1), start, dtype=dtype).requires_grad_()

    def __call__(self, x):
        self.sigma = functional.softplus(self.phi)
        w = torch.addcmul(self.mu, self.sigma, torch.randn_like(self.mu))
        return functional.linear(x, w[:, :-1], w[:, -1])


def train(images, labels, options, dtype):
    layers = [NoisyLinear(i, o, dtype) for i, o in ((784, 100), (100, 100), (100, 10))]
    adam = torch.optim.Adam([p for layer in layers for p in (layer.mu, layer.phi)], lr=1e-4)
    fraction = options.batch / len(images)

    def step(x, y):
        adam.zero_grad(set_to_none=True)
        h = functional.relu(layers[0](x))
        h = functional.relu(layers[1](h))
        nll = functional.cross_entropy(layers[2](h), y, reduction="sum")
        reliability = sum((layer.sigma ** -options.rho).sum() for layer in layers)
        magnitude = sum(layer.mu.abs().sum() for layer in layers)
        loss = nll + fraction * (options.c * reliability + 0.01 * magnitude)
        loss.backward()
        adam.step()
        return nll.detach()

    order = torch.randperm(len(images))
    losses = torch.zeros(options.steps)
    # The first steps warm up; the clock runs over the rest.
    warm_up = options.steps // 10
    for k in range(options.steps):
        if k == warm_up:
            start = time.perf_counter()
        chosen = order[k * options.batch : (k + 1) * options.batch]
        losses[k] = step(images[chosen].to(dtype).sub_(0.1307 * 255).div_(0.3081 * 255), labels[chosen])
    seconds = time.perf_counter() - start
    return (options.steps - warm_up) / seconds, float(losses.mean()) / options.batch


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with MNIST or Fashion-MNIST in IDX files")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--rho", type=float, default=2.0)
    parser.add_argument("--c", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("single", "double"), default="single")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    # One short epoch, as ensyn's driver with --limit-train.
    examples = options.steps * options.batch
    images = torch.from_numpy(read_idx(options.data, "train-images-idx3-ubyte").reshape(-1, 784)[:examples].copy())
    labels = torch.from_numpy(read_idx(options.data, "train-labels-idx1-ubyte")[:examples].astype(numpy.int64))
    if len(images) < examples:
        parser.error(f"--steps {options.steps} needs {examples} examples; there are {len(images)}")
    dtype = torch.float32 if options.precision == "single" else torch.float64
    rate, nll = train(images, labels, options, dtype)
    print(json.dumps({"steps_per_second": rate, "train_nll": nll, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
