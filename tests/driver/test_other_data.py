"""Data that are replaced between a run and its continuation: what is begun with some data goes on with the same."""

import json
import signal
import struct
import time
import unittest
import zlib

from driver import DriverTest, read_safetensors, start, write_idx_folder, write_safetensors
from sweeps import SweepTest

NETWORK = ["--data", "data", "--hidden", "8", "--lr", "1e-3", "--samples", "2", "--epochs", "2"]
RESUME = ["train", "--resume", "--epochs", "4", "--quiet", "--out", "run"]
PARTS = {"train_digest": "train", "test_digest": "t10k"}


class OtherData(DriverTest):
    def setUp(self):
        super().setUp()
        write_idx_folder(self.folder / "data")

    def file(self, part, kind="images-idx3"):
        return self.folder / "data" / f"{part}-{kind}-ubyte"

    def change(self, part, kind="images-idx3"):
        """Changes the last byte of a file of the data set; returns what restores it."""
        file = self.file(part, kind)
        before = file.read_bytes()
        file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        return lambda: file.write_bytes(before)

    def digest(self, part):
        """By the description in host/data/digest.h."""
        images, labels = self.file(part).read_bytes()[16:], self.file(part, "labels-idx1").read_bytes()[8:]
        head = struct.pack("<5Q3d", len(labels), len(images) // len(labels), 10, 0, 1, 255, 0.1307, 0.3081)
        return f"{zlib.crc32(b'ensyn data 1' + head + images + labels):08x}"

    def each_change(self):
        for part in PARTS.values():
            for kind in ["images-idx3", "labels-idx1"]:
                before, restore = self.digest(part), self.change(part, kind)
                yield [before, self.digest(part), "data has", "config.json"]
                restore()

    def forget(self, name):
        """Takes the digests out of a JSON file, as an early version wrote it."""
        content = self.json(name)
        for key in PARTS:
            del content[key]
        self.write(name, content)

    def accepted(self, *arguments):
        """Runs a command that says on standard error, in one line, that it did not check."""
        process = self.run_driver(*arguments)
        self.assertEqual((process.returncode, process.stderr_text.count("\n")), (0, 1), process.stderr_text)
        self.assertIn("not checked", process.stderr_text)


class Training(OtherData):
    def setUp(self):
        super().setUp()
        self.succeed("train", *NETWORK, "--quiet", "--out", "run")

    def content(self):
        return {path.name: path.read_bytes() for path in (self.folder / "run").iterdir()}

    def test_digests_are_noted(self):
        for name in ["config.json", "summary.json"]:
            noted = self.json(f"run/{name}")
            noted = noted.get("config", noted)
            self.assertEqual({key: noted[key] for key in PARTS}, {key: self.digest(part) for key, part in PARTS.items()})
        header, _ = read_safetensors(self.folder / "run/model.safetensors")
        self.assertEqual(header["__metadata__"]["train_digest"], self.digest("train"))

    def test_resume(self):
        before = self.content()
        for names in self.each_change():
            self.fail_with(3, names, *RESUME)
            self.assertEqual(self.content(), before)
        self.succeed(*RESUME)
        self.succeed("train", *NETWORK, "--epochs", "4", "--quiet", "--out", "whole")
        self.assert_same_run("run", "whole")

    def test_resume_before_the_first_checkpoint(self):
        for name in ["model.safetensors", "metrics.csv", "summary.json"]:
            (self.folder / "run" / name).unlink()
        for names in self.each_change():
            self.fail_with(3, names, *RESUME)

    def test_folders_of_early_versions(self):
        model = self.folder / "run/model.safetensors"
        self.forget("run/config.json")
        # The checkpoint knows its training set all the same.
        before, restore = self.digest("train"), self.change("train")
        process = self.run_driver(*RESUME)
        self.assertEqual(process.returncode, 3)
        for name in ["model.safetensors", before, self.digest("train")]:
            self.assertIn(name, process.stderr_text)
        restore()
        header, data = read_safetensors(model)
        del header["__metadata__"]["train_digest"]
        write_safetensors(model, header, data)
        self.accepted(*RESUME)
        self.succeed("train", *NETWORK, "--epochs", "4", "--quiet", "--out", "whole")
        self.assert_same_run("run", "whole")
        # From now on they are known.
        self.change("t10k")
        self.fail_with(3, "config.json", *RESUME)

    def test_new_runs_take_what_there_is(self):
        self.change("train")
        self.succeed("train", "--config", "run/config.json", "--quiet", "--out", "again")
        self.assertEqual(self.json("again/config.json")["train_digest"], self.digest("train"))
        self.succeed("train", *NETWORK, "--quiet", "--overwrite", "--out", "run")
        self.succeed(*RESUME)

    def test_evaluation_takes_any(self):
        self.change("train")
        self.change("t10k")
        self.succeed("evaluate", "run", "--quiet")

    def test_signatures_are_of_the_training_set(self):
        self.change("train")
        self.fail_with(3, ["model.safetensors", self.digest("train")], "signatures", "--model", "run", "--out", "s")
        self.assertFalse((self.folder / "s").exists())


class Sweeps(OtherData, SweepTest):
    GRID = [*NETWORK, "--c", "0.01,0.1"]

    def test_finished(self):
        before = self.sweep("grid", *self.GRID)
        more = ["sweep", *self.GRID, "--out", "grid"]
        for names in self.each_change():
            self.fail_with(3, names, *more)
        self.assertEqual(self.sweep("grid", *self.GRID), before)
        self.change("t10k", "labels-idx1")
        self.assertNotEqual(self.sweep("grid", *self.GRID, "--overwrite"), before)
        self.forget("grid/config.json")
        self.accepted(*more, "--quiet")
        self.assertEqual(self.json("grid/config.json")["test_digest"], self.digest("t10k"))

    def test_under_way(self):
        long = ["--data", "data", "--c", "0.01,0.1", "--hidden", "200,200", "--batch", "1", "--epochs", "3000", "--quiet"]
        process = start("sweep", *long, "--out", "grid", cwd=self.folder)
        while not (self.folder / "grid/config.json").exists():
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
        self.assertIn("0 of 2", message)
        for names in self.each_change():
            self.fail_with(3, names, "sweep", *long, "--out", "grid")
        self.forget("grid/config.json")
        self.change("train")
        process = self.run_driver("sweep", *long, "--out", "grid")
        self.assertEqual(process.returncode, 3)
        self.assertIn("0.safetensors", process.stderr_text)


class Reproductions(OtherData):
    def test_begun_with_other_data(self):
        version = json.loads(self.succeed("info", "--json"))["version"]
        (self.folder / "out").mkdir()
        begun = {"command": "reproduce", "version": version, "scale": "quick", "seed": "0", "data": "data"}
        arguments = ["reproduce", "fig2", "--scale", "quick", "--data", "data", "--out", "out"]
        for key in PARTS:
            digests = {other: self.digest(part) for other, part in PARTS.items()}
            self.write("out/reproduce.json", {**begun, **digests, key: "01234567"})
            self.fail_with(3, ["01234567", digests[key], "reproduce.json"], *arguments)
        self.assertEqual(self.names("out"), ["reproduce.json"])


if __name__ == "__main__":
    unittest.main()
