"""The paper's 240 networks as a sweep made them, against the published arrays, another sweep, and each other.

    sweep_check.py SWEEP.csv [OTHER.csv]      published values, and row by row the other sweep's

Published with Malkin et al. 2024 (eLife RP92595, CC-BY 4.0); published_tradeoff.csv has the values at whole decades of c
for rho = 1/2 and 2, CROSSINGS what was computed from the arrays between them. The other exponents and the points between
are compared with bench/results/2026-11-25-paper-240.csv, ensyn's own on a CPU. Tolerances are those of paper.md, section 6,
of an independent run of the same protocol.
"""

import csv
import math
import statistics
import sys
from pathlib import Path

RHOS = [1 / 2, 2 / 3, 4 / 3, 2]
KINDS = ["heterogeneous", "homogeneous"]
COSTS = 30  # 10^-4 to 10^3.25
STEP = 0.25  # decades from one cost to the next
STEPS = 150000
WEIGHTS = 89400
TEST_EXAMPLES = 10000
LEVELS = [95, 90, 80, 50, 20]
# log10 c where the accuracy of one draw falls through LEVELS
CROSSINGS = {
    (0, "heterogeneous"): [0.42, 1.01, 1.62, 2.31, 2.74],
    (0, "homogeneous"): [-0.82, -0.12, 0.27, 0.56, 0.77],
    (3, "heterogeneous"): [-1.70, -0.75, 0.12, 0.83, 1.49],
    (3, "homogeneous"): [-2.91, -1.86, -1.24, -0.79, -0.47],
}
SHIFT = 0.15  # decades of c by which runs differ
# The published run dips there: 96.93 %, where it has 97.57 % at ten times the cost. ensyn's sweep on a CPU has 97.69 %.
DIPS = {(0, 0, "heterogeneous"): 1.0}


def key_of(row):
    rho, c = float(row["rho"]), float(row["c"])
    index = min(range(len(RHOS)), key=lambda k: abs(RHOS[k] - rho))
    place = (math.log10(c) + 4) / STEP
    cost = round(place)
    on_grid = abs(RHOS[index] - rho) < 1e-3 and abs(place - cost) < 0.01 and 0 <= cost < COSTS
    if not on_grid or row["noise"] not in KINDS:
        raise ValueError(f"rho {rho}, c {c}, {row['noise']} is none of the paper's networks")
    return index, cost, row["noise"]


def rows_of(file):
    with open(file, newline="") as stream:
        rows = list(csv.DictReader(stream))
    result = {key_of(row): row for row in rows}
    if len(result) != len(rows):
        raise ValueError(f"{file} has a network twice")
    return result


def read_sweep(file):
    """\\returns accuracy of one draw in percent, sigma and the sum of the reliability cost of each network"""
    rows = rows_of(file)
    wanted = {(rho, k, noise) for rho in range(len(RHOS)) for k in range(COSTS) for noise in KINDS}
    if set(rows) != wanted:
        raise ValueError(f"{file} has {len(rows)} of the paper's 240 networks")
    unfinished = [key for key, row in rows.items() if int(row["steps"]) != STEPS or row["diverged_at"]]
    if unfinished:
        raise ValueError(f"{file}: {len(unfinished)} networks not trained for {STEPS} steps, {name_of(unfinished[0])} first")
    columns = ["accuracy_sample", "sigma_rms", "reliability_sum"]
    found = {key: [float(row[column]) for column in columns] for key, row in rows.items()}
    return {key: (100 * accuracy, sigma, sum_) for key, (accuracy, sigma, sum_) in found.items()}


def read_published(file):
    return {
        key: (float(row["accuracy_single_sample_percent"]), float(row["sigma_rms"])) for key, row in rows_of(file).items()
    }


def name_of(key):
    return f"rho {RHOS[key[0]]:.3g}, c 10^{STEP * key[1] - 4:.2f}, {key[2]}"


def number(value):
    """What JSON can hold of it."""
    return value if math.isfinite(value) else None


class Group:
    """Numbers that are checked in the same way."""

    def __init__(self, name, unit):
        self.name, self.unit, self.checks = name, unit, []

    def add(self, what, deviation, allowed, detail=""):
        self.checks.append((deviation / allowed, what, deviation, allowed, detail))

    @staticmethod
    def is_right(check):
        return check[0] <= 1  # which NaN is not

    def failed(self):
        return [check for check in self.checks if not self.is_right(check)]

    def passed(self):
        return bool(self.checks) and not self.failed()

    def worst(self):
        return max(self.checks, key=lambda check: math.inf if math.isnan(check[0]) else check[0])

    def lines(self):
        def line(check):
            return f"{check[2]:.3g} {self.unit} where {check[3]:.3g} is allowed, {check[1]}{check[4]}"

        verdict = "passed" if self.passed() else "FAILED"
        if not self.checks:
            return [f"{self.name}: {verdict}, nothing to compare"]
        yield f"{self.name}: {verdict}, {len(self.checks)} compared; the worst is {line(self.worst())}"
        for check in self.failed()[:20]:
            yield f"  WRONG: {line(check)}"

    def to_json(self):
        ratio, what, deviation, allowed, _ = self.worst() if self.checks else (0, "", 0, 0, "")
        worst = {"what": what, "deviation": number(deviation), "allowed": allowed, "of_allowed": number(ratio)}
        return {"name": self.name, "unit": self.unit, "passed": self.passed(), "compared": len(self.checks),
                "failed": [check[1] for check in self.failed()], "worst": worst}


def sampling_spread(accuracy):
    """Standard deviation of the difference between two accuracies, percent, of as many examples as are tested with."""
    p = min(max(accuracy / 100, 0.0), 1.0)
    return 100 * math.sqrt(2 * p * (1 - p) / TEST_EXAMPLES)


def accuracy_excess(sweep, key, wanted, shift):
    """How far `wanted` lies outside what the sweep has within `shift` decades of c, percent."""
    rho, k, noise = key
    at = [sweep[key][0]]
    for end, step in ((k - 1, -1), (k + 1, 1)):
        if 0 <= end < COSTS:
            at.append(at[0] + (sweep[rho, end, noise][0] - at[0]) * shift / STEP)
    return max(min(at) - wanted, wanted - max(at), 0.0)


def accuracy_tolerance(found):
    return max(0.6, 3 * sampling_spread(found))


def sigma_tolerance(key):
    if key[2] == "homogeneous":
        return 0.06
    return 0.10 if STEP * key[1] - 4 >= -1 else 0.25


def crossings(sweep, rho, noise):
    """log10 c where the curve falls through each level, linear between points."""
    curve = [sweep[rho, k, noise][0] for k in range(COSTS)]
    found = []
    for level in LEVELS:
        falls = [k for k in range(COSTS - 1) if curve[k] >= level > curve[k + 1]]
        k = falls[-1] if falls else None
        found.append(math.nan if k is None else STEP * (k + (curve[k] - level) / (curve[k] - curve[k + 1])) - 4)
    return found


def compare_crossings(sweep, wanted, name):
    group = Group(name, "decades of c")
    for (rho, noise), levels in wanted.items():
        for level, found, want in zip(LEVELS, crossings(sweep, rho, noise), levels):
            what = f"rho {RHOS[rho]:.3g}, {noise}, {level} %"
            group.add(what, abs(found - want), 0.25 if level == 95 else SHIFT, f": {found:.2f}, wanted {want:.2f}")
    return group


def compare_rows(sweep, wanted, name, dips):
    accuracy, sigma = Group(name + ", accuracy", "points"), Group(name + ", sigma", "of it")
    for key, want in wanted.items():
        found = sweep[key]
        allowed = max(accuracy_tolerance(found[0]), dips.get(key, 0))
        detail = f": {found[0]:.2f} %, wanted {want[0]:.2f} %"
        accuracy.add(name_of(key), accuracy_excess(sweep, key, want[0], SHIFT), allowed, detail)
        sigma.add(name_of(key), abs(found[1] / want[1] - 1), sigma_tolerance(key), f": {found[1]:.4g}, wanted {want[1]:.4g}")
    return [accuracy, sigma]


def compare_order(sweep):
    """Heterogeneous noise is ahead, a standard deviation apart, wherever either accuracy lies between 15 and 97 %."""
    group = Group("heterogeneous ahead of homogeneous", "points behind")
    for rho in range(len(RHOS)):
        for k in range(COSTS):
            own, shared = (sweep[rho, k, noise][0] for noise in KINDS)
            if 15 <= own <= 97 or 15 <= shared <= 97:
                allowed = sampling_spread((own + shared) / 2)
                group.add(name_of((rho, k, KINDS[0])), max(shared - own, 0.0), allowed, f": {own:.2f} and {shared:.2f} %")
    return group


def compare_reliability(sweep):
    """The sum of sigma^-rho / rho is that of the root mean square where all sigma are one, and more where they are not."""
    group = Group("reliability cost and sigma agree", "of it")
    for key, (_, sigma, found) in sweep.items():
        rho = RHOS[key[0]]
        ratio = found / (WEIGHTS * sigma**-rho / rho)
        shared = key[2] == "homogeneous"
        group.add(name_of(key), abs(ratio - 1) if shared else max(1 - ratio, ratio - 1.5, 0.0), 1e-4, f": {ratio:.6g} times")
    return group


def check(sweep, published, other):
    """All that one sweep is checked for. `other` is a sweep of an independent run."""
    other_crossings = {(rho, noise): crossings(other, rho, noise) for rho in range(len(RHOS)) for noise in KINDS}
    return [
        compare_crossings(sweep, CROSSINGS, "published crossings"),
        *compare_rows(sweep, published, "published", DIPS),
        compare_order(sweep),
        compare_reliability(sweep),
        compare_crossings(sweep, other_crossings, "crossings on the CPU"),
        *compare_rows(sweep, other, "on the CPU", {}),
    ]


def compare_methods(sweep, other, name):
    """Two ways to train the same networks with the same noise.

    Training blows roundings up: a learning rate larger by 4e-7 of itself (5e-4, 10 epochs, rho = 1/2, c = 10^0.5, on a CPU)
    moved sigma by 1.3 and 1.9 % and accuracy by 0.2 and 2.5 points, heterogeneous and homogeneous. So single networks may
    differ by half of what independent runs may, and accuracies by 0.05 decades of c beside their sampling; 85 of 100 sigma
    must lie within 2 % (about one in ten of the CPU's sweep is further than that from its neighbours' curve); and medians,
    which such differences leave where they are, must agree closely.
    """
    accuracy, sigma = Group(name + ", accuracy", "points"), Group(name + ", sigma", "of it")
    most, whole = Group(name + ", sigma beyond 2 %", "of networks"), Group(name + ", medians", "points or %")
    for noise in KINDS:
        keys = [key for key in sweep if key[2] == noise]
        points = [sweep[key][0] - other[key][0] for key in keys]
        ratios = [sweep[key][1] / other[key][1] - 1 for key in keys]
        most.add(noise, sum(not abs(ratio) <= 0.02 for ratio in ratios) / len(ratios), 0.15)
        whole.add(f"accuracy, {noise}", abs(statistics.median(points)), 0.15)
        whole.add(f"sigma, {noise}", 100 * abs(statistics.median(ratios)), 0.5)
        for key, ratio in zip(keys, ratios):
            found, want = sweep[key], other[key]
            excess = accuracy_excess(sweep, key, want[0], 0.05)
            allowed = max(0.6, 4 * sampling_spread((found[0] + want[0]) / 2))
            accuracy.add(name_of(key), excess, allowed, f": {found[0]:.2f} and {want[0]:.2f} %")
            sigma.add(name_of(key), abs(ratio), sigma_tolerance(key) / 2, f": {found[1]:.5g} and {want[1]:.5g}")
    return [accuracy, sigma, most, whole]


def files_beside():
    """Published values and the CPU sweep, as they lie in the repository or in the gate's bundle."""
    here = Path(__file__).resolve().parent
    name = "2026-11-25-paper-240.csv"
    cpu = here / name if (here / name).exists() else here.parent.parent / "bench" / "results" / name
    return here / "published_tradeoff.csv", cpu


def report(groups):
    for group in groups:
        for line in group.lines():
            print(line)
    return all(group.passed() for group in groups)


def main():
    sweep = read_sweep(sys.argv[1])
    published, cpu = files_beside()
    groups = check(sweep, read_published(published), read_sweep(cpu))
    if len(sys.argv) > 2:
        groups += compare_methods(sweep, read_sweep(sys.argv[2]), "the other sweep")
    return 0 if report(groups) else 1


if __name__ == "__main__":
    sys.exit(main())
