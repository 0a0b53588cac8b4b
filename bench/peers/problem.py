"""The problem that every peer trains, written once into a folder so that all read the same: images, order of the
minibatches, initial means, constants and the list of networks. Needs only Python's own library.

    problem.json   the constants and the networks (fields: see `constants` and `write`)
    images.bin     examples x 784 bytes
    labels.bin     one byte an example
    order.bin      int32, a row of `batch` examples for each step
    mu.bin         float32, initial means, a row of all layers' parameters for each of the first networks; network k
                   takes row k modulo the number of rows. A layer's are its weights (outputs x inputs), then its biases.
"""

import array
import gzip
import json
import math
import random
from pathlib import Path

SIZES = [784, 100, 100, 10]
RHOS = [1 / 2, 2 / 3, 4 / 3, 2.0]
COST_EXPONENTS = [-4 + 0.25 * k for k in range(30)]
SWEEP_NETWORK_STEPS = 240 * 50 * 3000
# Rows of mu.bin: enough that networks which are compared start from different means.
INITIAL_ROWS = 16


def parameter_count(sizes):
    return sum((i + 1) * o for i, o in zip(sizes, sizes[1:]))


def constants(examples, batch=20):
    """The paper's settings. `cost_scale` is B/N, `phi_divisor` what the gradient of a shared phi is divided by."""
    return {
        "sizes": SIZES,
        "examples": examples,
        "batch": batch,
        "pixel_mean": 0.1307,
        "pixel_sd": 0.3081,
        "learning_rate": 1e-4,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "lambda": 0.01,
        "cost_scale": batch / examples,
        "phi_divisor": parameter_count(SIZES),
        "mu_range": 0.1,
    }


def network(rho, c, homogeneous, sigma_init=1e-4):
    return {"rho": rho, "c": c, "homogeneous": homogeneous, "sigma_init": sigma_init}


def grid(rhos, costs, sigma_init=1e-4):
    """Every rho with every cost, heterogeneous first, then homogeneous."""
    return [network(rho, c, kind, sigma_init) for kind in (False, True) for rho in rhos for c in costs]


def sweep_costs(count):
    """Of the paper's 30 costs so many, evenly spread, that its grid has `count` networks."""
    if count % 8 != 0 or not 8 <= count <= 240:
        raise SystemExit("population: --networks must be a multiple of 8 (4 exponents, 2 kinds of noise), at most 240")
    costs = count // 8
    return [10 ** COST_EXPONENTS[k * len(COST_EXPONENTS) // costs] for k in range(costs)]


def read_idx(folder, name):
    for path, opener in ((Path(folder) / (name + ".gz"), gzip.open), (Path(folder) / name, open)):
        if path.exists():
            with opener(path, "rb") as file:
                raw = file.read()
            shape = [int.from_bytes(raw[4 + 4 * k : 8 + 4 * k], "big") for k in range(raw[3])]
            return raw[4 + 4 * raw[3] :], shape
    raise SystemExit(f"population: {folder} holds no {name}")


def write_synthetic(folder, examples):
    """IDX files with MNIST's names: ten random pictures, a third of each example's pixels replaced by noise."""
    generator = random.Random(0)
    pictures = [generator.randbytes(784) for _ in range(10)]
    for part, count in (("train", examples), ("t10k", 1000)):
        labels = bytes(generator.randrange(10) for _ in range(count))
        images = bytearray()
        for label in labels:
            noise, choice = generator.randbytes(784), generator.randbytes(784)
            images += bytes(n if c < 85 else p for p, n, c in zip(pictures[label], noise, choice))
        for name, shape, data in (("images-idx3", (count, 28, 28), images), ("labels-idx1", (count,), labels)):
            head = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
            (Path(folder) / f"{part}-{name}-ubyte").write_bytes(head + bytes(data))


def minibatches(examples, batch, steps, seed):
    """A fresh permutation for each epoch, cut into minibatches; what is left over of an epoch is dropped."""
    generator, order = random.Random(seed), array.array("i")
    per_epoch = examples // batch
    for first in range(0, steps, per_epoch):
        permutation = list(range(examples))
        generator.shuffle(permutation)
        order.extend(permutation[: min(per_epoch, steps - first) * batch])
    return order


def write(folder, data, values, networks, block, blocks, seed=0):
    """Training is `blocks` stretches of `block` steps; a peer reports loss and time of each."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    images, shape = read_idx(data, "train-images-idx3-ubyte")
    labels, _ = read_idx(data, "train-labels-idx1-ubyte")
    examples = values["examples"]
    if shape[0] < examples or math.prod(shape[1:]) != values["sizes"][0]:
        raise SystemExit(f"population: {data} has {shape}, needed are {examples} images of {values['sizes'][0]} pixels")
    (folder / "images.bin").write_bytes(images[: examples * values["sizes"][0]])
    (folder / "labels.bin").write_bytes(labels[:examples])
    order = minibatches(examples, values["batch"], block * blocks, seed)
    (folder / "order.bin").write_bytes(order.tobytes())
    rows = min(len(networks), INITIAL_ROWS)
    generator, reach = random.Random(seed + 1), values["mu_range"]
    mu = array.array("f", (generator.uniform(-reach, reach) for _ in range(rows * parameter_count(values["sizes"]))))
    (folder / "mu.bin").write_bytes(mu.tobytes())
    fields = {**values, "block": block, "blocks": blocks, "seed": seed, "mu_rows": rows, "networks": networks}
    (folder / "problem.json").write_text(json.dumps(fields, indent=1))


def with_constants(folder, copy, **changed):
    """The problem with other constants, for example wrong ones: what reads it must then be found out."""
    folder, copy = Path(folder), Path(copy)
    copy.mkdir(parents=True, exist_ok=True)
    for name in ("images.bin", "labels.bin", "order.bin", "mu.bin"):
        (copy / name).write_bytes((folder / name).read_bytes())
    fields = json.loads((folder / "problem.json").read_text())
    (copy / "problem.json").write_text(json.dumps({**fields, **changed}, indent=1))
