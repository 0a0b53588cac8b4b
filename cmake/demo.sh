#!/usr/bin/env bash
# Sets up, builds, and trains one network on Fashion-MNIST, or on the built-in digits where that is not to be had.
# Minutes on two cores, the first time; nothing outside build/ is written, except packages where some are missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=cmake/setup.sh
. cmake/setup.sh

need "${build_packages[@]}"
want dataset-fashion-mnist

cmake -S . -B build/demo -G Ninja -DCMAKE_BUILD_TYPE=Release -DENSYN_BUILD_TESTS=OFF -DENSYN_BUILD_BENCHMARKS=OFF
cmake --build build/demo --target ensyn_driver

if is_there dataset-fashion-mnist; then
  dataset=fashion-mnist epochs=20
else
  echo "Fashion-MNIST is not there: taking the built-in digits"
  dataset=digits epochs=200
fi
set -x
build/demo/bin/ensyn train --dataset "$dataset" --mechanism trafficking --c 0.01 --lr 1e-3 --epochs "$epochs" \
  --out "build/demo/$dataset" --overwrite
