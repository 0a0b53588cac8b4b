"""Many networks at once in PyTorch, and one compiled: parameters stacked along a first axis, torch.func.vmap over it.

compiled       one network at a time: torch.compile, replayed as a CUDA graph
vmap           all networks, eager
vmap_compiled  all networks: torch.compile of the step under vmap, replayed as a CUDA graph
vmap_tuned     as vmap_compiled, with the products' kernels chosen by timing (mode max-autotune-no-cudagraphs)

Each with `_tf32` behind it multiplies in TF32. The whole step is on the device: choice of the minibatch, noise,
gradient, Adam. Without a CUDA device the same step runs without graphs.
"""

import peer
import torch
from torch.nn import functional

VARIANTS = ("compiled", "vmap", "vmap_compiled", "vmap_tuned")
# Steps in one graph: enough that its launch does not count for a single network.
UNROLLED = 10


def loss(mu, phi, noise, rho, c, x, y, constants, homogeneous):
    """Of one network. phi is a list as mu, or one number. \\returns (objective, NLL summed over the minibatch)"""
    if homogeneous:
        sigma = [functional.softplus(phi[0])] * len(mu)
        reliability = sum(m.numel() for m in mu) * sigma[0] ** -rho
    else:
        sigma = [functional.softplus(p) for p in phi]
        reliability = sum((s**-rho).sum() for s in sigma)
    weights = [m + s * n for m, s, n in zip(mu, sigma, noise)]
    for layer in range(0, len(weights), 2):
        x = functional.linear(x if layer == 0 else functional.relu(x), weights[layer], weights[layer + 1])
    nll = -functional.log_softmax(x, -1).gather(-1, y[:, None]).sum()
    magnitude = sum(m.abs().sum() for m in mu)
    return nll + constants["cost_scale"] * (c * reliability + constants["lambda"] * magnitude), nll


class Group:
    """Networks of one kind. With `stacked` every tensor has them along a first axis; else there is one network."""

    def __init__(self, problem, device, homogeneous, members, stacked):
        self.problem, self.homogeneous, self.members = problem, homogeneous, members
        settings = [problem["networks"][k] for k in members]

        def stack(rows):
            return (torch.stack(rows) if stacked else rows[0]).to(device)

        self.rho, self.c = (
            stack([torch.tensor(s[name], dtype=torch.float32) for s in settings]) for name in ("rho", "c")
        )
        starts = [[torch.tensor(values) for values in problem.initial_mu(k)] for k in members]
        self.initial_mu = [stack(list(rows)) for rows in zip(*starts)]
        self.mu = [values.clone() for values in self.initial_mu]
        shapes = [self.rho] if homogeneous else self.mu
        self.phi = [torch.empty_like(values) for values in shapes]
        self.initial_phi = stack([torch.tensor(problem.initial_phi(k), dtype=torch.float32) for k in members])
        self.moments = [[torch.empty_like(p) for p in self.mu + self.phi] for _ in range(2)]
        self.nll = torch.zeros_like(self.rho)

        def objective(mu, phi, noise, rho, c, x, y):
            return loss(mu, phi, noise, rho, c, x, y, problem.fields, homogeneous)

        self.gradient = torch.func.grad(objective, argnums=(0, 1), has_aux=True)
        if stacked:
            self.gradient = torch.func.vmap(self.gradient, in_dims=(0, 0, 0, 0, 0, None, None))

    def reset(self):
        for values, start in zip(self.mu, self.initial_mu):
            values.copy_(start)
        for values in self.phi:
            missing = values.ndim - self.initial_phi.ndim
            values.copy_(self.initial_phi.reshape(self.initial_phi.shape + (1,) * missing))
        for values in self.moments[0] + self.moments[1]:
            values.zero_()
        self.nll.zero_()

    def step(self, x, y, corrections):
        noise = [torch.randn_like(values) for values in self.mu]
        (mu, phi), nll = self.gradient(self.mu, self.phi, noise, self.rho, self.c, x, y)
        if self.homogeneous:
            phi = [values / self.problem["phi_divisor"] for values in phi]
        self.nll.add_(nll)
        rate, epsilon = self.problem["learning_rate"], self.problem["epsilon"]
        beta1, beta2 = self.problem["beta1"], self.problem["beta2"]
        for p, g, m, v in zip(self.mu + self.phi, list(mu) + list(phi), *self.moments):
            m.mul_(beta1).add_(g, alpha=1 - beta1)
            v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            p.sub_(rate * (m / corrections[0]) / ((v / corrections[1]).sqrt() + epsilon))

    def sigma(self):
        if self.homogeneous:
            return functional.softplus(self.phi[0]).reshape(-1).tolist()
        networks = len(self.members)
        weights = torch.cat([functional.softplus(p).reshape(networks, -1) for p in self.phi[::2]], dim=1)
        return weights.square().mean(dim=1).sqrt().tolist()


class Trainer:
    def __init__(self, problem, device, variant, networks):
        self.problem, self.device, self.variant = problem, device, variant
        self.networks = list(networks)
        stacked = variant != "compiled"
        self.groups = [
            Group(problem, device, kind, members, stacked) for kind, members in problem.groups(self.networks)
        ]
        self.images = torch.from_numpy(problem.normalised("float32")).to(device)
        self.labels = torch.from_numpy(problem.labels).long().to(device)
        self.order = torch.from_numpy(problem.order).long().to(device)
        # Which step is next: on the device, so that a graph can advance it.
        self.position = torch.zeros(1, dtype=torch.long, device=device)
        self.graph = None

    def step(self):
        rows = self.order.index_select(0, self.position)[0]
        self.position.add_(1)
        t = self.position[0].to(torch.float32)
        corrections = [1 - beta**t for beta in (self.problem["beta1"], self.problem["beta2"])]
        x, y = self.images.index_select(0, rows), self.labels.index_select(0, rows)
        for group in self.groups:
            group.step(x, y, corrections)

    def reset(self):
        self.position.zero_()
        for group in self.groups:
            group.reset()

    def prepare(self):
        self.compiled = self.step
        if self.variant != "vmap":
            # Else each network would count as one more version of the same function, of which only few are kept.
            torch.compiler.reset()
            mode = {"mode": "max-autotune-no-cudagraphs"} if self.variant == "vmap_tuned" else {}
            self.compiled = torch.compile(self.step, fullgraph=True, dynamic=False, **mode)
        self.reset()
        if self.device == "cuda" and self.variant != "vmap":
            self.capture()
        else:
            self.compiled()
        self.reset()

    def capture(self):
        if self.problem["block"] % UNROLLED != 0:
            raise SystemExit(f"torch_population: a block must be a multiple of {UNROLLED} steps")
        torch.cuda.synchronize()
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(3):
                self.compiled()
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            for _ in range(UNROLLED):
                self.compiled()

    def run(self, first, steps):
        if self.graph is None:
            for _ in range(steps):
                self.compiled()
        else:
            for _ in range(steps // UNROLLED):
                self.graph.replay()

    def take_nll(self):
        by_network = {}
        for group in self.groups:
            by_network.update(zip(group.members, group.nll.reshape(-1).tolist()))
            group.nll.zero_()
        return [by_network[k] for k in self.networks]

    def sigma(self):
        by_network = {}
        for group in self.groups:
            by_network.update(zip(group.members, group.sigma()))
        return [by_network[k] for k in self.networks]


def make(problem, device, variant, networks):
    name, tf32 = variant.removesuffix("_tf32"), variant.endswith("_tf32")
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.manual_seed(problem["seed"])
    if name != "compiled":
        return [Trainer(problem, device, name, networks)]
    return (Trainer(problem, device, name, [k]) for k in networks)


def describe(device):
    return f"torch {torch.__version__}" + (f", {torch.cuda.get_device_name()}" if device == "cuda" else "")


if __name__ == "__main__":
    peer.main(VARIANTS + tuple(name + "_tf32" for name in VARIANTS), make, describe)
