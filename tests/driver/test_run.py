"""What training and evaluation write and print."""

import json
import os
import pty
import unittest

from driver import SMALL, TRAIN_FILES, DriverTest, start, write_idx_folder

SUMMARY_KEYS = """accuracy_sample accuracy_mean accuracy_average nll_sample nll_mean nll_average sigma_rms
reliability_sum reliability_cost magnitude_cost prior_cost sigma_moved steps steps_per_second seconds device
training_method backend seed config""".split()

COLUMNS = """epoch step train_nll train_accuracy test_accuracy_sample test_accuracy_mean test_nll_sample
test_nll_mean sigma_rms reliability_sum reliability_cost magnitude_cost""".split()

TEST_COLUMNS = [name for name in COLUMNS if name.startswith("test_")]

VARIANTS = {
    "default": [],
    "mechanism": ["--mechanism", "membrane", "--c", "0.1"],
    "sum": ["--cost", "2:1e-3", "--cost", "0.5:0.1", "--lambda", "0"],
    "homogeneous": ["--noise", "homogeneous", "--precision", "double", "--seed", "18446744073709551615"],
    "variational": ["--objective", "variational", "--prior-sigma", "0.3", "--data-seed", "7"],
    "binomial": ["--law", "binomial", "--vesicles", "3", "--sigma-init", "0.1"],
    "log-normal": ["--law", "log-normal", "--sigma-init", "0.1"],
    "shape": ["--hidden", "none", "--batch", "7", "--limit-train", "100", "--limit-test", "50", "--eval-batch", "9"],
    "start": ["--mu-range", "0.02", "--sigma-init", "0.1", "--averaging", "log_probabilities", "--rho", "1.7"],
}


class Train(DriverTest):
    def test_files_and_summary(self):
        summary = json.loads(self.succeed("train", *SMALL, "--out", "run", "--json"))
        self.assertEqual(self.names("run"), TRAIN_FILES)
        self.assertEqual(summary, self.json("run/summary.json"))
        self.assertEqual(sorted(summary), sorted(SUMMARY_KEYS))
        self.assertEqual(summary["config"], self.json("run/config.json"))
        self.assertEqual(summary["steps"], 3 * (1437 // 20))
        self.assertGreater(summary["steps_per_second"], 0)
        self.assertGreater(summary["accuracy_mean"], 0.5)
        for name in ["accuracy_sample", "accuracy_mean", "accuracy_average"]:
            self.assertLessEqual(summary[name], 1)

    def test_metrics(self):
        self.train("run")
        rows, summary = self.rows("run"), self.json("run/summary.json")
        self.assertEqual(list(rows[0]), COLUMNS)
        self.assertEqual([row["epoch"] for row in rows], ["1", "2", "3"])
        self.assertEqual([int(row["step"]) for row in rows], [71, 142, 213])
        for row in rows:
            for name in COLUMNS:
                self.assertGreater(float(row[name]), 0, name)
        self.assertLess(float(rows[-1]["train_nll"]), float(rows[0]["train_nll"]))
        # Numbers read back exactly; the single draw of an epoch's row is the first draw of the final evaluation.
        for name in ["sigma_rms", "reliability_sum", "reliability_cost", "magnitude_cost"]:
            self.assertEqual(float(rows[-1][name]), summary[name])
        for name in ["accuracy_sample", "accuracy_mean", "nll_sample", "nll_mean"]:
            self.assertEqual(float(rows[-1]["test_" + name]), summary[name])

    def test_fractions_and_broken_powers(self):
        self.train("fraction", "--rho", "2/3", "--c", "1e-1.5")
        config = self.json("fraction/config.json")
        self.assertEqual(config["rho"], 2 / 3)
        self.assertAlmostEqual(config["c"] * 10**1.5, 1, delta=1e-14)
        self.train("cost", "--cost", "2/3:1e-1.5")
        self.assert_same_run("fraction", "cost")

    def test_evaluate_every(self):
        for every, filled in [("0", [False, False, True]), ("2", [False, True, True])]:
            self.train(every, "--evaluate-every", every)
            for row, expected in zip(self.rows(every), filled):
                self.assertEqual([row[name] != "" for name in TEST_COLUMNS], [expected] * 4)
        self.train("1")
        self.assertEqual(self.rows("1")[2], self.rows("0")[2])

    def test_text_for_people(self):
        text = self.succeed("train", *SMALL, "--out", "run")
        for word in ["accuracy", "loss", "sigma", "energy", "steps/s", "run", "metrics.csv", "digits"]:
            self.assertIn(word, text)
        self.assertEqual(self.succeed("train", *SMALL, "--out", "quiet", "--quiet"), "")

    def test_configuration_repeats_the_run(self):
        for what, arguments in VARIANTS.items():
            with self.subTest(what=what):
                self.train(what, *arguments)
                self.succeed("train", "--quiet", "--config", f"{what}/config.json", "--out", f"{what}-again")
                self.assert_same_run(what, f"{what}-again")
                self.assertEqual(self.json(f"{what}/config.json"), self.json(f"{what}-again/config.json"))

    def test_data_path_holds_from_any_folder(self):
        write_idx_folder(self.folder / "data")
        arguments = ["--hidden", "8", "--epochs", "1", "--quiet"]
        self.succeed("train", "--data", "data", "--out", "a", *arguments)
        (self.folder / "deep").mkdir()
        process = start("train", "--config", "../a/config.json", "--out", "b", "--quiet", cwd=self.folder / "deep")
        self.assertEqual((process.wait(60), process.communicate()), (0, ("", "")))
        self.assert_same_run("a", "deep/b")

    def test_mechanism_names_rho(self):
        for mechanism, rho in [("calcium", 0.5), ("membrane", 2 / 3), ("actin", 4 / 3), ("trafficking", 2)]:
            self.train(mechanism, "--mechanism", mechanism, "--epochs", "1")
            self.assertEqual(self.json(f"{mechanism}/config.json")["rho"], rho)

    def test_threads_do_not_matter(self):
        self.train("one", "--threads", "1")
        self.train("three", "--threads", "3")
        self.assert_same_run("one", "three")

    def test_seeds_matter(self):
        self.train("a")
        for flag in ["--seed", "--data-seed"]:
            self.train(flag, flag, "1")
            self.assertNotEqual(self.rows("a")[0]["train_nll"], self.rows(flag)[0]["train_nll"])

    def test_existing_run_is_kept(self):
        self.train("run")
        before = (self.folder / "run/metrics.csv").read_bytes()
        self.fail_with(2, ["run", "--resume", "--overwrite"], "train", *SMALL, "--out", "run")
        self.assertEqual((self.folder / "run/metrics.csv").read_bytes(), before)
        self.train("run", "--overwrite", "--seed", "5", "--epochs", "1")
        self.assertEqual(self.json("run/config.json")["seed"], 5)
        self.assertEqual(len(self.rows("run")), 1)

    def test_divergence(self):
        message = self.fail_with(1, ["step", "learning rate"], "train", *SMALL, "--lr", "1e30", "--out", "run")
        self.assertIn("no checkpoint", message)
        self.assertNotIn("summary.json", self.names("run"))

    def stderr_of_terminal(self, *arguments):
        """Standard error of a run that sees a terminal there."""
        main, terminal = pty.openpty()
        process = start("train", "--dataset", "digits", "--hidden", "64,64", "--epochs", "12", "--out", "run",
                        "--overwrite", *arguments, cwd=self.folder, stderr=terminal)
        os.close(terminal)
        text = b""
        while True:
            try:
                piece = os.read(main, 1000)
            except OSError:
                break
            if not piece:
                break
            text += piece
        os.close(main)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        return text.decode()

    def test_progress_is_one_line_on_a_terminal(self):
        text = self.stderr_of_terminal()
        self.assertNotIn("\n", text)
        self.assertIn("\r", text)
        for word in ["epoch 12/12", "loss", "accuracy", "steps/s", "left"]:
            self.assertIn(word, text)
        self.assertTrue(text.endswith("\r\x1b[K"))
        self.assertEqual(self.stderr_of_terminal("--quiet"), "")


class Evaluate(DriverTest):
    def test_repeats_the_final_evaluation(self):
        self.train("run")
        summary = self.json("run/summary.json")
        for model in ["run", "run/model.safetensors"]:
            result = json.loads(self.succeed("evaluate", model, "--samples", "2", "--json"))
            self.assertEqual(result, self.json("run/evaluation.json"))
            for key in SUMMARY_KEYS:
                if key.startswith(("accuracy", "nll", "sigma_rms", "reliability", "magnitude", "backend", "seed")):
                    self.assertEqual(result[key], summary[key], key)
            self.assertEqual((result["samples"], result["examples"], result["data"]), (2, 360, "digits"))
            for key in ["brier_mean", "ece_average", "predictive_entropy_sample", "mutual_information"]:
                self.assertGreaterEqual(result[key], 0)

    def test_flags(self):
        self.train("run", "--sigma-init", "0.3")
        one = json.loads(self.succeed("evaluate", "run", "--json", "--out", "there"))
        self.assertEqual(self.names("there"), ["evaluation.json"])
        self.assertNotIn("evaluation.json", self.names("run"))
        self.assertEqual(one["samples"], 20)
        other = json.loads(self.succeed("evaluate", "run", "--json", "--seed", "9"))
        self.assertEqual((other["seed"], other["nll_mean"]), (9, one["nll_mean"]))
        self.assertNotEqual(other["nll_sample"], one["nll_sample"])
        same = json.loads(self.succeed("evaluate", "run", "--json", "--seed", "0"))
        self.assertEqual(same["nll_average"], one["nll_average"])
        few = json.loads(self.succeed("evaluate", "run", "--json", "--limit-test", "30", "--eval-batch", "30"))
        self.assertEqual(few["examples"], 30)
        self.write("evaluate.json", {"samples": 3, "averaging": "log_probabilities", "dataset": "digits"})
        logs = json.loads(self.succeed("evaluate", "run", "--json", "--config", "evaluate.json"))
        self.assertEqual((logs["samples"], logs["averaging"]), (3, "log_probabilities"))

    def test_text_for_people(self):
        self.train("run")
        text = self.succeed("evaluate", "run")
        for word in ["accuracy", "loss", "sigma", "energy", "evaluation.json", "360 examples"]:
            self.assertIn(word, text)
        self.assertEqual(self.succeed("evaluate", "run", "--quiet"), "")

    def test_needs_data(self):
        self.train("run")
        (self.folder / "run/model.safetensors").rename(self.folder / "alone.safetensors")
        self.fail_with(2, ["--data", "--dataset"], "evaluate", "alone.safetensors")
        self.succeed("evaluate", "alone.safetensors", "--dataset", "digits", "--quiet")
        self.assertIn("evaluation.json", self.names())


if __name__ == "__main__":
    unittest.main()
