"""Reports: figures, tables and the page, from hand-made run folders and from real small runs."""

import math
import subprocess
import unittest

from reports import GNUPLOT, SWEEP_COLUMNS, ReportTest, accuracy, sweep_rows


class Tradeoff(ReportTest):
    def test_figures_tables_and_page(self):
        self.write_sweep()
        summary = self.report("sweep")
        self.assertEqual(summary["figures"], ["fig2", "fig3"] if GNUPLOT else [])
        self.check_figures(["fig2", "fig3"])
        text = self.check_page()
        self.assertIn("epochs: 3", text)
        self.assertIn("epochs 3 (paper: 50)", text)

    def test_crossings_are_where_the_curve_falls(self):
        self.write_sweep(seeds=[1])
        self.report("sweep")
        for row in self.table("report/tables/fig2_crossings.csv"):
            level = float(row["level %"])
            middle = -1 if row["noise"] == "homogeneous" else 0.5
            if level >= 94 or level <= 10.5:
                continue
            exact = middle + math.log((95 - level) / (level - 10)) / 3
            self.assertAlmostEqual(float(row["log10 c"]), exact, delta=0.12)
        for row in self.table("report/tables/fig2_shifts.csv"):
            if row["shift"]:
                self.assertAlmostEqual(float(row["shift"]), 1.5, delta=0.011)

    def test_band_is_students(self):
        self.write_sweep()
        self.report("sweep")
        band = [row for row in self.table("report/figures/fig2.csv") if row["low"]]
        # Three seeds 0.01 apart: t = 4.3027 with 2 degrees of freedom, standard error 1 % / sqrt(3).
        widths = {round(float(row["high"]) - float(row["low"]), 3) for row in band}
        self.assertIn(round(2 * 4.302653 / math.sqrt(3), 3), widths)

    def test_true_cost_is_the_mean_over_weights(self):
        self.write_sweep(seeds=[1])
        self.report("sweep")
        for row in self.table("report/tables/fig2_networks.csv"):
            rho = {"1/2": 0.5}.get(row["rho"], 2.0)
            self.assertAlmostEqual(float(row["cost per weight"]) * rho * float(row["sigma"]) ** rho, 1, delta=2e-3)

    def test_published_points(self):
        self.write_sweep(seeds=[1])
        self.write("sweep/config.json", {"command": "sweep", "dataset": "mnist", "hidden": [16], "epochs": 3})
        self.write_table("reference/paper_tradeoff.csv",
                         ["rho", "c", "noise", "accuracy_single_sample_percent", "sigma_rms",
                          "reliability_sum_sigma_pow_minus_rho_over_rho"],
                         [[0.5, 0.001, "heterogeneous", 94.9, 0.0189, 1e6], [2.0, 1, "homogeneous", 60, 0.3, 1e5]])
        self.report("sweep", "--reference", "reference")
        rows = [row for row in self.table("report/tables/fig2_networks.csv") if row["published"]]
        self.assertEqual([row["published"] for row in rows], ["94.90", "60.00"])
        self.assertEqual([row["within"] for row in rows], ["yes", "no"])
        self.assertEqual([row["within (sigma)"] for row in rows], ["yes", "yes"])
        self.assertEqual([row["difference %"] for row in rows], ["0.2", "0.0"])
        self.assertIn("heterogeneous, published", (self.folder / "report/figures/fig2.csv").read_text())
        # Beside other data they have no place, and no column.
        self.write_sweep(seeds=[1])
        self.report("sweep", "--reference", "reference")
        self.assertNotIn("published", (self.folder / "report/figures/fig2.csv").read_text())
        for table in ["fig2_networks", "fig2_crossings", "fig2_shifts"]:
            self.assertNotIn("published", self.table(f"report/tables/{table}.csv")[0])

    def test_diverged_networks_are_counted_not_drawn(self):
        rows = sweep_rows()
        for row in rows[:2]:
            row[7:18] = [""] * 11
            row[18] = 50
        self.write_table("sweep/sweep.csv", SWEEP_COLUMNS, rows)
        self.report("sweep")
        self.assertEqual(self.table("report/tables/fig2_networks.csv")[0]["seeds"], "1 (2 diverged)")

    def test_same_runs_same_bytes(self):
        self.write_sweep()
        contents = []
        for name in ["one", "two"]:
            self.run_driver("report", "sweep", "--out", name, "--quiet")
            files = sorted(path for path in (self.folder / name).rglob("*") if path.is_file())
            contents.append({str(path.relative_to(self.folder / name)): path.read_bytes() for path in files})
        self.assertEqual(contents[0].keys(), contents[1].keys())
        for name, content in contents[0].items():
            self.assertTrue(content == contents[1][name], f"{name} differs")

    def test_text_is_escaped(self):
        self.write_sweep()
        self.write("sweep/config.json", {"command": "sweep", "data": "/a<b>&\"c\"</pre><script>x</script>"})
        self.report("sweep")
        text = self.check_page()
        self.assertNotIn("<script>", text)


class Signatures(ReportTest):
    """From real, small runs."""

    def measure(self, out, *arguments):
        self.succeed("signatures", "--dataset", "digits", "--hidden", "16,16", "--epochs", "10", "--lr", "1e-3",
                     "--sigma-init", "0.01", "--measure-epochs", "1", "--samples", "1", "--quiet", "--out", out, *arguments)

    def test_figures_and_numbers_are_those_measured(self):
        self.measure("runs/two", "--rho", "2", "--c", "1e-3")
        self.measure("runs/half", "--rho", "0.5", "--c", "0.05")
        self.measure("runs/flat", "--rho", "2", "--c", "1e-3", "--hidden", "none")
        self.report("runs")
        self.check_figures(["app5", "app6_layer1", "app6_layer3", "fig5_layer2", "fig7_theory"])
        self.check_page()
        slopes = {(row["rho"], row["layer"], row["against"]): row for row in self.table("report/tables/fig5_slopes.csv")
                  if row["protocol"] == "published"}
        for measured in self.table("runs/half/signatures.csv"):
            row = slopes["1/2", measured["layer"], "curvature"]
            self.assertAlmostEqual(float(row["slope"]), float(measured["slope_curvature"]), delta=5.1e-4)
            self.assertAlmostEqual(float(row["Spearman"]), float(measured["spearman_curvature"]), delta=5.1e-4)
            self.assertAlmostEqual(float(row["theory, stationary"]), -0.8, delta=1e-9)
            self.assertAlmostEqual(float(row["theory, rising"]), -0.667, delta=1e-9)
        # 16 x 16 synapses with 16 input rates between them, and no variance that is not positive.
        points = [row for row in self.table("report/figures/fig5_layer2.csv") if row["series"] == "synapses"]
        self.assertLessEqual(len(points), 2 * 3 * 256)
        self.assertGreater(len(points), 2 * 3 * 128)
        self.assertTrue(all(float(row["x"]) > 0 and float(row["y"]) > 0 for row in points))

    def test_several_weights_of_the_cost(self):
        for c in ["1e-4", "1e-3", "1e-2"]:
            self.measure(f"runs/{c}", "--c", c)
        self.report("runs")
        self.check_figures(["app6_c", "app6_layer1", "app6_layer3", "fig5_layer2", "fig7_theory"])
        labels = {row["series"] for row in self.table("report/figures/app6_c.csv")}
        self.assertEqual(labels, {"smallest c", "second c", "third c"})

    def test_damaged_arrays(self):
        self.measure("run")
        array = self.folder / "run" / "layer2.curvature.npy"
        content = array.read_bytes()
        array.write_bytes(content[:-8])
        self.fail_with(3, ["layer2.curvature.npy"], "report", "run")
        array.unlink()
        self.fail_with(3, ["layer2.curvature.npy"], "report", "run")
        array.write_bytes((self.folder / "run" / "layer1.curvature.npy").read_bytes())
        self.fail_with(3, ["layer2.curvature.npy", "shape"], "report", "run")


class OtherFigures(ReportTest):
    def test_mechanisms(self):
        self.succeed("biophysics", "--out", "run", "--quiet")
        self.report("run")
        self.check_figures(["fig1b", "fig1c"])
        costs = {row["series"]: row for row in self.table("report/figures/fig1c.csv")}
        self.assertEqual(sorted(costs), ["actin, ρ = 4/3", "calcium, ρ = 1/2", "membrane, ρ = 2/3", "trafficking, ρ = 2"])

    def test_experiments(self):
        # y = 1 - p, without noise.
        rows = [[p / 10, p / 20 + 0.3, 1, (p / 10) * (2 - p / 10) / (p / 20 + 0.3)] for p in range(1, 9)]
        self.write_table("ltp.csv", ["Pr (before)", "Pr (after)", "q (mV, before)", "q (mV, after)"], rows)
        self.succeed("experiments", "--ltp", self.folder / "ltp.csv", "--out", "run", "--quiet")
        self.report("run")
        self.check_figures(["fig6"])
        (row,) = self.table("report/tables/fig6_fits.csv")
        self.assertAlmostEqual(float(row["slope"]), -1, delta=1e-4)
        self.check_page()


class Damaged(ReportTest):
    def test_files(self):
        good = self.write_sweep()
        content = good.read_text()
        lines = content.splitlines(keepends=True)
        for name, damaged, words in [
            ("cut in a row", content[:-20], ["sweep.csv", "cut off"]),
            ("cut between fields", "".join(lines[:-1]) + lines[-1].rsplit(",", 3)[0] + "\n", ["sweep.csv", "line 133"]),
            ("no number", content.replace(",0.01,", ",x,").replace("0.5,0.001,", "0.5,oops,", 1), ["sweep.csv", "oops"]),
            ("missing column", content.replace("sigma_rms", "sigma"), ["sweep.csv", "sigma_rms", "version"]),
            ("negative rho", content.replace("\n0.5,", "\n-0.5,", 1), ["sweep.csv", "rho"]),
            ("empty", "", ["sweep.csv"]),
        ]:
            with self.subTest(name):
                good.write_text(damaged)
                self.fail_with(3, words, "report", "sweep", "--out", "report")
                self.assertFalse((self.folder / "report").exists())

    def test_folders(self):
        self.fail_with(3, ["nowhere"], "report", "nowhere")
        (self.folder / "empty").mkdir()
        self.fail_with(3, ["empty", "sweep.csv"], "report", "empty")
        self.write_sweep()
        self.write("sweep/config.json", "{")
        self.fail_with(3, ["config.json"], "report", "sweep")
        self.write_sweep()
        self.fail_with(3, ["--reference", "gone"], "report", "sweep", "--reference", "gone")
        self.fail_with(3, ["--reference", "paper_tradeoff.csv"], "report", "sweep", "--reference", "empty")
        self.fail_with(2, ["DIR"], "report")

    def test_folder_names_that_are_not_utf8(self):
        self.write_sweep("runs/caf\udce9")
        self.write_sweep("runs/plain")
        self.report("runs")
        self.assertIn("runs/caf\\xe9", self.check_page())

    def test_out_cannot_be_made(self):
        self.write_sweep()
        self.write("file", "x")
        self.fail_with(1, ["file", "--out"], "report", "sweep", "--out", "file/inner")


if __name__ == "__main__":
    if not GNUPLOT:
        print("no gnuplot: figures are not checked")
    unittest.main()
