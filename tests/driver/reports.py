"""What the tests of reports share: hand-made runs, and the checks of a report's files."""

import csv
import html.parser
import json
import math
import shutil
import xml.etree.ElementTree as ElementTree

from driver import DriverTest

GNUPLOT = shutil.which("gnuplot")
SWEEP_COLUMNS = (
    "rho,c,noise,seed,lambda,lr,hidden,accuracy_sample,accuracy_mean,accuracy_average,nll_sample,nll_mean,"
    "nll_average,sigma_rms,reliability_sum,reliability_cost,magnitude_cost,steps,diverged_at"
).split(",")
CELLS = [10 ** (k / 2) for k in range(-6, 5)]
WEIGHTS = 64 * 16 + 16 * 10


def accuracy(noise, c):
    """Percent: a logistic fall in log10 c whose middle is at -1 (homogeneous) or 0.5."""
    middle = -1 if noise == "homogeneous" else 0.5
    return 10 + 85 / (1 + math.exp(3 * (math.log10(c) - middle)))


def sweep_rows(seeds=(0, 1, 2), rhos=(0.5, 2.0), noises=("heterogeneous", "homogeneous")):
    rows = []
    for rho in rhos:
        for c in CELLS:
            for noise in noises:
                for seed in seeds:
                    sigma = 0.3 * c ** (1 / (rho + 2))
                    spread = 0.01 * (seed - 1)
                    energy = WEIGHTS * sigma**-rho / rho
                    level = accuracy(noise, c) / 100 + spread
                    rows.append([rho, c, noise, seed, 0.01, 1e-4, "16", level, level, level, 1, 1, 1, sigma, energy,
                                 c * energy, 1, 100, ""])
    return rows


class Page(html.parser.HTMLParser):
    """Finds tags that are not closed in order, and whatever the page would fetch."""

    VOID = {"meta", "img", "br", "hr", "link", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.ids, self.wrong = [], [], [], []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "data", "srcset", "action") and not value.startswith(("#", "data:")):
                self.fetched.append(value)
        if tag in ("script", "link", "iframe", "object", "base"):
            self.fetched.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def svg_texts(path):
    """The texts that a picture shows, each as its reader sees it."""
    text = "{http://www.w3.org/2000/svg}text"
    return ["".join(element.itertext()) for element in ElementTree.parse(path).getroot().iter(text)]


class ReportTest(DriverTest):
    def write_table(self, name, columns, rows):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        return path

    def write_sweep(self, name="sweep", **arguments):
        path = self.write_table(f"{name}/sweep.csv", SWEEP_COLUMNS, sweep_rows(**arguments))
        self.write(f"{name}/config.json", {"command": "sweep", "dataset": "digits", "hidden": [16], "epochs": 3})
        return path

    def table(self, name):
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))

    def check_page(self, name="report"):
        text = (self.folder / name / "report.html").read_text()
        page = Page()
        page.feed(text)
        self.assertEqual(page.open, [])
        self.assertEqual(page.wrong, [])
        self.assertEqual(page.fetched, [])
        self.assertEqual(len(page.ids), len(set(page.ids)))
        self.assertNotIn("url(http", text)
        self.assertNotIn("@import", text)
        return text

    def check_figures(self, expected, name="report"):
        folder = self.folder / name / "figures"
        self.assertEqual(sorted(path.stem for path in folder.glob("*.csv")), sorted(expected))
        if not GNUPLOT:
            return
        for figure in expected:
            svg = folder / f"{figure}.svg"
            self.assertEqual(ElementTree.parse(svg).getroot().tag, "{http://www.w3.org/2000/svg}svg")
            self.assertLess(svg.stat().st_size, 2_000_000)
            self.assertIn(b"<path", svg.read_bytes())
            png = (folder / f"{figure}.png").read_bytes()
            self.assertTrue(png.startswith(b"\x89PNG\r\n"))
            self.assertLess(len(png), 2_000_000)

    def report(self, *arguments):
        """The summary; without gnuplot the tables are made all the same."""
        process = self.run_driver("report", *arguments, "--overwrite", "--out", "report", "--json")
        self.assertEqual(process.returncode, 0 if GNUPLOT else 1, process.stderr_text)
        return json.loads(process.stdout_text)
