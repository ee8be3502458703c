#!/usr/bin/env bash
# Raises, compiles and runs what JAX exports, and compares with JAX's results, in
# build/jax-venv, which is made of the packages below if it is not there. The last
# line is the total.
#
#   scripts/test-jax.sh
set -euo pipefail
cd "$(dirname "$0")/.."

# jaxlib carries the passes from StableHLO to linalg: this one's text is one that
# MLIR 22.1 parses.
packages=(jax==0.10.2 jaxlib==0.10.2 optax==0.2.8 numpy==2.4.6)
venv=build/jax-venv
wanted="$(python3 --version) ${packages[*]}"

if [ "$(cat "$venv/muon-packages" 2>/dev/null || true)" != "$wanted" ]; then
  rm -rf "$venv"
  mkdir -p build
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! { python3 -m venv "$venv" &&
    "$venv/bin/pip" install --quiet --disable-pip-version-check \
      "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "test-jax: error: could not install ${packages[*]} into $venv" >&2
    exit 1
  fi
  # Last: one that was interrupted is made again.
  echo "$wanted" >"$venv/muon-packages"
fi
"$venv/bin/python" -B test/jax/test_raise_jax.py 2>&1
