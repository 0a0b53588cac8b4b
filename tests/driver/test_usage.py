"""Flags, configuration files, help, and the exit codes of what is wrong with them."""

import json
import os
import unittest

from driver import SMALL, DriverTest, start, write_idx_folder

BAD_VALUES = [
    ("--epochs", "0"),
    ("--epochs", "-1"),
    ("--epochs", "1.5"),
    ("--epochs", "many"),
    ("--epochs", "99999999999999999999"),
    ("--batch", "0"),
    ("--batch", "-20"),
    ("--hidden", "0"),
    ("--hidden", "100,-3"),
    ("--hidden", "100,,3"),
    ("--hidden", "100,x"),
    ("--lr", "0"),
    ("--lr", "-1e-4"),
    ("--lr", "nan"),
    ("--lr", "inf"),
    ("--lr", "1e-4x"),
    ("--lr", ""),
    ("--lambda", "-0.01"),
    ("--lambda", "nan"),
    ("--c", "-1"),
    ("--c", "inf"),
    ("--rho", "0"),
    ("--rho", "-2"),
    ("--rho", "1e999"),
    ("--rho", "2/0"),
    ("--rho", "2/"),
    ("--rho", "0/2"),
    ("--cost", "2"),
    ("--cost", "0:1"),
    ("--cost", "2:-1"),
    ("--cost", "2:nan"),
    ("--cost", "a:b"),
    ("--sigma-init", "0"),
    ("--sigma-init", "-1e-4"),
    ("--mu-range", "-0.1"),
    ("--seed", "-1"),
    ("--seed", "18446744073709551616"),
    ("--data-seed", "x"),
    ("--samples", "0"),
    ("--eval-batch", "0"),
    ("--threads", "-1"),
    ("--limit-train", "0"),
    ("--limit-test", "-1"),
    ("--checkpoint-every", "-1"),
    ("--evaluate-every", "-1"),
    ("--mechanism", "sodium"),
    ("--noise", "loud"),
    ("--law", "poisson"),
    ("--vesicles", "0"),
    ("--objective", "none"),
    ("--precision", "half"),
    ("--averaging", "median"),
    ("--device", "gpu"),
    ("--instruction-set", "mmx"),
    ("--training-method", "quick"),
    ("--dataset", "letters"),
    ("--out", ""),
]

CONTRADICTIONS = [
    (["--rho", "--mechanism"], ["--rho", "2", "--mechanism", "actin"]),
    (["--cost", "--rho"], ["--cost", "2:1", "--rho", "1"]),
    (["--cost", "--c"], ["--cost", "2:1", "--c", "1"]),
    (["--cost", "--mechanism"], ["--cost", "2:1", "--mechanism", "actin"]),
    (["--data", "--dataset"], ["--data", "."]),
    (["--rho"], ["--objective", "variational", "--rho", "2"]),
    (["--prior-sigma"], ["--prior-sigma", "1"]),
    (["--prior"], ["--prior", "laplace", "--prior-scale", "1"]),
    (["--prior"], ["--objective", "variational", "--prior", "cauchy"]),
    (["--prior laplace", "--prior-scale"], ["--objective", "variational", "--prior", "laplace"]),
    (["--prior-scale", "flat"], ["--objective", "variational", "--prior-scale", "1"]),
    (["--prior-sigma", "--prior"], ["--objective", "variational", "--prior-sigma", "1", "--prior", "laplace"]),
    (["--vesicles", "gaussian"], ["--vesicles", "3"]),
    (["vesicles", "64"], ["--law", "binomial", "--vesicles", "65"]),
    (["law", "homogeneous"], ["--law", "log-normal", "--noise", "homogeneous"]),
    (["law", "variational"], ["--law", "binomial", "--objective", "variational"]),
    (["--resume", "--overwrite"], ["--resume", "--overwrite"]),
]

BAD_FILES = {
    "unknown key": ('{"learning_rate": 1}', "learning_rate"),
    "key of another command": ('{"bins": 1}', "bins"),
    "NaN": ('{"lr": NaN}', "not valid JSON"),
    "Infinity": ('{"lr": Infinity}', "not valid JSON"),
    "overflow": ('{"lr": 1e999}', "not valid JSON"),
    "text for a number": ('{"lr": "fast"}', '"lr"'),
    "fraction of nothing": ('{"rho": "1/0"}', '"rho"'),
    "text for a cost": ('{"cost": ["2"]}', '"cost"'),
    "range for a number": ('{"c": "1:2:3lin"}', '"c"'),
    "fraction for a whole number": ('{"epochs": 1.5}', '"epochs"'),
    "number for a text": ('{"noise": 1}', '"noise"'),
    "number for a list": ('{"hidden": 100}', '"hidden"'),
    "null": ('{"c": null}', '"c"'),
    "negative": ('{"lambda": -1}', '"lambda"'),
    "negative seed": ('{"seed": -1}', '"seed"'),
    "cost without c": ('{"cost": [{"rho": 1}]}', '"cost"'),
    "empty cost": ('{"cost": []}', '"cost"'),
    "unknown name": ('{"noise": "loud"}', '"noise"'),
    "repeated key": ('{"lr": 1, "lr": 2}', "'lr' is given twice"),
    "contradiction": ('{"rho": 1, "mechanism": "actin"}', '"mechanism"'),
    "array": ("[]", "object"),
    "empty": ("", "not valid JSON"),
    "cut off": ('{"lr": ', "not valid JSON"),
}


# Values that are one and the same, in two spellings: as words of the command line, or as what a file says.
SAME_VALUES = [
    ("sweep", "noise", "per-layer,per_layer"),
    ("sweep", "noise", "homogeneous,heterogeneous,homogeneous"),
    ("sweep", "mechanism", "actin,actin"),
    ("sweep", "rho", "0.5,1/2"),
    ("sweep", "rho", "0.5,5e-1"),
    ("sweep", "c", "1,0.5:1.5:3lin"),
    ("sweep", "c", "0,-0"),
    ("sweep", "lambda", "0.010,1e-2"),
    ("sweep", "lr", "1e-3,0.001"),
    ("sweep", "seed", "1,01"),
    ("sweep", "seed", "0:2,2"),
    ("sweep", "noise", ["per-neuron", "per_neuron"]),
    ("sweep", "noise", ["per-neuron,per_neuron"]),
    ("sweep", "rho", [0.5, "1/2"]),
    ("sweep", "rho", [1, 1.0]),
    ("sweep", "c", [9007199254740993, 9007199254740992]),
    ("sweep", "seed", [3, "0:4"]),
    ("sweep", "hidden", [[5], [6], [5]]),
    ("bayes", "rho", "2/3,4/6"),
    ("bayes", "scale", "1,1.0"),
    ("bayes", "c", ["1e-1", 0.1]),
    ("regression", "rho", "2,2.0"),
    ("regression", "c", [10, "1e1"]),
]


class Usage(DriverTest):
    def test_help_lists_the_flags(self):
        expected = {
            "train": "--data --dataset --hidden --rho --mechanism --c --cost --lambda --noise --law --vesicles --objective "
            "--prior --prior-scale --prior-sigma --mu-range --sigma-init --epochs --batch --lr --precision --seed --data-seed --samples "
            "--eval-batch --averaging --checkpoint-every --evaluate-every --limit-train --limit-test --resume "
            "--overwrite",
            "sweep": "--data --dataset --hidden --rho --mechanism --c --lambda --noise --objective --prior --prior-scale --prior-sigma "
            "--mu-range --sigma-init --epochs --batch --lr --precision --seed --data-seed --samples --eval-batch "
            "--averaging --checkpoint-every --networks-at-once --limit-train --limit-test --overwrite",
            "evaluate": "MODEL --data --dataset --samples --eval-batch --averaging --limit-test --seed",
            "info": "--seed",
        }
        for command, flags in expected.items():
            text = self.succeed(command, "--help")
            common = ("--config --device --device-index --threads --instruction-set --training-method --out --quiet "
                      "--json --verbose")
            for flag in (flags + " " + common).split():
                self.assertRegex(text, rf"(?m)^  {flag}\b|  {flag}\b", f"{command} {flag}")
            self.assertIn("exit codes", text)
        self.assertIn("train", self.succeed("--help"))
        self.assertRegex(self.succeed("--version"), r"^ensyn \d+\.\d+\.\d+\n$")

    def test_unknown_words(self):
        self.fail_with(2, ["no command", "ensyn --help"])
        self.fail_with(2, "tarin", "tarin")
        self.fail_with(2, "--bogus", "--bogus")
        self.fail_with(2, "MODEL", "evaluate")
        for command in ["train", "info"]:
            self.fail_with(2, ["--bogus", f"ensyn {command} --help"], command, "--bogus")
            self.fail_with(2, "extra", command, "extra")
        self.fail_with(2, "--bogus", "evaluate", "x", "--bogus")
        self.fail_with(2, "--lr", "train", "--lr")
        self.assertEqual(self.names(), [])

    def test_bad_values(self):
        for flag, value in BAD_VALUES:
            with self.subTest(flag=flag, value=value):
                data = [] if flag == "--dataset" else ["--dataset", "digits"]
                self.fail_with(2, flag, "train", *data, flag, value)
                self.assertEqual(self.names(), [])

    def test_contradictions(self):
        for names, arguments in CONTRADICTIONS:
            with self.subTest(names=names):
                self.fail_with(2, names, "train", "--dataset", "digits", *arguments)
                self.assertEqual(self.names(), [])

    def test_last_of_several_counts(self):
        self.succeed("train", *SMALL, "--quiet", "--epochs", "1", "--hidden", "5", "--hidden", "6,7", "--out", "run")
        config = self.json("run/config.json")
        self.assertEqual((config["epochs"], config["hidden"]), (1, [6, 7]))

    def test_bad_configuration_files(self):
        for what, (content, name) in BAD_FILES.items():
            with self.subTest(what=what):
                self.write("bad.json", content)
                self.fail_with(2, [name, "bad.json"], "train", "--dataset", "digits", "--config", "bad.json")
        self.fail_with(2, "missing.json", "train", "--config", "missing.json")
        self.fail_with(2, str(self.folder), "train", "--config", str(self.folder))
        self.write("bad.json", '{"lr": 1}')
        self.fail_with(2, '"lr"', "evaluate", "x", "--config", "bad.json")
        self.fail_with(2, '"lr"', "info", "--config", "bad.json")

    def test_the_same_value_in_two_spellings(self):
        for command, key, values in SAME_VALUES:
            with self.subTest(command=command, key=key, values=values):
                data = [] if command == "regression" else ["--dataset", "digits"]
                given = [f"--{key}", values]
                if isinstance(values, list):
                    self.write("same.json", {key: values})
                    given = ["--config", "same.json"]
                name = f"--{key}" if isinstance(values, str) else f'"{key}" in same.json'
                self.fail_with(2, [name, "stands there twice"], command, *data, *given, "--out", "out")
                self.assertFalse((self.folder / "out").exists())
        self.fail_with(2, ["--hidden", "stands there twice"], "sweep", "--dataset", "digits", "--hidden", "5,6", "--hidden",
                       "05,6")

    def test_lists_that_would_fill_the_memory(self):
        many = ",".join(["0:1:90000lin", "2:3:90000lin"])
        self.fail_with(2, ["--rho", "more than 100000 values"], "sweep", "--dataset", "digits", "--rho", many)
        self.fail_with(2, ["--seed", "100000"], "sweep", "--dataset", "digits", "--seed", "0:99999,100000")
        # As many values of one setting may be asked for, but not all combinations with others.
        self.fail_with(2, ["the grid has more than", "split"], "sweep", "--dataset", "digits", "--seed", "0:99999", "--rho",
                       "1,2")
        self.write("many.json", {"lr": many.split(",")})
        self.fail_with(2, ['"lr"', "more than 100000 values"], "sweep", "--dataset", "digits", "--config", "many.json")

    def test_folders_in_two_spellings(self):
        self.succeed("sweep", *SMALL, "--quiet", "--epochs", "1", "--out", "all/grid")
        (self.folder / "link").symlink_to("all/grid")
        for other in ["all/grid/", "./all/grid", "link"]:
            self.succeed("report", "all/grid", other, "--quiet", "--overwrite", "--out", "page")
            self.assertIn("from 1 run,", (self.folder / "page/report.html").read_text())
        (self.folder / "all/latest").symlink_to("grid")
        self.succeed("report", "all", "all/grid", "--quiet", "--overwrite", "--out", "page")
        self.assertIn("from 1 run,", (self.folder / "page/report.html").read_text())

    def test_data_folder_of_a_reproduction_in_two_spellings(self):
        for name in ["data", "other"]:
            write_idx_folder(self.folder / name)
        # The one run of figure 2 is done beforehand, and short.
        self.succeed("sweep", "--data", "data", "--hidden", "4", "--epochs", "1", "--quiet", "--out", "fig/tradeoff")
        arguments = ["reproduce", "fig2", "--scale", "quick", "--out", "fig", "--quiet", "--data"]
        self.succeed(*arguments, "data")
        marker = self.json("fig/reproduce.json")
        self.assertEqual(marker["data"], str(self.folder.resolve() / "data"))
        # As earlier versions wrote it.
        self.write("fig/reproduce.json", {**marker, "data": "data"})
        self.succeed(*arguments, "./other/../data/")
        self.fail_with(2, ["another reproduction"], *arguments, "other")

    def test_reference_tables_are_a_users(self):
        self.succeed("sweep", *SMALL, "--quiet", "--epochs", "1", "--out", "grid")
        (self.folder / "reference").mkdir()
        table = "rho,c,noise,accuracy_single_sample_percent,sigma_rms,"
        table += "reliability_sum_sigma_pow_minus_rho_over_rho\r\n2,1,heterogeneous,90,0.2,1000"
        self.write("reference/paper_tradeoff.csv", table)
        self.succeed("report", "grid", "--reference", "reference", "--quiet", "--out", "page")
        self.write("reference/paper_tradeoff.csv", table.replace(",sigma_rms", ""))
        self.fail_with(3, ["paper_tradeoff.csv", "line 2", "6 fields"], "report", "grid", "--reference", "reference")

    def test_widths_do_not_wrap_around(self):
        for width in ["4294967304", "2147483648", "4294967296,4294967296"]:
            self.fail_with(2, ["--hidden", width], "train", "--dataset", "digits", "--hidden", width, "--out", "wide")
        self.fail_with(2, "--epochs", "train", "--dataset", "digits", "--epochs", "4294967297", "--out", "wide")
        self.assertEqual(self.names(), [])

    def test_a_configuration_without_name(self):
        self.fail_with(2, "--config", "train", "--dataset", "digits", "--config", "", "--out", "out")

    def test_what_is_refused_replaces_nothing(self):
        run = ["signatures", *SMALL, "--epochs", "1", "--quiet", "--out", "out"]
        self.succeed(*run)
        before = {path.name: path.read_bytes() for path in (self.folder / "out").iterdir()}
        for bad in [["--batch", "99999"], ["--limit-train", "5"]]:
            self.fail_with(2, "batch", *run, "--overwrite", *bad)
            self.assertEqual({path.name: path.read_bytes() for path in (self.folder / "out").iterdir()}, before)

    def test_a_run_replaces_all_of_another_commands(self):
        self.succeed("signatures", *SMALL, "--epochs", "1", "--quiet", "--out", "out")
        (self.folder / "out/mine.csv").write_text("kept")
        self.succeed("train", *SMALL, "--epochs", "1", "--quiet", "--overwrite", "--out", "out")
        self.assertEqual(self.names("out"), ["config.json", "metrics.csv", "mine.csv", "model.safetensors", "summary.json"])

    def test_keys_that_a_terminal_would_obey(self):
        self.write("odd.json", {"hidd\n\x1b[31m": 4})
        message = self.fail_with(2, ["hidd", "odd.json", "is not a setting"], "train", "--config", "odd.json")
        self.assertNotIn("\x1b", message)

    def test_json_that_would_overflow_the_stack(self):
        """Wherever JSON is read from a file; and its errors say where, and no word of the parser's."""
        self.succeed("sweep", *SMALL, "--quiet", "--epochs", "1", "--out", "grid")
        levels = 200_000
        readers = [
            ("deep.json", 2, ["train", "--dataset", "digits", "--config", "deep.json"]),
            ("deep.json", 2, ["info", "--config", "deep.json"]),
            ("grid/config.json", 3, ["sweep", *SMALL, "--epochs", "1", "--out", "grid"]),
            ("grid/config.json", 3, ["report", "grid", "--out", "page"]),
            ("fig/reproduce.json", 3, ["reproduce", "fig2", "--out", "fig", "--dataset", "digits"]),
            ("run/config.json", 2, ["train", "--resume", "--out", "run"]),
        ]
        for folder in ["fig", "run"]:
            (self.folder / folder).mkdir()
        for content, what in [
            ('{"a": ' + "[" * levels + "]" * levels + "}", ["line 1, column 38", "nested"]),
            ('{"a":' * levels + "1" + "}" * levels, ["line 1, column 161", "nested"]),
            ("[" * levels, ["line 1, column 33", "nested"]),
            ('{"a": [{"b": 1,\n  "b": 2}]}', ["line 2, column 3", "'b' is given twice"]),
            ('{"hidden": [16\n "lr": 1}', ["line 2, column 2", "expected ',' or ']', found '\"lr\"'"]),
        ]:
            for name, code, arguments in readers:
                with self.subTest(content=content[:40], arguments=arguments):
                    self.write(name, content)
                    message = self.fail_with(code, [name, *what], *arguments)
                    self.assertNotIn("exception", message)
                    self.assertNotIn("syntax", message)

    def test_flags_go_before_the_file(self):
        file = {"dataset": "digits", "hidden": [8], "epochs": 1, "mechanism": "calcium", "lr": 0.5, "samples": 1}
        self.write("a.json", {**file, "out": "a"})
        self.succeed("train", "--config", "a.json", "--quiet", "--lr", "1e-3", "--hidden", "none")
        config = self.json("a/config.json")
        self.assertEqual((config["lr"], config["hidden"], config["rho"]), (1e-3, [], 0.5))
        self.succeed("train", "--config", "a.json", "--quiet", "--lr", "1e-3", "--out", "b", "--rho", "3")
        self.assertEqual(self.json("b/config.json")["rho"], 3)
        self.succeed("train", "--config", "a.json", "--quiet", "--lr", "1e-3", "--out", "c", "--objective", "variational")
        self.assertNotIn("rho", self.json("c/config.json"))

    def test_presets(self):
        small = ["--dataset", "digits", "--hidden", "none", "--samples", "1", "--quiet"]
        digits = {"lr": 1e-2, "sigma_init": 0.05, "epochs": 60}
        for command in ["train", "sweep", "signatures"]:
            with self.subTest(command):
                self.succeed(command, *small, "--preset", "digits", "--limit-train", "40", "--out", f"{command} digits")
                config = self.json(f"{command} digits/config.json")
                wanted = {**digits, "lr": [1e-2]} if command == "sweep" else digits
                self.assertEqual({key: config[key] for key in digits}, wanted)
                self.assertNotIn("preset", config)
        self.write("a.json", {"preset": "digits", "lr": 0.5, "epochs": 1})
        self.succeed("train", *small, "--config", "a.json", "--epochs", "2", "--sigma-init", "0.1", "--lr", "1e-3", "--out", "b")
        self.succeed("train", *small, "--config", "a.json", "--lr", "1e-3", "--out", "c")
        told = [self.json(f"{run}/config.json") for run in "bc"]
        self.assertEqual([[one[key] for key in digits] for one in told], [[1e-3, 0.1, 2], [1e-3, 0.05, 1]])
        self.succeed("train", *small, "--preset", "paper", "--epochs", "1", "--out", "paper")
        self.assertEqual(self.json("paper/config.json")["lr"], 1e-4)
        self.fail_with(2, ["--preset", "letters", "paper or digits"], "train", *small, "--preset", "letters")

    def test_sigma_that_hardly_moved_is_said(self):
        small = ["--dataset", "digits", "--hidden", "16", "--samples", "1"]
        text = self.succeed("train", *small, "--epochs", "2", "--out", "still")
        self.assertIs(self.json("still/summary.json")["sigma_moved"], False)
        for word in ["sigma hardly left its start, 0.0001", "--epochs", "--lr", "--sigma-init", "--preset digits"]:
            self.assertIn(word, text)
        text = self.succeed("train", *small, "--preset", "digits", "--out", "moved")
        self.assertIs(self.json("moved/summary.json")["sigma_moved"], True)
        self.assertNotIn("hardly", text)

    def test_fractions_travel(self):
        """A number in a file may be written as on the command line; what config.json says is the number."""
        small = ["--dataset", "digits", "--hidden", "none", "--epochs", "1", "--quiet"]
        self.write("a.json", {"rho": "4/3", "lr": "1e-3", "c": "1e-2.5"})
        for command in ["train", "signatures", "sweep"]:
            with self.subTest(command):
                self.succeed(command, *small, "--config", "a.json", "--out", f"{command} file")
                self.succeed(command, *small, "--rho", "4/3", "--lr", "1e-3", "--c", "1e-2.5", "--out", f"{command} flags")
                config = self.json(f"{command} file/config.json")
                self.assertEqual(config, self.json(f"{command} flags/config.json"))
                self.assertEqual(config["rho"], [4 / 3] if command == "sweep" else 4 / 3)
        for k, cost in enumerate([["4/3:1e-2"], [{"rho": "4/3", "c": 0.01}]]):
            self.write("b.json", {"cost": cost})
            self.succeed("train", *small, "--config", "b.json", "--out", f"cost {k}")
            self.assertEqual(self.json(f"cost {k}/config.json")["rho"], 4 / 3)

    def test_mistyped_words(self):
        for arguments, typed, meant in [
            (["train", "--epoch", "3"], "--epoch", "--epochs"),
            (["train", "--epoch=3"], "--epoch", "--epochs"),
            (["bayes", "--epoch", "3"], "--epoch", "--epochs"),
            (["train", "--sigma_init", "0.1"], "--sigma_init", "--sigma-init"),
            (["biophysics", "--overwite"], "--overwite", "--overwrite"),
            (["trian", "--epochs", "3"], "trian", "train"),
            (["evalute", "run"], "evalute", "evaluate"),
            (["signature"], "signature", "signatures"),
        ]:
            with self.subTest(arguments):
                self.fail_with(2, [typed, f"did you mean {meant}?", "--help"], *arguments)
        for arguments in [["train", "--zebra", "1"], ["zebra"]]:
            self.assertNotIn("did you mean", self.fail_with(2, "zebra", *arguments))

    def test_several_values_are_for_a_sweep(self):
        for flag, values in [("--c", "1e-3:1:4log"), ("--rho", "1/2,2"), ("--lr", "1e-3,1e-2"), ("--seed", "0:4")]:
            for command in ["train", "signatures"]:
                self.fail_with(2, [flag, values, "ensyn sweep"], command, "--dataset", "digits", flag, values)
        self.assertNotIn("sweep", self.fail_with(2, "--c", "train", "--c", "much"))
        self.assertNotIn("sweep", self.fail_with(2, "--c", "train", "--c", "-1"))

    def test_folders_without_a_model(self):
        self.succeed("sweep", *SMALL, "--quiet", "--epochs", "1", "--rho", "1,2", "--out", "grid")
        self.succeed("biophysics", "--quiet", "--out", "physics")
        for folder, command in [("grid", "sweep"), ("physics", "biophysics")]:
            for arguments in [["evaluate", folder], ["signatures", "--model", folder]]:
                self.fail_with(3, [folder, f"a run of ensyn {command}", "no model"], *arguments)
        (self.folder / "empty").mkdir()
        self.fail_with(3, ["empty/model.safetensors", "does not exist"], "evaluate", "empty")

    def test_runs_are_not_written_over(self):
        self.write("ltp.csv", 'Pr (before),Pr (after),"q (mV, before)","q (mV, after)"\n' +
                   "".join(f"{p},{p * p},0.2,0.2\n" for p in [0.1, 0.2, 0.4]))
        digits = ["--dataset", "digits", "--hidden", "none", "--epochs", "1", "--lr", "1e-3"]
        commands = {
            "train": ["train", *digits],
            "signatures": ["signatures", *digits],
            "bayes": ["bayes", *digits, "--rho", "2"],
            "regression": ["regression", "--steps", "10", "--rho", "2", "--c", "1"],
            "biophysics": ["biophysics", "--points", "3"],
            "experiments": ["experiments", "--ltp", "ltp.csv"],
        }

        def content(folder):
            return {path.name: path.read_bytes() for path in (self.folder / folder).iterdir()}

        self.succeed("sweep", *digits, "--quiet", "--out", "sweep")
        for name, arguments in commands.items():
            self.succeed(*arguments, "--quiet", "--out", name)
        for name, arguments in commands.items():
            for folder in [name, "regression", "train", "sweep"]:
                with self.subTest(command=name, folder=folder):
                    before = content(folder)
                    self.fail_with(2, [folder, "already holds a run", "--overwrite", "--out"], *arguments, "--out", folder)
                    self.assertEqual(content(folder), before)
            with self.subTest(command=name):
                self.succeed(*arguments, "--quiet", "--overwrite", "--out", name)
        self.succeed(*commands["biophysics"], "--quiet", "--overwrite", "--out", "train")
        self.assertEqual(self.json("train/config.json")["command"], "biophysics")
        self.assertNotIn("model.safetensors", self.names("train"))

    def test_reports_are_not_written_over(self):
        self.succeed("biophysics", "--quiet", "--points", "5", "--out", "physics")
        self.run_driver("report", "physics", "--quiet", "--out", "physics")
        page = self.folder / "physics/report.html"
        self.assertIn("biophysics", page.read_text())
        page.write_text("mine")
        self.fail_with(2, ["physics", "report.html", "--overwrite", "--out"], "report", "physics", "--out", "physics")
        self.assertEqual(page.read_text(), "mine")
        self.run_driver("report", "physics", "--quiet", "--overwrite", "--out", "physics")
        self.assertIn("biophysics", page.read_text())

    def test_no_such_device(self):
        info = json.loads(self.succeed("info", "--json"))
        if not info["cuda_devices"]:
            self.fail_with(4, "cuda", "train", *SMALL, "--device", "cuda")
            self.fail_with(4, "cuda", "info", "--device", "cuda")
        missing = [name for name in ["avx512", "avx2", "neon"] if name not in info["instruction_sets"]]
        for name in missing:
            self.fail_with(4, name, "train", *SMALL, "--instruction-set", name)
            self.fail_with(4, name, "info", "--instruction-set", name)
        self.assertEqual(self.names(), [])

    def test_training_methods_are_of_cuda_devices(self):
        self.fail_with(2, ["--training-method", "auto", "graph", "streamed", "resident"],
                       "train", *SMALL, "--training-method", "quick")
        on_cpu = ["--device", "cpu"]
        if not json.loads(self.succeed("info", "--json"))["cuda_devices"]:
            on_cpu = []  # where the CPU is what `auto` picks
        for device in [["--device", "cpu"], on_cpu]:
            for method in ["graph", "streamed", "resident"]:
                for command in [["train", *SMALL], ["sweep", *SMALL, "--noise", "homogeneous"]]:
                    self.fail_with(2, [f"--training-method {method}", "CPU", "auto"],
                                   *command, "--quiet", "--overwrite", *device, "--training-method", method)
        self.succeed("train", *SMALL, "--quiet", "--device", "cpu", "--training-method", "auto", "--out", "run")

    def test_verbose(self):
        process = self.run_driver("train", *SMALL, "--quiet", "--verbose", "--device", "cpu", "--threads", "2",
                                  "--out", "run")
        self.assertEqual((process.returncode, process.stdout_text), (0, ""))
        self.assertRegex(process.stderr_text,
                         r"^ensyn: 1 network on cpu, \w+, 2 threads; training method cpu: \w+, 2 threads\n$")
        self.assertEqual(self.json("run/summary.json")["training_method"], "cpu")
        process = self.run_driver("sweep", *SMALL, "--rho", "1,2", "--networks-at-once", "1", "--quiet", "--verbose",
                                  "--device", "cpu", "--out", "grid")
        self.assertEqual((process.returncode, process.stderr_text.count("ensyn: 1 network on cpu")), (0, 2))
        self.assertEqual(self.json("grid/summary.json")["training_method"], "cpu")

    def test_info(self):
        info = json.loads(self.succeed("info", "--json", "--out", "there", "--seed", "1", "--threads", "1"))
        self.assertEqual(info, self.json("there/info.json"))
        self.assertEqual(info["noise_contract"], 1)
        self.assertLessEqual(set(info["instruction_sets"]), {"avx512", "avx2", "neon", "portable"})
        self.assertGreaterEqual(len(info["instruction_sets"]), 1)
        self.assertGreaterEqual(info["processors"], 1)
        text = self.succeed("info")
        for word in [info["version"], info["compiler"], info["instruction_sets"][0], "noise contract", "CUDA"]:
            self.assertIn(word, text)
        self.assertEqual(self.succeed("info", "--quiet"), "")

    def test_what_is_not_utf8(self):
        # Python's way of writing bytes that are no text.
        strange, shown = "caf\udce9", "caf\\xe9"
        write_idx_folder(self.folder / strange)
        before = self.names()
        for arguments in [["train", *SMALL, "--json", "--out", strange], ["train", "--data", strange],
                          ["train", *SMALL, f"--out={strange}"], ["train", *SMALL, "--dataset", strange],
                          ["train", "--config", strange], ["evaluate", strange], ["report", strange],
                          ["report", ".", "--reference", strange], ["sweep", *SMALL, "--noise", strange],
                          ["signatures", "--model", strange], ["experiments", "--ltp", strange], [strange],
                          ["bayes", "--data", strange], ["reproduce", strange], ["info", "--out", strange]]:
            with self.subTest(arguments=arguments):
                self.fail_with(2, [shown, "UTF-8"], *arguments)
        # A relative path becomes part of an absolute one.
        process = start("train", *SMALL, "--out", "run", cwd=self.folder / strange)
        message = process.communicate(timeout=60)[1]
        self.assertEqual((process.returncode, message.count("\n")), (2, 1), message)
        self.assertIn(shown, message)
        self.assertEqual(self.names(), before)

    def test_other_languages(self):
        write_idx_folder(self.folder / "données")
        self.succeed("train", "--data", "données", "--hidden", "none", "--epochs", "1", "--json", "--out", "名")
        self.assertEqual(self.json("名/config.json")["data"], str(self.folder / "données"))
        self.succeed("train", "--resume", "--epochs", "2", "--json", "--out", "名")

    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_standard_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            self.fail_with(1, "standard output", "info", stdout=full)


if __name__ == "__main__":
    unittest.main()
