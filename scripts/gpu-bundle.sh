#!/usr/bin/env bash
# Makes a bundle of tests and benchmarks for a machine with a GPU that has CUDA
# but no LLVM; gpu-suite.sh in it runs them. docs/gpu-suite.md has the details.
#
#   scripts/gpu-bundle.sh OUT.tar.gz             everything
#   scripts/gpu-bundle.sh --small OUT.tar.gz     a few small tests and shapes
#
# Options: --target=sm_80, --build=build/release.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
exec /usr/bin/env PYTHONDONTWRITEBYTECODE=1 python3 \
  "$here/benchmarks/gpu_bundle.py" "$@"
