"""`ensyn reproduce`: its plan, and one small reproduction from data to page."""

import math
import shlex
import shutil
import subprocess
import unittest

from driver import SANITIZED, write_idx_folder
from reports import GNUPLOT, ReportTest

QUICK = ["--scale", "quick", "--dataset", "digits"]
RHOS = ["1/2", "2/3", "4/3", "2"]
DIGITS, BATCH = 1437, 20


class Plan(ReportTest):
    """Nothing is trained."""

    def plan(self, *arguments):
        """The flags of each command, by its folder."""
        runs = {}
        for line in self.succeed("reproduce", *arguments, "--out", "out", "--plan").splitlines():
            words = shlex.split(line)
            self.assertEqual(words[:2], ["run", "ensyn"])
            flags = dict(zip(words[3::2], words[4::2])) if "--equilibrium" not in words else \
                dict(zip(words[3 : words.index("--equilibrium") : 2], words[4 : words.index("--equilibrium") : 2]))
            runs[words[-1].removeprefix("out/")] = {"command": words[2], **flags}
        self.assertNotIn("out", self.names())
        return runs

    def test_quick_counts_steps_whatever_the_data(self):
        for examples in [60, DIGITS, 60000]:
            with self.subTest(examples):
                data = write_idx_folder(self.folder / "data", train=examples)
                runs = self.plan("all", "--scale", "quick", "--data", data)
                shutil.rmtree(data)
                steps_of_epoch = examples // BATCH
                lengths = {"sweep": 8000, "signatures": 12000, "bayes": 12000}
                for run in runs.values():
                    if run["command"] not in lengths:
                        continue
                    steps = lengths[run["command"]]
                    self.assertEqual(int(run["--epochs"]), math.ceil(steps / steps_of_epoch))
                    if "--measure-epochs" in run:
                        self.assertEqual(int(run["--measure-epochs"]), math.ceil(3000 / steps_of_epoch))
                # The same place of the tradeoff: c weighs the loss summed over the examples.
                first, last, count = runs["tradeoff"]["--c"].split(":")
                self.assertEqual(count, "7log")
                self.assertAlmostEqual(float(first) / (1e-2 * examples / 60000), 1, delta=1e-5)
                self.assertAlmostEqual(float(last) / (1e4 * examples / 60000), 1, delta=1e-5)
                for rho, folder in [(0.5, "rho1_2"), (2, "rho2")]:
                    c = float(runs["signatures/" + folder]["--c"])
                    self.assertAlmostEqual(c / (1e-3**rho / rho * examples / 60000), 1, delta=1e-9)

    def test_paper_is_the_papers_protocol(self):
        runs = self.plan("all", "--scale", "paper", "--dataset", "digits")
        sweep = runs["tradeoff"]
        self.assertEqual([sweep[flag] for flag in ["--c", "--epochs", "--lr", "--sigma-init", "--samples"]],
                         ["1e-4:1e3.25:30log", "50", "1e-4", "1e-4", "20"])
        for rho, folder in [(0.5, "rho1_2"), (2, "rho2")]:
            run = runs["signatures/" + folder]
            self.assertEqual([run[flag] for flag in ["--epochs", "--lr", "--measure-epochs"]], ["50", "1e-4", "10"])
            self.assertAlmostEqual(float(run["--c"]) / (1e-3**rho / rho), 1, delta=1e-12)
            self.assertNotIn("--sigma-init", run)
        self.assertEqual([runs["posterior"][flag] for flag in ["--epochs", "--measure-epochs"]], ["50", "10"])

    def test_commands_can_be_pasted(self):
        out = "it's `touch PWN` $(touch PWN) \"&\" #;"
        text = self.succeed("reproduce", "fig2", *QUICK, "--out", out, "--plan")
        (line,) = [line for line in text.splitlines() if line.startswith("run   ensyn ")]
        echoed = subprocess.run(["sh", "-c", "printf '%s\\0' " + line.removeprefix("run   ")], cwd=self.folder,
                                capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
        self.assertEqual(echoed[:2] + echoed[-2:], ["ensyn", "sweep", "--out", out + "/tradeoff"])
        self.assertEqual(self.names(), [])

    def test_refusals(self):
        self.fail_with(2, ["fig9"], "reproduce", "fig9", "--dataset", "digits")
        self.fail_with(2, ["--scale", "huge"], "reproduce", "fig2", "--scale", "huge")
        self.fail_with(2, ["FIGURE"], "reproduce")
        self.fail_with(3, ["nowhere"], "reproduce", "fig2", "--dataset", "digits", "--reference", "nowhere")
        self.assertEqual(self.names(), [])


@unittest.skipIf(SANITIZED, "trains 64 networks")
class Quick(ReportTest):
    def test_from_data_to_page(self):
        arguments = ["reproduce", "fig2", "fig5", *QUICK, "--out", "all", "--threads", "2"]
        process = self.run_driver(*arguments)
        self.assertEqual(process.returncode, 0 if GNUPLOT else 1, process.stderr_text)
        lines = process.stdout_text.splitlines()
        self.assertIn("about ", process.stdout_text)
        self.assertRegex(process.stdout_text, r"signatures +signatures/rho2, .*, about .* left\n")
        self.check_tradeoff()
        self.check_signs()
        page = self.check_page("all")
        # It ends with what was found and what to do next, and the page begins with it.
        self.assertEqual([line.split()[0] for line in lines[-5:]], ["files", "found", "found", "found", "next"])
        self.assertIn("all/report.html", lines[-5])
        self.assertIn("ensyn reproduce fig2 fig5 --scale quick --dataset fashion-mnist", lines[-1])
        for line in lines[-4:-1]:
            self.assertIn(line.removeprefix("found       "), page.replace("&lt;", "<"))
        self.assertLess(page.index("What was found"), page.index("<figure"))
        self.assertNotIn(">published<", page.replace('<td class="text">published<', ""))
        self.assertNotIn("published", self.table("all/tables/fig2_networks.csv")[0])
        self.assertIn("<details>", page)
        self.check_again(arguments)

    def check_tradeoff(self):
        networks = self.table("all/tables/fig2_networks.csv")
        self.assertEqual(len(networks), 4 * 2 * 7)
        for rho in RHOS:
            curves = {noise: sorted((float(row["c"]), float(row["accuracy"])) for row in networks
                                    if (row["rho"], row["noise"]) == (rho, noise))
                      for noise in ["heterogeneous", "homogeneous"]}
            for noise, curve in curves.items():
                with self.subTest(rho=rho, noise=noise):
                    self.assertGreater(curve[0][1], 80)  # the plateau
                    self.assertLess(curve[-1][1], 20)  # chance
            acting = [(one, other) for (_, one), (_, other) in zip(curves["heterogeneous"], curves["homogeneous"])
                      if min(one, other) < 85 and max(one, other) > 20]
            self.assertGreaterEqual(len(acting), 2)
            for one, other in acting:
                self.assertGreater(one, other, rho)

    def check_signs(self):
        rows = [row for row in self.table("all/tables/fig5_slopes.csv") if row["layer"] == "2"]
        for quantity, sign in [("curvature", -1), ("learning_rate", 1), ("input_rate", -1)]:
            found = {row["rho"]: row for row in rows if row["against"] == quantity}
            self.assertEqual(sorted(found), sorted(RHOS))
            for rho, row in found.items():
                with self.subTest(rho=rho, quantity=quantity):
                    self.assertGreater(sign * float(row["Spearman"]), 0.2)
                    self.assertGreater(sign * float(row["slope"]), 0.05)

    def check_again(self, arguments):
        """What is complete is not done again, and the report is the same."""
        before = {path: path.read_bytes() for path in (self.folder / "all").rglob("*") if path.is_file()}
        again = self.run_driver(*arguments)
        self.assertIn("done  ensyn sweep", again.stdout_text)
        self.assertNotIn("run   ", again.stdout_text)
        after = {path: path.read_bytes() for path in (self.folder / "all").rglob("*") if path.is_file()}
        self.assertEqual(before, after)
        self.fail_with(2, ["--out", "another"], *arguments, "--seed", "1")


class Unmoved(ReportTest):
    """Sigmas that hardly differ tell nothing."""

    def test_no_correlation_and_a_sentence(self):
        arguments = ["--dataset", "digits", "--rho", "2", "--epochs", "2", "--measure-epochs", "1"]
        text = self.succeed("signatures", *arguments, "--c", "5e-7", "--samples", "1", "--out", "run")
        self.assertEqual(text.count("no correlation and no slope"), 3)
        self.assertIn("--sigma-init", text)
        for row in self.table("run/signatures.csv"):
            self.assertEqual((row["spearman_curvature"], row["slope_curvature"], row["slope_input_rate"]), ("", "", ""))
        # As older versions wrote it, a slope of rounding errors.
        file = self.folder / "run/signatures.csv"
        header, *rows = file.read_text().splitlines()
        columns = header.split(",")
        for i, row in enumerate(rows):
            cells = row.split(",")
            cells[columns.index("spearman_curvature")] = "-0.964"
            cells[columns.index("slope_curvature")] = "-0.001"
            rows[i] = ",".join(cells)
        file.write_text("\n".join([header, *rows]) + "\n")
        self.report("run")
        page = self.check_page()
        self.assertIn("Without slope and correlation: rho = 2", page)
        self.assertNotIn("-0.96", page)
        self.assertIn("Nothing can be said of rho = 2", page)
        for row in self.table("report/tables/fig5_slopes.csv"):
            self.assertEqual((row["Spearman"], row["slope"]), ("", ""))

    def test_bayes(self):
        text = self.succeed("bayes", "--dataset", "digits", "--rho", "2", "--epochs", "1", "--measure-epochs", "1",
                            "--out", "run")
        self.assertIn("3 of 3 layers have no correlation and no slope", text)
        for row in self.table("run/bayes_summary.csv"):
            self.assertEqual((row["spearman"], row["slope"]), ("", ""))


if __name__ == "__main__":
    unittest.main()
