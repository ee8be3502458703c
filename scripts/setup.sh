#!/usr/bin/env bash
# Installs every dependency, from Debian packages. Says nothing when all is
# there. Needs root, or sudo, only if something is missing.
set -euo pipefail

packages=(
  # LLVM and MLIR 22.1, the compiler and the tools of the tests
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 lld-22
  libclang-rt-22-dev
  # Libraries
  libopenblas-dev libopenblas0-pthread libdnnl-dev nlohmann-json3-dev
  libgtest-dev libgmock-dev libbenchmark-dev zlib1g-dev libzstd-dev
  libopenmpi-dev openmpi-bin
  # Build
  cmake ninja-build ccache pkg-config git
  # Reference, demo, and PyTorch, whose optimizer is tested and compared with;
  # the package's tests have environments of their own
  python3 python3-numpy python3-sklearn python3-matplotlib python3-torch
  python3-dev python3-venv
)
if [ $# -gt 0 ]; then
  echo "setup: error: expected no arguments, found '$1'" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "setup: installing ${missing[*]}"
as_root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: error: these packages are missing and only root can install" \
      "them: ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update &&
  "${as_root[@]}" apt-get install -y \
    --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  echo "setup: error: apt-get failed; on Debian 12 the packages of LLVM 22" \
    "are in the security suite (bookworm-security)" >&2
  exit 1
fi
