#!/bin/sh
# Builds the fuzz targets and runs each for a time: tests/fuzz/run.sh [SECONDS, 20 unless given].
# The build folder is build/fuzz or $BUILD; what is found is kept there, in findings/. $JOBS targets, 2 unless given,
# run side by side: each takes one processor for that time.
set -eu
cd "$(dirname "$0")/../.."
export seconds="${1:-20}" build="${BUILD:-$PWD/build/fuzz}"
jobs=${JOBS:-2}

cmake --preset fuzz -B "$build"
cmake --build "$build" --target fuzzers --parallel "$jobs"
"$build/bin/fuzz_seeds" "$build/seeds"
mkdir -p "$build/findings"
# All are run, and xargs fails when one of them does.
xargs -P "$jobs" -I TARGET sh -c '
  mkdir -p "$build/corpus/TARGET" "$build/seeds/TARGET"
  code=0
  "$build/bin/TARGET" "$build/corpus/TARGET" "$build/seeds/TARGET" -max_total_time="$seconds" -max_len=8192 \
    -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$build/findings/TARGET-" -print_final_stats=1 \
    >"$build/TARGET.log" 2>&1 || code=1
  tail -n 15 "$build/TARGET.log"
  exit $code' <"$build/fuzzers.txt"
