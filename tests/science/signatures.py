"""Figure 5: one network trained with the published protocol, frozen, and its signatures compared with the stored arrays.

    signatures.py DRIVER RHO MNIST [FLAG...]

What follows goes to `ensyn signatures`, for example --seed 1.

Reference values are those published with Malkin et al. 2024 (eLife RP92595, CC-BY 4.0), s = 0.001. Tolerances are those
of paper.md, section 6: signs always; median sigma 12 % in layer 1 and 5 % in the others; rho = 1/2: slope and Spearman with
the curvature 0.06, median curvature a factor of 1.5; rho = 2: slope 0.17, Spearman at least 0.6 in size (g^2 is a matter of
rare spikes there, since the training set is fitted so well). At the equilibrium the median synapse must be at its fixed
point; the slopes of this deep network are printed with their intervals.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

QUANTITIES = ["curvature", "learning_rate", "input_rate"]
# rho: c, and per layer the medians of sigma and curvature, Spearman and log-log slope of sigma^2 with each quantity
PUBLISHED = {
    "0.5": (6.32455532e-2, [
        (0.026927, 7.91e-05, (-0.95, -0.556), (0.915, 1.338), (-0.759, -1.452)),
        (0.01378, 0.000621, (-0.814, -0.535), (0.847, 0.821), (-0.716, -0.932)),
        (0.0075626, 0.00327, (-0.85, -0.532), (0.862, 0.742), (-0.582, -1.129))]),
    "2": (5e-7, [
        (0.0075151, 2.75e-06, (-0.933, -0.278), (0.93, 0.732), (-0.761, -0.742)),
        (0.005342, 2.46e-05, (-0.754, -0.226), (0.895, 0.471), (-0.739, -0.483)),
        (0.0040279, 0.00013, (-0.79, -0.269), (0.897, 0.488), (-0.544, -0.603))]),
}


class Checks:
    def __init__(self):
        self.wrong = 0

    def __call__(self, what, right, found, expected):
        self.wrong += not right
        print(f"  {what}: {found:.4g} (published or theory: {expected:.4g}){'' if right else '  WRONG'}")


def check_published(check, rho, row, reference):
    sigma, curvature, *relations = reference
    found = {key: float(value) for key, value in row.items() if value not in ("", "published")}
    limit = 0.12 if row["layer"] == "1" else 0.05
    check("median sigma", abs(found["sigma_median"] / sigma - 1) <= limit, found["sigma_median"], sigma)
    ratio = found["curvature_median"] / curvature
    check("median curvature", rho == "2" or 1 / 1.5 <= ratio <= 1.5, found["curvature_median"], curvature)
    for name, (rank, slope) in zip(QUANTITIES, relations):
        found_rank, found_slope = found["spearman_" + name], found["slope_" + name]
        rank_right, slope_right = found_rank * rank > 0, found_slope * slope > 0
        if name == "curvature":
            rank_right = found_rank <= -0.6 if rho == "2" else abs(found_rank - rank) <= 0.06
            slope_right = abs(found_slope - slope) <= (0.17 if rho == "2" else 0.06)
        check(f"Spearman with {name}", rank_right, found_rank, rank)
        check(f"slope with {name}", slope_right, found_slope, slope)


def check_equilibrium(check, rho, row):
    ratio = float(row["fixed_point_ratio"])
    check("fixed point ratio", abs(ratio - 1) <= 0.1, ratio, 1)
    slope, low, high = (float(row["slope_hessian" + end]) for end in ["", "_low", "_high"])
    print(f"  slope with the Hessian: {slope:.4f}, 95 % from {low:.4f} to {high:.4f}; theory {-2 / (float(rho) + 2):.4f}")


def main():
    driver, rho, beside, *flags = sys.argv[1:]
    folder = Path(os.environ.get("ENSYN_MNIST", beside))
    if not (folder / "train-images-idx3-ubyte.gz").exists() and not (folder / "train-images-idx3-ubyte").exists():
        print(f"skipped: no MNIST in {folder}; set ENSYN_MNIST to a folder that has it")
        return 77
    c, layers = PUBLISHED[rho]
    with tempfile.TemporaryDirectory() as out:
        command = [driver, "signatures", "--data", folder, "--rho", rho, "--c", str(c), "--equilibrium"]
        subprocess.run([*command, "--out", out + "/run", "--quiet", *flags], check=True)
        with open(out + "/run/signatures.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    check = Checks()
    for row in rows:
        print(f"rho {rho}, {row['protocol']}, layer {row['layer']}, fixed point ratio {float(row['fixed_point_ratio']):.3g}")
        if row["protocol"] == "published":
            check_published(check, rho, row, layers[int(row["layer"]) - 1])
        else:
            check_equilibrium(check, rho, row)
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
