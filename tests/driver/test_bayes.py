#!/usr/bin/env python3
"""`ensyn bayes`: its tables against the formulas of the paper, written here once more."""

import csv
import math
import unittest

from driver import DriverTest

DIGITS = ["--dataset", "digits", "--device", "cpu", "--quiet", "--lr", "1e-3"]
# Without hidden layer the Hessian is exact, and the fixed point soon reached.
EQUILIBRIUM = [*DIGITS, "--hidden", "none", "--epochs", 10, "--equilibrium", 40]


def slope(x, y):
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def expected_magnitude(mu, sigma):
    return sigma * math.sqrt(2 / math.pi) * math.exp(-0.5 * (mu / sigma) ** 2) + mu * math.erf(
        mu / (sigma * math.sqrt(2)))


class BayesTest(DriverTest):
    def table(self, name):
        with open(self.folder / name, newline="") as file:
            return [{key: float(value) if value else None for key, value in row.items()}
                    for row in csv.DictReader(file)]

    def test_at_the_fixed_points_slopes_are_those_of_theory(self):
        self.succeed("bayes", *EQUILIBRIUM, "--rho", "0.5,2", "--out", "out")
        self.assertEqual(self.names("out"), ["bayes.csv", "bayes_summary.csv", "config.json", "summary.json"])
        synapses, summary = self.table("out/bayes.csv"), self.table("out/bayes_summary.csv")
        self.assertEqual(len(synapses), 2 * 640)
        for row in summary:
            rho, c, s = row["rho"], row["c"], row["scale"]
            self.assertAlmostEqual(s, 0.01, places=12)
            self.assertAlmostEqual(c, 0.01**rho / rho, places=12)
            own = [r for r in synapses if r["rho"] == rho]
            energy = [2 * math.log(r["sigma_energy"]) for r in own]
            posterior = [2 * math.log(r["sigma_posterior"]) for r in own]
            self.assertAlmostEqual(row["slope"], slope(posterior, energy), places=9)
            self.assertAlmostEqual(row["theory_slope"], 2 / (rho + 2), places=12)
            # The two networks' curvatures differ a little, and so does this slope from theory.
            self.assertLess(abs(row["slope"] - row["theory_slope"]), 0.1)
            self.assertGreater(row["spearman"], 0.9)
            self.assertLess(row["slope_low"], row["slope"])
            self.assertLess(row["slope"], row["slope_high"])
            # Within one network theory is exact, and the only error that of the measured curvature.
            self.assertAlmostEqual(row["theory_hessian_slope"], -2 / (rho + 2), places=12)
            self.assertLess(abs(row["hessian_slope"] - row["theory_hessian_slope"]), 0.02)
            self.assertLess(abs(row["posterior_slope"] - 1), 0.03)
            for r in own:
                stationary = (c * rho / r["hessian_energy"]) ** (1 / (rho + 2))
                self.assertLess(abs(math.log(r["sigma_energy"] / stationary)), 0.15)
                self.assertLess(abs(math.log(r["sigma_posterior"] * math.sqrt(r["hessian"]))), 0.15)
        for network in self.json("out/summary.json")["networks"]:
            self.assertTrue(network["converged"])

    def test_the_bound_and_its_gap(self):
        self.succeed("bayes", *DIGITS, "--hidden", "6", "--epochs", 8, "--sigma-init", 0.05, "--rho", "0.5,2", "--c", "1e-3,1", "--prior",
                     "laplace", "--lambda", 0.5, "--out", "out")
        synapses, summary = self.table("out/bayes.csv"), self.table("out/bayes_summary.csv")
        self.assertEqual(len(summary), 4 * 2)
        for row in summary:
            rho, s = row["rho"], (row["c"] * row["rho"]) ** (1 / row["rho"])
            own = [r for r in synapses if (r["rho"], r["c"], r["layer"]) == (rho, row["c"], row["layer"])]
            self.assertEqual(len(own), row["n"])
            ratios = [s / r["sigma_energy"] for r in own]
            gaps = sorted((z**rho - 1) / rho - math.log(z) for z in ratios)
            self.assertAlmostEqual(row["gap_mean"] / (sum(gaps) / len(gaps)), 1, places=9)
            self.assertAlmostEqual(row["gap_max"] / gaps[-1], 1, places=9)
            self.assertGreaterEqual(gaps[0], 0)
            self.assertAlmostEqual(row["magnitude"], sum(abs(r["mu_energy"]) for r in own), places=9)
            expected = sum(expected_magnitude(r["mu_energy"], r["sigma_energy"]) for r in own)
            self.assertAlmostEqual(row["expected_magnitude"], expected, places=9)
            self.assertGreater(row["expected_magnitude"], row["magnitude"])
            # Of the whole network, biases included: the bound holds, and only E|w| makes it strict.
            self.assertLess(row["bound"], row["elbo"])
            self.assertLess(abs(row["elbo"] - row["bound"] - row["gap"]), 1e-6 * row["gap"])
            self.assertGreater(row["bound_magnitude"], row["bound"])
            self.assertAlmostEqual(row["elbo"], -row["nll"] + row["log_prior"] + row["entropy"], places=6)
        # The gap of the network is that of its synapses and of its biases, of which there are few.
        for rho in (0.5, 2):
            for c in (1e-3, 1):
                rows = [r for r in summary if (r["rho"], r["c"]) == (rho, c)]
                weights = sum(r["gap_mean"] * r["n"] for r in rows)
                self.assertGreater(rows[0]["gap"], weights)
                self.assertEqual(rows[0]["elbo"], rows[1]["elbo"])

    def test_a_strong_laplace_prior_shrinks_the_posterior(self):
        narrow = {}
        for prior, scale in [("flat", 0.01), ("laplace", 100)]:
            self.succeed("bayes", *DIGITS, "--hidden", "none", "--epochs", 30, "--sigma-init", 0.05, "--rho", "2",
                         "--prior", prior, "--lambda", scale, "--out", prior)
            rows = self.table(f"{prior}/bayes.csv")
            narrow[prior] = [sum(abs(r[key]) for r in rows) for key in ("mu_posterior", "sigma_posterior")]
        # lambda E|w| pulls at mu and at sigma.
        self.assertLess(narrow["laplace"][0], 0.5 * narrow["flat"][0])
        self.assertLess(narrow["laplace"][1], 0.8 * narrow["flat"][1])

    def test_the_variational_network_has_the_better_elbo(self):
        self.succeed("bayes", *EQUILIBRIUM, "--rho", "2", "--c", "0.1", "--prior", "gaussian", "--prior-sigma", 0.5,
                     "--out", "out")
        (row,) = self.table("out/bayes_summary.csv")
        self.assertGreater(row["elbo_variational"], row["elbo"])
        self.assertGreater(row["elbo"], row["bound"])
        # sigma of the posterior: 1 / sqrt(H + 1 / s^2)
        for r in self.table("out/bayes.csv"):
            want = 1 / math.sqrt(r["hessian"] + 1 / 0.5**2)
            self.assertLess(abs(math.log(r["sigma_posterior"] / want)), 0.15)

    def test_a_laplace_prior_has_a_fixed_point_too(self):
        self.succeed("bayes", *EQUILIBRIUM, "--rho", "2", "--c", "0.1", "--prior", "laplace", "--lambda", 20, "--out", "out")
        for r in self.table("out/bayes.csv"):
            sigma = r["sigma_posterior"]
            prior = 20 * math.sqrt(2 / math.pi) * math.exp(-0.5 * (r["mu_posterior"] / sigma) ** 2) / sigma
            self.assertLess(abs(math.log(sigma**2 * (r["hessian"] + prior))), 0.3)

    def test_the_same_settings_give_the_same_bytes(self):
        self.succeed("bayes", *DIGITS, "--hidden", "5", "--epochs", 2, "--rho", "2/3", "--threads", 1, "--out", "one")
        self.succeed("bayes", "--config", "one/config.json", "--threads", 2, "--quiet", "--out", "two")
        for name in ["bayes.csv", "bayes_summary.csv"]:
            self.assertEqual((self.folder / "one" / name).read_bytes(), (self.folder / "two" / name).read_bytes())

    def test_large_layers_are_thinned_evenly(self):
        self.succeed("bayes", *DIGITS, "--hidden", "200", "--epochs", 1, "--rho", "2", "--measure-epochs", 1,
                     "--limit-train", 100, "--out", "out")
        rows = [r for r in self.table("out/bayes.csv") if r["layer"] == 1]
        self.assertEqual(len(rows), 10000)
        positions = [int(r["row"]) * 64 + int(r["column"]) for r in rows]
        self.assertEqual(positions, [k * 12800 // 10000 for k in range(10000)])

    def test_bad_settings(self):
        for code, names, arguments in [
            (2, ["--scale", "--c", "exclude"], ["--scale", "0.01", "--c", "1"]),
            (2, ["--prior", "'cauchy'"], ["--prior", "cauchy"]),
            (2, ["--prior-sigma", "gaussian"], ["--prior-sigma", 1]),
            (2, ["--lambda", "laplace"], ["--prior", "laplace", "--lambda", 0]),
            (2, ["--batch", "1437"], ["--batch", 2000]),
            (2, "--rho", ["--rho", "0.5,-1"]),
            (2, "nonsense", ["--dataset", "nonsense"]),
            (3, "missing", ["--data", "missing"]),
        ]:
            dataset = [] if "--dataset" in arguments or "--data" in arguments else ["--dataset", "digits"]
            self.fail_with(code, names, "bayes", *dataset, *map(str, arguments), "--out", "out")


if __name__ == "__main__":
    unittest.main()
