"""`ensyn signatures`: what it measures, writes and refuses."""

import csv
import json
import math
import shutil
import struct
import unittest

from driver import SMALL, DriverTest

# A network without hidden layer whose sigma has somewhere to go in a few epochs.
PLAIN = ["--dataset", "digits", "--hidden", "none", "--lr", "1e-3", "--epochs", "4", "--sigma-init", "0.02",
         "--rho", "2", "--c", "5e-5", "--samples", "2", "--measure-epochs", "3"]
ARRAYS = ["curvature", "hessian", "input_rate", "input_square", "mean_absolute_gradient", "mu", "sigma"]
QUANTITIES = ["curvature", "hessian", "learning_rate", "learning_rate_rms", "input_rate", "input_square"]
COLUMNS = ["protocol", "rho", "c", "layer", "n", "sigma_median", "sigma_p05", "sigma_p95", "curvature_median"]
for quantity in QUANTITIES:
    COLUMNS += [f"spearman_{quantity}", f"slope_{quantity}", f"slope_{quantity}_low", f"slope_{quantity}_high"]
    COLUMNS += [f"r_{quantity}", f"n_{quantity}", f"equilibrium_slope_{quantity}", f"unconverged_slope_{quantity}"]
COLUMNS += ["fixed_point_ratio", "fixed_point_ratio_p05", "fixed_point_ratio_p95"]


def read_npy(path):
    content = path.read_bytes()
    (length,) = struct.unpack("<H", content[8:10])
    header = eval(content[10 : 10 + length].decode())
    assert content[:8] == b"\x93NUMPY\x01\x00" and header["descr"] == "<f8" and not header["fortran_order"]
    values = struct.unpack(f"<{(len(content) - 10 - length) // 8}d", content[10 + length :])
    assert len(values) == math.prod(header["shape"])
    return header["shape"], values


def slope(x, y):
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


class Signatures(DriverTest):
    def rows_of(self, run):
        with open(self.folder / run / "signatures.csv", newline="") as file:
            return list(csv.DictReader(file))

    def arrays_of(self, run, prefix=""):
        return {name: read_npy(self.folder / run / f"{prefix}layer1.{name}.npy") for name in ARRAYS}

    def test_files_and_table(self):
        summary = json.loads(self.succeed("signatures", *SMALL, "--out", "run", "--json"))
        arrays = [f"layer{layer}.{name}.npy" for layer in (1, 2) for name in ARRAYS]
        self.assertEqual(self.names("run"),
                         sorted(["config.json", "model.safetensors", "signatures.csv", "summary.json", *arrays]))
        self.assertEqual(summary, self.json("run/summary.json"))
        self.assertEqual(summary["config"], self.json("run/config.json"))
        self.assertEqual(summary["config"]["command"], "signatures")
        rows = self.rows_of("run")
        self.assertEqual(list(rows[0]), COLUMNS)
        self.assertEqual([(row["protocol"], row["layer"], row["n"]) for row in rows],
                         [("published", "1", "1024"), ("published", "2", "160")])
        self.assertEqual(read_npy(self.folder / "run/layer2.sigma.npy")[0], (10, 16))
        self.assertEqual(read_npy(self.folder / "run/layer1.input_rate.npy")[0], (64,))
        # The network is the one that train trains, and so are its results.
        self.train("trained")
        self.assertEqual((self.folder / "run/model.safetensors").read_bytes(),
                         (self.folder / "trained/model.safetensors").read_bytes())
        for key in ["accuracy_sample", "nll_average", "sigma_rms"]:
            self.assertEqual(summary[key], self.json("trained/summary.json")[key])

    def test_table_says_what_the_arrays_hold(self):
        self.succeed("signatures", *PLAIN, "--quiet", "--out", "run")
        (row,) = self.rows_of("run")
        arrays = {name: values for name, (shape, values) in self.arrays_of("run").items()}
        n = len(arrays["sigma"])
        self.assertEqual(n, 640)
        y = [2 * math.log(s) for s in arrays["sigma"]]
        for name in ["curvature", "hessian"]:
            self.assertAlmostEqual(float(row[f"slope_{name}"]), slope([math.log(h) for h in arrays[name]], y), 9)
        eta = [math.log(1e-3 / g) for g in arrays["mean_absolute_gradient"]]
        self.assertAlmostEqual(float(row["slope_learning_rate"]), slope(eta, y), 9)
        rate = [math.log(x) for x in arrays["input_rate"]] * 10
        self.assertAlmostEqual(float(row["slope_input_rate"]), slope(rate, y), 9)
        ratios = sorted(s**4 * 1437 * h / 1e-4 for s, h in zip(arrays["sigma"], arrays["hessian"]))
        self.assertAlmostEqual(float(row["fixed_point_ratio"]) / ((ratios[319] + ratios[320]) / 2), 1, 9)
        self.assertEqual([float(row["equilibrium_slope_" + q]) for q in QUANTITIES], [-0.5, -0.5, 1, 1, -1, -0.5])
        for q in QUANTITIES:
            self.assertLessEqual(float(row[f"slope_{q}_low"]), float(row[f"slope_{q}"]))
            self.assertGreaterEqual(float(row[f"slope_{q}_high"]), float(row[f"slope_{q}"]))

    def test_equilibrium_beside_the_published_protocol(self):
        self.succeed("signatures", *PLAIN, "--equilibrium", "--quiet", "--out", "run")
        published, equilibrium = self.rows_of("run")
        self.assertEqual([published["protocol"], equilibrium["protocol"]], ["published", "equilibrium"])
        self.assertAlmostEqual(float(equilibrium["slope_hessian"]), -0.5, delta=0.03)
        self.assertAlmostEqual(float(equilibrium["fixed_point_ratio"]), 1, delta=0.1)
        self.assertLess(float(published["fixed_point_ratio"]), 0.8)
        summary = self.json("run/summary.json")["equilibrium"]
        self.assertTrue(summary["converged"])
        self.assertEqual(summary["rounds"], len(summary["median_ratios"]))
        self.assertNotEqual(self.arrays_of("run", "equilibrium.")["sigma"], self.arrays_of("run")["sigma"])
        self.succeed("evaluate", "run/equilibrium.safetensors", "--dataset", "digits", "--out", ".", "--quiet")
        self.assertEqual(self.json("evaluation.json")["accuracy_mean"], summary["accuracy_mean"])
        # What it was, it is no longer.
        self.succeed("signatures", *PLAIN, "--quiet", "--out", "run", "--overwrite")
        self.assertEqual([name for name in self.names("run") if name.startswith("equilibrium")], [])

    def test_threads_do_not_show(self):
        for threads in ["1", "3"]:
            self.succeed("signatures", *PLAIN, "--equilibrium", "--equilibrium-rounds", "3", "--quiet", "--out", threads,
                         "--threads", threads)
        for name in self.names("1"):
            if name not in ["config.json", "summary.json"]:
                self.assertEqual((self.folder / "1" / name).read_bytes(), (self.folder / "3" / name).read_bytes(), name)

    def test_at_mean_and_configuration(self):
        self.succeed("signatures", *PLAIN, "--at-mean", "--quiet", "--out", "mean")
        self.assertIs(self.json("mean/config.json")["at_mean"], True)
        self.succeed("signatures", "--config", "mean/config.json", "--quiet", "--out", "again")
        self.assertEqual(self.arrays_of("mean"), self.arrays_of("again"))
        self.succeed("signatures", *PLAIN, "--quiet", "--out", "noise")
        self.assertEqual(self.arrays_of("mean")["sigma"], self.arrays_of("noise")["sigma"])
        self.assertNotEqual(self.arrays_of("mean")["hessian"], self.arrays_of("noise")["hessian"])

    def test_measures_a_trained_network(self):
        self.train("run", "--hidden", "none", "--sigma-init", "0.02", "--c", "5e-5")
        self.succeed("signatures", "--model", "run", "--quiet", "--out", "measured")
        self.succeed("signatures", *SMALL, "--hidden", "none", "--sigma-init", "0.02", "--c", "5e-5", "--quiet",
                     "--out", "trained")
        self.assertEqual(self.arrays_of("measured"), self.arrays_of("trained"))
        self.assertEqual(self.rows_of("measured"), self.rows_of("trained"))
        self.succeed("signatures", "--config", "measured/config.json", "--quiet", "--out", "again")
        self.assertEqual(self.rows_of("measured"), self.rows_of("again"))
        shutil.copy(self.folder / "run/model.safetensors", self.folder / "alone.safetensors")
        self.fail_with(2, ["--data", "--dataset"], "signatures", "--model", "alone.safetensors", "--out", "x")
        self.succeed("signatures", "--model", "alone.safetensors", "--dataset", "digits", "--quiet", "--out", "alone")
        self.assertEqual(self.rows_of("measured"), self.rows_of("alone"))
        self.fail_with(2, ["--rho", "model"], "signatures", "--model", "run", "--rho", "1", "--out", "x")
        self.fail_with(2, ["run", "--out"], "signatures", "--model", "run", "--out", "run", "--overwrite")
        self.fail_with(3, "nowhere", "signatures", "--model", "nowhere", "--out", "x")
        self.fail_with(3, "1437", "signatures", "--model", "run", "--limit-train", "100", "--out", "x")

    def test_its_network_can_be_evaluated(self):
        self.succeed("signatures", *PLAIN, "--limit-test", "100", "--out", "run", "--quiet")
        self.succeed("evaluate", "run", "--samples", "2", "--quiet")
        evaluation, summary = self.json("run/evaluation.json"), self.json("run/summary.json")
        self.assertEqual(evaluation["examples"], 100)
        self.assertEqual(evaluation["accuracy_sample"], summary["accuracy_sample"])

    def test_one_sigma_for_all(self):
        self.succeed("signatures", *PLAIN, "--noise", "homogeneous", "--quiet", "--out", "run")
        (row,) = self.rows_of("run")
        self.assertEqual([row["spearman_hessian"], row["slope_hessian"], row["fixed_point_ratio"]], ["", "", ""])
        self.fail_with(2, ["homogeneous", "heterogeneous"], "signatures", *PLAIN, "--noise", "homogeneous",
                       "--equilibrium", "--out", "no")

    def test_bad_use(self):
        self.fail_with(2, "--measure-epochs", "signatures", *PLAIN, "--measure-epochs", "0")
        self.fail_with(2, ["--sigma-ceiling", "--equilibrium"], "signatures", *PLAIN, "--sigma-ceiling", "1")
        self.fail_with(2, "--equilibrium-tolerance", "signatures", *PLAIN, "--equilibrium", "--equilibrium-tolerance", "0")
        self.fail_with(2, "c is 0", "signatures", *PLAIN, "--c", "0", "--equilibrium", "--out", "zero")
        self.assertNotIn("zero", self.names())
        self.write("bad.json", {"equilibrium": "yes"})
        self.fail_with(2, ["equilibrium", "true or false"], "signatures", "--config", "bad.json")
        self.succeed("signatures", *PLAIN, "--quiet", "--out", "run")
        self.fail_with(2, ["run", "--overwrite"], "signatures", *PLAIN, "--out", "run")

    def test_text_for_people(self):
        text = self.succeed("signatures", *PLAIN, "--equilibrium", "--out", "run")
        for word in ["published, layer 1", "equilibrium, layer 1", "hessian", "Spearman", "unconverged", "-0.500",
                     "equilibrium reached", "fixed point ratio", "accuracy"]:
            self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
