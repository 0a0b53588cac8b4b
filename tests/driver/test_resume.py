"""Runs that are killed, interrupted and continued end bitwise as if nothing had happened."""

import random
import signal
import subprocess
import time
import unittest

from driver import SANITIZED, SMALL, TRAIN_FILES, DriverTest, read_safetensors, start

# About a second of training, with an epoch end every few milliseconds.
MANY_EPOCHS = ["--dataset", "digits", "--hidden", "24", "--lr", "1e-3", "--epochs", "60", "--samples", "2", "--quiet"]
# Slow enough that two seconds are an epoch, of some of the digits: many times what passes between two looks at the
# signal.
WIDTHS = "100,100" if SANITIZED else "600,600"
SLOW = ["--dataset", "digits", "--hidden", WIDTHS, "--batch", "1", "--samples", "1", "--quiet"]


class Resume(DriverTest):
    def start_or_resume(self, out, arguments):
        begun = (self.folder / out / "config.json").exists()
        return start("train", "--out", out, *(["--resume", "--quiet"] if begun else arguments), cwd=self.folder)

    def killed_until_done(self, out, arguments, duration, seed):
        """Kills at random moments; the mean life of a process is a third of a whole run. Returns the kills."""
        moments, kills = random.Random(seed), 0
        while True:
            process = self.start_or_resume(out, arguments)
            try:
                _, message = process.communicate(timeout=moments.uniform(0, 0.67 * duration))
                self.assertEqual(process.returncode, 0, message)
                return kills
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                self.assertLess(kills, 200, "no progress between kills")

    def check_kills(self, *extra):
        begin = time.monotonic()
        self.succeed("train", *MANY_EPOCHS, *extra, "--out", "whole")
        duration = time.monotonic() - begin
        kills, seed = 0, 0
        # Three runs or more: how many of them a kill meets is up to how fast the machine happens to be.
        while seed < 3 or (kills <= 2 and seed < 20):
            kills += self.killed_until_done(f"killed{seed}", MANY_EPOCHS + list(extra), duration, seed)
            self.assert_same_run("whole", f"killed{seed}")
            # No partial file is left, under whatever name.
            self.assertEqual(self.names(f"killed{seed}"), TRAIN_FILES)
            seed += 1
        self.assertGreater(kills, 2)

    def test_kill_at_any_moment(self):
        self.check_kills()

    def test_kill_with_rare_checkpoints(self):
        self.check_kills("--checkpoint-every", "7", "--noise", "homogeneous")

    def interrupt(self, number, arguments):
        """The folder of an interrupted training, and the step that was saved."""
        out, message = self.interrupted(number, "train", *arguments)
        for word in ["interrupted at step", f"ensyn train --resume --out '{out}'\n"]:
            self.assertIn(word, message)
        header, _ = read_safetensors(self.folder / out / "model.safetensors")
        return out, int(header["__metadata__"]["step"])

    def test_interrupt_in_the_middle_of_an_epoch(self):
        self.succeed("train", *SLOW, "--epochs", "1", "--limit-train", "50", "--out", "speed")
        steps = min(1437, round(2 * self.json("speed/summary.json")["steps_per_second"]))
        arguments = [*SLOW, "--epochs", "1", "--limit-train", steps]
        self.succeed("train", *arguments, "--out", "whole")
        for number in [signal.SIGINT, signal.SIGTERM]:
            with self.subTest(signal=number):
                out, step = self.interrupt(number, arguments)
                self.assertGreater(step, 0)
                self.assertLess(step, steps, "not in the middle of the epoch")
                self.succeed("train", "--resume", "--quiet", "--out", out)
                self.assert_same_run("whole", out)

    def test_more_epochs(self):
        self.train("whole", "--epochs", "5")
        self.train("parts", "--epochs", "2")
        self.succeed("train", "--resume", "--epochs", "5", "--out", "parts", "--quiet", "--threads", "1")
        self.assert_same_run("whole", "parts")
        self.assertEqual(self.json("parts/config.json")["epochs"], 5)

    def test_training_method_may_change(self):
        # As a run that was begun on a CUDA device.
        self.train("run", "--epochs", "2")
        config = self.json("run/config.json")
        self.write("run/config.json", {**config, "training_method": "streamed"})
        resume = ["train", "--resume", "--epochs", "3", "--out", "run", "--quiet", "--device", "cpu"]
        self.fail_with(2, "--training-method streamed", *resume)
        self.succeed(*resume, "--training-method", "auto")
        self.assertEqual(self.json("run/config.json")["training_method"], "auto")

    def test_complete_run(self):
        self.train("run")
        before = self.json("run/summary.json")
        text = self.succeed("train", "--resume", "--out", "run")
        self.assertIn("complete", text)
        for key in ["accuracy_sample", "nll_average", "sigma_rms", "steps"]:
            self.assertEqual(self.json("run/summary.json")[key], before[key])

    def test_repeated_settings_are_fine(self):
        self.train("run", "--mechanism", "calcium")
        self.succeed("train", *SMALL, "--mechanism", "calcium", "--resume", "--out", "run", "--quiet", "--epochs", "4")

    def test_contradicting_settings(self):
        self.train("run")
        for flag, value in [
            ("--lr", "0.5"),
            ("--hidden", "17"),
            ("--rho", "3"),
            ("--mechanism", "actin"),
            ("--seed", "1"),
            ("--batch", "21"),
            ("--noise", "homogeneous"),
            ("--limit-train", "100"),
            ("--dataset", "mnist"),
            ("--epochs", "2"),
        ]:
            with self.subTest(flag=flag):
                name = "--rho" if flag == "--mechanism" else flag
                self.fail_with(2, name, "train", "--resume", "--out", "run", flag, value)
        self.write("other.json", {"lr": 0.5})
        self.fail_with(2, "other.json", "train", "--resume", "--out", "run", "--config", "other.json")
        self.assertEqual(len(self.rows("run")), 3)

    def test_nothing_to_resume(self):
        self.fail_with(2, ["--resume", "nowhere"], "train", *SMALL, "--resume", "--out", "nowhere")
        self.assertEqual(self.names(), [])

    def test_before_the_first_checkpoint(self):
        self.train("whole")
        self.train("run")
        for name in ["model.safetensors", "summary.json"]:
            (self.folder / "run" / name).unlink()
        self.succeed("train", "--resume", "--out", "run", "--quiet")
        self.assert_same_run("whole", "run")

    def test_damaged_rows(self):
        self.train("run", "--evaluate-every", "2")
        file = self.folder / "run/metrics.csv"
        whole = file.read_text()
        header, *rows = whole.splitlines(keepends=True)
        columns = header.strip().split(",")

        def changed(row, column, value):
            cells = rows[row].split(",")
            cells[columns.index(column)] = value
            return [*rows[:row], ",".join(cells), *rows[row + 1 :]]

        for damaged, names in [
            ([*rows[:2], rows[2][:-1]], ["line 4", "cut off"]),
            ([*rows[:2], rows[2][:-30]], ["line 4", "cut off"]),
            ([*rows[:2], rows[2][:-30] + "\n"], ["line 4"]),
            (rows[:2], ["line 4", "epoch 3"]),
            ([rows[0], rows[2], rows[1]], ["line 3", "epoch 2", "'3'"]),
            ([rows[0], "1," + rows[1], rows[2]], ["line 3", "13 cells"]),
            (["\n", *rows[1:]], ["line 2", "1 cells"]),
            (changed(1, "step", "143"), ["line 3", "step 142", "'143'"]),
            (changed(1, "step", "many"), ["line 3", "step 142", "'many'"]),
            (changed(0, "train_nll", "1.2.3"), ["line 2", "train_nll", "'1.2.3'"]),
            (changed(0, "train_accuracy", ""), ["line 2", "train_accuracy"]),
            (changed(2, "sigma_rms", "nan"), ["line 4", "sigma_rms", "'nan'"]),
            (changed(2, "reliability_cost", "1e"), ["line 4", "reliability_cost"]),
            (changed(1, "test_accuracy_mean", ""), ["line 3", "test_accuracy_mean"]),
            (changed(0, "test_accuracy_mean", "0.5"), ["line 2", "test_accuracy_mean", "'0.5'"]),
        ]:
            with self.subTest(names=names):
                content = header + "".join(damaged)
                file.write_text(content)
                message = self.fail_with(3, ["metrics.csv", *names], "train", "--resume", "--out", "run", "--epochs", "4")
                self.assertIn("--overwrite", message)
                self.assertEqual(file.read_text(), content)
                self.assertEqual(self.json("run/config.json")["epochs"], 3)
        # A row too many is what a kill may leave.
        file.write_text(whole + rows[2].replace("3,", "4,", 1)[:50])
        self.succeed("train", "--resume", "--out", "run", "--epochs", "4", "--quiet")
        self.train("longer", "--evaluate-every", "2", "--epochs", "4")
        self.assertEqual(self.rows("run")[:2], self.rows("longer")[:2])
        self.assertEqual(len(self.rows("run")), 4)

    def test_damaged_run(self):
        self.train("run")
        self.train("other", "--seed", "1")
        run = self.folder / "run"
        metrics = (run / "metrics.csv").read_text()
        for damaged in ["", "nonsense\n", "\n".join(metrics.splitlines()[:2]) + "\n"]:
            (run / "metrics.csv").write_text(damaged)
            self.fail_with(3, "metrics.csv", "train", "--resume", "--out", "run", "--epochs", "5")
        (run / "metrics.csv").write_text(metrics)
        model = (run / "model.safetensors").read_bytes()
        for damaged in [b"", model[:100], model[:-1], (self.folder / "other/model.safetensors").read_bytes()]:
            (run / "model.safetensors").write_bytes(damaged)
            self.fail_with(3, "model.safetensors", "train", "--resume", "--out", "run", "--epochs", "5")
        (run / "model.safetensors").write_bytes(model)
        (run / "config.json").write_text("{")
        self.fail_with(2, "config.json", "train", "--resume", "--out", "run")


if __name__ == "__main__":
    unittest.main()
