#!/usr/bin/env python3
"""Networks whose parameters or moments overflow do not pass as results, whichever command trained them."""

import csv
import unittest

from driver import DriverTest

# The gradient of c sigma^-7 at sigma = 1e-4 is some 1e32 B/N: a float, whose square is none.
DIGITS = ["--dataset", "digits", "--epochs", "1", "--device", "cpu", "--quiet"]
STEEP = ["--rho", "7", "--c", "1"]
MOMENT = "phi.moment2 of layer 0, row 0, column 0, is inf: lower rho"


class DivergenceTest(DriverTest):
    def test_regression(self):
        arguments = ["regression", *STEEP, "--device", "cpu", "--quiet", "--samples", "4", "--out", "out"]
        for steps, found in [(300, 300), (1100, 1000)]:
            self.fail_with(1, ["the network of rho 7 and c 1: ", f"diverged by step {found}: {MOMENT}", "double precision"],
                           *arguments, "--steps", steps)
            self.assertFalse((self.folder / "out").exists())
        self.succeed(*arguments, "--steps", 300, "--precision", "double")
        # Where phi has overflowed itself and the loss with it, the message says so.
        self.fail_with(1, ["not finite at step 1, where phi of layer 0, row 0, column 0, is nan: lower rho", "sigma_init"],
                       "regression", "--rho", 50, "--c", 1, "--device", "cpu", "--quiet", "--steps", 9, "--out", "out2")

    def test_bayes(self):
        for more in [[], ["--equilibrium", "1"]]:
            self.fail_with(1, ["the network of rho 7 and c 1: ", "by step 71: ", MOMENT], "bayes", *DIGITS, *STEEP,
                           "--hidden", "5", *more, "--out", "out")
            self.assertFalse((self.folder / "out").exists())

    def test_train(self):
        for more in [[], ["--checkpoint-every", "0"]]:
            message = self.fail_with(1, ["network 0 diverged by step 71: ", MOMENT, "no checkpoint"], "train", *DIGITS,
                                     *STEEP, *more, "--overwrite", "--out", "out")
            self.assertNotIn("safetensors", message)
            self.assertEqual(self.names("out"), ["config.json"])
        for noise, place in [("per-neuron", "layer 0, row 0, is inf"), ("homogeneous", "the network, is inf")]:
            self.fail_with(1, f"phi.moment2 of {place}", "train", *DIGITS, *STEEP, "--noise", noise, "--overwrite",
                           "--out", "out")

    def test_signatures(self):
        self.fail_with(1, ["network 0 diverged by step 71: ", MOMENT], "signatures", *DIGITS, *STEEP, "--hidden", "5",
                       "--out", "out")
        self.assertEqual(self.names("out"), ["config.json"])

    def test_sweep(self):
        self.succeed("sweep", *DIGITS, "--hidden", "5", "--rho", "2,7", "--c", "1", "--samples", "2", "--out", "out")
        with open(self.folder / "out/sweep.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([(row["rho"], row["diverged_at"], row["sigma_rms"] == "") for row in rows],
                         [("2", "", False), ("7", "71", True)])
        self.assertEqual(self.json("out/summary.json")["diverged"], 1)

    def test_a_cost_of_weight_0_is_none(self):
        for rho in ["1.9", "2", "49"]:
            self.succeed("train", *DIGITS, "--hidden", "5", "--c", "0", "--rho", rho, "--sigma-init", "1e-16",
                         "--out", rho)
            self.assertEqual(self.json(f"{rho}/summary.json")["reliability_cost"], 0)
            self.assertEqual((self.json(f"{rho}/config.json")["rho"], self.json(f"{rho}/config.json")["c"]), (float(rho), 0))
        # What depends on the exponent is the sum that tells how reliable the weights are, and nothing else.
        histories = [{key: value for key, value in self.rows(rho)[0].items() if key != "reliability_sum"}
                     for rho in ["1.9", "2", "49"]]
        self.assertEqual(histories[0], histories[1])
        self.assertEqual(histories[0], histories[2])
        self.succeed("train", "--resume", "--epochs", "2", "--quiet", "--out", "2")


if __name__ == "__main__":
    unittest.main()
