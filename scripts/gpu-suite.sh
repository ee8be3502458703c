#!/usr/bin/env bash
# Tests and times compiled steps on this machine's GPU. In a bundle of
# gpu-bundle.sh it needs nothing but bash and Python 3.9:
#
#   ./gpu-suite.sh                     everything, results in ./gpu-results
#   ./gpu-suite.sh --parts run,ptxas   without compute-sanitizer and benchmark
#   ./gpu-suite.sh --device=sim        without a GPU: what can be tested there
#
# In the repository it makes a bundle first, unless --bundle=FOLDER names one
# that is unpacked. The last line is `N passed, N failed, N skipped`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONDONTWRITEBYTECODE=1

suite() { python3 "$1/gpu_suite.py" "${@:2}"; }

if [ -f "$here/bundle.json" ]; then
  suite "$here/python" --bundle="$here" "$@"
  exit
fi
for argument; do
  case $argument in
  --bundle | --bundle=* | -h | --help)
    suite "$here/../benchmarks" "$@"
    exit
    ;;
  esac
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$here/gpu-bundle.sh" "$scratch/bundle.tar.gz"
tar -xzf "$scratch/bundle.tar.gz" -C "$scratch"
suite "$scratch/muon-gpu/python" --bundle="$scratch/muon-gpu" "$@"
