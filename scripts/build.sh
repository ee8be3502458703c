#!/usr/bin/env bash
# Configures and builds a preset (default: release); prints the log only if
# something fails.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
shift || true

# Checkouts in other folders share what was compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

mkdir -p "build/$preset"
log="build/$preset/build.log"
if ! { cmake --preset "$preset" && cmake --build --preset "$preset" "$@"; } \
    >"$log" 2>&1; then
  {
    grep -E 'error|FAILED|CMake Error' -A 5 -m 10 "$log" || tail -n 40 "$log"
  } >&2
  echo "build: error: preset $preset failed; the whole log is in $log" >&2
  exit 1
fi
