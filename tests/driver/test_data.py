"""Data, models and output folders that are missing, damaged or full."""

import gzip
import json
import os
import resource
import unittest
from pathlib import Path

from driver import SMALL, DriverTest, child_setup, idx, read_safetensors, write_idx_folder, write_safetensors

TINY = ["--hidden", "4", "--epochs", "1", "--samples", "1", "--out", "run"]
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


class OwnData(DriverTest):
    def setUp(self):
        super().setUp()
        self.data = write_idx_folder(self.folder / "data")

    def refuse(self, names, code=3, extra=()):
        message = self.fail_with(code, names, "train", "--data", "data", *TINY, *extra)
        self.assertFalse((self.folder / "run").exists())
        return message

    def test_plain_and_gzip_are_the_same(self):
        write_idx_folder(self.folder / "packed", compressed=True)
        self.succeed("train", "--data", "data", *TINY, "--quiet")
        self.succeed("train", "--data", "packed", *TINY, "--quiet", "--out", "packed-run")
        self.assert_same_run("run", "packed-run")

    def sizes(self, run):
        header, _ = read_safetensors(self.folder / run / "model.safetensors")
        return json.loads(header["__metadata__"]["config"])["architecture"]["sizes"]

    def test_as_many_outputs_as_the_labels_ask(self):
        write_idx_folder(self.folder / "three", classes=3)
        small = ["--hidden", "4", "--epochs", "1", "--samples", "1", "--quiet"]
        for command in ["train", "signatures"]:
            for extra, outputs in [([], 3), (["--classes", "5"], 5)]:
                run = f"{command}{outputs}"
                self.succeed(command, "--data", "three", *small, *extra, "--out", run)
                self.assertEqual((self.sizes(run), self.json(f"{run}/config.json")["classes"]), ([16, 4, outputs], outputs))
                self.succeed("evaluate", run, "--quiet")
                self.succeed(command, "--config", f"{run}/config.json", "--quiet", "--out", f"{run} again")
                self.assertEqual(self.sizes(f"{run} again"), [16, 4, outputs])
        self.succeed("train", "--resume", "--epochs", "2", "--quiet", "--out", "train3")
        sweep = ["sweep", "--data", "three", *small, "--c", "0.1,1", "--out", "grid"]
        self.succeed(*sweep)
        self.assertEqual(self.json("grid/config.json")["classes"], 3)
        self.succeed(*sweep)
        self.succeed("bayes", "--data", "three", "--hidden", "4", "--epochs", "1", "--rho", "2", "--quiet", "--out", "bayes")
        self.assertEqual(self.json("bayes/config.json")["classes"], 3)
        self.refuse(["train-labels", "label 3", "0 to 2"], extra=["--classes", "3"])
        for value in ["1", "257", "many"]:
            self.refuse("--classes", 2, ["--classes", value])
        self.fail_with(2, ["--classes", "--data", "digits"], "train", "--dataset", "digits", "--classes", "10")

    def test_test_labels_beyond_the_training_classes(self):
        write_idx_folder(self.folder / "three", classes=3)
        for name in ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]:
            (self.folder / "three" / name).write_bytes((self.data / name).read_bytes())
        self.fail_with(3, ["t10k-labels", "label 9", "3 classes", "10 classes"], "train", "--data", "three", *TINY)
        self.succeed("train", "--data", "three", "--classes", "10", *TINY, "--quiet")
        write_idx_folder(self.folder / "few", classes=3)
        self.succeed("train", "--data", "few", *TINY, "--quiet", "--out", "few-run")
        self.fail_with(3, ["10 classes", "3 outputs"], "evaluate", "few-run", "--data", "data")

    def test_runs_of_early_versions_keep_their_ten_classes(self):
        """Which gave ten outputs to data of fewer classes, and did not say so in config.json."""
        write_idx_folder(self.folder / "three", classes=3)
        small = ["--data", "three", "--hidden", "4", "--samples", "1", "--quiet"]

        def forget(name):
            content = self.json(name)
            self.assertEqual(content.pop("classes"), 10)
            self.write(name, content)

        self.succeed("train", *small, "--classes", "10", "--epochs", "1", "--out", "run")
        self.succeed("sweep", *small, "--classes", "10", "--epochs", "1", "--c", "0.1,1", "--out", "grid")
        for name in ["run/config.json", "grid/config.json"]:
            forget(name)
        self.succeed("train", "--config", "run/config.json", "--quiet", "--out", "again")
        self.assert_same_run("run", "again")
        self.succeed("evaluate", "run", "--quiet")
        self.succeed("signatures", "--model", "run", "--quiet", "--out", "measured")
        self.succeed("train", "--resume", "--epochs", "2", "--quiet", "--out", "run")
        self.assertEqual((self.sizes("run"), self.json("run/config.json")["classes"]), ([16, 4, 10], 10))
        self.succeed("sweep", *small, "--epochs", "1", "--c", "0.1,1", "--out", "grid")
        self.succeed("train", "--config", "run/config.json", "--data", "three", "--quiet", "--out", "new")
        self.assertEqual(self.sizes("new"), [16, 4, 3])

    def test_missing(self):
        (self.data / LABELS).unlink()
        self.refuse(LABELS)
        for path in self.data.iterdir():
            path.unlink()
        self.refuse("data")
        self.data.rmdir()
        self.refuse("data")
        self.data.write_text("a file")
        self.refuse("data")

    def test_damaged_gzip(self):
        (self.data / IMAGES).unlink()
        whole = gzip.compress((write_idx_folder(self.folder / "other") / IMAGES).read_bytes())
        broken = bytearray(whole)
        broken[len(broken) // 2] ^= 0xFF
        for content in [whole[:-20], whole[:12], bytes(broken)]:
            (self.data / (IMAGES + ".gz")).write_bytes(content)
            self.refuse(IMAGES)

    def test_gzip_padded_with_zeros(self):
        whole = gzip.compress((self.data / IMAGES).read_bytes())
        (self.data / IMAGES).unlink()
        (self.data / (IMAGES + ".gz")).write_bytes(whole + bytes(512))
        self.succeed("train", "--data", "data", *TINY, "--quiet")
        (self.data / (IMAGES + ".gz")).write_bytes(whole + bytes(511) + b"x")
        self.fail_with(3, [IMAGES, "followed by 512"], "train", "--data", "data", *TINY, "--overwrite")

    def test_folder_named_as_a_file(self):
        (self.data / (IMAGES + ".gz")).write_bytes(gzip.compress((self.data / IMAGES).read_bytes()))
        (self.data / IMAGES).unlink()
        (self.data / IMAGES).mkdir()
        self.succeed("train", "--data", "data", *TINY, "--quiet")
        (self.data / (IMAGES + ".gz")).unlink()
        self.fail_with(3, [IMAGES, "is a folder"], "train", "--data", "data", *TINY, "--overwrite")

    def test_images_of_other_shapes(self):
        name = "t10k-images-idx3-ubyte"
        for sizes in [[20, 2, 8], [20, 16], [20, 4, 4, 1]]:
            (self.data / name).write_bytes(idx(sizes, bytes(20 * 16)))
            self.refuse([name, " x ".join(map(str, sizes[1:])), "4 x 4"])

    def test_sound_files_of_other_types(self):
        whole = (self.data / LABELS).read_bytes()
        for number, name in [(9, "signed bytes"), (13, "32-bit floating-point")]:
            (self.data / LABELS).write_bytes(whole[:2] + bytes([number]) + whole[3:])
            self.assertNotIn("get the file again", self.refuse([LABELS, name, f"type {number}", "convert"]))

    def test_damaged_idx(self):
        whole = (self.data / IMAGES).read_bytes()
        for content in [
            b"",
            whole[:3],
            b"\1" + whole[1:],
            whole[:2] + b"\x0d" + whole[3:],
            whole[:-1],
            whole + b"\0",
            idx([59, 4, 4], bytes(59 * 16)),
            idx([0, 4, 4], b""),
            idx([60, 0, 4], b""),
        ]:
            (self.data / IMAGES).write_bytes(content)
            self.refuse(IMAGES)

    def test_empty_set(self):
        (self.data / IMAGES).write_bytes(idx([0, 4, 4], b""))
        (self.data / LABELS).write_bytes(idx([0], b""))
        self.refuse("empty")

    def test_sets_that_do_not_agree(self):
        labels = self.data / "t10k-labels-idx1-ubyte"
        whole = labels.read_bytes()
        labels.write_bytes(idx([20], [11] * 20))
        self.refuse(labels.name)
        labels.write_bytes(whole)
        narrow = (self.data / "t10k-images-idx3-ubyte").read_bytes()
        write_idx_folder(self.data, side=5)
        (self.data / "t10k-images-idx3-ubyte").write_bytes(narrow)
        self.refuse("t10k-images")

    def test_sizes_beyond_the_data(self):
        self.refuse("--batch", 2, ["--batch", "61"])
        self.refuse("--limit-train", 2, ["--limit-train", "61"])
        self.refuse("--limit-test", 2, ["--limit-test", "21"])
        self.refuse("--batch", 2, ["--limit-train", "30", "--batch", "31"])
        self.succeed("train", "--data", "data", *TINY, "--quiet", "--batch", "60")

    def test_named_data_that_is_not_there(self):
        if Path("/usr/share/datasets/mnist").exists():
            self.skipTest("MNIST is installed")
        environment = {**os.environ, "ENSYN_DATA_DIR": str(self.folder)}
        self.fail_with(3, ["mnist", str(self.folder)], "train", "--dataset", "mnist", *TINY, env=environment)
        self.assertFalse((self.folder / "run").exists())

    def test_evaluating_on_other_data(self):
        self.succeed("train", "--data", "data", *TINY, "--quiet")
        write_idx_folder(self.folder / "wide", side=5)
        self.fail_with(3, "16", "evaluate", "run", "--data", "wide")
        write_idx_folder(self.folder / "other", train=30, test=7)
        result = json.loads(self.succeed("evaluate", "run", "--data", "other", "--json"))
        self.assertEqual(result["examples"], 7)


class Models(DriverTest):
    def setUp(self):
        super().setUp()
        self.train("run", "--epochs", "1")
        self.model = self.folder / "run/model.safetensors"

    def refuse(self, names=()):
        self.fail_with(3, ["model.safetensors", *names], "evaluate", "run")
        self.assertNotIn("evaluation.json", self.names("run"))

    def test_missing(self):
        self.model.unlink()
        self.refuse()
        self.fail_with(3, "nothing-there", "evaluate", "nothing-there", "--dataset", "digits")

    def test_truncated_or_foreign(self):
        whole = self.model.read_bytes()
        for content in [b"", b"x", whole[:7], whole[:50], whole[: len(whole) // 2], whole[:-1], whole + b"\0", bytes(999)]:
            self.model.write_bytes(content)
            self.refuse()

    def test_other_version(self):
        header, data = read_safetensors(self.model)
        for key in ["format_version", "noise_contract"]:
            metadata = {**header["__metadata__"], key: "2"}
            write_safetensors(self.model, {**header, "__metadata__": metadata}, data)
            self.refuse([key])

    def test_wrong_shape(self):
        header, data = read_safetensors(self.model)
        header["layer0.mu"]["shape"].reverse()
        write_safetensors(self.model, header, data)
        self.refuse(["layer0.mu"])

    def test_absurd_number_of_examples(self):
        for count in ["1e3", "-1", "18446744073709551615"]:
            header, data = read_safetensors(self.model)
            header["__metadata__"]["train_examples"] = count
            write_safetensors(self.model, header, data)
            self.refuse()


class Output(DriverTest):
    def test_folder_that_cannot_be_made(self):
        self.write("file", "")
        for out in ["file", "file/below", "/proc/ensyn"]:
            with self.subTest(out=out):
                message = self.fail_with(1, out, "train", *SMALL, "--epochs", "1000000", "--out", out)
                self.assertIn("--out", message)
        self.train("run")
        self.fail_with(1, "file", "evaluate", "run", "--out", "file")

    @unittest.skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_folder_that_cannot_be_written(self):
        (self.folder / "run").mkdir(mode=0o555)
        self.fail_with(1, "run", "train", *SMALL, "--epochs", "1000000", "--out", "run")

    def test_file_that_cannot_be_replaced(self):
        (self.folder / "run/evaluation.json").mkdir(parents=True)
        self.train("trained")
        self.fail_with(1, "evaluation.json", "evaluate", "trained", "--out", "run")

    def test_disk_that_fills(self):
        """A limit on the size of files fails a write part-way, as a full disk does."""

        def small_files():
            child_setup()
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

        self.fail_with(1, "model.safetensors", "train", *SMALL, "--out", "run", preexec_fn=small_files)
        self.assertEqual(self.names("run"), ["config.json", "metrics.csv"])
        # With room again the run goes on.
        self.train("whole")
        self.succeed("train", "--resume", "--quiet", "--out", "run")
        self.assert_same_run("whole", "run")


if __name__ == "__main__":
    unittest.main()
