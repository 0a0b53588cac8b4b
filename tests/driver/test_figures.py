"""The figures' layout: nothing is cut or overlaps, whichever of their fonts a machine has."""

import csv
import os
import re
import shutil
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from reports import GNUPLOT, ReportTest

try:
    from fontTools.pens.boundsPen import BoundsPen
    from fontTools.ttLib import TTFont
except ImportError:
    TTFont = None
try:
    from PIL import Image
except ImportError:
    Image = None

FILES = {"DejaVu Sans": "DejaVuSans.ttf", "Liberation Sans": "LiberationSans-Regular.ttf"}
FONTS = {name: next(Path("/usr/share/fonts").rglob(file), None) for name, file in FILES.items()}
LACKING = [name for name, found in [("gnuplot", GNUPLOT), ("fontTools", TTFont), ("Pillow", Image), *FONTS.items()]
           if not found]
SVG = "{http://www.w3.org/2000/svg}"
STACK = ["DejaVu Sans", "Liberation Sans", "Helvetica", "Arial", "sans-serif"]
NUMBER = r"(-?[0-9.]+)"
RHOS = (0.5, 2 / 3, 4 / 3, 2.0)
LONG = "a run whose name tells everything of its settings, as those of a long study do, the date and the machine included"


class Metrics:
    """A font's own measures, in parts of its size."""

    def __init__(self, path):
        self.font = TTFont(path)
        self.unit = self.font["head"].unitsPerEm
        self.names, self.glyphs = self.font.getBestCmap(), self.font.getGlyphSet()

    def of(self, character):
        """How far it takes the pen, and from where to where it is inked, from below to above."""
        name = self.names.get(ord(character))
        if name is None:
            raise KeyError(f"the font has no {character!r}")
        pen = BoundsPen(self.glyphs)
        self.glyphs[name].draw(pen)
        _, low, _, high = pen.bounds or (0, 0, 0, 0)
        return self.glyphs[name].width / self.unit, low / self.unit, high / self.unit


def text_box(group, element, metrics):
    """(left, top, right, bottom) of a text, whose place and anchor are its group's."""
    size = float(group.get("font-size"))
    width, low, high, shift = 0, 0, 0, 0
    for span in element.iter(SVG + "tspan"):
        shift -= float((span.get("dy") or "0").removesuffix("px"))
        scale = float(span.get("font-size") or size)
        for character in span.text or "":
            advance, below, above = metrics.of(character)
            width += advance * scale
            low, high = min(low, below * scale + shift), max(high, above * scale + shift)
    begin = {"start": 0, "middle": -width / 2, "end": -width}[group.get("text-anchor")]
    transform = group.get("transform")
    x, y = map(float, re.match(rf"translate\({NUMBER},{NUMBER}\)", transform).groups())
    if "rotate(-90)" in transform:
        return x - high, y - begin - width, x - low, y - begin
    return x + begin, y - high, x + begin + width, y - low


def grown(box, by):
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def holds(box, x, y):
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class Picture:
    """What an SVG shows: its texts with their boxes, and the places that its lines and symbols go through."""

    def __init__(self, path, metrics):
        root = ElementTree.parse(path).getroot()
        self.width, self.height = float(root.get("width")), float(root.get("height"))
        self.texts, self.places, self.families = [], [], set()
        for group in root.iter(SVG + "g"):
            self.families.update(filter(None, [group.get("font-family")]))
            for element in group.findall(SVG + "text"):
                text = "".join(element.itertext())
                if text.strip():
                    self.texts.append((text, text_box(group, element, metrics)))
        for element in root.iter():
            if element.tag == SVG + "path" and "url" not in (element.get("fill") or ""):
                for x, y in re.findall(rf"[ML]\s*{NUMBER},{NUMBER}", element.get("d")):
                    self.places.append((float(x), float(y)))
            if element.tag == SVG + "use":
                place = re.match(rf"translate\({NUMBER},{NUMBER}\)", element.get("transform") or "")
                if place:  # and otherwise it defines a symbol by another
                    self.places.append(tuple(map(float, place.groups())))

    def faults(self):
        """What is cut or overlaps, in words."""
        canvas = (0, 0, self.width, self.height)
        for text, box in self.texts:
            edge = grown(box, 2)
            if not (holds(canvas, *edge[:2]) and holds(canvas, *edge[2:])):
                yield f"{text!r} at {box} is cut: the picture is {self.width} x {self.height}"
        for i, (text, box) in enumerate(self.texts):
            for other, other_box in self.texts[:i]:
                if overlap(grown(box, 1), grown(other_box, 1)):
                    yield f"{text!r} at {box} and {other!r} at {other_box} overlap"
        for text, box in self.texts:
            for x, y in self.places:
                if holds(grown(box, 1), x, y):
                    yield f"{text!r} at {box} lies over what is drawn at {x}, {y}"


@unittest.skipIf(LACKING, "not installed: " + ", ".join(LACKING))
class Figures(ReportTest):
    def machine_with(self, name):
        """The environment of a machine that has one font only, and the usual rules what stands for what."""
        folder = self.folder / ("fonts " + name)
        folder.mkdir()
        shutil.copy(FONTS[name], folder)
        rules = self.write(f"{name}.conf", f"""<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
            <fontconfig><dir>{folder}</dir><cachedir>{folder}</cachedir></fontconfig>""")
        return {**os.environ, "FONTCONFIG_FILE": str(rules)}

    def check(self, *runs):
        """The report on each machine; returns its figures' names."""
        for name, path in FONTS.items():
            out = f"report {name}"
            process = self.run_driver("report", *runs, "--out", out, "--quiet", env=self.machine_with(name))
            self.assertEqual(process.returncode, 0, process.stderr_text)
            metrics = Metrics(path)
            pictures = sorted((self.folder / out / "figures").glob("*.svg"))
            for picture in pictures:
                with self.subTest(figure=picture.stem, font=name):
                    self.check_svg(picture, metrics)
                    self.check_png(picture.with_suffix(".png"))
                    self.assertTrue(picture.with_suffix(".pdf").read_bytes().startswith(b"%PDF"))
        for picture in pictures:
            one, other = [(self.folder / f"report {name}" / "figures" / picture.name).read_bytes() for name in FONTS]
            self.assertTrue(one == other, f"{picture.name} depends on the fonts there are")
        return [picture.stem for picture in pictures]

    def check_svg(self, path, metrics):
        picture = Picture(path, metrics)
        self.assertGreater(len(picture.texts), 5)
        faults = list(picture.faults())
        self.assertEqual(faults, [], f"{len(faults)} faults")
        self.assertEqual({tuple(family.split(", ")) for family in picture.families}, {tuple(STACK)})
        self.picture = picture

    def check_png(self, path):
        """No ink at the edge."""
        image = Image.open(path).convert("L")
        ink = image.point(lambda grey: 255 if grey < 250 else 0).getbbox()
        self.assertTrue(holds((8, 8, image.width - 8, image.height - 8), *ink[:2]), ink)
        self.assertTrue(holds((8, 8, image.width - 8, image.height - 8), *ink[2:]), ink)

    def test_tradeoff(self):
        self.write_sweep(rhos=RHOS)
        self.write_table("reference/paper_tradeoff.csv",
                         ["rho", "c", "noise", "accuracy_single_sample_percent", "sigma_rms",
                          "reliability_sum_sigma_pow_minus_rho_over_rho"],
                         [[rho, 0.001, noise, 94.9, 0.0189, 1e6] for rho in RHOS
                          for noise in ("heterogeneous", "homogeneous")])
        self.assertEqual(self.check("sweep", "--reference", "reference"), ["fig2", "fig3"])

    def test_one_exponent_is_no_tall_column(self):
        self.write_sweep(rhos=(2.0,))
        self.check("sweep")
        self.assertGreater(self.picture.width, 2 * self.picture.height)

    def test_many_exponents_and_long_names(self):
        for i in range(3):
            self.write_sweep(f"{LONG} {i}", rhos=[0.3 + 0.21 * k for k in range(7)], seeds=(i,))
            self.write(f"{LONG} {i}/config.json", {"command": "sweep", "dataset": "digits", "epochs": i + 1})
        self.check(*(f"{LONG} {i}" for i in range(3)))

    def test_signatures(self):
        self.succeed("signatures", "--dataset", "digits", "--hidden", "16,16", "--epochs", "1", "--lr", "1e-3",
                     "--measure-epochs", "1", "--samples", "1", "--quiet", "--out", "runs/0", "--c", "1e-3")
        with open(self.folder / "runs/0/signatures.csv", newline="") as file:
            columns, *rows = csv.reader(file)
        for i, rho in enumerate(RHOS):
            if i > 0:
                shutil.copytree(self.folder / "runs/0", self.folder / f"runs/{i}")
            for row in rows:
                row[columns.index("rho")] = rho
            self.write_table(f"runs/{i}/signatures.csv", columns, rows)
            self.write(f"runs/{i}/config.json", {"command": "signatures", "rho": rho})
        self.assertEqual(self.check("runs"), ["app6_layer1", "app6_layer3", "fig5_layer2", "fig7_theory"])

    def test_posterior(self):
        columns = ["rho", "c", "layer", "row", "column", "sigma_energy", "sigma_posterior"]
        for scale in (1, 1.4e-5, 3e4):
            with self.subTest(scale=scale):
                # Sigmas of which the largest is anywhere between two powers of ten.
                rows = [[rho, 0.1 / (i + 1), layer, k, 0, scale * (i + 1.3) * (0.1 + k / 50), scale * (0.2 + k / 40)]
                        for i, rho in enumerate(RHOS) for layer in (1, 2) for k in range(10)]
                self.write_table(f"runs {scale}/one/bayes.csv", columns, rows)
                self.write_table(f"runs {scale}/{LONG}/bayes.csv", columns, rows[:20])
                self.write(f"runs {scale}/one/config.json", {"command": "bayes", "epochs": 1})
                self.write(f"runs {scale}/{LONG}/config.json", {"command": "bayes", "epochs": 2})
                for name in FONTS:
                    shutil.rmtree(self.folder / f"fonts {name}", ignore_errors=True)
                self.check(f"runs {scale}")
                for name in FONTS:
                    shutil.rmtree(self.folder / f"report {name}")

    def test_others(self):
        self.succeed("biophysics", "--out", "runs/biophysics", "--quiet")
        rows = [[p / 10, p / 20 + 0.3, 1, (p / 10) * (2 - p / 10) / (p / 20 + 0.3)] for p in range(1, 9)]
        self.write_table("ltp.csv", ["Pr (before)", "Pr (after)", "q (mV, before)", "q (mV, after)"], rows)
        self.succeed("experiments", "--ltp", self.folder / "ltp.csv", "--out", "runs/experiments", "--quiet")
        kinds = [("variational", "", "")] + [("energy", rho, c) for rho in RHOS for c in (1e-4, 1e-2, 1)]
        self.write_table("runs/regression/regression.csv", ["objective", "rho", "c", "x", "mean", "sd", "target"],
                         [[*kind, x / 4, x**3 / 64, 0.1 * abs(x), x**3 / 64] for kind in kinds for x in range(-8, 9)])
        self.write_table("runs/regression/regression_data.csv", ["x", "y"], [[x / 8, x / 8] for x in range(-8, 9)])
        self.assertEqual(self.check("runs"), ["app4_a", "app4_b", "fig1b", "fig1c", "fig6"])


class Values(ReportTest):
    def test_bands_of_accuracy_end_at_0_and_100_percent(self):
        self.write_sweep(seeds=(0, 20))
        self.report("sweep")
        rows = [row for row in self.table("report/figures/fig2.csv") if row["low"] and row["panel"].startswith("(a)")]
        self.assertEqual(min(float(row["low"]) for row in rows), 0)
        self.assertEqual(max(float(row["high"]) for row in rows), 100)

    def test_rows_have_the_papers_letters(self):
        self.write_sweep()
        self.report("sweep")
        panels = [row["panel"] for row in self.table("report/figures/fig2.csv")]
        self.assertEqual(list(dict.fromkeys(panels)), ["(a) ρ = 1/2", "(a) ρ = 2", "(b) ρ = 1/2", "(b) ρ = 2"])


if __name__ == "__main__":
    unittest.main()
