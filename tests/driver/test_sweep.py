"""Grids of networks: their values, and rows that are what `train` gives."""

import csv
import itertools
import json
import os
import pty
import random
import statistics
import unittest

from driver import start
from sweeps import GRID, KEYS, RESULTS, SWEEP_FILES, TINY, SweepTest

BAD_VALUES = [
    ("--rho", "1:0.5:3lin", "below"),
    ("--rho", "2:2:3lin", "below"),
    ("--rho", "0", "above 0"),
    ("--rho", "0:1:3lin", "above 0"),
    ("--rho", "1:2:3", "log or lin"),
    ("--rho", "1:2", "log or lin"),
    ("--rho", "1:2:1lin", "2 to"),
    ("--rho", "1:2:0log", "2 to"),
    ("--rho", "1:2:-3log", "2 to"),
    ("--rho", "1:2:9999999lin", "2 to"),
    ("--rho", "1:2:xlin", "2 to"),
    ("--rho", "1/0", "finite"),
    ("--rho", "2/", "'2/'"),
    ("--rho", "1,,2", "''"),
    ("--rho", "1e", "'1e'"),
    ("--c", "0:1:3log", "above 0"),
    ("--c", "-1", "at least 0"),
    ("--c", "1e999.5", "finite"),
    ("--c", "nan", "finite"),
    ("--c", "1,1", "twice"),
    ("--c", "0.5,1/2", "twice"),
    ("--lr", "0", "above 0"),
    ("--lambda", "-1:1:3lin", "at least 0"),
    ("--seed", "3:1", "empty"),
    ("--seed", "1:2:3", "range"),
    ("--seed", "-1", "'-1'"),
    ("--seed", "0:18446744073709551615", "more than"),
    ("--noise", "heterogeneous,loud", "loud"),
    ("--noise", "heterogeneous,", "empty"),
    ("--mechanism", "calcium,sodium", "sodium"),
    ("--hidden", "0", "at least 1"),
    ("--networks-at-once", "0", "at least 1"),
    ("--seed", "0:99999,200000:300000", "split"),
    ("--cost", "2:1", "--cost"),
]


class Grid(SweepTest):
    def test_values(self):
        arguments = [*TINY, "--epochs", "1", "--limit-train", "20", "--rho", "2/3,1", "--c", "1e-2:1e0.5:6log"]
        rows = self.sweep("run", *arguments, "--lambda", "0:0.01:2lin", "--seed", "5,0:1", "--hidden", "none")
        self.assertEqual(list(rows[0]), [*KEYS, *RESULTS, "diverged_at"])
        grid = itertools.product(["8", "none"], [2 / 3, 1], [0.01, 10**-1.5, 0.1, 10**-0.5, 1, 10**0.5], [0, 0.01],
                                 ["5", "0", "1"])
        for row, (hidden, rho, c, penalty, seed) in itertools.zip_longest(rows, grid):
            self.assertEqual((row["hidden"], row["seed"], row["noise"]), (hidden, seed, "heterogeneous"))
            self.assertEqual((float(row["rho"]), float(row["lambda"]), float(row["lr"])), (rho, penalty, 1e-3))
            self.assertAlmostEqual(float(row["c"]) / c, 1, delta=1e-15)
        self.assertEqual([row["c"] for row in rows[:36:6]][::2], ["0.01", "0.1", "1"])

    def test_paper_range(self):
        self.sweep("run", *TINY, "--epochs", "1", "--limit-train", "20", "--c", "1e-4:1e3.25:30log")
        for i, c in enumerate(self.json("run/config.json")["c"]):
            self.assertAlmostEqual(c / 10 ** (-4 + i / 4), 1, delta=1e-14)

    def test_bad_values(self):
        for flag, value, word in BAD_VALUES:
            with self.subTest(flag=flag, value=value):
                self.fail_with(2, [flag.replace("--seed", "--"), word], "sweep", "--dataset", "digits", flag, value)
        self.fail_with(2, ["--rho", "--mechanism"], "sweep", *TINY, "--rho", "1", "--mechanism", "actin")
        self.fail_with(2, "--rho", "sweep", *TINY, "--objective", "variational", "--rho", "1,2")
        self.assertEqual(self.names(), [])

    def test_configuration_file(self):
        file = {"dataset": "digits", "limit_train": 200, "hidden": [[8], []], "mechanism": "calcium,actin", "epochs": 1,
                "c": [0.1, "1e0.5", "1:3:2lin"], "seed": "0:1", "lambda": 0, "samples": 1, "noise": ["homogeneous"]}
        self.write("sweep.json", file)
        one = self.sweep("a", "--config", "sweep.json")
        self.assertEqual(len(one), 2 * 2 * 4 * 2)
        config = self.json("a/config.json")
        self.assertEqual((config["command"], config["rho"], config["seed"]), ("sweep", [0.5, 4 / 3], [0, 1]))
        self.assertEqual((config["hidden"], config["noise"], config["lambda"]), ([[8], []], ["homogeneous"], [0]))
        self.assertEqual(self.sweep("b", "--config", "a/config.json"), one)
        self.assertEqual(self.json("b/config.json"), config)
        flags = self.sweep("c", "--config", "a/config.json", "--mechanism", "membrane", "--c", "1", "--seed", "7")
        self.assertEqual([(float(row["rho"]), row["seed"]) for row in flags], [(2 / 3, "7")] * 2)
        bad = {"c": [[], "", "2:1:3lin", None, [1, 1], [-1], {}], "seed": [-1, 1.5, "x", []], "noise": [1, [], [""]],
               "rho": [[0]], "hidden": [[[0]], 8, [[8], [8]], [[8], 8]]}
        for key, values in bad.items():
            for value in values:
                with self.subTest(key=key, value=value):
                    self.write("bad.json", {key: value})
                    self.fail_with(2, [f'"{key}"', "bad.json"], "sweep", *TINY[:2], "--config", "bad.json")

    def test_rows_are_those_of_train(self):
        common = [flag for flag in TINY if flag not in ["--hidden", "8"]] + ["--data-seed", "3", "--batch", "7"]
        variants = {
            "energy": ["--rho", "0.5,2/3", "--c", "0.01,1", "--noise", "heterogeneous,homogeneous", "--seed", "3:4"],
            "variational": ["--objective", "variational", "--prior-sigma", "0.3", "--lambda", "0,0.1", "--precision", "double"],
        }
        for variant, axes in variants.items():
            rows = self.sweep(variant, *common, *axes, "--hidden", "8", "--hidden", "none", "--threads", "2")
            random.Random(0).shuffle(rows)
            for row in rows[:4]:
                with self.subTest(row=row):
                    flags = [f"--{key}={row[key]}" for key in KEYS if row[key]]
                    flags += axes if variant == "variational" else []
                    flags += [f"--lambda={row['lambda']}"]
                    self.succeed("train", *common, *flags, "--quiet", "--overwrite", "--out", "one", "--threads", "1")
                    summary = self.json("one/summary.json")
                    self.assertEqual([float(row[key]) for key in RESULTS], [summary[key] for key in RESULTS])
                    self.assertEqual(row["diverged_at"], "")

    def test_chunks_and_threads_do_not_matter(self):
        self.sweep("run", *GRID, "--threads", "1")
        self.assertEqual(self.names("run"), SWEEP_FILES)
        for flags in [["--threads", "2"], ["--networks-at-once", "3", "--threads", "3"], ["--networks-at-once", "100"]]:
            self.sweep("other", *GRID, *flags, "--overwrite")
            self.assertEqual(self.content("run"), self.content("other"), flags)

    def test_divergence_costs_only_its_network(self):
        axes = ["--lr", "1e-3,1e30,1e-2", "--seed", "0:1", "--epochs", "3"]
        good = self.sweep("good", *TINY, *axes, "--lr", "1e-3,1e-2")
        for flags in [["--threads", "1"], ["--networks-at-once", "6"], ["--networks-at-once", "2", "--threads", "2"]]:
            rows = self.sweep("run", *TINY, *axes, *flags, "--overwrite")
            self.assertEqual([row for row in rows if row["lr"] != "1e+30"], good)
            for row in rows[2:4]:
                self.assertGreater(int(row["diverged_at"]), 0)
                self.assertEqual({row[key] for key in RESULTS}, {""})
            self.assertEqual(self.json("run/summary.json")["diverged"], 2)

    def test_summary(self):
        text = self.succeed("sweep", *GRID, "--out", "run")
        for word in ["8 networks of 64-8-10", "network-steps/s", "sweep.csv"]:
            self.assertIn(word, text)
        self.assertIn("nothing was left", self.succeed("sweep", *GRID, "--out", "run"))
        summary = json.loads(self.succeed("sweep", *GRID, "--out", "other", "--json"))
        self.assertEqual(summary, self.json("other/summary.json"))
        self.assertEqual((summary["networks"], summary["trained"], summary["diverged"]), (8, 8, 0))
        self.assertEqual(summary["network_steps"], 8 * 2 * 10)
        self.assertGreater(summary["network_steps_per_second"], 0)
        self.assertEqual(summary["config"], self.json("other/config.json"))


    def test_progress_is_one_line_on_a_terminal(self):
        main, terminal = pty.openpty()
        arguments = ["--dataset", "digits", "--hidden", "64,64", "--epochs", "12", "--out", "run", "--seed", "0:3"]
        process = start("sweep", *arguments, cwd=self.folder, stderr=terminal)
        os.close(terminal)
        text = b""
        while True:
            try:
                text += os.read(main, 1000)
            except OSError:
                break
        os.close(main)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertNotIn(b"\n", text)
        self.assertIn(b"of 4 networks done", text)
        self.assertRegex(text, b"measuring the speed|network-steps/s, .* left")

    def test_bands_over_seeds(self):
        # Student's t for 95 % with 2 degrees of freedom.
        t = 4.302652729911275
        rows = self.sweep("run", *TINY, "--rho", "0.5,2", "--seed", "0:2", "--lambda", "0,0.1")
        with open(self.folder / "run/sweep_bands.csv", newline="") as file:
            bands = list(csv.DictReader(file))
        self.assertEqual(len(bands), 4)
        for i, band in enumerate(bands):
            cell = rows[3 * i : 3 * i + 3]
            self.assertEqual({key: band[key] for key in KEYS if key != "seed"},
                             {key: cell[0][key] for key in KEYS if key != "seed"})
            self.assertEqual(band["seeds"], "3")
            for quantity in ["accuracy_sample", "sigma_rms", "reliability_sum"]:
                values = [float(row[quantity]) for row in cell]
                mean, half = statistics.mean(values), t * statistics.stdev(values) / 3**0.5
                for part, expected in [("mean", mean), ("low", mean - half), ("high", mean + half)]:
                    self.assertAlmostEqual(float(band[f"{quantity}_{part}"]), expected, delta=1e-9 * mean + 1e-12)
        self.sweep("diverged", *TINY, "--seed", "0:1", "--lr", "1e30")
        with open(self.folder / "diverged/sweep_bands.csv", newline="") as file:
            (band,) = csv.DictReader(file)
        self.assertEqual((band["seeds"], band["sigma_rms_mean"], band["sigma_rms_low"]), ("0", "", ""))
        self.sweep("single", *TINY, "--rho", "0.5,2")
        self.assertNotIn("sweep_bands.csv", self.names("single"))


if __name__ == "__main__":
    unittest.main()
