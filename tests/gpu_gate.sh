#!/usr/bin/env bash
# Everything that needs a GPU, in one go: tests, compute-sanitizer, benchmarks, the probe of the device, and the paper's
# points.
#
#   tests/gpu_gate.sh [OPTION...]               builds here and runs (the build's dependencies must be here)
#   tests/gpu_gate.sh --bundle DIR [OPTION...]  only builds: DIR gets all that --run needs, libraries included
#   DIR/gpu_gate.sh --run DIR [OPTION...]       only runs: on a machine with a GPU and the CUDA toolkit, nothing else
#
#   --architectures LIST  to build for, as CMake has them; 90
#   --build DIR           where to build; build/gate
#   --out DIR             where results go: summary.md and at most 17 files more; build/gate-results, or gate-results
#   --data DIR            MNIST as IDX files, for the stages science and sweep, which fail without, and for peers;
#                         $ENSYN_MNIST
#   --stages LIST         of tests,sanitizer,probe,benchmarks,science,sweep,peers; all. Of sanitizer and benchmarks also
#                         parts: memcheck,racecheck,initcheck,synccheck and kernels,steps,scaling
#   --stage-limit SECONDS for each part of a stage; 540
#   --no-sanitizer        leaves the sanitizer out; otherwise a machine without it fails
#
# A skipped test is a failure. A stage that fails does not stop the next; the exit status is 0 when all passed. A run
# removes what an earlier one left in the folder for its results.
set -euo pipefail

self=$(readlink -f "${BASH_SOURCE[0]}")
all_parts=(tests memcheck racecheck initcheck synccheck probe kernels steps scaling science sweep peers)

# The bundle takes what ctest knows by label gpu, and that must be at least these.
gpu_tests=(kernels_gpu_test engine_gpu_test parity_gpu_test ops_gpu_test)
benchmarks=(ensyn_probe ensyn_cuda_kernel_bench ensyn_cuda_step_bench ensyn_cuda_scaling ensyn_peer_cublas)

# The sanitizer is up to a hundred times slower, so it gets small problems of every kind, in single precision. Tests
# that provoke errors of the runtime stay out: memcheck counts those.
sanitized=(
  'kernels_gpu_test */0.*:-*Largest*:MaterializeTest*'
  'engine_gpu_test Single/EngineTest.*/minimal:Single/EngineTest.*/odd_sizes:Single/EngineTest.*/population_own_order'
  'ops_gpu_test OpsTraining/0.*:OpsValues/0.*:OpsUpdate/0.*'
)
science_rows=(rho2_c1_heterogeneous rho2_c1_homogeneous rho0.5_c1_heterogeneous)
needed_steps_per_second=20000 # of one network, on an H200

die() {
  echo "gpu_gate.sh: $*" >&2
  exit 2
}

# --- building -------------------------------------------------------------------------------------------------------

# The names of the tests with label gpu that are built in folder $1.
tests_of() { ctest --test-dir "$1" -N -L '^gpu$' | sed -n 's/^ *Test *#[0-9]*: //p'; }

# copy_libraries FOLDER PROGRAM...: copies what the programs load and what is not part of every Linux system. The C and
# C++ libraries stay out: an older one in front of the machine's own would break what else is loaded, cuBLAS say.
copy_libraries() {
  local to=$1 name path
  shift
  ldd "$@" | awk '$3 ~ /^\// { print $1, $3 }' | sort -u | while read -r name path; do
    case $name in
      libc.so.* | libm.so.* | libstdc++.so.* | libgcc_s.so.* | libpthread.so.* | libdl.so.* | librt.so.*) ;;
      *) cp -L "$path" "$to/$name" ;;
    esac
  done
}

# The newest version of symbol prefix $2 (GLIBC, GLIBCXX) that the bundle $1 asks for.
newest() {
  find "$1/bin" "$1/lib" -type f -exec objdump -T {} + 2>/dev/null |
    grep -oE "\(?$2_[0-9.]+" | tr -d '(' | sort -uV | tail -n 1
}

bundle() {
  local to=$1 name listed programs
  cd "$(dirname "$self")/.."
  # shellcheck source=cmake/setup.sh
  . cmake/setup.sh
  need "${test_packages[@]}"
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DENSYN_ENABLE_CUDA=ON \
    "-DCMAKE_CUDA_ARCHITECTURES=$architectures" -DENSYN_BUILD_TESTS=ON -DENSYN_BUILD_BENCHMARKS=ON \
    -DCMAKE_BUILD_RPATH_USE_ORIGIN=ON "-DCMAKE_BUILD_RPATH=\$ORIGIN;\$ORIGIN/../lib"
  mapfile -t listed < <(tests_of "$build")
  for name in "${gpu_tests[@]}"; do
    [[ " ${listed[*]} " == *" $name "* ]] || die "ctest -L gpu does not have $name"
  done
  cmake --build "$build" --parallel "${ENSYN_GATE_JOBS:-$(nproc)}" \
    --target "${listed[@]}" "${benchmarks[@]}" ensyn_driver

  rm -rf "${to:?}/bin" "${to:?}/lib"
  mkdir -p "$to/bin" "$to/lib"
  mapfile -t programs < <(printf '%s\n' "${listed[@]}" "${benchmarks[@]}" ensyn | sed "s|^|$build/bin/|")
  cp "${programs[@]}" "$to/bin/"
  copy_libraries "$to/lib" "${programs[@]}"
  printf '%s\n' "${listed[@]}" >"$to/tests.txt"
  cp "$self" tests/science/{tradeoff.py,sweep_check.py,whole_sweep.py,published_tradeoff.csv} "$to/"
  cp bench/results/2026-11-25-paper-240.csv "$to/"
  mkdir -p "$to/peers"
  cp bench/peers/*.py "$to/peers/"
  git describe --always --dirty >"$to/commit.txt" 2>/dev/null || echo unknown >"$to/commit.txt"
  {
    echo "built on $(uname -n) $(date -u +%Y-%m-%d) for architectures $architectures"
    echo "needs $(newest "$to" GLIBC) and $(newest "$to" GLIBCXX) of the machine it runs on"
  } >"$to/build.txt"
  if [ "$(ldd "$to"/bin/* | grep -c 'not found')" -gt 0 ]; then
    ldd "$to"/bin/* | grep 'not found' >&2
    die "the bundle lacks libraries"
  fi
  cat "$to/build.txt"
  echo "$to: $(du -sm "$to" | cut -f1) MiB"
  [ "$(du -sm "$to" | cut -f1)" -le 64 ] || echo "more than 64 MiB, what a lent machine takes: fewer --architectures"
}

# --- running --------------------------------------------------------------------------------------------------------

failures=0
deadline=0
left_out=()

row() { printf '| %s | %s | %s | %s |\n' "$1" "$2" "$3" "$4" >>"$out/summary.md"; }

# judge PART NAME LIMIT LOG COMMAND...: runs the command, at most LIMIT seconds and not beyond the part's deadline,
# appends what it prints to LOG, and adds a row to the summary. `judged` is its output in that log.
judge() {
  local part=$1 name=$2 limit=$3 log=$4 status=0 start left verdict
  shift 4
  start=$(date +%s)
  left=$((deadline - start))
  [ "$left" -lt "$limit" ] && limit=$left
  judged=$out/.judged
  printf '\n=== %s: %s\n$ %s\n' "$part" "$name" "$*" >>"$log"
  if [ "$limit" -le 0 ]; then
    echo "not run: the part's time is up" | tee -a "$log" >"$judged"
    verdict="FAILED: no time left"
  else
    echo "--- $part: $name"
    timeout --kill-after=10 "$limit" "$@" >"$judged" 2>&1 || status=$?
    cat "$judged" >>"$log"
    case $status in
      0) verdict=passed ;;
      77) verdict="FAILED: skipped" ;;
      124 | 137) verdict="FAILED: more than $limit s" ;;
      *) verdict="FAILED: status $status" ;;
    esac
    # A program that ran no test at all, since a filter selects nothing, has passed nothing.
    if [ "$status" -eq 0 ] && [[ $part == tests || $part == *check ]]; then
      if grep -q '^\[  SKIPPED \]' "$judged"; then
        verdict="FAILED: a test was skipped"
      elif ! grep -qE '^\[  PASSED  \] [1-9]' "$judged"; then
        verdict="FAILED: no test ran"
      fi
    fi
  fi
  row "$part" "$name" "$verdict" "$(($(date +%s) - start)) s"
  [ "$verdict" = passed ] && return 0
  failures=$((failures + 1))
  tail -n 15 "$judged"
  return 0
}

run_tests() {
  local name
  while read -r name; do
    judge tests "$name" 400 "$out/tests.log" env ENSYN_REQUIRE_GPU=1 ENSYN_TEST_DEVICE=cuda "$bin/$name"
  done <"$bundle_folder/tests.txt"
}

find_sanitizer() {
  local candidate
  for candidate in "$(command -v compute-sanitizer || true)" "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer" \
    "${CUDA_HOME:-/usr/local/cuda}/compute-sanitizer/compute-sanitizer"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] && echo "$candidate" && return 0
  done
  return 1
}

run_sanitizer() {
  local tool=$1 sanitizer entry
  if ! sanitizer=$(find_sanitizer); then
    failures=$((failures + 1))
    row "$tool" - "FAILED: no compute-sanitizer here (--no-sanitizer leaves it out)" "0 s"
    return 0
  fi
  for entry in "${sanitized[@]}"; do
    judge "$tool" "${entry%% *}" 300 "$out/sanitizer.log" env ENSYN_REQUIRE_GPU=1 ENSYN_TEST_DEVICE=cuda \
      "$sanitizer" --tool "$tool" --error-exitcode 9 --print-limit 20 "$bin/${entry%% *}" "--gtest_filter=${entry#* }"
  done
}

# The value of counter $2 of benchmark $1 in the JSON file $3, without its decimals.
counter() {
  awk -v name="\"name\": \"$1" -v key="\"$2\":" '
    index($0, name) { inside = 1 }
    inside && index($0, key) { sub(/.*: */, ""); sub(/,.*/, ""); printf "%d\n", $0; exit }' "$3"
}

run_probe() {
  judge probe ensyn_probe 120 "$out/probe.txt" "$bin/ensyn_probe" --json "$out/probe.json"
}

run_kernels() {
  judge kernels ensyn_cuda_kernel_bench 540 "$out/kernels.txt" "$bin/ensyn_cuda_kernel_bench" \
    "--benchmark_out=$out/kernels.json" --benchmark_out_format=json
}

run_steps() {
  local found verdict=reported
  judge steps ensyn_cuda_step_bench 540 "$out/steps.txt" "$bin/ensyn_cuda_step_bench" \
    "--benchmark_out=$out/steps.json" --benchmark_out_format=json --benchmark_min_time=0.3
  [ -s "$out/steps.json" ] || return 0
  found=$(counter step/heterogeneous/single/networks:1/graph steps_per_second "$out/steps.json")
  if [ "${found:-0}" -lt "$needed_steps_per_second" ] && grep -q H200 <<<"$device"; then
    verdict=FAILED
    failures=$((failures + 1))
  fi
  row steps "one network" "$verdict: ${found:-no figure of} steps/s (goal on an H200: $needed_steps_per_second)" -
}

run_scaling() {
  judge scaling ensyn_cuda_scaling 250 "$out/scaling.txt" "$bin/ensyn_cuda_scaling" --json "$out/scaling.json"
}

has_data() {
  [ -n "$data" ] && return 0
  failures=$((failures + 1))
  row "$1" - "FAILED: no MNIST (--data DIR)" "0 s"
  return 1
}

run_science() {
  local science_row
  has_data science || return 0
  for science_row in "${science_rows[@]}"; do
    judge science "$science_row" 240 "$out/science.log" env "ENSYN_MNIST=$data" \
      python3 "$bundle_folder/tradeoff.py" "$bin/ensyn" "$science_row" "$data" --device cuda
    row science "$science_row" "$(grep "^$science_row:" "$judged" | tail -n 1 || echo 'no figure')" -
  done
}

# Its own limits end it before this one does.
run_sweep() {
  local line
  has_data sweep || return 0
  judge sweep "240 networks" 262 "$out/sweep.txt" python3 -B "$bundle_folder/whole_sweep.py" "$bin/ensyn" "$data" "$out"
  while IFS= read -r line; do
    row sweep "${line%%:*}" "${line#*: }" -
  done < <(grep -E '^(one network|resident|streamed|graph):' "$judged")
}

# What PyTorch and JAX there are is compared; without any the C++ peer remains.
run_peers() {
  judge peers population 290 "$out/peers.log" python3 -B "$bundle_folder/peers/population.py" --ensyn "$bin/ensyn" \
    --cublas-peer "$bin/ensyn_peer_cublas" --data "${data:-synthetic}" --whole-sweep --limit 90 --total-limit 270
}

run_part() {
  deadline=$(($(date +%s) + stage_limit))
  case $1 in
    tests) run_tests ;;
    memcheck | racecheck | initcheck | synccheck)
      if [ -n "$no_sanitizer" ]; then
        left_out+=("$1")
      else
        run_sanitizer "$1"
      fi ;;
    probe) run_probe ;;
    kernels) run_kernels ;;
    steps) run_steps ;;
    scaling) run_scaling ;;
    science) run_science ;;
    sweep) run_sweep ;;
    peers) run_peers ;;
  esac
}

write_head() {
  {
    echo "# GPU gate"
    echo
    echo "| | |"
    echo "| --- | --- |"
    echo "| date | $(date -u +%Y-%m-%dT%H:%M:%SZ) |"
    echo "| device | ${device:-none} |"
    echo "| driver | ${driver:-unknown} |"
    echo "| commit | $ENSYN_COMMIT |"
    echo "| bundle | $(paste -sd ';' "$bundle_folder/build.txt") |"
    echo "| command | $command_line |"
    echo
    echo '```'
    echo "$info"
    echo '```'
    echo
    echo "| part | of it | verdict | time |"
    echo "| --- | --- | --- | --- |"
  } >"$out/summary.md"
}

finish() {
  rm -f "$out/.judged"
  {
    echo
    if [ "$failures" -eq 0 ]; then echo "Passed."; else echo "$failures FAILED."; fi
    if [ ${#left_out[@]} -gt 0 ]; then echo "Left out: ${left_out[*]}."; fi
  } >>"$out/summary.md"
  cat "$out/summary.md"
  echo "results in $out"
  exit $((failures > 0))
}

run() {
  local missing part
  bundle_folder=$(readlink -f "$1") || die "$1 is not there"
  [ -f "$bundle_folder/tests.txt" ] || die "$1 is not a bundle: make one with --bundle"
  bin=$bundle_folder/bin
  mkdir -p "$out"
  out=$(readlink -f "$out")
  rm -f "$out"/{summary.md,{tests,sanitizer,science,peers}.log,{probe,kernels,steps,scaling,sweep}.{json,txt}}
  rm -f "$out"/sweep-{resident,streamed,graph}.csv
  ENSYN_COMMIT=$(cat "$bundle_folder/commit.txt")
  export ENSYN_COMMIT
  # The lowest numbers of a machine with several devices are those of nvidia-smi.
  export CUDA_DEVICE_ORDER=PCI_BUS_ID
  chmod u+x "$bin"/* 2>/dev/null || true
  missing=$(ldd "$bin"/* 2>&1 | grep 'not found' | sort -u || true)
  info=$("$bin/ensyn" info 2>&1) || true
  device=$(sed -n 's/^CUDA devices *//p' <<<"$info" | grep -v '^none' || true)
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1 || true)
  write_head
  if [ -n "$missing" ]; then
    failures=1
    row start - "FAILED: this machine lacks libraries: $(paste -sd ';' <<<"$missing")" -
    finish
  fi
  if [ -z "$device" ]; then
    failures=1
    row start - "FAILED: no usable device, so nothing was run" -
    finish
  fi
  for part in "${all_parts[@]}"; do
    if [[ " ${parts[*]} " == *" $part "* ]]; then run_part "$part"; else left_out+=("$part"); fi
  done
  finish
}

# --- the command line -----------------------------------------------------------------------------------------------

# Sets `parts` from a list as --stages has it, in their order.
set_parts() {
  local wanted=",$1," part stage
  wanted=${wanted//,sanitizer,/,memcheck,racecheck,initcheck,synccheck,}
  wanted=${wanted//,benchmarks,/,kernels,steps,scaling,}
  for stage in ${wanted//,/ }; do
    [[ " ${all_parts[*]} " == *" $stage "* ]] ||
      die "--stages has no '$stage': it has sanitizer, benchmarks, ${all_parts[*]}"
  done
  parts=()
  for part in "${all_parts[@]}"; do
    [[ $wanted == *",$part,"* ]] && parts+=("$part")
  done
  [ ${#parts[@]} -gt 0 ] || die "--stages names none"
}

mode=both folder='' architectures=90 build=build/gate out='' data=${ENSYN_MNIST:-} stage_limit=540 no_sanitizer=''
parts=("${all_parts[@]}")
command_line="$0 $*"
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      sed -n '2,/^set -/ { s/^# \{0,1\}//p }' "$self"
      exit 0 ;;
    --no-sanitizer)
      no_sanitizer=1
      shift
      continue ;;
  esac
  [ $# -ge 2 ] || die "$1 is unknown or needs a value (--help says more)"
  case $1 in
    --bundle | --run) mode=${1#--} folder=$2 ;;
    --architectures) architectures=$2 ;;
    --build) build=$(realpath -m "$2") ;;
    --out) out=$2 ;;
    --data) data=$(readlink -f "$2") || die "$2 is not there" ;;
    --stages) set_parts "$2" ;;
    --stage-limit)
      [[ $2 =~ ^[1-9][0-9]*$ ]] || die "--stage-limit needs seconds"
      stage_limit=$2 ;;
    *) die "unknown option $1 (--help says more)" ;;
  esac
  shift 2
done

case $mode in
  bundle) bundle "$(realpath -m "$folder")" ;;
  run)
    out=${out:-gate-results}
    run "$folder" ;;
  both)
    [ -f "$(dirname "$self")/CMakeLists.txt" ] || die "there are no sources beside this script: use --run DIR"
    out=$(realpath -m "${out:-$(dirname "$self")/../build/gate-results}")
    bundle "$(realpath -m "$(dirname "$self")/../build/gate-bundle")"
    run "$(dirname "$self")/../build/gate-bundle" ;;
esac
