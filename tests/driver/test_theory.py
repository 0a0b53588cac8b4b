"""`ensyn biophysics` and `ensyn experiments`: tables that follow from formulas and from measurements."""

import csv
import math
import os
import unittest
from pathlib import Path

from driver import DriverTest

# Measurements behind the paper's figure 6, where they lie beside the repository.
MEASURED = Path(__file__).resolve().parents[3] / "shared" / "reference" / "experiments"
RHO = {"calcium": 1 / 2, "membrane": 2 / 3, "actin": 4 / 3, "trafficking": 2}
PLASTICITY = "\ufeffRecording,Pr (before),Pr (after),\"q (mV, before)\",\"q (mV, after)\",w (before),w (before)\n"


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class BiophysicsTest(DriverTest):
    def test_curves_have_the_paper_exponents_and_keep_the_mean(self):
        self.succeed("biophysics", "--out", "bio", "--quiet", "--mean", "0.7")
        rows = table(self.folder / "bio" / "biophysics.csv")
        for mechanism, rho in RHO.items():
            curve = [row for row in rows if row["mechanism"] == mechanism]
            self.assertEqual(len(curve), 41)
            for row in curve:
                n, p, q = (float(row[key]) for key in "npq")
                self.assertAlmostEqual(n * p * q, 0.7, places=12)
                self.assertAlmostEqual(math.sqrt(n * p * (1 - p)) * q / float(row["sigma"]), 1, places=9)
            first, last = curve[0], curve[-1]
            slope = math.log(float(last["cost"]) / float(first["cost"]))
            slope /= math.log(float(last["sigma"]) / float(first["sigma"]))
            self.assertAlmostEqual(slope, -rho, places=9)
            self.assertAlmostEqual(float(first["rho_fitted"]), rho, places=9)
            self.assertAlmostEqual(float(first["rho"]), rho, places=12)

    def test_histograms_are_probabilities_that_the_draws_follow(self):
        self.succeed("biophysics", "--out", "bio", "--quiet", "--draws", "20000")
        rows = table(self.folder / "bio" / "biophysics_histograms.csv")
        spreads = {}
        for key in {(row["panel"], row["n"], row["p"]) for row in rows}:
            bars = [row for row in rows if (row["panel"], row["n"], row["p"]) == key]
            self.assertAlmostEqual(sum(float(bar["probability"]) for bar in bars), 1, places=9)
            self.assertAlmostEqual(sum(float(bar["drawn"]) for bar in bars), 1, places=9)
            mean = sum(float(bar["probability"]) * float(bar["psp"]) for bar in bars)
            self.assertAlmostEqual(mean, 1, places=9)
            spreads[key] = sum(float(bar["probability"]) * (float(bar["psp"]) - 1) ** 2 for bar in bars)
            for bar in bars:
                self.assertLess(abs(float(bar["drawn"]) - float(bar["probability"])), 0.018)
        for panel, index in [("release", 2), ("vesicles", 1)]:
            keys = sorted((key for key in spreads if key[0] == panel), key=lambda key: float(key[index]))
            self.assertEqual(len(keys), 3)
            self.assertEqual([spreads[key] for key in keys], sorted((spreads[key] for key in keys), reverse=True))

    def test_hill_and_geometry(self):
        self.succeed("biophysics", "--out", "bio", "--quiet", "--hill", "2.5", "--geometry", "0.5")
        mechanisms = self.json("bio/summary.json")["mechanisms"]
        self.assertAlmostEqual(mechanisms["calcium"]["rho_fitted"], 0.8, places=9)
        for name in ["membrane", "actin", "trafficking"]:
            self.assertAlmostEqual(mechanisms[name]["rho_fitted"], 2 * (1 - 0.5 / 3), places=9)

    def test_bad_values(self):
        self.fail_with(2, "--release", "biophysics", "--release", "0")
        self.fail_with(2, "p is 1", "biophysics", "--release", "1")
        self.fail_with(2, "geometry is 3", "biophysics", "--geometry", "3")
        self.fail_with(2, "--hill", "biophysics", "--hill", "-1")
        self.fail_with(2, ["--cv-low", "--cv-high"], "biophysics", "--cv-low", "2")
        self.assertEqual(self.names(), [])


class ExperimentsTest(DriverTest):
    def test_regressions_of_points_on_known_lines(self):
        # w changes by 0.9 - 0.8 p: q stays, p' = p (1 + change).
        def row(p):
            return f"'a',{p},{p * (1.9 - 0.8 * p)},0.2,0.2,7,8\r\n"

        ltp = self.write("ltp.csv", PLASTICITY + "".join(row(p) for p in [0.1, 0.3, 0.5, 0.6]))
        # ln sigma^2 = 0.8 ln mu - 0.6 ln rate, exactly.
        lines = ['"mean", "var", "foopsi_mean", "foopsi_threshold",']
        for mean, rate in [(0.3, 0.01), (0.5, 0.004), (0.2, 0.02), (1.1, 0.003), (0.7, 0.009)]:
            lines.append(f"{mean},{mean ** 0.8 * rate ** -0.6!r},{rate},{3 * rate}")
        ko = self.write("ko.csv", "\n".join(lines) + "\n")
        self.succeed("experiments", "--ltp", ltp, "--variability", ko, "--out", "fig6", "--quiet")
        fits = table(self.folder / "fig6" / "experiments.csv")
        self.assertAlmostEqual(float(fits[0]["slope"]), -0.8, places=9)
        self.assertAlmostEqual(float(fits[0]["intercept"]), 0.9, places=9)
        self.assertEqual([fit["subset"] for fit in fits if fit["panel"] == "a"], ["ltp"])
        partial = next(fit for fit in fits if fit["x_name"] == "ln foopsi_mean given ln mu")
        self.assertAlmostEqual(float(partial["slope"]), -0.6, places=9)
        self.assertEqual(partial["n"], "5")
        points = table(self.folder / "fig6" / "experiments_points.csv")
        self.assertEqual(len(points), 9)

    @unittest.skipUnless(MEASURED.is_dir(), "no measurements beside the repository")
    def test_the_published_numbers(self):
        self.succeed("experiments", "--ltp", MEASURED / "Sjostrom2001_LTP_schug.csv", "--ltd",
                     MEASURED / "Sjostrom2001_LTD_schug.csv", "--variability", MEASURED / "ko2013.csv", "--out", "fig6",
                     "--quiet")
        fits = table(self.folder / "fig6" / "experiments.csv")
        found = [(fit["subset"], fit["n"], round(float(fit["slope"]), 3), round(float(fit["r"]), 3)) for fit in fits]
        # paper.md, section 5
        for known in [("pooled", "44", -0.880, -0.442), ("ltp", "30", -1.001, -0.446), ("ltd", "14", -0.340, -0.433),
                      ("all", "136", -0.621, -0.254), ("all", "136", -0.616, -0.257), ("all", "136", -0.714, -0.284)]:
            self.assertIn(known, found)

    def test_tables_end_as_their_editors_like(self):
        rows = [f"'a',{p},{p * p},0.2,0.2,7,8\n" for p in [0.1, 0.2, 0.4]]
        whole = PLASTICITY + "".join(rows)
        results = set()
        for content in [whole, whole[:-1], whole + "\n\n", whole.replace("\n", "\r"), whole.replace("\n", "\r\n"),
                        whole.replace("\n", "\n\n") + "  "]:
            (self.folder / "ltp.csv").write_bytes(content.encode())
            self.succeed("experiments", "--ltp", "ltp.csv", "--out", "fig6", "--quiet", "--overwrite")
            results.add((self.folder / "fig6" / "experiments.csv").read_text())
        self.assertEqual(len(results), 1)
        # What ensyn wrote itself is whole or damaged.
        (self.folder / "fig6" / "experiments.csv").write_text(results.pop()[:-1])
        self.fail_with(3, ["experiments.csv", "line 2", "cut off"], "report", "fig6")

    def test_what_is_wrong_is_named(self):
        good = "'a',0.1,0.2,0.2,0.2,7,8\n"
        for content, names in [
            (PLASTICITY + good + good.replace("0.1", "nan"), ["line 3", "'Pr (before)' is 'nan'", "finite"]),
            (PLASTICITY + good + "\n" + good.replace("0.1", "-inf"), ["line 4", "'Pr (before)' is '-inf'", "finite"]),
            (PLASTICITY + good + good.replace("0.1", "-1"), ["line 3", "'Pr (before)' is -1", "above 0"]),
            (PLASTICITY + good + good.replace("0.1", ""), ["line 3", "'Pr (before)' is empty"]),
            (PLASTICITY + "'a\n'," + good, ["line 2", "1 fields"]),
            (PLASTICITY + '"a\nb",0.1,0.2,0.2,0.2,7,8\n' + good.replace("0.1", "x"), ["line 4", "'x', not a number"]),
            (PLASTICITY.replace(",", ";") + good.replace(",", ";").replace(".", ","), ["line 1", "';' stands between"]),
            ("\ufeffPr (before)\tPr (after)\n0.1\t0.2\n", ["line 1", "a tab stands between"]),
            (PLASTICITY + good + '"a"b' + good, ["line 3", "'b' follows a closing quote"]),
        ]:
            with self.subTest(content=content):
                self.write("t.csv", content)
                message = self.fail_with(3, ["t.csv", *names], "experiments", "--ltp", "t.csv")
                self.assertNotIn("restore", message)
        (self.folder / "t.csv").write_bytes(PLASTICITY[1:].encode("utf-16"))
        self.fail_with(3, ["t.csv", "UTF-16"], "experiments", "--ltp", "t.csv")

    def test_bad_files(self):
        good = "'a',0.1,0.2,0.2,0.2,7,8\n"
        self.fail_with(2, "--ltp", "experiments")
        self.fail_with(3, "missing.csv", "experiments", "--ltp", "missing.csv")
        file = self.write("other.csv", "a,b\n1,2\n3,4\n5,6\n")
        self.fail_with(3, ["other.csv", "Pr (before)"], "experiments", "--ltp", file)
        file = self.write("zero.csv", PLASTICITY + good * 2 + good.replace("0.1", "0"))
        self.fail_with(3, ["zero.csv", "line 4", "Pr (before)"], "experiments", "--ltd", file)
        file = self.write("cut.csv", PLASTICITY + good + "'a',0.1,0.2")
        self.fail_with(3, ["cut.csv", "line 3"], "experiments", "--ltp", file)
        file = self.write("word.csv", PLASTICITY + good + good.replace("0.1", "high"))
        self.fail_with(3, ["word.csv", "Pr (before)"], "experiments", "--ltp", file)
        file = self.write("few.csv", PLASTICITY + good)
        self.fail_with(3, ["few.csv", "3 are needed"], "experiments", "--ltp", file)
        self.assertNotIn("ensyn-experiments", os.listdir(self.folder))


if __name__ == "__main__":
    unittest.main()
