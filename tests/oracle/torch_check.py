#!/usr/bin/env python3
"""Computes again, with PyTorch's autograd and Adam, what oracle_dump printed, and compares.

usage: torch_check.py ORACLE_DUMP

Philox, the noise contract and the measures of quality are written here a second time as well, from the text
of include/ensyn/noise.h and evaluation.h. Exit code 77: PyTorch is not installed.
"""

import json
import math
import subprocess
import sys

try:
    import torch
    from torch.nn import functional
except ImportError:
    print("PyTorch is not installed: nothing was compared")
    sys.exit(77)

torch.set_default_dtype(torch.float64)

# Both sides compute in double precision: sums of at most 15 terms near 1 to 100.
TOLERANCE = 1e-11
TRAINING, EVALUATION, INITIAL_MU, SHUFFLING = range(4)
MASK32 = 2**32 - 1


def philox(counter, key):
    """Philox4x32-10 of a 128-bit counter and a 64-bit key, both integers."""
    x = [counter >> 32 * i & MASK32 for i in range(4)]
    k = [key & MASK32, key >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [p1 >> 32 ^ x[1] ^ k[0], p1 & MASK32, p0 >> 32 ^ x[3] ^ k[1], p0 & MASK32]
        k = [k[0] + 0x9E3779B9 & MASK32, k[1] + 0xBB67AE85 & MASK32]
    return x


def words(seed, stream, step, tensor, purpose, quad):
    return philox(quad + (tensor << 40) + (purpose << 52) + (step << 64) + (stream << 104), seed)


def signed(word):
    return word - 2**32 if word >= 2**31 else word


def matrix(rows, columns, block_values):
    """Fills a matrix with 2 x 2 blocks; block_values(quad) gives the four numbers of one."""
    result = torch.empty(rows + 1, columns + 1)
    for a in range((rows + 1) // 2):
        for b in range((columns + 1) // 2):
            values = torch.tensor(block_values(a * ((columns + 1) // 2) + b))
            result[2 * a : 2 * a + 2, 2 * b : 2 * b + 2] = values.reshape(2, 2)
    return result[:rows, :columns].clone()


def box_muller(v, w):
    radius = math.sqrt(-2 * math.log(v * 2.0**-32 + 2.0**-33))
    angle = math.pi * signed(w) * 2.0**-31
    return [radius * math.sin(angle), radius * math.cos(angle)]


def shapes(s):
    return [(rows, columns + 1) for columns, rows in zip(s["sizes"], s["sizes"][1:])]


def noise(s, step, purpose):
    def normals(tensor, quad):
        w = words(s["seed"], s["stream"], step, tensor, purpose, quad)
        return box_muller(w[0], w[1]) + box_muller(w[2], w[3])

    return [matrix(*shape, lambda q, t=t: normals(t, q)) for t, shape in enumerate(shapes(s))]


def initial_mu(s):
    def uniforms(tensor, quad):
        w = words(s["seed"], s["stream"], 0, tensor, INITIAL_MU, quad)
        return [s["mu_range"] * (signed(x) * 2.0**-31 + 2.0**-32) for x in w]

    return [matrix(*shape, lambda q, t=t: uniforms(t, q)) for t, shape in enumerate(shapes(s))]


def order(s, epoch):
    p = list(range(s["examples"]))
    for i in range(len(p) - 1, 0, -1):
        w = words(s["data_seed"], s["order_stream"], epoch, 0, SHUFFLING, i // 2)
        low, high = (w[0], w[1]) if i % 2 == 0 else (w[2], w[3])
        j = (high * 2**32 + low) * (i + 1) >> 64
        p[i], p[j] = p[j], p[i]
    return p


def logits(weights, x):
    for i, w in enumerate(weights):
        x = x @ w[:, :-1].T + w[:, -1]
        x = torch.relu(x) if i + 1 < len(weights) else x
    return x


class Network:
    def __init__(self, s):
        self.s = s
        self.mu = [m.requires_grad_() for m in initial_mu(s)]
        start = torch.tensor(math.log(math.expm1(s["sigma_init"])))
        shapes = {"weight": [m.shape for m in self.mu], "neuron": [(len(m), 1) for m in self.mu],
                  "layer": [()] * len(self.mu), "network": [()]}
        self.phi = [start.expand(shape).clone() for shape in shapes[s["scope"]]]
        for parameter in self.phi:
            parameter.requires_grad_()
        self.adam = torch.optim.Adam(
            self.mu + self.phi, lr=s["learning_rate"], betas=(s["beta1"], s["beta2"]), eps=s["epsilon"]
        )

    def sigma(self):
        """Of every weight, layer by layer."""
        phi = self.phi * len(self.mu) if self.s["scope"] == "network" else self.phi
        return [torch.log1p(torch.exp(p)).expand(m.shape) for p, m in zip(phi, self.mu)]

    def weights(self, draws):
        return [m + sigma * xi for m, sigma, xi in zip(self.mu, self.sigma(), draws)]

    def costs(self):
        """R, lambda sum |mu| and the prior on mu, over all weights and biases."""
        s = self.s
        mu = torch.cat([m.flatten() for m in self.mu])
        sigma = torch.cat([x.flatten() for x in self.sigma()])
        magnitude, prior = s["lambda"] * mu.abs().sum(), torch.zeros(())
        if s["variational"]:
            reliability = -sigma.log().sum() + (sigma**2).sum() / (2 * s["prior_sigma"] ** 2)
            prior = (mu**2).sum() / (2 * s["prior_sigma"] ** 2)
            if s["laplace_scale"] > 0:
                t = mu / (sigma * math.sqrt(2))
                prior = (sigma * math.sqrt(2 / math.pi) * (-(t**2)).exp() + mu * t.erf()).sum() / s["laplace_scale"]
        else:
            reliability = sum((c * (sigma**-rho).sum() for rho, c in s["terms"]), torch.zeros(()))
        return reliability, magnitude, prior

    def step(self, x, labels, draws):
        s = self.s
        out = logits(self.weights(draws), x)
        nll = functional.cross_entropy(out, labels, reduction="sum")
        self.adam.zero_grad()
        (nll + s["batch"] / s["examples"] * sum(self.costs())).backward()
        if s["scope"] == "network":
            self.phi[0].grad /= sum(m.numel() for m in self.mu)
        elif s["scope"] != "weight":
            for phi, m in zip(self.phi, self.mu):
                phi.grad /= m.numel() / phi.numel()
        self.adam.step()
        return nll.item(), (out.argmax(1) == labels).sum().item()


def quality(p, labels, bins):
    top, best = p.max(1)
    right = (best == labels).double()
    which = (top * bins).long().clamp(max=bins - 1)
    gaps = [((top - right)[which == b].sum() / len(labels)).abs() for b in range(bins)]
    return {
        "accuracy": right.mean(),
        "nll": functional.nll_loss(p.log(), labels),
        "brier": ((p - functional.one_hot(labels, p.shape[1])) ** 2).sum(1).mean(),
        "ece": sum(gaps),
        "entropy": torch.distributions.Categorical(p).entropy().mean(),
    }


def evaluate(network, how, x, labels):
    batches = math.ceil(len(x) / how["batch"])

    def predict(sample):
        parts = []
        for index, part in enumerate(x.split(how["batch"])):
            draws = noise(network.s, sample * batches + index, EVALUATION)
            parts.append(functional.softmax(logits(network.weights(draws), part), 1))
        return torch.cat(parts)

    with torch.no_grad():
        p = torch.stack([predict(sample) for sample in range(how["samples"])])
        entropy = torch.distributions.Categorical(p.mean(0)).entropy()
        mutual = (entropy - torch.distributions.Categorical(p).entropy().mean(0)).mean()
        average = functional.softmax(p.log().mean(0), 1) if how["average_log_probabilities"] else p.mean(0)
        mean = functional.softmax(logits(network.mu, x), 1)
        result = {name: quality(v, labels, how["bins"]) for name, v in
                  (("mean", mean), ("sample", p[0]), ("average", average))}
        return {**result, "mutual_information": mutual}


def energy(network):
    s = network.s
    with torch.no_grad():
        sigma = torch.cat([x[:, :-1].flatten() for x in network.sigma()])
        if s["variational"] or not s["terms"]:
            reliability_sum = -sigma.log().sum()
        else:
            rho = s["terms"][0][0]
            reliability_sum = (sigma**-rho).sum() / rho
        reliability, magnitude, _ = network.costs()
        return {
            "sigma_rms": (sigma**2).mean().sqrt(),
            "reliability_sum": reliability_sum,
            "reliability_cost": reliability,
            "magnitude_cost": magnitude,
        }


class Comparison:
    def __init__(self):
        self.count, self.failures, self.worst = 0, 0, 0.0

    def numbers(self, what, got, want):
        got, want = torch.as_tensor(got, dtype=torch.float64), torch.as_tensor(want, dtype=torch.float64)
        if got.shape != want.shape:
            self.failures += 1
            print(f"{what}: shape {tuple(got.shape)}, want {tuple(want.shape)}")
            return
        error = ((got - want).abs() / (1 + want.abs())).max().item()
        self.count += want.numel()
        self.worst = max(self.worst, error)
        if not error <= TOLERANCE:
            self.failures += 1
            print(f"{what}: error {error:.3g}")

    def tree(self, what, got, want):
        """Compares what `want` names, where it holds numbers."""
        for name, value in want.items():
            if isinstance(value, dict):
                self.tree(f"{what}.{name}", got[name], value)
            else:
                self.numbers(f"{what}.{name}", got[name], value)

    def parameters(self, what, shared, mu, phi, got):
        for layer, values in enumerate(got["mu"]):
            self.numbers(f"{what} mu {layer}", values, mu[layer])
        if shared:
            self.numbers(f"{what} shared phi", got["phi"], torch.cat([p.flatten() for p in phi]))
            return
        for layer, values in enumerate(got["phi"]):
            self.numbers(f"{what} phi {layer}", values, phi[layer])


def check(comparison, index, dump):
    s = dump["settings"]
    x, labels = torch.tensor(dump["features"]), torch.tensor(dump["labels"])
    network = Network(s)
    detached = lambda values: [v.detach() for v in values]
    grads = lambda values: [v.grad for v in values]
    what, shared = f"network {index}", s["scope"] != "weight"
    comparison.parameters(f"{what} initial", shared, detached(network.mu), detached(network.phi),
                          dump["initial"])
    steps_per_epoch = s["examples"] // s["batch"]
    for number, step in enumerate(dump["steps"]):
        at = f"{what} step {number}"
        first = number % steps_per_epoch * s["batch"]
        minibatch = order(s, number // steps_per_epoch)[first : first + s["batch"]]
        comparison.numbers(f"{at} minibatch", step["minibatch"], minibatch)
        draws = noise(s, number, TRAINING)
        for layer, values in enumerate(draws):
            comparison.numbers(f"{at} noise {layer}", step["noise"][layer], values)
        nll, correct = network.step(x[minibatch], labels[minibatch], draws)
        comparison.tree(at, step, {"nll": nll, "correct": correct})
        comparison.parameters(f"{at} gradient", shared, grads(network.mu), grads(network.phi),
                              step["gradient"])
        comparison.parameters(f"{at} value", shared, detached(network.mu), detached(network.phi),
                              step["parameters"])
    for how in dump["evaluations"]:
        comparison.tree(f"{what} evaluation", how, evaluate(network, how, x, labels))
    comparison.tree(f"{what} energy", dump["energy"], energy(network))


def main():
    dumps = json.loads(subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout)
    comparison = Comparison()
    for index, dump in enumerate(dumps):
        check(comparison, index, dump)
    print(f"{len(dumps)} networks, {comparison.count} numbers, {comparison.failures} comparisons failed, "
          f"largest relative error {comparison.worst:.2g}")
    sys.exit(1 if comparison.failures or comparison.count < 1000 else 0)


if __name__ == "__main__":
    main()
