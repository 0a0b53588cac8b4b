#!/bin/sh
# Builds the fuzz targets and runs each for a time: tests/fuzz/run.sh [SECONDS, 20 unless given].
# The build folder is build/fuzz or $BUILD; what is found is kept there, in findings/.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-20}
build=${BUILD:-$PWD/build/fuzz}

cmake --preset fuzz -B "$build"
cmake --build "$build" --target fuzzers --parallel "${JOBS:-2}"
"$build/bin/fuzz_seeds" "$build/seeds"
mkdir -p "$build/findings"
# Side by side: each takes one processor for that time.
running=
for target in \
  fuzz_checkpoint \
  fuzz_gnuplot \
  fuzz_idx; do
  mkdir -p "$build/corpus/$target"
  "$build/bin/$target" "$build/corpus/$target" "$build/seeds/$target" -max_total_time="$seconds" -max_len=8192 \
    -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$build/findings/$target-" -print_final_stats=1 \
    >"$build/$target.log" 2>&1 &
  running="$running $!:$target"
done
failed=0
for one in $running; do
  wait "${one%%:*}" || failed=1
  tail -n 15 "$build/${one#*:}.log"
done
exit $failed
