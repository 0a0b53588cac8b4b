"""All networks at once in JAX: vmap over stacked parameters, lax.scan over the steps of a block, one jit.

threefry  JAX's default generator
rbg       XLA's own, faster

Each with `_tf32` behind it lets products be TF32; without, they are asked for in float32.
"""

import functools

import jax
import jax.numpy as jnp
import numpy
import peer

VARIANTS = ("threefry", "rbg")


def loss(parameters, noise, rho, c, x, y, constants, homogeneous):
    """Of one network. \\returns (objective, NLL summed over the minibatch)"""
    mu, phi = parameters
    if homogeneous:
        sigma = [jax.nn.softplus(phi[0])] * len(mu)
        reliability = sum(m.size for m in mu) * sigma[0] ** -rho
    else:
        sigma = [jax.nn.softplus(p) for p in phi]
        reliability = sum((s**-rho).sum() for s in sigma)
    weights = [m + s * n for m, s, n in zip(mu, sigma, noise)]
    for layer in range(0, len(weights), 2):
        x = (x if layer == 0 else jax.nn.relu(x)) @ weights[layer].T + weights[layer + 1]
    nll = -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=-1).sum()
    magnitude = sum(jnp.abs(m).sum() for m in mu)
    return nll + constants["cost_scale"] * (c * reliability + constants["lambda"] * magnitude), nll


def adam(constants, step, parameters, gradients, moments):
    t = (step + 1).astype(jnp.float32)
    beta1, beta2 = constants["beta1"], constants["beta2"]
    first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, moments[0], gradients)
    second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, moments[1], gradients)

    def move(p, m, v):
        root = jnp.sqrt(v / (1 - beta2**t)) + constants["epsilon"]
        return p - constants["learning_rate"] * (m / (1 - beta1**t)) / root

    return jax.tree.map(move, parameters, first, second), (first, second)


def initial_group(problem, homogeneous, members):
    settings = [problem["networks"][k] for k in members]
    mu = [jnp.array(numpy.stack(rows)) for rows in zip(*(problem.initial_mu(k) for k in members))]
    shapes = [jnp.zeros(len(members))] if homogeneous else mu
    starts = jnp.array([problem.initial_phi(k) for k in members], jnp.float32)
    phi = [jnp.broadcast_to(starts.reshape(-1, *[1] * (s.ndim - 1)), s.shape).copy() for s in shapes]
    moments = tuple(jax.tree.map(jnp.zeros_like, (mu, phi)) for _ in range(2))
    fixed = tuple(jnp.array([s[name] for s in settings], jnp.float32) for name in ("rho", "c"))
    return ((mu, phi), moments), fixed


def group_step(constants, homogeneous, state, fixed, key, x, y, step):
    parameters, moments = state
    keys = jax.random.split(key, len(parameters[0]))
    # One draw for all networks: quicker than a key for each, and as independent.
    noise = [jax.random.normal(k, values.shape) for k, values in zip(keys, parameters[0])]
    objective = functools.partial(loss, constants=constants, homogeneous=homogeneous)
    gradient = jax.vmap(jax.grad(objective, has_aux=True), in_axes=(0, 0, 0, 0, None, None))
    (mu, phi), nll = gradient(parameters, noise, *fixed, x, y)
    if homogeneous:
        phi = [values / constants["phi_divisor"] for values in phi]
    return adam(constants, step, parameters, (mu, phi), moments), nll


class Trainer:
    def __init__(self, problem, networks):
        self.problem, self.networks = problem, list(networks)
        self.groups = problem.groups(self.networks)
        self.fixed = [initial_group(problem, *group)[1] for group in self.groups]
        self.images = jnp.array(problem.normalised("float32"))
        self.labels = jnp.array(problem.labels.astype("int32"))
        self.order = jnp.array(problem.order)
        self.block = jax.jit(self.train_block, donate_argnums=0)

    def train_block(self, states, images, labels, order, first):
        key = jax.random.key(self.problem["seed"])

        def step(carry, scanned):
            states, sums = carry
            number, rows = scanned
            keys = jax.random.split(jax.random.fold_in(key, number), len(self.groups))
            x, y = images[rows], labels[rows]
            results = [
                group_step(self.problem.fields, kind, state, fixed, k, x, y, number)
                for (kind, _), state, fixed, k in zip(self.groups, states, self.fixed, keys)
            ]
            return ([r[0] for r in results], [s + r[1] for s, r in zip(sums, results)]), None

        zeros = [jnp.zeros(len(members)) for _, members in self.groups]
        steps = first + jnp.arange(len(order))
        return jax.lax.scan(step, (states, zeros), (steps, order))[0]

    def reset(self):
        self.states = [initial_group(self.problem, *group)[0] for group in self.groups]

    def prepare(self):
        self.reset()
        self.run(0, self.problem["block"])
        self.take_nll()
        self.reset()
        jax.block_until_ready(self.states)

    def run(self, first, steps):
        order = self.order[first : first + steps]
        self.states, self.nll = self.block(self.states, self.images, self.labels, order, first)

    def take_nll(self):
        by_network = {}
        for (_, members), sums in zip(self.groups, self.nll):
            by_network.update(zip(members, numpy.asarray(sums).tolist()))
        return [by_network[k] for k in self.networks]

    def sigma(self):
        by_network = {}
        for (_, members), ((_, phi), _) in zip(self.groups, self.states):
            sigma = [numpy.asarray(jax.nn.softplus(p), numpy.float64).reshape(len(members), -1) for p in phi[::2]]
            squares = numpy.concatenate(sigma, axis=1) ** 2
            by_network.update(zip(members, numpy.sqrt(squares.mean(axis=1)).tolist()))
        return [by_network[k] for k in self.networks]


def make(problem, device, variant, networks):
    name, tf32 = variant.removesuffix("_tf32"), variant.endswith("_tf32")
    jax.config.update("jax_platforms", device)
    jax.config.update("jax_default_prng_impl", "threefry2x32" if name == "threefry" else name)
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if tf32 else "highest")
    return [Trainer(problem, networks)]


def describe(device):
    return f"jax {jax.__version__}, {jax.devices()[0].device_kind}"


if __name__ == "__main__":
    peer.main(VARIANTS + tuple(name + "_tf32" for name in VARIANTS), make, describe)
