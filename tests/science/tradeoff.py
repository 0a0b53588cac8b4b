"""One network of the paper's figures 2 and 3, trained with the published protocol and compared with the stored arrays.

    tradeoff.py DRIVER ROW MNIST [FLAG...]

What follows goes to `ensyn train`, for example --device cuda.

Reference values are those published with Malkin et al. 2024 (eLife RP92595, CC-BY 4.0). Tolerances: accuracy from the
width of the run-to-run change (0.6 points on the plateau, 0.15 decades of c on the slope), sigma 10 % (heterogeneous,
c >= 0.1), 25 % (below) and 6 % (homogeneous), tighter where several runs agree.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# row: accuracy of single samples in percent, its tolerance in points, sigma_rms, its relative tolerance
ROWS = {
    "rho2_c1_heterogeneous": (82.24, 1.5, 0.460516, 0.04),
    "rho2_c1_homogeneous": (10.11, 2.5, 0.688375, 0.02),
    "rho0.5_c1_heterogeneous": (96.94, 0.7, 0.115973, 0.08),
    "rho0.5_c1_homogeneous": (88.55, 3.8, 0.20379, 0.06),
    "rho2_c0.1_heterogeneous": (91.03, 1.5, 0.241776, 0.10),
    "rho2_c0.01_heterogeneous": (95.88, 0.8, 0.126307, 0.25),
    "rho2_c0.01_homogeneous": (91.02, 2.0, 0.166028, 0.06),
    "rho0.5_c10_heterogeneous": (90.06, 2.0, 0.464732, 0.10),
}


def main():
    driver, row, beside, *flags = sys.argv[1:]
    folder = Path(os.environ.get("ENSYN_MNIST", beside))
    if not (folder / "train-images-idx3-ubyte.gz").exists() and not (folder / "train-images-idx3-ubyte").exists():
        print(f"skipped: no MNIST in {folder}; set ENSYN_MNIST to a folder that has it")
        return 77
    rho, c, noise = row.split("_")
    with tempfile.TemporaryDirectory() as out:
        command = [driver, "train", "--data", folder, "--rho", rho[3:], "--c", c[1:], "--noise", noise]
        command += ["--out", out + "/run", "--checkpoint-every", "0", "--evaluate-every", "0", "--quiet", *flags]
        subprocess.run(command, check=True)
        summary = json.loads((Path(out) / "run" / "summary.json").read_text())
    accuracy, accuracy_tolerance, sigma, sigma_tolerance = ROWS[row]
    found = 100 * summary["accuracy_sample"], summary["sigma_rms"]
    accuracy_right = abs(found[0] - accuracy) <= accuracy_tolerance
    sigma_right = abs(found[1] / sigma - 1) <= sigma_tolerance
    print(f"{row}: accuracy {found[0]:.2f} % (published {accuracy} +- {accuracy_tolerance}), "
          f"sigma {found[1]:.5f} (published {sigma} +- {100 * sigma_tolerance:.0f} %), "
          f"{summary['steps_per_second']:.0f} steps/s, {summary['seconds']:.0f} s, on {summary['device']}")
    return 0 if accuracy_right and sigma_right else 1


if __name__ == "__main__":
    sys.exit(main())
