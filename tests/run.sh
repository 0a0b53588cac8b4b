#!/usr/bin/env bash
# Sets up, builds, and runs every test of the default run. Arguments go to ctest, for example -L cpu.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/setup.sh
. cmake/setup.sh

need "${test_packages[@]}"
want dataset-fashion-mnist gnuplot-nox libopenmpi-dev openmpi-bin
want fonts-dejavu-core fonts-liberation python3-fonttools python3-pil # for the test of the figures' layout
want_cuobjdump

# shellcheck disable=SC2046
cmake --preset release -DENSYN_BUILD_TESTS=ON $(cuda_test_options)
cmake --build --preset release
exec ctest --preset release --parallel "$(nproc)" "$@"
