# shellcheck shell=bash
# Sourced by the scripts that build: makes sure that tools and libraries are there.
#
#   need PACKAGE...   each is a Debian package. What is not to be found is installed through apt where that can be
#                     done, and otherwise named, and the script ends.
#   want PACKAGE...   the same, but the script goes on without.
#   want_cuobjdump    the same for the programs with which the build checks the CUDA kernels' machine code, where
#                     there is an nvcc. They are not in Debian by themselves: PyPI has them.
#
# A package counts as there when what it is for can be used, wherever it came from.

has_header() {
  printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$1" | ${CXX:-c++} -std=c++20 -E -x c++ - >/dev/null 2>&1
}

has_command() { command -v "$1" >/dev/null 2>&1; }

is_there() {
  case $1 in
    g++) has_command "${CXX:-c++}" ;;
    ninja-build) has_command ninja ;;
    gnuplot-nox) has_command gnuplot ;;
    zlib1g-dev) has_header zlib.h ;;
    nlohmann-json3-dev) has_header nlohmann/json.hpp ;;
    libhwy-dev) has_header hwy/highway.h ;;
    libcli11-dev) has_header CLI/CLI.hpp ;;
    libgtest-dev) has_header gtest/gtest.h ;;
    libgmock-dev) has_header gmock/gmock.h ;;
    libbenchmark-dev) has_header benchmark/benchmark.h ;;
    libboost-dev) has_header boost/math/distributions/students_t.hpp ;;
    libboost-context-dev) has_header boost/context/fiber.hpp ;;
    libopenmpi-dev) has_command mpicxx ;;
    openmpi-bin) has_command mpirun ;;
    fonts-dejavu-core) compgen -G '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf' >/dev/null ;;
    fonts-liberation) compgen -G '/usr/share/fonts/truetype/liberation*/LiberationSans-Regular.ttf' >/dev/null ;;
    python3-fonttools) python3 -c 'import fontTools' 2>/dev/null ;;
    python3-pil) python3 -c 'import PIL' 2>/dev/null ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 ;;
    libclang-rt-*-dev) compgen -G "$(clang -print-resource-dir)/lib/*/libclang_rt.fuzzer*.a" >/dev/null ;;
    dataset-fashion-mnist)
      compgen -G '/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte*' >/dev/null ||
        compgen -G "${ENSYN_DATA_DIR:-/nowhere}/fashion-mnist/train-images-idx3-ubyte*" >/dev/null ;;
    *) has_command "$1" ;;
  esac
}

missing_of() {
  local package
  for package in "$@"; do
    is_there "$package" || echo "$package"
  done
}

# Runs its arguments as root, or fails when that cannot be done.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif has_command sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    sudo "$@"
  else
    return 1
  fi
}

apt_install() {
  has_command apt-get && as_root true || return 1
  echo "installing: $*"
  # An update that fails (one source down) need not matter to what is installed.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -q update || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -q -y -o Dpkg::Use-Pty=0 --no-install-recommends install "$@" </dev/null
}

need() {
  local missing
  mapfile -t missing < <(missing_of "$@")
  if [ ${#missing[@]} -gt 0 ] && apt_install "${missing[@]}"; then
    mapfile -t missing < <(missing_of "${missing[@]}")
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    echo "Not found: what these Debian packages hold. Please install them, or their like on this system:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
  fi
  need_version
}

want() {
  local missing
  mapfile -t missing < <(missing_of "$@")
  if [ ${#missing[@]} -gt 0 ] && ! apt_install "${missing[@]}"; then
    echo "going on without: ${missing[*]}"
  fi
}

# Whether folder $1 holds both programs.
has_cuobjdump() { [ -x "$1/cuobjdump" ] && [ -x "$1/nvdisasm" ]; }

# Ends with the programs linked in build/tools/bin.
install_cuobjdump() {
  local tools=$PWD/build/tools
  python3 -m pip install -q -q --disable-pip-version-check --retries 1 --timeout 20 --no-deps --upgrade \
    --target "$tools/python" nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37 &&
    mkdir -p "$tools/bin" &&
    ln -sf "$tools"/python/nvidia/*/bin/{cuobjdump,nvdisasm} "$tools/bin" &&
    chmod +x "$tools"/bin/*
}

want_cuobjdump() {
  local nvcc
  nvcc=$(command -v "${CUDACXX:-nvcc}" || command -v /usr/local/cuda/bin/nvcc) || return 0
  if { has_command cuobjdump && has_command nvdisasm; } || has_cuobjdump "$(dirname "$(readlink -f "$nvcc")")" ||
    has_cuobjdump build/tools/bin; then
    return 0
  fi
  want python3-pip
  echo "installing: cuobjdump and nvdisasm in build/tools"
  install_cuobjdump || echo "going on without: cuobjdump, so the kernels' machine code is not checked"
}

# Prints CMake's options for tests: where there is an nvcc the kernels are built, for the GPU at hand or, since none need
# be here, for one kind (all kinds: cmake --preset all-architectures).
cuda_test_options() {
  { has_command "${CUDACXX:-nvcc}" || has_command /usr/local/cuda/bin/nvcc; } || return 0
  if compgen -G '/dev/nvidia[0-9]*' >/dev/null || [ -e /dev/dxg ]; then
    echo -DENSYN_ENABLE_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=native
  else
    echo -DENSYN_ENABLE_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=90
  fi
}

need_version() {
  local found
  found=$(cmake --version | sed -n '1s/.* //p')
  if [ "$(printf '%s\n' 3.25 "$found" | sort -V | head -n 1)" != 3.25 ]; then
    echo "cmake is $found: ensyn needs 3.25 or newer (Debian 12 has it; elsewhere: pip install cmake)" >&2
    exit 1
  fi
}

build_packages=(g++ cmake ninja-build zlib1g-dev nlohmann-json3-dev libhwy-dev libcli11-dev libboost-dev)
# shellcheck disable=SC2034
test_packages=("${build_packages[@]}" pkg-config libgtest-dev libgmock-dev libbenchmark-dev libboost-context-dev python3)
