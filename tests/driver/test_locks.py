"""Two commands in one folder: the second is refused at once, and nothing of the first is lost."""

import fcntl
import os
import signal
import subprocess
import time
import unittest

from driver import PROGRAM, SMALL, TRAIN_FILES, DriverTest, child_setup, start

MPIEXEC = os.environ.get("ENSYN_MPIEXEC")
QUICK = ["--dataset", "digits", "--hidden", "none", "--epochs", "1", "--quiet"]
# Takes longer than any of these tests.
ENDLESS = ["train", "--dataset", "digits", "--hidden", "30", "--epochs", "1000000", "--quiet", "--out", "run"]

# Commands that write into the folder `out`, which holds what they leave there when they are done.
BIOPHYSICS = ["biophysics", "--quiet", "--overwrite"]
COMMANDS = {
    "train": ["train", *QUICK],
    "train over": ["train", *QUICK, "--overwrite"],
    "resume": ["train", "--resume", "--quiet"],
    "sweep": ["sweep", *QUICK, "--c", "0.1,1"],
    "sweep over": ["sweep", *QUICK, "--c", "0.1,1", "--overwrite"],
    "signatures": ["signatures", *QUICK],
    "signatures over": ["signatures", *QUICK, "--overwrite"],
    "bayes": ["bayes", *QUICK, "--rho", "2"],
    "regression": ["regression", "--steps", "10", "--rho", "2", "--c", "1", "--quiet"],
    "biophysics": ["biophysics", "--quiet"],
    "experiments": ["experiments", "--ltp", "ltp.csv", "--quiet"],
    "report": ["report", "physics"],
    "reproduce": ["reproduce", "fig2", "--scale", "quick", "--dataset", "digits"],
    "evaluate": ["evaluate", "model", "--quiet"],
    "info": ["info"],
}
LOCKS = {"evaluate": ".evaluation.json.lock", "info": ".info.json.lock"}


class Locks(DriverTest):
    def hold(self, folder, name=".ensyn.lock"):
        """Takes the lock as another process does, and gives what lets go of it."""
        (self.folder / folder).mkdir(exist_ok=True)
        file = os.open(self.folder / folder / name, os.O_RDWR | os.O_CREAT)
        fcntl.flock(file, fcntl.LOCK_EX)
        return lambda: os.close(file)

    def content(self, folder):
        return {path: path.read_bytes() for path in (self.folder / folder).rglob("*") if path.is_file()}

    def test_every_command_refuses_at_once(self):
        self.succeed("train", *QUICK, "--out", "model")
        self.succeed("biophysics", "--quiet", "--out", "physics")
        self.write("ltp.csv", "nothing that could be read")
        for name, arguments in COMMANDS.items():
            with self.subTest(name):
                out = name.replace(" ", "-")
                release = self.hold(out, LOCKS.get(name, ".ensyn.lock"))
                if name == "resume":
                    self.write("resume/config.json", "not read before the lock is had")
                before = self.content(out)
                self.fail_with(2, ["another ensyn", out, "--out"], *arguments, "--out", out)
                self.assertEqual(self.content(out), before)
                release()

    def test_a_lock_without_process_is_none(self):
        for name in ["train", "sweep", "signatures", "bayes", "regression", "biophysics"]:
            with self.subTest(name):
                self.hold(name)()
                self.assertEqual(self.names(name), [".ensyn.lock"])
                self.succeed(*COMMANDS[name], "--out", name)
                self.assertNotIn(".ensyn.lock", self.names(name))
                self.assertIn("config.json", self.names(name))

    def endless(self):
        process = start(*ENDLESS, cwd=self.folder)
        self.addCleanup(process.kill)
        while not (self.folder / "run/model.safetensors").exists():
            time.sleep(0.01)
        return process

    def test_two_trainings(self):
        first = self.endless()
        for arguments in [[], ["--overwrite"], ["--resume"]]:
            begin = time.monotonic()
            self.fail_with(2, ["another ensyn", "run"], *ENDLESS, *arguments)
            self.assertLess(time.monotonic() - begin, 30)
        # Evaluating what is saved meanwhile is no matter to it.
        self.succeed("evaluate", "run", "--quiet")
        self.assertIsNone(first.poll())
        first.send_signal(signal.SIGINT)
        self.assertIn("interrupted", first.communicate(timeout=60)[1])
        self.assertEqual(self.names("run"), ["config.json", "evaluation.json", "metrics.csv", "model.safetensors"])

    def test_a_kill_leaves_no_lock(self):
        first = self.endless()
        first.kill()
        first.communicate()
        self.assertIn(".ensyn.lock", self.names("run"))
        epochs = len(self.rows("run")) + 1
        self.succeed("train", "--resume", "--epochs", epochs, "--quiet", "--out", "run")
        self.assertEqual(self.names("run"), TRAIN_FILES)

    def test_failures_leave_no_folder(self):
        for arguments in [["train", *SMALL, "--limit-train", "100000"], ["train", "--resume"],
                          ["sweep", *QUICK, "--networks-at-once", "0"], ["bayes", "--data", "nowhere"],
                          ["experiments", "--ltp", "nowhere"], ["report", "nowhere"],
                          ["signatures", *QUICK, "--limit-test", "100000"],
                          ["reproduce", "fig2", "--data", "nowhere"]]:
            for out in ["out", "deep/in/side", "out/"]:
                with self.subTest(arguments=arguments, out=out):
                    self.assertNotIn(self.run_driver(*arguments, "--out", out).returncode, [0, -signal.SIGSEGV])
                    self.assertEqual(self.names(), [])
        # But one that was there stays.
        (self.folder / "mine").mkdir()
        self.fail_with(2, "mine", "train", "--resume", "--out", "mine")
        self.assertEqual((self.names(), self.names("mine")), (["mine"], []))

    def test_a_crowd(self):
        """Of many at once some are done and the others refused, whoever removes the lock's file when."""
        for _ in range(5):
            crowd = [start(*BIOPHYSICS, "--points", "4", "--out", "a/b", cwd=self.folder) for _ in range(12)]
            ends = [(process.communicate(timeout=60)[1], process.returncode) for process in crowd]
            for message, code in ends:
                self.assertIn(code, [0, 2], message)
                self.assertEqual("another ensyn" in message, code == 2, message)
            self.assertIn(0, [code for _, code in ends])
            self.assertEqual(self.names("a/b"), ["biophysics.csv", "biophysics_histograms.csv", "config.json", "summary.json"])

    @unittest.skipUnless(MPIEXEC, "needs MPI")
    def test_training_is_no_work_for_ranks(self):
        process = subprocess.Popen([MPIEXEC, "--allow-run-as-root", "--oversubscribe", "-n", "2", PROGRAM, *ENDLESS],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   cwd=self.folder, preexec_fn=child_setup)
        self.addCleanup(process.kill)
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 2, message)
        self.assertIn("another ensyn", message)


if __name__ == "__main__":
    unittest.main()
