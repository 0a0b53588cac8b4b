#!/usr/bin/env bash
# From nothing to a page of figures: sets up, builds, and reproduces the paper in small on the built-in digits. About three
# minutes on two cores, the first time; nothing outside build/ is written, except packages where some are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/setup.sh
. cmake/setup.sh

step() { printf '\n=== %s (%d s)\n' "$1" "$SECONDS"; }

step "tools and libraries"
need "${build_packages[@]}"
want gnuplot-nox

step "building"
cmake --preset release -B build/demo -DENSYN_BUILD_TESTS=OFF -DENSYN_BUILD_BENCHMARKS=OFF
cmake --build build/demo --target ensyn_driver

step "training, measuring, drawing"
build/demo/bin/ensyn reproduce fig2 fig5 --scale quick --dataset digits --out build/demo/digits

step "done"
