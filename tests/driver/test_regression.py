#!/usr/bin/env python3
"""`ensyn regression`: what it writes, that the curves fit, and how it refuses what cannot be."""

import csv
import json
import math
import unittest

from driver import DriverTest, read_safetensors, write_safetensors

FAST = ["--device", "cpu", "--quiet", "--samples", "60", "--curve-points", "31"]


class RegressionTest(DriverTest):
    def table(self, name):
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))

    def model(self, summary, objective, rho=None, c=None):
        (found,) = [m for m in summary["models"] if (m["objective"], m["rho"], m["c"]) == (objective, rho, c)]
        return found

    def test_curves_fit_and_widths_follow_the_cost(self):
        self.succeed("regression", *FAST, "--rho", "0.5,2", "--c", "1e-4,1", "--steps", 12000, "--out", "out")
        self.assertEqual(self.names("out"), ["config.json", "regression.csv", "regression_data.csv", "summary.json"])
        summary = self.json("out/summary.json")
        self.assertEqual(len(summary["models"]), 5)
        variational = self.model(summary, "variational")
        # The points' own noise has SD 0.05: its NLL is -1.58 nats, and no RMSE can be below it for long.
        self.assertLess(variational["nll_average"], -1.2)
        self.assertLess(variational["rmse_average"], 0.09)
        self.assertGreater(variational["rmse_average"], 0.04)
        self.assertGreater(variational["coverage"], 0.9)
        # The figure's point: a small c makes the band too narrow, a large one makes the network miss f.
        for rho in (0.5, 2):
            small, large = self.model(summary, "energy", rho, 1e-4), self.model(summary, "energy", rho, 1)
            self.assertLess(small["sd"], large["sd"])
            self.assertLess(small["sigma_rms"], large["sigma_rms"])
        self.assertLess(self.model(summary, "energy", 0.5, 1e-4)["sd"], 0.2 * variational["sd"])
        self.assertGreater(self.model(summary, "energy", 2, 1)["rmse_average"], variational["rmse_average"])

        rows = self.table("out/regression.csv")
        self.assertEqual(list(rows[0])[:7], ["objective", "rho", "c", "x", "mean", "sd", "target"])
        self.assertEqual(len(rows), 5 * 31)
        for row in rows:
            x = float(row["x"])
            self.assertAlmostEqual(float(row["target"]), x**3 + 2 * x**2, places=12)
            self.assertAlmostEqual(float(row["predictive_sd"]), math.hypot(float(row["sd"]), 0.05), places=12)
            self.assertEqual(row["rho"] == "", row["objective"] == "variational")
        curve = [row for row in rows if row["objective"] == "variational" and -2 <= float(row["x"]) <= 1]
        miss = [float(row["mean"]) - float(row["target"]) for row in curve]
        self.assertLess(math.sqrt(sum(m * m for m in miss) / len(miss)), 0.08)

    def test_the_points_have_the_noise_asked_for(self):
        self.succeed("regression", *FAST, "--rho", "2", "--c", "1", "--points", 2000, "--batch", 100, "--steps", 1,
                     "--noise-sd", 0.3, "--low", -1, "--high", 3, "--out", "out")
        data = self.table("out/regression_data.csv")
        self.assertEqual(len(data), 2000)
        x = [float(row["x"]) for row in data]
        self.assertEqual((x[0], x[-1]), (-1, 3))
        residuals = [float(row["y"]) - v**3 - 2 * v**2 for row, v in zip(data, x)]
        sd = math.sqrt(sum(r * r for r in residuals) / len(residuals))
        self.assertLess(abs(sd - 0.3), 0.02)
        self.assertLess(abs(sum(residuals) / len(residuals)), 0.03)

    def test_the_same_settings_give_the_same_bytes(self):
        arguments = ["--rho", "2", "--c", "0.01", "--steps", 300]
        self.succeed("regression", *FAST, *arguments, "--threads", 1, "--out", "one")
        self.succeed("regression", "--config", "one/config.json", "--threads", 2, "--quiet", "--out", "two")
        self.succeed("regression", *FAST, *arguments, "--seed", 1, "--out", "other")
        content = {out: (self.folder / out / "regression.csv").read_bytes() for out in ["one", "two", "other"]}
        self.assertEqual(content["one"], content["two"])
        self.assertNotEqual(content["one"], content["other"])

    def test_priors(self):
        sigma = {}
        for out, prior in [("flat", ["flat"]), ("wide", ["laplace"]), ("narrow", ["laplace", "--prior-scale", 1e-3])]:
            self.succeed("regression", *FAST, "--rho", "2", "--c", "0.01", "--steps", 3000, "--sigma-init", 0.1,
                         "--prior", *prior, "--out", out)
            sigma[out] = self.model(self.json(f"{out}/summary.json"), "variational")["sigma_rms"]
        self.assertLess(sigma["narrow"], 0.5 * sigma["wide"])
        self.assertLess(sigma["wide"], sigma["flat"])

    def test_bad_settings(self):
        for names, arguments in [
            (["--low", "--high"], ["--low", 1, "--high", 1]),
            (["--batch", "10"], ["--batch", 20, "--points", 10]),
            ("--noise-sd", ["--noise-sd", 0]),
            ("--samples", ["--samples", 1]),
            (["--prior-scale", "laplace"], ["--prior-scale", 1]),
            (["--prior", "'cauchy'"], ["--prior", "cauchy"]),
            ("--rho", ["--rho", "0"]),
            ("--hidden", ["--hidden", "20,x"]),
        ]:
            self.fail_with(2, names, "regression", *map(str, arguments), "--out", "out")
        self.assertEqual(self.names(), [])

    def test_a_regression_network_is_not_evaluated_as_a_classifier(self):
        self.train("run")
        model = self.folder / "run/model.safetensors"
        header, data = read_safetensors(model)
        config = json.loads(header["__metadata__"]["config"])
        self.assertEqual(config["architecture"]["likelihood"], "categorical")
        config["architecture"]["likelihood"] = "gaussian"
        header["__metadata__"]["config"] = json.dumps(config)
        write_safetensors(model, header, data)
        self.fail_with(3, ["model.safetensors", "regression"], "evaluate", "run")

    def test_divergence_is_told_and_nothing_is_written(self):
        self.fail_with(1, "not finite", "regression", *FAST, "--rho", "2", "--c", "1", "--lr", "1e30", "--steps", 50,
                       "--out", "out")
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    unittest.main()
