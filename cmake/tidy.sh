#!/usr/bin/env bash
# clang-tidy over the library and the driver: cmake/tidy.sh [BUILD], a configured build folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:-build/release}
# The compile commands are those of GCC, some of whose warnings clang does not know.
git ls-files -z -- 'host/*.cpp' |
  xargs -0 -r -n 1 -P "$(nproc)" clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p "$build"
