"""What the driver's tests share: running the program and reading its files."""

import csv
import gzip
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = os.environ.get("ENSYN_DRIVER", "ensyn")
SANITIZED = bool(os.environ.get("ENSYN_SANITIZE"))  # which makes all training slow
TRAIN_FILES = ["config.json", "metrics.csv", "model.safetensors", "summary.json"]

# A network that trains in well under a second.
SMALL = ["--dataset", "digits", "--hidden", "16", "--lr", "1e-3", "--epochs", "3", "--samples", "2"]


def child_setup():
    """Ctrl-C must reach the program even where the tests run in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*arguments, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": child_setup, **options}
    return subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL, **options)


class DriverTest(unittest.TestCase):
    """Each test has an empty folder `self.folder` of its own."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ensyn-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_driver(self, *arguments, **options):
        process = start(*arguments, cwd=self.folder, **options)
        self.addCleanup(process.kill)
        process.stdout_text, process.stderr_text = process.communicate(timeout=900)
        return process

    def succeed(self, *arguments, **options):
        process = self.run_driver(*arguments, **options)
        self.assertEqual(process.returncode, 0, process.stderr_text)
        self.assertEqual(process.stderr_text, "")
        return process.stdout_text

    def fail_with(self, code, names, *arguments, **options):
        """The exit code, and one line on standard error that names what is at fault."""
        process = self.run_driver(*arguments, **options)
        self.assertEqual(process.returncode, code, process.stderr_text)
        self.assertEqual(process.stdout_text or "", "")
        self.assertEqual(process.stderr_text.count("\n"), 1, process.stderr_text)
        self.assertTrue(process.stderr_text.startswith("ensyn: "), process.stderr_text)
        for name in [names] if isinstance(names, str) else names:
            self.assertIn(name, process.stderr_text)
        return process.stderr_text

    def interrupted(self, number, *arguments):
        """Runs a training that a signal reaches on its way; returns its folder and its one line on standard error."""
        for delay in [0.3, 0.1, 0.03]:
            out = f"interrupted {number}-{delay}"  # a name that a shell would take for two
            process = start(*arguments, "--out", out, cwd=self.folder)
            while not (self.folder / out / "config.json").exists():
                time.sleep(0.01)
            time.sleep(delay)
            process.send_signal(number)
            _, message = process.communicate(timeout=60)
            if process.returncode != 0:
                break  # and otherwise it was done first: this machine is fast
        self.assertEqual((process.returncode, message.count("\n")), (1, 1), message)
        return out, message

    def train(self, out, *arguments):
        return self.succeed("train", *SMALL, "--quiet", "--out", out, *arguments)

    def write(self, name, content):
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def names(self, folder="."):
        return sorted(path.name for path in (self.folder / folder).iterdir())

    def json(self, name):
        return json.loads((self.folder / name).read_text())

    def rows(self, run):
        with open(self.folder / run / "metrics.csv", newline="") as file:
            return list(csv.DictReader(file))

    def assert_same_run(self, one, other):
        """Bitwise the same network and history."""
        for name in ["model.safetensors", "metrics.csv"]:
            same = (self.folder / one / name).read_bytes() == (self.folder / other / name).read_bytes()
            self.assertTrue(same, f"{name} of {one} and {other} differ")


def idx(sizes, values):
    return struct.pack(f">HBB{len(sizes)}I", 0, 8, len(sizes), *sizes) + bytes(values)


def write_idx_folder(folder, train=60, test=20, side=4, classes=10, compressed=False):
    """A data set whose classes differ in which pixel is bright."""
    folder.mkdir(exist_ok=True)
    for part, count in [("train", train), ("t10k", test)]:
        labels = [i % classes for i in range(count)]
        images = b"".join(bytes(250 if p == label else 5 for p in range(side * side)) for label in labels)
        for name, content in [
            (f"{part}-images-idx3-ubyte", idx([count, side, side], images)),
            (f"{part}-labels-idx1-ubyte", idx([count], labels)),
        ]:
            if compressed:
                (folder / (name + ".gz")).write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


def read_safetensors(path):
    """The header, as an object, and the data."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def write_safetensors(path, header, data):
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
