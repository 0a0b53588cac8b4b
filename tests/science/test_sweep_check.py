"""The check of the whole sweep: ensyn's own sweep on a CPU passes, and every kind of mistake in it is found."""

import csv
import json
import math
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import sweep_check

HERE = Path(__file__).resolve().parent
PUBLISHED, CPU = sweep_check.files_beside()

# A driver that knows the answer already. It is slower where a test says so.
STAND_IN = """#!{python}
import json, os, shutil, sys, time
given = dict(zip(sys.argv[2::1], sys.argv[3::1]))
epochs, out = int(given["--epochs"]), given["--out"]
device = "cuda 0: stand-in " + os.environ.get("STAND_IN_NAME", "")
if sys.argv[1] == "train":
    rate = float(os.environ.get("STAND_IN_RATE", 2e5))
    print(json.dumps({{"device": device, "training_method": "resident", "steps": 3000 * epochs, "steps_per_second": rate}}))
    sys.exit()
method = given["--training-method"]
if method == os.environ.get("STAND_IN_REFUSES"):
    sys.exit("error: " + method + " does not take these networks")
os.mkdir(out)
shutil.copyfile(os.environ.get("STAND_IN_" + method, {table!r}), out + "/sweep.csv")
print(json.dumps({{"device": device, "training_method": method, "network_steps": 720000 * epochs}}))
"""


def rows():
    with open(CPU, newline="") as file:
        return list(csv.DictReader(file))


def write(folder, changed, name="changed.csv"):
    file = Path(folder) / name
    with open(file, "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(changed[0]))
        writer.writeheader()
        writer.writerows(changed)
    return file


def scaled(column, factor, noise):
    result = rows()
    for row in result:
        if row["noise"] == noise:
            row[column] = str(factor * float(row[column]))
    return result


def failed(groups):
    return {group.name for group in groups if not group.passed()}


def run_whole_sweep(folder, *flags, **environment):
    """whole_sweep.py with a stand-in for the driver. \\returns its status, its JSON and its text"""
    driver = Path(folder) / "ensyn"
    driver.write_text(STAND_IN.format(python=sys.executable, table=str(CPU)))
    driver.chmod(0o700)
    command = [sys.executable, "-B", HERE / "whole_sweep.py", driver, folder, folder, "--limit", "60", *flags]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **environment})
    if done.stderr:
        raise AssertionError(done.stderr)
    return done.returncode, json.loads((Path(folder) / "sweep.json").read_text()), done.stdout


class Published(unittest.TestCase):
    def failed_of(self, changed):
        with tempfile.TemporaryDirectory() as folder:
            sweep = sweep_check.read_sweep(write(folder, changed))
        return failed(sweep_check.check(sweep, sweep_check.read_published(PUBLISHED), sweep_check.read_sweep(CPU)))

    def test_the_sweep_on_a_cpu_passes(self):
        self.assertEqual(self.failed_of(rows()), set())

    def test_its_crossings_are_those_that_were_written_down(self):
        sweep = sweep_check.read_sweep(CPU)
        found = [round(value, 2) for value in sweep_check.crossings(sweep, 3, "homogeneous")]
        self.assertEqual(found, [-2.75, -1.86, -1.28, -0.78, -0.50])

    def test_everything_is_compared(self):
        cpu = sweep_check.read_sweep(CPU)
        groups = sweep_check.check(cpu, sweep_check.read_published(PUBLISHED), cpu)
        self.assertEqual([len(group.checks) for group in groups], [20, 32, 32, 75, 240, 40, 240, 240])

    def test_sigma_off(self):
        wanted = {"published, sigma", "on the CPU, sigma", "reliability cost and sigma agree"}
        self.assertEqual(self.failed_of(scaled("sigma_rms", 1.08, "homogeneous")), wanted)
        self.assertLessEqual({"published, sigma", "on the CPU, sigma"}, self.failed_of(scaled("sigma_rms", 1.2, "heterogeneous")))

    def test_one_sigma_off(self):
        changed = rows()
        changed[101]["sigma_rms"] = str(1.3 * float(changed[101]["sigma_rms"]))
        self.assertIn("on the CPU, sigma", self.failed_of(changed))

    def test_one_accuracy_off(self):
        changed = rows()
        row = next(row for row in changed if row["rho"] == "2" and float(row["accuracy_sample"]) < 0.2)
        row["accuracy_sample"] = "0.5"
        self.assertIn("on the CPU, accuracy", self.failed_of(changed))

    def test_accuracy_not_a_number(self):
        changed = rows()
        changed[7]["accuracy_sample"] = "nan"
        self.assertIn("on the CPU, accuracy", self.failed_of(changed))
        with tempfile.TemporaryDirectory() as folder:
            status = run_whole_sweep(folder, STAND_IN_streamed=str(write(folder, changed)))[0]
        self.assertEqual(status, 1)

    def test_reliability_off(self):
        self.assertEqual(self.failed_of(scaled("reliability_sum", 1.01, "homogeneous")), {"reliability cost and sigma agree"})
        self.assertEqual(self.failed_of(scaled("reliability_sum", 0.9, "heterogeneous")), {"reliability cost and sigma agree"})

    def test_accuracy_of_another_draw(self):
        changed = [{**row, "accuracy_sample": row["accuracy_average"]} for row in rows()]
        self.assertIn("published crossings", self.failed_of(changed))

    def test_costs_one_step_further(self):
        sweep = {sweep_check.key_of(row): row for row in rows()}
        changed = rows()
        for row in changed:
            rho, k, noise = sweep_check.key_of(row)
            row["accuracy_sample"] = sweep[rho, max(k - 1, 0), noise]["accuracy_sample"]
        self.assertLessEqual({"published crossings", "crossings on the CPU"}, self.failed_of(changed))

    def test_kinds_of_noise_exchanged(self):
        other = {"heterogeneous": "homogeneous", "homogeneous": "heterogeneous"}
        changed = [{**row, "noise": other[row["noise"]]} for row in rows()]
        self.assertIn("heterogeneous ahead of homogeneous", self.failed_of(changed))

    def test_not_the_papers_networks(self):
        for changed, why in (
            (rows()[:-1], "239 of the paper's 240"),
            (rows() + rows()[:1], "twice"),
            ([{**rows()[0], "c": "1e-9"}, *rows()[1:]], "none of the paper's"),
            ([{**row, "steps": "3000"} for row in rows()], "not trained for 150000 steps"),
            ([{**row, "diverged_at": "7"} for row in rows()], "not trained for 150000 steps"),
        ):
            with self.assertRaisesRegex(ValueError, why):
                self.failed_of(changed)


class Methods(unittest.TestCase):
    def compare(self, change):
        sweep = sweep_check.read_sweep(CPU)
        other = {key: change(*values) for key, values in sweep.items()}
        return failed(sweep_check.compare_methods(sweep, other, "methods"))

    def test_the_same(self):
        self.assertEqual(self.compare(lambda *values: values), set())

    def test_sigma_off_everywhere(self):
        wrong = self.compare(lambda accuracy, sigma, cost: (accuracy, 1.01 * sigma, cost))
        self.assertEqual(wrong, {"methods, medians"})
        wrong = self.compare(lambda accuracy, sigma, cost: (accuracy, 1.025 * sigma, cost))
        self.assertEqual(wrong, {"methods, sigma beyond 2 %", "methods, medians"})

    def test_some_sigma_may_be_off_but_none_by_much(self):
        for factor, wanted in ((1.025, set()), (1.07, {"methods, sigma"})):
            changed = sweep_check.read_sweep(CPU)
            for key in [(1, 5, "homogeneous"), (2, 20, "homogeneous"), (3, 25, "heterogeneous")]:
                accuracy, sigma, cost = changed[key]
                changed[key] = (accuracy, factor * sigma, cost)
            groups = sweep_check.compare_methods(changed, sweep_check.read_sweep(CPU), "methods")
            self.assertEqual(failed(groups), wanted)

    def test_accuracy_off(self):
        wanted = {"methods, accuracy", "methods, medians"}
        self.assertEqual(self.compare(lambda accuracy, sigma, cost: (accuracy - 5, sigma, cost)), wanted)
        self.assertEqual(self.compare(lambda accuracy, sigma, cost: (math.nan, sigma, cost)), wanted)

    def test_accuracy_a_little_off_everywhere(self):
        wrong = self.compare(lambda accuracy, sigma, cost: (accuracy - 0.3, sigma, cost))
        self.assertEqual(wrong, {"methods, medians"})


class WholeSweep(unittest.TestCase):
    def test_right_sweeps_pass(self):
        with tempfile.TemporaryDirectory() as folder:
            status, result, text = run_whole_sweep(folder, STAND_IN_NAME="H200")
            self.assertEqual((status, result["passed"]), (0, True), text)
            self.assertEqual(list(result["sweeps"]), ["resident", "streamed", "graph"])
            self.assertEqual(result["sweeps"]["resident"]["network_steps"], 36000000)
            self.assertEqual(result["one_network"]["microseconds"], 5)
            self.assertTrue((Path(folder) / "sweep-streamed.csv").exists())
        self.assertIn("goal of 20 s met", text)

    def test_methods_that_differ_fail(self):
        with tempfile.TemporaryDirectory() as folder:
            table = write(folder, scaled("sigma_rms", 1.03, "heterogeneous"))
            status, result, text = run_whole_sweep(folder, STAND_IN_streamed=str(table))
            self.assertEqual((status, result["passed"]), (1, False))
        self.assertRegex(text, r"methods, medians: FAILED.*\n.*WRONG: 2.9\d points or %")

    def test_a_method_that_is_refused_fails_but_not_the_graph(self):
        with tempfile.TemporaryDirectory() as folder:
            status, _, text = run_whole_sweep(folder, STAND_IN_REFUSES="resident")
            self.assertEqual(status, 1)
            self.assertIn("resident: FAILED: error: resident does not take these networks", text)
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(run_whole_sweep(folder, STAND_IN_REFUSES="graph")[0], 0)

    def test_times_are_held_against_an_h200_only(self):
        for name, wanted in (("H200", 1), ("another", 0)):
            with tempfile.TemporaryDirectory() as folder:
                self.assertEqual(run_whole_sweep(folder, STAND_IN_NAME=name, STAND_IN_RATE="1e5")[0], wanted)


if __name__ == "__main__":
    unittest.main()
