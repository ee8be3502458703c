#!/usr/bin/env bash
# JAX: raises, compiles and runs what it exports, and tests muon_mlir.jax, in
# build/jax-venv, which is made of the packages below if it is not there. The last
# line is the total.
#
#   scripts/test-jax.sh [build/release] [pytest's arguments]
#
# $PYTHON makes the environment, by default python3.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
build=${1:-build/release}
[ $# -gt 0 ] && shift
venv=$root/build/jax-venv

# Nothing in the environment selects tests or tools, or what JAX does.
unset PYTEST_ADDOPTS PYTHONPATH PYTHONHOME MUON_CACHE_DIR XLA_FLAGS \
  JAX_ENABLE_X64 JAX_COMPILATION_CACHE_DIR
export JAX_PLATFORMS=cpu PIP_DISABLE_PIP_VERSION_CHECK=1

fail() {
  echo "test-jax: error: $1" >&2
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}
build=$(cd "$build" && pwd) || fail "no $build; run scripts/build.sh"

# jaxlib carries the passes from StableHLO to linalg: this one's text is one that
# MLIR 22.1 parses. The last two are for the example.
packages=(jax==0.10.2 jaxlib==0.10.2 optax==0.2.8 numpy==2.4.6
  ml_dtypes==0.6.0 nanobind==3.1.0 scikit-build-core==1.1.2 pytest==9.2.0
  scikit-learn==1.9.1 matplotlib==3.11.2)
python=${PYTHON:-python3}
wanted="$("$python" --version) ${packages[*]}"
if [ "$(cat "$venv/muon-packages" 2>/dev/null || true)" != "$wanted" ]; then
  rm -rf "$venv"
  mkdir -p build
  log=$(mktemp)
  if ! { "$python" -m venv "$venv" &&
    "$venv/bin/pip" install --quiet "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "could not install ${packages[*]} into $venv"
  fi
  rm -f "$log"
  # Last: one that was interrupted is made again.
  echo "$wanted" >"$venv/muon-packages"
fi
# Without isolation: the headers of jaxlib are there. The folder is not that of
# test-python.sh, whose Python has none.
"$venv/bin/pip" install -q --no-build-isolation --no-deps --force-reinstall \
  --config-settings=build-dir="$root/build/python-jax/{wheel_tag}" \
  --config-settings=cmake.define.MuonMLIR_DIR="$build/lib/cmake/MuonMLIR" \
  ./python_bindings || fail "cannot install the package"

passed=0 failed=0 skipped=0
# add STATUS LINE: the total of a suite; one failure if it has none.
add() {
  local p f s
  if [[ $2 =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[3]}
    [ "$1" -ne 0 ] && [ "$f" -eq 0 ] && f=1
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  else
    failed=$((failed + 1))
  fi
}

output=$(mktemp)
report=$(mktemp)
trap 'rm -f "$output" "$report"' EXIT
MUON_BIN=$build/bin "$venv/bin/python" -B test/jax/test_raise_jax.py \
  >"$output" 2>&1
status=$?
cat "$output"
add "$status" "$(tail -n 1 "$output")"

# Elsewhere: the sources must not stand in for what was installed.
(cd "$venv" && MUON_BIN=$build/bin bin/pytest -q -p no:cacheprovider \
  --junitxml="$report" -c "$root/python_bindings/pyproject.toml" \
  "$root/python_bindings/tests/jax" "$@")
status=$?
add "$status" "$(scripts/pytest-total.py "$report")"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -ne 0 ]
