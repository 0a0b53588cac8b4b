"""Sweeps that are stopped, run out of memory, lose a rank or find a damaged folder: no row is lost, none is wrong."""

import json
import os
import random
import resource
import signal
import subprocess
import time
import unittest
from pathlib import Path

from driver import PROGRAM, SANITIZED, child_setup, start, write_idx_folder
from sweeps import GRID, SWEEP_FILES, TINY, SweepTest

MPIEXEC = os.environ.get("ENSYN_MPIEXEC")

# Some more epochs, for sweeps that are to be stopped on their way.
LONG = [*GRID, "--limit-train", "1000", "--epochs", "12"]


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
            out, message = self.interrupted(number, "sweep", *slow, "--quiet")
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
        self.fail_with(2, ["another ensyn", "run"], "sweep", *LONG, "--epochs", "1000", "--out", "run")
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
        key = ",".join(rows[3].split(",")[:7])
        for cells in ["," * 11, "," * 10 + "20,20", "0.5" + "," * 11 + "20"]:
            self.continued(3, ["line 4", "neither results"], "".join(rows[:3]) + f"{key},{cells}\n" + "".join(rows[4:]))
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
        journal = self.folder / "run/partial/rows"
        entries = journal.read_text()
        for damaged in [entries[:-1], entries[:-5], entries.replace(" ", "", 1), "x\n" + entries, entries * 2,
                        entries + "8 1\n", "\n"]:
            journal.write_text(damaged)
            self.fail_with(3, ["partial/rows line", "damaged"], "sweep", *LONG, "--epochs", "400", "--out", "run")
        journal.write_text(entries)
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
    def mpirun(self, *parts, folders=None):
        """Starts parts `[ranks, arguments...]` of one job, each with an ENSYN_DATA_DIR of its own if there are such."""
        command = [MPIEXEC, "--allow-run-as-root", "--oversubscribe"]
        for part, (ranks, *arguments) in enumerate(parts):
            command += [":"] if part > 0 else []
            command += ["-x", f"ENSYN_DATA_DIR={folders[part]}"] if folders else []
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

    def test_ranks_with_other_data(self):
        for name in ["here", "there"]:
            (self.folder / name).mkdir()
            write_idx_folder(self.folder / name / "mnist")
        labels = self.folder / "there/mnist/t10k-labels-idx1-ubyte"
        labels.write_bytes(labels.read_bytes()[:-1] + b"\0")
        grid = ["--dataset", "mnist", "--hidden", "none", "--epochs", "1", "--out", "a"]
        code, _, err = self.finish(self.mpirun(*[[1, *grid] for _ in range(2)], folders=["here", "there"]))
        self.assertEqual(code, 2, err)
        self.assertIn("rank 1 differs", err)
        self.assertIn("test_digest is", err)
        self.assertEqual(self.names(), ["here", "there"])


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
