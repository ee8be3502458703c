#!/usr/bin/env bash
# Sets up, builds and runs all tests. The last line is the total.
#
#   scripts/test.sh             everything
#   scripts/test.sh --no-asan   without the second build, under sanitizers
set -uo pipefail
cd "$(dirname "$0")/.."

# Nothing in the environment selects tests or tools.
unset GTEST_FILTER LIT_FILTER LIT_FILTER_OUT LIT_OPTS MUON_BIN

sanitize=1
[ "${1:-}" = --no-asan ] && sanitize=0
passed=0 failed=0 skipped=0

# suite NAME COMMAND...: runs a suite whose last line is `N passed, N failed, N
# skipped`, and adds it up. A suite without such a line counts as one failure.
suite() {
  local name=$1 output status line
  shift
  echo "== $name"
  output=$(mktemp)
  "$@" >"$output" 2>&1
  status=$?
  line=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$output" |
    tail -n 1)
  if [ -z "$line" ]; then
    tail -n 40 "$output"
    echo "$name: no result (exit status $status)"
    failed=$((failed + 1))
  else
    read -r p _ f _ s _ <<<"${line//,/}"
    if [ "$f" -ne 0 ] || [ "$status" -ne 0 ]; then
      tail -n 200 "$output"
      [ "$f" -ne 0 ] || f=1
    fi
    echo "$line"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  fi
  rm -f "$output"
}

# check NAME COMMAND...: a test that passes if the command does.
check() {
  local name=$1 output
  shift
  echo "== $name"
  output=$(mktemp)
  if "$@" >"$output" 2>&1; then
    passed=$((passed + 1))
  else
    tail -n 40 "$output"
    failed=$((failed + 1))
  fi
  tail -n 1 "$output"
  rm -f "$output"
}

finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -ne 0 ]
  exit
}

step() {
  "$@" && return
  failed=$((failed + 1))
  finish
}

step scripts/setup.sh
step scripts/build.sh release
suite "unit tests" scripts/run-unit-tests.py build/release
suite "lit tests" scripts/run-lit.py build/release
suite "reference" /usr/bin/python3 test/reference/test_muon_reference.py
suite "integration" /usr/bin/python3 test/integration/run_integration.py -j 2
suite "python" scripts/test-python.sh build/release
suite "jax" scripts/test-jax.sh build/release
check "demo" scripts/demo.sh
if [ "$sanitize" -eq 1 ]; then
  step scripts/build.sh asan
  suite "unit tests (asan)" scripts/run-unit-tests.py build/asan
  suite "lit tests (asan)" scripts/run-lit.py build/asan
  suite "fuzz (60 s each)" scripts/fuzz.sh 60
fi
finish
