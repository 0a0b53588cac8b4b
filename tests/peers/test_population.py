"""The peers' check with real curves: of ensyn with other random numbers, which agree, and of ensyn made wrong as a peer
might be, which are refused. What frameworks there are is for population.py --plant to show."""

import os
import tempfile
import unittest
from pathlib import Path

import curves
import ensyn_rows
import population
import problem

DRIVER = os.environ["ENSYN_DRIVER"]
SEEDS = 4
# One of each kind, and the one in which Adam's epsilon shows.
CHOSEN = [0, 4, 8]


class CheckTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = Path(cls.folder.name)
        problem.write_synthetic(cls.data, 2000)
        cls.fields = {**problem.constants(2000), "learning_rate": population.CHECK["learning_rate"], "block": 100}
        cls.fields["blocks"] = population.CHECK["blocks"]
        cls.fields["networks"] = [population.CHECK_NETWORKS[k] for k in CHOSEN]
        cls.training, cls.testing = ensyn_rows.reference(DRIVER, cls.data, cls.fields, SEEDS)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def compare(self, k, **changed):
        """Network k with a seed that the reference has not, and with what is `changed` in its settings."""
        network = {**self.fields["networks"][k], **{n: v for n, v in changed.items() if n == "c"}}
        fields = {**self.fields, **{n: v for n, v in changed.items() if n != "c"}}
        curve, sigma, _ = ensyn_rows.train(DRIVER, self.data, fields, network, SEEDS + 5)
        return curves.compare(self.training, [k], [curve], [sigma])

    def test_other_random_numbers_agree(self):
        for k in range(len(CHOSEN)):
            result = self.compare(k)
            self.assertTrue(result.agrees, result.worst)

    def test_costs_without_the_factor_b_over_n_are_refused(self):
        factor = 2000 / 20
        for k, network in enumerate(self.fields["networks"]):
            wrong = {"c": factor * network["c"], "lambda": factor * self.fields["lambda"]}
            self.assertFalse(self.compare(k, **wrong).agrees, ensyn_rows.name_of(network))

    def test_a_gradient_of_phi_that_is_not_divided_is_refused(self):
        # In the last network the data have no part in it, so that a cost as many times larger is the same mistake.
        network = self.fields["networks"][2]
        result = self.compare(2, c=network["c"] * problem.parameter_count(problem.SIZES))
        self.assertFalse(result.agrees, result.worst)
        self.assertIn("sigma", result.worst[1])

    def test_the_drivers_sweep_agrees(self):
        sweep = ensyn_rows.Sweep(DRIVER, self.data, "cpu")
        networks = [network for network in population.CHECK_NETWORKS if network["rho"] == 1 / 2]
        fields = {**self.fields, "networks": networks}
        nll, sigma = sweep.check(fields, limit=200)
        result = curves.compare([self.testing[2]], [0], nll, sigma)
        self.assertTrue(result.agrees, result.worst)


if __name__ == "__main__":
    unittest.main()
