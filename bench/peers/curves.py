"""Whether a peer trains the same networks as ensyn: loss curves and sigma within what other random numbers explain.

The reference is ensyn's CPU backend with several seeds (of noise, initial means and order of the minibatches). A peer
has other random numbers too, so it is one more seed: the logarithm of each quantity may differ from the reference's
mean by at most WIDTHS standard deviations over seeds, widened for the mean's own error, and by FLOOR in any case.
"""

import math
import statistics

# Some 50 quantities are compared for a peer, with deviations estimated from a dozen seeds: were the logarithms normal,
# a right peer would be refused in one of 500 runs. B/N left out, or a gradient of phi that is not divided, moves sigma
# by more than a hundred times the tolerance (population.py --plant).
WIDTHS = 6.0
# Where seeds hardly differ (a network at chance, a sigma that only its cost moves) rounding must not refuse a peer.
FLOOR = 0.005


class Comparison:
    def __init__(self):
        self.compared = 0
        self.worst = (0.0, "nothing was compared")

    def take(self, name, value, seeds, spread):
        """`spread` is the standard deviation of the seeds' logarithms."""
        centre = statistics.fmean(math.log(v) for v in seeds)
        tolerance = max(WIDTHS * spread * math.sqrt(1 + 1 / len(seeds)), FLOOR)
        difference = math.log(value) - centre if value > 0 else math.nan
        ratio = abs(difference) / tolerance
        # What is not a number is as wrong as can be.
        ratio = ratio if ratio == ratio else math.inf
        self.compared += 1
        if ratio > self.worst[0] or self.compared == 1:
            text = f"{name} {value:.4g}, ensyn {math.exp(centre):.4g}, tolerance {100 * tolerance:.1f} %"
            self.worst = (ratio, text)

    @property
    def agrees(self):
        return self.compared > 0 and self.worst[0] <= 1


def spread_of(rows):
    """Of the logarithms of several quantities over seeds: rows[seed][quantity], one deviation for all."""
    columns = [[math.log(value) for value in column] for column in zip(*rows)]
    return math.sqrt(statistics.fmean(statistics.variance(column) for column in columns))


def geometric_mean(values):
    return statistics.geometric_mean(values) if all(value > 0 for value in values) else math.nan


def compare(reference, networks, nll, sigma):
    """reference[k] of network k: {"name", "nll": [seed][block], "sigma": [seed]}; nll[i][block] and sigma[i] are the
    peer's, of network networks[i]."""
    result = Comparison()
    for i, k in enumerate(networks):
        expected = reference[k]
        spread = spread_of(expected["nll"])
        for block, seeds in enumerate(zip(*expected["nll"])):
            result.take(f"loss of {expected['name']} in block {block}", nll[i][block], seeds, spread)
        means = [geometric_mean(curve) for curve in expected["nll"]]
        result.take(f"loss of {expected['name']}", geometric_mean(nll[i]), means, spread_of([[m] for m in means]))
        sigmas = expected["sigma"]
        result.take(f"sigma of {expected['name']}", sigma[i], sigmas, spread_of([[s] for s in sigmas]))
    return result
