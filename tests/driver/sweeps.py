"""What the tests of sweeps share: small grids and the reading of their rows."""

import csv

from driver import DriverTest

KEYS = ["rho", "c", "noise", "seed", "lambda", "lr", "hidden"]
RESULTS = """accuracy_sample accuracy_mean accuracy_average nll_sample nll_mean nll_average sigma_rms reliability_sum
reliability_cost magnitude_cost steps""".split()
SWEEP_FILES = ["config.json", "summary.json", "sweep.csv", "sweep_bands.csv"]

# Eight networks that train in a fraction of a second.
TINY = ["--dataset", "digits", "--limit-train", "200", "--hidden", "8", "--lr", "1e-3", "--epochs", "2", "--samples", "2"]
GRID = [*TINY, "--rho", "0.5,2", "--c", "0.01", "--noise", "heterogeneous,homogeneous", "--seed", "3:4"]


class SweepTest(DriverTest):
    def sweep(self, out, *arguments):
        self.succeed("sweep", *arguments, "--quiet", "--out", out)
        return self.rows_of(out)

    def rows_of(self, out):
        with open(self.folder / out / "sweep.csv", newline="") as file:
            return list(csv.DictReader(file))

    def content(self, out):
        return (self.folder / out / "sweep.csv").read_bytes()
