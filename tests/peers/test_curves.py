"""The comparison of the peers with ensyn, and the problem that they share: what is wrong must be found out."""

import array
import json
import math
import random
import sys
import tempfile
import unittest
from pathlib import Path

import curves
import population
import problem
import table


def reference(seeds=6, blocks=4, spread=0.05):
    generator = random.Random(3)

    def around(value):
        return value * math.exp(generator.gauss(0, spread))

    curve = [2.2, 1.1, 0.7, 0.5]
    return [
        {
            "name": f"network {k}",
            "nll": [[around(value) for value in curve[:blocks]] for _ in range(seeds)],
            "sigma": [around(0.2) for _ in range(seeds)],
        }
        for k in range(3)
    ]


class CurvesTest(unittest.TestCase):
    right = [[2.2, 1.1, 0.7, 0.5]] * 3

    def compare(self, nll=None, sigma=None):
        return curves.compare(reference(), [0, 1, 2], nll or self.right, sigma or [0.2] * 3)

    def test_another_seed_agrees(self):
        result = self.compare([[2.3, 1.05, 0.72, 0.48]] * 3, [0.21, 0.2, 0.19])
        self.assertTrue(result.agrees, result.worst)
        self.assertEqual(result.compared, 3 * (4 + 1 + 1))

    def test_one_wrong_block_is_refused(self):
        result = self.compare([*self.right[:2], [2.2, 1.1, 1.1, 0.5]])
        self.assertFalse(result.agrees)
        self.assertIn("network 2 in block 2", result.worst[1])

    def test_a_curve_that_is_a_little_wrong_everywhere_is_refused(self):
        # No block for itself, but their mean, which seeds move less.
        shifted = [[1.3 * value for value in self.right[0]], *self.right[1:]]
        result = self.compare(shifted)
        self.assertFalse(result.agrees)
        self.assertIn("loss of network 0 ", result.worst[1])

    def test_wrong_sigma_is_refused(self):
        self.assertFalse(self.compare(sigma=[0.2, 0.35, 0.2]).agrees)

    def test_what_is_no_number_is_refused(self):
        for bad in (math.nan, math.inf, 0.0, -1.0):
            self.assertFalse(self.compare([[2.2, bad, 0.7, 0.5], *self.right[1:]]).agrees, bad)
            self.assertFalse(self.compare(sigma=[bad, 0.2, 0.2]).agrees, bad)

    def test_nothing_compared_is_no_agreement(self):
        self.assertFalse(curves.compare(reference(), [], [], []).agrees)

    def test_seeds_that_hardly_differ_leave_room_for_rounding(self):
        expected = reference(spread=1e-9)
        self.assertTrue(curves.compare(expected, [0], [[1.002 * v for v in self.right[0]]], [0.2]).agrees)
        self.assertFalse(curves.compare(expected, [0], [[1.01 * v for v in self.right[0]]], [0.2]).agrees)


class ProblemTest(unittest.TestCase):
    def test_the_sweep_is_the_papers(self):
        costs = problem.sweep_costs(240)
        self.assertEqual(len(costs), 30)
        self.assertAlmostEqual(costs[0], 1e-4)
        self.assertAlmostEqual(costs[-1], 10**3.25)
        networks = problem.grid(problem.RHOS, costs)
        self.assertEqual(len(networks), 240)
        self.assertEqual([n["homogeneous"] for n in networks], [False] * 120 + [True] * 120)
        self.assertEqual(problem.parameter_count(problem.SIZES), 89610)

    def test_an_epoch_is_a_permutation_and_the_next_another(self):
        order = problem.minibatches(103, 20, 12, seed=0)
        epochs = [order[first : first + 100] for first in (0, 100)]
        for epoch in epochs:
            self.assertEqual(len(set(epoch)), 100)
        self.assertNotEqual(*epochs)
        self.assertEqual(len(order), 12 * 20)

    def test_a_problem_is_written_and_given_other_constants(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            problem.write_synthetic(folder, 60)
            networks = problem.grid([2.0], [0.1])
            problem.write(folder / "right", folder, problem.constants(60), networks, 3, 2)
            problem.with_constants(folder / "right", folder / "wrong", cost_scale=1.0)
            right, wrong = (json.loads((folder / n / "problem.json").read_text()) for n in ("right", "wrong"))
            self.assertEqual({k for k in right if right[k] != wrong[k]}, {"cost_scale"})
            self.assertAlmostEqual(right["cost_scale"], 20 / 60)
            self.assertEqual((folder / "wrong" / "images.bin").stat().st_size, 60 * 784)
            mu = array.array("f", (folder / "right" / "mu.bin").read_bytes())
            self.assertEqual(len(mu), 2 * 89610)
            self.assertTrue(0.099 < max(mu) <= 0.1 and -0.1 <= min(mu) < -0.099)


ANSWER = {"runs": [{"networks": [0], "seconds": [1.0, 2.0]}], "with": "a stub"}


class PeersTest(unittest.TestCase):
    def run_code(self, code, limit=20.0, module=""):
        peer = population.Peer("stub", "stub", [sys.executable, "-c", code], module)
        return population.run_peer(peer, ["unused"], limit)

    def test_an_answer_is_read_among_other_output(self):
        found, failure = self.run_code(f"print('hello'); print('''{json.dumps(ANSWER)}''')")
        self.assertEqual((found, failure), ([ANSWER], ""))

    def test_a_crash_keeps_what_came_before(self):
        code = f"import sys; print('''{json.dumps(ANSWER)}''', flush=True); sys.exit('out of memory')"
        found, failure = self.run_code(code)
        self.assertEqual(found, [ANSWER])
        self.assertIn("status 1: out of memory", failure)

    def test_one_that_hangs_is_stopped(self):
        found, failure = self.run_code("import time; time.sleep(60)", limit=1.5)
        self.assertEqual(found, [])
        self.assertIn("stopped after", failure)

    def test_what_is_missing_says_so(self):
        self.assertIn("has no surely_not_there", self.run_code("", module="surely_not_there")[1])
        missing = population.Peer("stub", "stub", ["/nowhere/peer"])
        self.assertIn("not run", population.run_peer(missing, [], 20.0)[1])
        self.assertIn("--cublas-peer", population.run_peer(population.Peer("stub", "stub", [""]), [], 20.0)[1])
        self.assertIn("time was up", self.run_code("", limit=0.0)[1])


class TableTest(unittest.TestCase):
    def test_no_ratio_for_a_peer_that_was_refused(self):
        ensyn = population.Row("ensyn", "ensyn", agrees=True, seconds=1e-6)
        right = population.Row("a", "a", agrees=True, seconds=5e-6)
        wrong = population.Row("b", "b", agrees=False, seconds=5e-6)
        self.assertAlmostEqual(table.ratio(right, ensyn), 5)
        self.assertIsNone(table.ratio(wrong, ensyn))
        self.assertAlmostEqual(table.records([ensyn, right])[1]["sweep_seconds_extrapolated"], 180)

    def test_durations_have_the_unit_that_suits(self):
        shown = [table.duration(seconds) for seconds in (33.4, 200, 9000, 5e5)]
        self.assertEqual(shown, ["33.4 s", "3.33 min", "2.5 h", "5.79 d"])


if __name__ == "__main__":
    unittest.main()
