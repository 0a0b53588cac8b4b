"""Grids of networks: their values, rows that are what `train` gives, sweeps that are stopped, and damaged folders."""

import csv
import itertools
import json
import os
import pty
import random
import resource
import signal
import statistics
import subprocess
import time
import unittest
from pathlib import Path

from driver import PROGRAM, SANITIZED, DriverTest, child_setup, start

KEYS = ["rho", "c", "noise", "seed", "lambda", "lr", "hidden"]
RESULTS = """accuracy_sample accuracy_mean accuracy_average nll_sample nll_mean nll_average sigma_rms reliability_sum
reliability_cost magnitude_cost steps""".split()
SWEEP_FILES = ["config.json", "summary.json", "sweep.csv", "sweep_bands.csv"]
MPIEXEC = os.environ.get("ENSYN_MPIEXEC")

# Eight networks that train in a fraction of a second.
TINY = ["--dataset", "digits", "--limit-train", "200", "--hidden", "8", "--lr", "1e-3", "--epochs", "2", "--samples", "2"]
GRID = [*TINY, "--rho", "0.5,2", "--c", "0.01", "--noise", "heterogeneous,homogeneous", "--seed", "3:4"]
# Some more epochs, for sweeps that are to be stopped on their way.
LONG = [*GRID, "--limit-train", "1000", "--epochs", "12"]

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


class SweepTest(DriverTest):
    def sweep(self, out, *arguments):
        self.succeed("sweep", *arguments, "--quiet", "--out", out)
        return self.rows_of(out)

    def rows_of(self, out):
        with open(self.folder / out / "sweep.csv", newline="") as file:
            return list(csv.DictReader(file))

    def content(self, out):
        return (self.folder / out / "sweep.csv").read_bytes()


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


class Stopped(SweepTest):
    def stop(self, out, number, seconds, *arguments):
        """Starts or continues a sweep, and sends it a signal after a while, unless it is done before."""
        process = start("sweep", *LONG, *arguments, "--quiet", "--out", out, cwd=self.folder)
        try:
            _, message = process.communicate(timeout=seconds)
            self.assertEqual(process.returncode, 0, message)
            return None
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            return process.communicate(timeout=60)[1], process.returncode

    def test_killed_until_done(self):
        begin = time.monotonic()
        self.sweep("whole", *LONG)
        duration = time.monotonic() - begin
        moments, kills, sweeps = random.Random(1), 0, 0
        while sweeps < 2 or (kills < 4 and sweeps < 20):
            out, sweeps = f"killed{sweeps}", sweeps + 1
            # Another number of threads in every life.
            while self.stop(out, signal.SIGKILL, moments.uniform(0, 0.5 * duration), "--threads", moments.choice("123")):
                kills += 1
                self.assertLess(kills, 200, "no progress between kills")
            self.assertEqual(self.content(out), self.content("whole"))
            self.assertEqual(self.names(out), SWEEP_FILES)
        self.assertGreaterEqual(kills, 4)

    def test_interrupt_saves_what_is_under_way(self):
        # One long epoch, so that what an interruption saves is what was done of it.
        hidden = "80,80" if SANITIZED else "300,300"
        slow = ["--dataset", "digits", "--hidden", hidden, "--batch", "1", "--epochs", "1", "--limit-train", "1000",
                "--seed", "0:1", "--samples", "1"]
        whole = self.sweep("whole", *slow)
        for number in [signal.SIGINT, signal.SIGTERM]:
            for delay in [0.3, 0.1, 0.03]:
                out = f"run{number}-{delay}"
                process = start("sweep", *slow, "--quiet", "--out", out, cwd=self.folder)
                while not (self.folder / out / "config.json").exists():
                    time.sleep(0.01)
                time.sleep(delay)
                process.send_signal(number)
                _, message = process.communicate(timeout=60)
                if process.returncode != 0:
                    break  # and otherwise it was done first, on a fast machine
            self.assertEqual((process.returncode, message.count("\n")), (1, 1), message)
            self.assertIn("0 of 2", message)
            self.assertIn("0.safetensors", self.names(f"{out}/partial"))
            self.assertEqual(self.sweep(out, *slow), whole)
            steps = self.json(f"{out}/summary.json")["network_steps"]
            self.assertLess(steps, 2000)
            self.assertEqual(self.names(out), SWEEP_FILES)

    def test_two_at_once_in_a_folder(self):
        process = start("sweep", *LONG, "--epochs", "1000", "--quiet", "--out", "run", cwd=self.folder)
        self.addCleanup(process.kill)
        while not (self.folder / "run/config.json").exists():
            time.sleep(0.01)
        self.fail_with(2, ["another ensyn sweep", "run"], "sweep", *LONG, "--epochs", "1000", "--out", "run")
        process.kill()
        process.communicate()

    @unittest.skipIf(SANITIZED, "a sanitizer needs address space")
    def test_memory(self):
        wide = ["--dataset", "digits", "--hidden", "1000,500", "--epochs", "1", "--batch", "200", "--limit-train", "200",
                "--samples", "1", "--limit-test", "20", "--seed", "0:9", "--threads", "1"]
        self.fail_with(1, ["needs about", "--hidden"], "sweep", *TINY, "--hidden", "300000,300000,300000")
        rows = self.sweep("run", *wide, "--networks-at-once", "10")
        self.assertEqual(self.json("run/summary.json")["networks_at_once"], 10)
        # Wherever memory ends, in making networks, training or evaluating them, fewer at a time give the same rows.
        together = []
        for megabytes in range(70, 400, 30):
            def limited(size=megabytes << 20):
                child_setup()
                resource.setrlimit(resource.RLIMIT_AS, (size, size))

            process = self.run_driver("sweep", *wide, "--networks-at-once", "10", "--quiet", "--out", str(megabytes),
                                      preexec_fn=limited)
            if together or process.returncode == 0:
                self.assertEqual((process.returncode, process.stderr_text), (0, ""))
                self.assertEqual(self.rows_of(str(megabytes)), rows)
                together.append(self.json(f"{megabytes}/summary.json")["networks_at_once"])
        self.assertEqual(together, sorted(together))
        self.assertLess(together[0], 10)


class Damaged(SweepTest):
    def setUp(self):
        super().setUp()
        self.sweep("whole", *GRID)
        self.rows = (self.folder / "whole/sweep.csv").read_text().splitlines(keepends=True)

    def continued(self, code, names, content):
        (self.folder / "whole/sweep.csv").write_text(content)
        self.fail_with(code, ["sweep.csv", *names], "sweep", *GRID, "--out", "whole")
        self.assertEqual((self.folder / "whole/sweep.csv").read_text(), content)

    def test_rows(self):
        rows, whole = self.rows, "".join(self.rows)
        self.continued(3, ["line 9", "cut off"], whole[:-1])
        self.continued(3, ["line 9", "cut off"], whole[:-40])
        self.continued(3, ["line 1", "cut off"], rows[0][:30])
        self.continued(3, ["line 4", "cells"], "".join(rows[:3]) + rows[3][:-30] + "\n" + "".join(rows[4:]))
        self.continued(3, ["line 1", "steps"], whole.replace(",steps", "", 1))
        self.continued(3, ["line 1", "rho, c"], "".join(rows[1:]))
        self.continued(3, ["line 5", "no number"], "".join(rows[:4]) + rows[4].replace(",20,", ",many,") + rows[5])
        self.continued(3, ["line 3", "no network"], "".join(rows[:2]) + rows[2].replace("0.5,", "0.6,", 1))
        self.continued(3, ["line 4", "already"], "".join(rows[:3]) + rows[2])
        # A line that is taken out is trained again.
        (self.folder / "whole/sweep.csv").write_text("".join(rows[:3] + rows[4:]))
        self.sweep("whole", *GRID)
        self.assertEqual((self.folder / "whole/sweep.csv").read_text(), whole)

    def test_edited_row_of_an_unfinished_sweep(self):
        process = start("sweep", *LONG, "--epochs", "400", "--threads", "1", "--quiet", "--out", "run", cwd=self.folder)
        file = self.folder / "run/sweep.csv"
        while not file.exists() or len(file.read_text().splitlines()) < 3:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        content = file.read_text()
        lines = content.splitlines(keepends=True)
        cells = lines[1].split(",")
        cells[7] = "0.5"
        file.write_text(lines[0] + ",".join(cells) + "".join(lines[2:]))
        self.fail_with(3, ["line 2", "as ensyn wrote"], "sweep", *LONG, "--epochs", "400", "--out", "run")
        file.write_text(content)
        partial = next((self.folder / "run/partial").glob("*.safetensors"))
        good = partial.read_bytes()
        for damaged in [b"", good[:200], good[:-1]]:
            partial.write_bytes(damaged)
            self.fail_with(3, partial.name, "sweep", *LONG, "--epochs", "400", "--out", "run")
        self.train("other", "--epochs", "1")
        partial.write_bytes((self.folder / "other/model.safetensors").read_bytes())
        self.fail_with(3, [partial.name, "not of this sweep"], "sweep", *LONG, "--epochs", "400", "--out", "run")

    def test_other_settings(self):
        before = self.content("whole")
        changes = [("--rho", "0.5,3"), ("--c", "0.1"), ("--noise", "homogeneous"), ("--seed", "3:5"), ("--hidden", "9"),
                   ("--epochs", "3"), ("--samples", "3"), ("--limit-train", "201"), ("--batch", "10"), ("--lr", "1"),
                   ("--lambda", "0,1"), ("--data-seed", "1"), ("--precision", "double")]
        for flag, value in changes:
            with self.subTest(flag=flag):
                self.fail_with(2, [flag, "whole", "--overwrite"], "sweep", *GRID, flag, value, "--out", "whole")
        self.assertEqual(self.content("whole"), before)
        self.sweep("whole", *GRID, "--threads", "1", "--checkpoint-every", "0", "--networks-at-once", "3")
        self.assertEqual(self.content("whole"), before)
        self.assertEqual(len(self.sweep("whole", *GRID, "--rho", "1", "--overwrite")), 4)

    def test_folders_of_others(self):
        self.train("run")
        for flags in [[], ["--overwrite"]]:
            self.fail_with(2, ["run", "another command"], "sweep", *GRID, "--out", "run", *flags)
        self.assertIn("model.safetensors", self.names("run"))
        config = self.json("whole/config.json")
        for change, code, word in [({"version": "0.0.9"}, 3, "0.0.9"), ({"noise_contract": 0}, 3, "noise_contract")]:
            self.write("whole/config.json", {**config, **change})
            self.fail_with(code, [word, "config.json"], "sweep", *GRID, "--out", "whole")
        for content in ["", "{", "[]"]:
            self.write("whole/config.json", content)
            self.fail_with(3, "config.json", "sweep", *GRID, "--out", "whole")
        (self.folder / "whole/config.json").unlink()
        self.fail_with(3, ["sweep.csv", "config.json"], "sweep", *GRID, "--out", "whole")
        self.assertEqual(len(self.sweep("whole", *GRID, "--overwrite")), 8)


@unittest.skipUnless(MPIEXEC, "needs a build with MPI")
class Ranks(SweepTest):
    def mpirun(self, *parts):
        """Starts parts `[ranks, arguments...]` of one job."""
        command = [MPIEXEC, "--allow-run-as-root", "--oversubscribe"]
        for ranks, *arguments in parts:
            command += [":"] if command[-1] != "--oversubscribe" else []
            command += ["-n", str(ranks), PROGRAM, "sweep", *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, cwd=self.folder, preexec_fn=child_setup)
        self.addCleanup(process.kill)
        return process

    def finish(self, process):
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def test_ranks_do_not_matter(self):
        self.sweep("alone", *GRID)
        for ranks in [1, 2, 3]:
            code, out, err = self.finish(self.mpirun([ranks, *GRID, "--threads", "1", "--json", "--out", f"run{ranks}"]))
            self.assertEqual((code, err), (0, ""))
            self.assertEqual(self.content(f"run{ranks}"), self.content("alone"))
            self.assertEqual(self.names(f"run{ranks}"), SWEEP_FILES)
            self.assertEqual((json.loads(out)["ranks"], json.loads(out)["network_steps"]), (ranks, 8 * 2 * 10))

    def test_ranks_share_the_processors(self):
        _, out, err = self.finish(self.mpirun([2, *GRID, "--json", "--out", "run"]))
        processors = len(os.sched_getaffinity(0))
        self.assertEqual(err, "")
        self.assertIn(f", {max(1, processors // 2)} thread", json.loads(out)["device"])

    def test_dead_rank_costs_only_its_unfinished_networks(self):
        # Slow enough to be met after the first row.
        slow = [*LONG, "--epochs", "150"]
        self.sweep("whole", *slow)
        arguments = [*slow, "--threads", "1", "--quiet", "--out", "run"]
        process = self.mpirun([3, *arguments])
        while not (self.folder / "run/sweep.csv").exists():
            time.sleep(0.002)
        os.kill(children_of(process.pid)[-1], signal.SIGKILL)
        self.assertNotEqual(self.finish(process)[0], 0)
        rows = self.content("run").count(b"\n") - 1
        self.assertGreaterEqual(rows, 1)
        self.assertLess(rows, 8)
        # Afterwards the same with fewer ranks.
        code, _, err = self.finish(self.mpirun([2, *arguments]))
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(self.content("run"), self.content("whole"))
        self.assertEqual(self.names("run"), SWEEP_FILES)

    def test_ranks_that_disagree(self):
        for flag, value, word in [("--c", "5", "c is"), ("--limit-test", "100", "limit_test is"), ("--out", "b", "out is")]:
            code, _, err = self.finish(self.mpirun([1, *GRID, "--out", "a"], [1, *GRID, "--out", "a", flag, value]))
            self.assertEqual(code, 2, err)
            self.assertIn("rank 1 differs", err)
            self.assertIn(word, err)
        self.assertEqual(self.names(), [])


@unittest.skipIf(os.environ.get("ENSYN_HAS_MPI", "1") == "1", "needs a build without MPI")
class NoRanks(SweepTest):
    def test_says_so(self):
        environment = {**os.environ, "OMPI_COMM_WORLD_SIZE": "2"}
        self.fail_with(2, ["mpirun", "OpenMPI"], "sweep", *GRID, env=environment)


def children_of(parent):
    children = []
    for entry in os.listdir("/proc"):
        try:
            status = Path(f"/proc/{entry}/stat").read_text() if entry.isdigit() else ""
        except OSError:
            continue
        if status and int(status.rpartition(")")[2].split()[1]) == parent:
            children.append(int(entry))
    return sorted(children)


if __name__ == "__main__":
    unittest.main()
