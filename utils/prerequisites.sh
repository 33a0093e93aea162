#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Installs what a build and its tests need, and only what is missing: Debian packages, Python packages in build/venv, and
# there, too, NVIDIA's assembler ptxas, unless PATH has one of the same release. Keeps wheels in build/wheels.
# Extra Debian packages may follow as arguments. Where all is there, nothing is fetched.
# Exit code 2: something is missing and could not be installed; the first line says what to do.

set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  cmake ninja-build ccache python3 python3-venv
  clang-22 lld-22 libclang-rt-22-dev llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools
  libgtest-dev libpng-dev libzstd-dev zlib1g-dev libedit-dev libxml2-dev
  "$@"
)

fail() {
  echo "error: $*" >&2
  exit 2
}

install_debian_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "note: not a Debian system, so nothing is installed; set MLIR_DIR where LLVM/MLIR 22 lies elsewhere" >&2
    return
  fi

  local installed missing
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u)
  missing=$(printf '%s\n' "${packages[@]}" | sort -u | comm -23 - <(echo "$installed") | xargs)
  [ -n "$missing" ] || return 0

  local line="apt-get update && apt-get install -y --no-install-recommends $missing"
  local -a as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; } ||
      fail "Debian packages are missing; run as root: $line"
    as_root=(sudo)
  fi
  echo "Installing Debian packages: $missing"
  # shellcheck disable=SC2086 # one word per package
  {
    "${as_root[@]}" apt-get update &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
  } >build/packages.log 2>&1 </dev/null ||
    fail "Debian packages could not be installed (see build/packages.log); run as root: $line"
}

# The first python3 that can make a virtual environment: a python3 of the user's own may lack what Debian's has.
make_venv() {
  local python
  rm -rf build/venv
  for python in python3 /usr/bin/python3; do
    "$python" -m venv build/venv >build/venv.log 2>&1 && return
  done
  fail "python3 cannot make the virtual environment build/venv; see build/venv.log"
}

# The copy of the requirements inside the environment tells which ones it was made from.
install_python_packages() {
  local stamp=build/venv/requirements.txt
  cmp -s utils/requirements.txt "$stamp" && build/venv/bin/python3 -c '' 2>/dev/null && return
  echo "Installing Python packages into build/venv"
  make_venv
  build/venv/bin/python3 -m pip install --disable-pip-version-check --no-input --only-binary :all: \
    -r utils/requirements.txt >build/venv.log 2>&1 </dev/null ||
    fail "Python packages could not be installed into build/venv; see build/venv.log"
  cp utils/requirements.txt "$stamp"
}

# The release is pinned, because registers and spills, which tests count, differ from one to the next. --no-deps: the
# package asks for a compiler's other parts, which ptxas does without.
install_ptxas() {
  local pinned=utils/requirements-ptxas.txt release
  release=$(sed -n 's/^nvidia-cuda-nvcc==\([0-9]*\.[0-9]*\).*/\1/p' "$pinned")
  ptxas --version 2>/dev/null | grep -qF "release $release," && return
  cmp -s "$pinned" build/venv/requirements-ptxas.txt && return
  echo "Installing ptxas $release into build/venv"
  build/venv/bin/python3 -m pip install --disable-pip-version-check --no-input --only-binary :all: --no-deps \
    -r "$pinned" >build/venv.log 2>&1 </dev/null ||
    fail "ptxas could not be installed into build/venv (see build/venv.log); put that of CUDA $release on PATH"
  cp "$pinned" build/venv/requirements-ptxas.txt
}

# The copy of the requirements beside the wheels tells which ones they are.
download_wheels() {
  local pinned=utils/requirements-package.txt
  cmp -s "$pinned" build/wheels/requirements.txt && return
  echo "Downloading wheels into build/wheels"
  rm -rf build/wheels
  build/venv/bin/python3 -m pip download --disable-pip-version-check --no-input --only-binary :all: --no-deps \
    --dest build/wheels -r "$pinned" >build/venv.log 2>&1 </dev/null ||
    fail "Python packages could not be downloaded into build/wheels; see build/venv.log"
  cp "$pinned" build/wheels/requirements.txt
}

mkdir -p build
install_debian_packages
install_python_packages
download_wheels
install_ptxas
