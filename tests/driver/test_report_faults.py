"""Reports of runs and machines with something the matter: hostile text, copies, values that are no good, no gnuplot."""

import os
import unittest

from reports import GNUPLOT, SWEEP_COLUMNS, ReportTest, svg_texts, sweep_rows


class TextFromOutside(ReportTest):
    """Names of folders and cells of tables are shown as they are, and nothing is run."""

    HOSTILE = [
        "a]]>b &#x0;c &#x3c;d>",
        "`touch PWN`calcium",
        "it's $HOME ${x} @x \"q\" \\n \\ 2/3",
        "'; system('touch PWN'); '",
        "\" . system(\"touch PWN\") . \"",
        "''`touch PWN`''",
        "run_a1 x^{2} {/Bold b} ~a{b} &{c} <b>&amp; id='x' url(#y)",
        "%d 100 %",
        "naïve 😀 ρ",
    ]

    @unittest.skipUnless(GNUPLOT, "no gnuplot")
    def test_labels_are_drawn_literally(self):
        columns = ["mechanism", "rho", "rho_fitted", "sigma", "cost"]
        rows = [[name, 2, 2, sigma, 1 / sigma] for name in self.HOSTILE for sigma in (0.1, 1)]
        self.write_table("r/biophysics.csv", columns, rows)
        self.write_table("r/biophysics_histograms.csv", ["panel", "n", "p", "psp", "probability", "drawn"],
                         [["release", 1, 0.5, 1, 0.5, 0.5]])
        self.report("r")
        self.assertEqual(self.names(), ["r", "report"])
        texts = svg_texts(self.folder / "report/figures/fig1c.svg")
        for name in self.HOSTILE:
            self.assertIn(name + ", ρ = 2", texts)
        self.assertEqual({row["series"] for row in self.table("report/figures/fig1c.csv")},
                         {name + ", ρ = 2" for name in self.HOSTILE})
        self.check_page()

    @unittest.skipUnless(GNUPLOT, "no gnuplot")
    def test_names_of_folders_and_noises(self):
        rows = sweep_rows(rhos=(2.0,), seeds=(0,), noises=["heterogeneous"])
        for row in rows:
            row[2] = "`touch PWN`\x07"
        for name in self.HOSTILE:
            name = name.replace("/", "|")
            self.write_table(f"{name}/sweep.csv", SWEEP_COLUMNS, rows)
            self.write(f"{name}/config.json", {"epochs": len(name), "name": name})
        before = self.names()
        self.report(*before)
        self.assertEqual(self.names(), sorted([*before, "report"]))
        texts = svg_texts(self.folder / "report/figures/fig2.svg")
        for name in before:
            self.assertIn(f"`touch PWN`\\x07 ({name})", texts)
        page = self.check_page()
        self.assertNotIn("\x07", page)
        self.assertNotIn("<b>", page)

    @unittest.skipUnless(GNUPLOT, "no gnuplot")
    def test_bytes_that_are_no_text(self):
        name = b"\xff\xc0\xaf\xed\xa0\x80\x1b[31m\n\xc2\x85\xef\xbf\xbe"
        table = b"mechanism,rho,rho_fitted,sigma,cost\n\"" + name + b"\",2,2,0.1,1\n\"" + name + b"\",2,2,1,1\n"
        self.write_table("r/biophysics_histograms.csv", ["panel", "n", "p", "psp", "probability", "drawn"], [])
        (self.folder / "r" / "biophysics.csv").write_bytes(table)
        # The driver takes no such name as an argument, but finds folders of such names.
        (self.folder / "in").mkdir()
        os.rename(self.folder / "r", os.path.join(os.fsencode(self.folder), b"in", name))
        self.report("in")
        shown = "".join(f"\\x{byte:02x}" for byte in name).replace("\\x5b\\x33\\x31\\x6d", "[31m")
        self.assertIn(f"{shown}, ρ = 2", svg_texts(self.folder / "report/figures/fig1c.svg"))
        self.assertIn(f"<h3>in/{shown}</h3>", self.check_page())

    @unittest.skipUnless(GNUPLOT, "no gnuplot")
    def test_own_markup_stays(self):
        self.write_sweep()
        self.report("sweep")
        texts = svg_texts(self.folder / "report/figures/fig3.svg")
        self.assertTrue(any("".join(text.split()) == "σ-ρ/ρ" for text in texts), texts)

    @unittest.skipUnless(GNUPLOT, "no gnuplot")
    def test_settings_of_gnuplots_user(self):
        self.write_sweep()
        self.report("sweep")
        svg = (self.folder / "report/figures/fig2.svg").read_bytes()
        self.write(".gnuplot", "system('touch PWN')\n")
        (self.folder / "lib").mkdir()
        self.write("lib/gnuplotrc", "system('touch PWN')\n")
        own = {"HOME": str(self.folder), "GNUTERM": "no such terminal", "GNUPLOT_LIB": str(self.folder / "lib"),
               "GNUPLOT_DRIVER_DIR": str(self.folder)}
        self.run_driver("report", "sweep", "--out", "again", env={**os.environ, **own})
        self.assertEqual(self.names(), [".gnuplot", "again", "lib", "report", "sweep"])
        self.assertEqual((self.folder / "again/figures/fig2.svg").read_bytes(), svg)


class WhichRuns(ReportTest):
    def seeds(self, *folders):
        self.report(*folders)
        return {(row["noise"], row["seeds"]) for row in self.table("report/tables/fig2_networks.csv")}

    def test_each_folder_counts_once(self):
        self.write_sweep("runs/g")
        os.symlink("runs", self.folder / "link")
        both = {("heterogeneous", "3"), ("homogeneous", "3")}
        for folders in ["runs/g ./runs/g runs/g/", "runs runs/g runs/../runs/g", "link runs/g link/g"]:
            with self.subTest(folders):
                self.assertEqual(self.seeds(*folders.split()), both)
                self.assertIn("from 1 run,", self.check_page())

    def test_same_settings_are_replicates(self):
        self.write_sweep("A/grid", seeds=(0, 1, 2))
        self.write_sweep("B/grid", seeds=(3, 4))
        self.assertEqual(self.seeds("A/grid", "B/grid"), {("heterogeneous", "5"), ("homogeneous", "5")})
        # A seed that both have is one network, found twice.
        self.write_sweep("B/grid", seeds=(2, 3))
        summary = self.report("A/grid", "B/grid")
        self.assertEqual({row["seeds"] for row in self.table("report/tables/fig2_networks.csv")}, {"4"})
        self.assertEqual(len(summary["left_out"]), 1)
        self.assertIn("B/grid: 44 ", summary["left_out"][0])

    def test_other_settings_are_other_curves(self):
        self.write_sweep("A/grid")
        self.write_sweep("B/grid")
        self.write("B/grid/config.json", {"command": "sweep", "dataset": "digits", "hidden": [16], "epochs": 40})
        self.write_sweep("C/grid")
        (self.folder / "C/grid/config.json").unlink()  # of what settings nobody knows
        noises = {f"{noise} ({run}/grid)" for noise in ("heterogeneous", "homogeneous") for run in "ABC"}
        self.assertEqual(self.seeds("A/grid", "B/grid", "C/grid"), {(noise, "3") for noise in noises})
        page = self.check_page()
        for run in "ABC":
            self.assertIn(f"<h3>{run}/grid</h3>", page)

    def test_where_a_run_was_computed_is_no_setting(self):
        for name, seeds, threads in [("A/grid", [0], 1), ("B/grid", [1], 8)]:
            self.write_sweep(name, seeds=seeds)
            self.write(f"{name}/config.json", {"dataset": "digits", "seed": seeds, "threads": threads, "device": name})
        self.assertEqual(self.seeds("A", "B"), {("heterogeneous", "2"), ("homogeneous", "2")})

    def write_bayes(self, name, epochs):
        columns = ["rho", "c", "layer", "row", "column", "sigma_energy", "sigma_posterior"]
        rows = [[2, 0.1, layer, i, 0, 0.1 + i / 50, 0.2 + i / 40] for layer in (1, 2) for i in range(10)]
        self.write_table(f"{name}/bayes.csv", columns, rows)
        self.write(f"{name}/config.json", {"command": "bayes", "epochs": epochs, "seed": 0})

    def test_posteriors_of_other_settings_are_other_panels(self):
        self.write_bayes("A/run", 1)
        self.write_bayes("B/run", 40)
        self.write_bayes("C/run", 1)
        summary = self.report("A/run", "B/run", "C/run")
        panels = {row["panel"] for row in self.table("report/figures/fig7_synapses.csv")}
        self.assertEqual(panels, {"ρ = 2, c = 0.1 A/run", "ρ = 2, c = 0.1 B/run"})
        self.assertEqual(len([note for note in summary["left_out"] if "C/run" in note]), 1)


class OneValue(ReportTest):
    """What a value that is no good leaves out is that value, and it is said."""

    def test_values_that_are_not_finite(self):
        rows = sweep_rows(rhos=(2.0,))
        words = ["nan", "inf", "-inf", "0", "1e308", "-1", ""]
        columns = ["accuracy_sample", "sigma_rms", "reliability_sum"]
        for i, column in enumerate(columns):
            for j, word in enumerate(words):
                rows[7 * i + j][SWEEP_COLUMNS.index(column)] = word
        self.write_table("sweep/sweep.csv", SWEEP_COLUMNS, rows)
        summary = self.report("sweep")
        table = self.folder.resolve() / "sweep" / "sweep.csv"
        said = [f"{table}, line {7 * i + 2}: column '{column}' is nan, not a finite number, and so in 2 more lines"
                for i, column in enumerate(columns)]
        self.assertEqual(summary["left_out"], said)
        self.assertEqual(summary["figures"], ["fig2", "fig3"] if GNUPLOT else [])
        self.assertIn("line 9: column 'sigma_rms'", self.check_page())

    def test_posterior(self):
        columns = ["rho", "c", "layer", "row", "column", "sigma_energy", "sigma_posterior"]
        rows = [[2, 0.1, 1, i, 0, 0.1 + i / 50, 0.2 + i / 40] for i in range(16)]
        for row, word in zip(rows, ["nan", "inf", "0", "-1", "", "1e-320", "1e308"]):
            row[6] = word
        self.write_table("run/bayes.csv", columns, rows)
        self.assertIn("7 synapses", " ".join(self.report("run")["left_out"]))
        points = [row for row in self.table("report/figures/fig7_synapses.csv") if row["series"] == "layer 1"]
        self.assertEqual(len(points), 9)

    def test_extreme_numbers_still_have_axes(self):
        columns = ["mechanism", "rho", "rho_fitted", "sigma", "cost"]
        self.write_table("r/biophysics_histograms.csv", ["panel", "n", "p", "psp", "probability", "drawn"],
                         [["release", 1, 0.5, x, y, 0] for x, y in [(-1.7e308, 1.7e308), (5e-324, 0), (1e300, -1e300)]])
        for values in [(5e-324, 1.7e308), (1e-320, 1e-320), (0, -1)]:
            with self.subTest(values):
                self.write_table("r/biophysics.csv", columns, [["m", 2, 2, x, y] for x in values for y in values])
                self.report("r")
                self.check_page()

    def test_a_damaged_file_costs_its_section(self):
        self.write_sweep("good")
        self.write_table("bad/bayes.csv", ["rho", "c"], [[2, 0.1]])
        process = self.run_driver("report", "good", "bad", "--out", "report")
        self.assertEqual(process.returncode, 3, process.stderr_text)
        self.assertIn("bad/bayes.csv lacks the column layer", process.stderr_text)
        self.assertEqual(process.stderr_text.count("\n"), 1)
        self.assertIn("not made    fig7: ", process.stdout_text)
        self.assertIn("fig2_networks.csv", self.names("report/tables"))
        self.assertIn("bad/bayes.csv lacks the column layer", self.check_page())

    def test_signatures_without_one_rho(self):
        self.succeed("signatures", "--dataset", "digits", "--hidden", "8", "--epochs", "1", "--cost", "2:0.001",
                     "--cost", "0.5:0.01", "--measure-epochs", "1", "--samples", "1", "--quiet", "--out", "two")
        self.write_sweep()
        summary = self.report("sweep", "two")
        self.assertIn("two", " ".join(summary["left_out"]))


class Axes(ReportTest):
    def test_a_real_sweep_whose_seeds_agree(self):
        self.succeed("sweep", "--dataset", "digits", "--hidden", "8", "--epochs", "3", "--c", "0.1", "--seed", "0:4",
                     "--quiet", "--out", "flat")
        self.assertEqual(self.report("flat")["figures"], ["fig2", "fig3"] if GNUPLOT else [])


class WithoutGnuplot(ReportTest):
    def test_tables_are_written(self):
        self.write_sweep()
        process = self.run_driver("report", "sweep", "--out", "report", env={**os.environ, "PATH": str(self.folder)})
        self.assertEqual(process.returncode, 1)
        self.assertIn("gnuplot-nox", process.stderr_text)
        self.assertEqual(self.names("report/figures"), ["fig2.csv", "fig3.csv"])
        self.assertIn("fig2_crossings.csv", self.names("report/tables"))
        self.assertIn("gnuplot", self.check_page())

    @unittest.skipUnless(GNUPLOT, "no gnuplot")
    def test_no_temporary_files(self):
        self.write_sweep()
        self.write("file", "")
        environment = {**os.environ, "TMPDIR": str(self.folder / "file/inner")}
        self.succeed("report", "sweep", "--out", "report", "--quiet", env=environment)
        self.check_figures(["fig2", "fig3"])

    @unittest.skipUnless(os.name == "posix", "a shell script stands for gnuplot")
    def test_bad_gnuplots(self):
        self.write_sweep()
        for name, script, words in [
            ("old", "#!/bin/sh\necho gnuplot 5.2 patchlevel 8\n", ["5.2", "gnuplot-nox"]),
            ("strange", "#!/bin/sh\necho hello\n", ["gnuplot-nox"]),
            ("failing", '#!/bin/sh\n[ "$1" = --version ] && echo gnuplot 5.4 patchlevel 4 && exit\n'
                        "echo unknown or ambiguous terminal type >&2; exit 1\n",
             ["terminal type", "fig2.svg", "gnuplot-nox"]),
            ("complaining", '#!/bin/sh\n[ "$1" = --version ] && echo gnuplot 5.4 patchlevel 4 && exit\n'
                            "echo 'plot x' >&2; echo 'line 8: empty y range!' >&2; echo >&2; exit 1\n",
             ["fig2.svg: line 8: empty y range!; the tables"]),
            ("killed", '#!/bin/sh\n[ "$1" = --version ] && echo gnuplot 5.4 patchlevel 4 && exit\nkill -9 $$\n',
             ["fig2.svg", "signal 9"]),
            ("no program", "#!/no/such/interpreter\n", ["cannot start", "gnuplot"]),
        ]:
            with self.subTest(name):
                program = self.write("gnuplot", script)
                program.chmod(0o755)
                path = f"{self.folder}:/bin:/usr/bin"
                process = self.run_driver("report", "sweep", "--out", name, env={**os.environ, "PATH": path})
                self.assertEqual(process.returncode, 1, process.stderr_text)
                for word in words:
                    self.assertIn(word, process.stderr_text)
                self.assertTrue((self.folder / name / "figures" / "fig2.csv").exists())
                self.assertTrue((self.folder / name / "report.html").exists())


if __name__ == "__main__":
    if not GNUPLOT:
        print("no gnuplot: figures are not checked")
    unittest.main()
