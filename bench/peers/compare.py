"""The same training step in ensyn and in PyTorch, in turn on one machine: steps per second of both and their ratio.

    python3 bench/peers/compare.py --ensyn build/release/bin/ensyn --data FOLDER [--threads 2] [--rounds 5]

FOLDER holds MNIST or Fashion-MNIST as IDX files. Each round runs ensyn's driver on one short epoch and torch_step.py on
as many steps of the same data; the ratio is taken round by round, since machines drift. Both must reach the same mean
training loss (10 %: other random numbers, other order), or the comparison is refused.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def run_ensyn(options, precision, steps):
    with tempfile.TemporaryDirectory() as folder:
        command = [options.ensyn, "train", "--data", options.data, "--out", folder + "/run", "--device", "cpu"]
        command += ["--threads", str(options.threads), "--precision", precision, "--epochs", "1", "--samples", "1"]
        command += ["--rho", "2", "--c", "1", "--limit-train", str(20 * steps), "--limit-test", "20"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((Path(folder) / "run" / "summary.json").read_text())
        with open(Path(folder) / "run" / "metrics.csv", newline="") as file:
            loss = float(list(csv.DictReader(file))[-1]["train_nll"])
    return summary["steps_per_second"], loss


def run_torch(options, python, precision, steps):
    script = Path(__file__).with_name("torch_step.py")
    command = [python, script, "--data", options.data, "--threads", str(options.threads), "--precision", precision]
    done = subprocess.run(command + ["--steps", str(steps)], check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    return result["steps_per_second"], result["train_nll"]


def find_python():
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import torch, numpy"], capture_output=True).returncode == 0:
            return python
    raise SystemExit("compare: no Python with torch and numpy; on Debian: apt install python3-torch")


def compare(options, python, precision):
    rows = []
    for _ in range(options.rounds):
        ours, _ = run_ensyn(options, precision, options.steps)
        theirs, their_loss = run_torch(options, python, precision, options.torch_steps)
        # For the check alone, on the examples that PyTorch had.
        _, our_loss = run_ensyn(options, precision, options.torch_steps)
        if not abs(our_loss - their_loss) <= 0.1 * their_loss:
            raise SystemExit(f"compare: mean training losses differ: ensyn {our_loss:.4f}, torch {their_loss:.4f}")
        rows.append((ours, theirs, ours / theirs))
    ours, theirs, ratio = (statistics.median(column) for column in zip(*rows))
    spread = f"{min(r[2] for r in rows):.1f} to {max(r[2] for r in rows):.1f}"
    print(f"{precision:9} {options.threads:7d} {ours:14,.0f} {theirs:14,.0f} {ratio:8.1f}  ({spread})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ensyn", required=True, help="the driver")
    parser.add_argument("--data", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3000, help="of ensyn in each round, at most 3000")
    parser.add_argument("--torch-steps", type=int, default=400)
    options = parser.parse_args()
    python = find_python()
    print("The paper's network, 784-100-100-10, batch 20; medians of paired rounds on the CPU.")
    print("precision threads  ensyn steps/s  torch steps/s    ratio  (range)")
    for precision in ("single", "double"):
        compare(options, python, precision)


if __name__ == "__main__":
    main()
