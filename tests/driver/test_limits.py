#!/usr/bin/env python3
"""Sizes that users give are bounded by what there is, or refused before they take time or memory."""

import resource
import time
import unittest

from driver import SANITIZED, DriverTest, write_idx_folder

HUGE = "2147483647"
DIGITS = ["--dataset", "digits", "--epochs", "1", "--hidden", "5", "--device", "cpu", "--quiet"]


class LimitsTest(DriverTest):
    def setUp(self):
        super().setUp()
        self.begin = time.monotonic()
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.addCleanup(self.check_modest, before)

    def check_modest(self, before):
        """No program of this test took long, or more than some 100 MB of memory."""
        if SANITIZED:
            return
        self.assertLess(time.monotonic() - self.begin, 60)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, max(before, 250 * 1024))

    def test_a_batch_of_an_evaluation_is_at_most_the_examples(self):
        results = {}
        for batch in ["50", "2000000", HUGE]:
            self.train(batch, "--limit-test", "50", "--eval-batch", batch, "--samples", "20")
            results[batch] = {key: value for key, value in self.json(f"{batch}/summary.json").items()
                              if key[:3] in ("acc", "nll")}
            self.succeed("evaluate", batch, "--quiet", "--eval-batch", batch, "--samples", "30")
            evaluation = self.json(f"{batch}/evaluation.json")
            results[batch]["evaluation"] = {key: value for key, value in evaluation.items()
                                            if key not in ("seconds", "model", "eval_batch")}
        self.assertEqual(results["50"], results["2000000"])
        self.assertEqual(results["50"], results[HUGE])

    def test_threads(self):
        self.train("one", "--threads", "1")
        self.train("many", "--threads", HUGE)
        self.assert_same_run("one", "many")
        self.assertRegex(self.json("many/summary.json")["device"], r", \d{1,4} threads$")
        self.assertEqual(self.json("many/config.json")["threads"], int(HUGE))
        self.succeed("sweep", *DIGITS, "--threads", HUGE, "--networks-at-once", HUGE, "--out", "sweep")
        self.succeed("signatures", *DIGITS, "--threads", HUGE, "--out", "signatures")

    def test_samples(self):
        few = ["from 1 to 1000000", "1000000"]
        for command in [["train", *DIGITS], ["sweep", *DIGITS], ["signatures", *DIGITS]]:
            for samples in ["1000001", HUGE]:
                self.fail_with(2, ["--samples", few[1]], *command, "--samples", samples, "--out", "out")
        self.fail_with(2, ["--samples", few[1]], "regression", "--quiet", "--samples", HUGE, "--out", "out")
        self.assertEqual(self.names(), [])
        self.train("run")
        self.fail_with(2, ["--samples", few[1]], "evaluate", "run", "--samples", HUGE)

    def test_memory_is_refused_before_training(self):
        # The outputs of a million draws of 250 classes, for 2,000 examples that share them: 4 TB.
        write_idx_folder(self.folder / "wide", train=300, test=2000, side=16, classes=250)
        wide = ["--data", "wide", "--hidden", "5", "--device", "cpu", "--quiet", "--eval-batch", HUGE, "--samples",
                "1000000", "--precision", "double"]
        for command in [["train"], ["sweep"], ["signatures"]]:
            epochs = ["--epochs", "1000000"]
            self.fail_with(1, ["samples = 1000000", "MiB", "fewer samples"], *command, *wide, *epochs,
                           "--out", command[0])
        for command in [["train"], ["bayes"]]:
            self.fail_with(1, ["memory", "narrower layers"], *command, "--dataset", "digits", "--device", "cpu", "--quiet",
                           "--hidden", "1000000,1000000", "--out", "large")

    def test_batches_are_no_larger_than_the_training_set(self):
        for command in [["train", *DIGITS], ["sweep", *DIGITS], ["signatures", *DIGITS], ["bayes", *DIGITS],
                        ["regression", "--quiet"]]:
            self.fail_with(2, ["batch", HUGE], *command, "--batch", HUGE, "--out", "out")

    def test_epochs_and_steps_have_noise(self):
        self.fail_with(2, ["2^40", "fewer"], "train", *DIGITS, "--epochs", HUGE, "--batch", "1", "--out", "out")

    def test_counts(self):
        for command, flag, most in [
            ("biophysics", "--draws", 100000000),
            ("biophysics", "--points", 100000),
            ("regression", "--points", 1000000),
            ("regression", "--curve-points", 100000),
            ("bayes", "--measure-epochs", 1000000),
            ("signatures", "--measure-epochs", 1000000),
            ("train", "--vesicles", 64),
        ]:
            for value in [str(most + 1), HUGE]:
                self.fail_with(2, [flag, str(most)], command, flag, value, "--out", "out")
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    unittest.main()
