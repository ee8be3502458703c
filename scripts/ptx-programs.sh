#!/usr/bin/env bash
# Makes the PTX of the CUDA programs that the tests of PTXSim run: NAME.cu in
# test/unit/PTXSim/Programs gives NAME.nvcc.ptx by nvcc and NAME.llvm.ptx by
# clang. What cannot be made here is left as it is, with a message.
#
#   scripts/ptx-programs.sh             writes the files
#   scripts/ptx-programs.sh --check     fails if one of them is stale; one of
#                                       another version of a compiler is skipped
#
# MUON_CUDA says where CUDA is, if not in /usr/local/cuda; MUON_CLANG names the
# clang, if not clang++-22.
set -euo pipefail
cd "$(dirname "$0")/../test/unit/PTXSim/Programs"

check=0
case ${1:-} in
--check) check=1 ;;
'') ;;
*)
  echo "ptx-programs: error: unknown argument '$1', expected --check" >&2
  exit 1
  ;;
esac

cuda=${MUON_CUDA:-/usr/local/cuda}
clang=${MUON_CLANG:-clang++-22}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
made=0 stale=0 skipped=0

# Where the CUDA headers differ, so may the PTX of clang.
release=$(sed -nE 's/^#define CUDART_VERSION +([0-9]+).*/\1/p' \
  "$cuda/include/cuda_runtime_api.h" 2>/dev/null || true)

with_nvcc() {
  "$cuda/bin/nvcc" -ptx -arch=sm_80 -O3 -std=c++17 "$1.cu" -o "$2"
}

# A CUDA newer than the clang is no error.
with_llvm() {
  "$clang" -x cuda --cuda-gpu-arch=sm_80 --cuda-device-only -S -O3 -std=c++17 \
    --cuda-path="$cuda" -Wno-unknown-cuda-version "$1.cu" -o "$scratch/ptx"
  {
    echo "// $("$clang" --version | grep -oE 'clang version [0-9.]+'), CUDA $release"
    cat "$scratch/ptx"
  } >"$2"
}

# The line that names the version of the compiler.
version_nvcc() { grep -m 1 '^// Cuda compilation tools' "$1" || true; }
version_llvm() { head -n 1 "$1"; }

programs() {
  local by=$1 source name new
  for source in *.cu; do
    name=${source%.cu}
    new=$scratch/$name.$by.ptx
    "with_$by" "$name" "$new"
    # The simulator reads what ptxas would refuse too.
    if [ -x "$cuda/bin/ptxas" ]; then
      "$cuda/bin/ptxas" -arch=sm_80 "$new" -o "$scratch/cubin"
    fi
    made=$((made + 1))
    cmp -s "$new" "$name.$by.ptx" && continue
    if [ "$check" -eq 0 ]; then
      cp "$new" "$name.$by.ptx"
      echo "$name.$by.ptx"
    elif [ -e "$name.$by.ptx" ] &&
      [ "$("version_$by" "$new")" != "$("version_$by" "$name.$by.ptx")" ]; then
      skipped=$((skipped + 1))
      echo "$name.$by.ptx: skipped, made by another version:" \
        "$("version_$by" "$name.$by.ptx")"
    else
      stale=$((stale + 1))
      echo "ptx-programs: error: $name.$by.ptx is stale;" \
        "run scripts/ptx-programs.sh" >&2
      diff -u "$name.$by.ptx" "$new" 2>&1 | head -n 20 >&2 || true
    fi
  done
}

if [ -x "$cuda/bin/nvcc" ]; then
  programs nvcc
else
  echo "ptx-programs: no $cuda/bin/nvcc; what it made stays as it is"
fi
if [ -z "$release" ]; then
  echo "ptx-programs: no CUDA headers in $cuda; what clang made stays as it is"
elif ! command -v "$clang" >/dev/null; then
  echo "ptx-programs: no $clang; what it made stays as it is"
else
  programs llvm
fi
# A file that has lost its source would be checked by nothing.
for file in *.ptx; do
  if [ ! -e "${file%%.*}.cu" ]; then
    echo "ptx-programs: error: $file has no source" >&2
    stale=$((stale + 1))
  fi
done
echo "$made made, $stale stale, $skipped skipped"
[ "$stale" -eq 0 ]
