"""One network at a time in eager PyTorch.

published   as the paper's authors train it: float64, a DataLoader whose data set normalises image by image, weights
            from a Normal distribution object with its argument checks, and, for homogeneous noise, a phi for every
            weight, of whose sigmas the root mean square is used
float32     the same step without what slows it: single precision, data on the device, no argument checks, fused Adam
"""

import peer
import torch
from torch.distributions import Normal
from torch.nn import functional


class Images(torch.utils.data.Dataset):
    def __init__(self, problem):
        self.problem = problem

    def __len__(self):
        return len(self.problem.images)

    def __getitem__(self, k):
        image = torch.from_numpy(self.problem.images[k]).to(torch.float64).div(255)
        return image.sub(self.problem["pixel_mean"]).div(self.problem["pixel_sd"]), int(self.problem.labels[k])


def published_batches(problem, device, first, steps):
    # Without worker processes: they cost more than they bring for batches of 20.
    loader = torch.utils.data.DataLoader(
        Images(problem), batch_size=problem["batch"], sampler=problem.order[first : first + steps].ravel().tolist()
    )
    for x, y in loader:
        yield x.to(device), y.to(device)


class Network:
    def __init__(self, problem, device, variant, index):
        self.problem, self.device, self.published = problem, device, variant == "published"
        self.networks = [index]
        self.settings = problem["networks"][index]
        self.dtype = torch.float64 if self.published else torch.float32
        if not self.published:
            self.images = torch.from_numpy(problem.normalised("float32")).to(device)
            self.labels = torch.from_numpy(problem.labels).long().to(device)
            self.order = torch.from_numpy(problem.order).long().to(device)

    def prepare(self):
        """Nothing is compiled, but the first steps load libraries: they are taken and forgotten."""
        self.reset()
        self.run(0, min(3, self.problem["block"]))
        self.take_nll()
        self.reset()

    def reset(self):
        def tensor(values):
            return values.to(device=self.device, dtype=self.dtype).requires_grad_()

        self.mu = [tensor(torch.tensor(values)) for values in self.problem.initial_mu(self.networks[0])]
        start = self.problem.initial_phi(self.networks[0])
        self.count = sum(mu.numel() for mu in self.mu)
        if self.published or not self.settings["homogeneous"]:
            self.phi = [tensor(torch.full_like(mu, start)) for mu in self.mu]
        else:
            self.phi = [tensor(torch.tensor(start))]
        adam = {} if self.published else {"fused": self.device == "cuda"}
        self.adam = torch.optim.Adam(
            self.mu + self.phi,
            lr=self.problem["learning_rate"],
            betas=(self.problem["beta1"], self.problem["beta2"]),
            eps=self.problem["epsilon"],
            **adam,
        )
        self.nll = torch.zeros((), dtype=torch.float64, device=self.device)

    def deviations(self):
        """sigma of each tensor; for homogeneous noise one number, with the gradient of phi divided as it must be."""
        sigma = [functional.softplus(phi) for phi in self.phi]
        if not self.settings["homogeneous"]:
            return sigma
        if not self.published:
            return sigma * len(self.mu)
        squares = sum(s.square().sum() for s in sigma)
        return [torch.sqrt(squares / self.count)] * len(self.mu)

    def draw(self, mu, sigma):
        if self.published:
            return Normal(mu, sigma).rsample()
        return Normal(mu, sigma, validate_args=False).rsample()

    def step(self, x, y):
        self.adam.zero_grad(set_to_none=True)
        sigma = self.deviations()
        weights = [self.draw(mu, s) for mu, s in zip(self.mu, sigma)]
        for layer in range(0, len(weights), 2):
            x = functional.linear(x if layer == 0 else functional.relu(x), weights[layer], weights[layer + 1])
        nll = functional.cross_entropy(x, y, reduction="sum")
        rho = self.settings["rho"]
        if self.settings["homogeneous"]:
            reliability = self.count * sigma[0] ** -rho
        else:
            reliability = sum((s**-rho).sum() for s in sigma)
        magnitude = sum(mu.abs().sum() for mu in self.mu)
        cost = self.settings["c"] * reliability + self.problem["lambda"] * magnitude
        (nll + self.problem["cost_scale"] * cost).backward()
        if self.settings["homogeneous"] and not self.published:
            self.phi[0].grad.div_(self.problem["phi_divisor"])
        self.adam.step()
        self.nll += nll.detach()

    def batches(self, first, steps):
        for k in range(first, first + steps):
            chosen = self.order[k]
            yield self.images[chosen], self.labels[chosen]

    def run(self, first, steps):
        if self.published:
            batches = published_batches(self.problem, self.device, first, steps)
        else:
            batches = self.batches(first, steps)
        for x, y in batches:
            self.step(x, y)

    def take_nll(self):
        total = self.nll.item()
        self.nll.zero_()
        return [total]

    def sigma(self):
        with torch.no_grad():
            deviations = self.deviations()
            if self.settings["homogeneous"]:
                return [deviations[0].item()]
            weights = torch.cat([s.flatten() for s in deviations[::2]])
            return [weights.square().mean().sqrt().item()]


def make(problem, device, variant, networks):
    return (Network(problem, device, variant, k) for k in networks)


def describe(device):
    return f"torch {torch.__version__}" + (f", {torch.cuda.get_device_name()}" if device == "cuda" else "")


if __name__ == "__main__":
    peer.main(("published", "float32"), make, describe)
