#!/usr/bin/env bash
# Installs the Python package against a build and tests it. The last line is
# the total.
#
#   scripts/test-python.sh [build/release] [pytest's arguments]
#
# The environment is build/python-venv, which stays; $PYTHON makes it, by
# default Debian's Python.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
build=${1:-build/release}
[ $# -gt 0 ] && shift
build=$(cd "$build" && pwd) || exit 1
venv=$root/build/python-venv

# Nothing in the environment selects tests or tools.
unset PYTEST_ADDOPTS PYTHONPATH PYTHONHOME MUON_CACHE_DIR
export MUON_BIN=$build/bin PIP_DISABLE_PIP_VERSION_CHECK=1

fail() {
  echo "$1" >&2
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}

packages=(nanobind==3.1.0 scikit-build-core==1.1.2 pytest==9.2.0
  numpy==2.4.6 ml_dtypes==0.6.0)
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]}" ]; then
  rm -rf "$venv"
  "${PYTHON:-/usr/bin/python3}" -m venv "$venv" &&
    "$venv/bin/pip" install -q "${packages[@]}" &&
    echo "${packages[*]}" >"$venv/packages" ||
    fail "cannot make $venv"
fi
# Without isolation: what it needs to build is there, and stays.
"$venv/bin/pip" install -q --no-build-isolation --no-deps --force-reinstall \
  --config-settings=cmake.define.MuonMLIR_DIR="$build/lib/cmake/MuonMLIR" \
  ./python_bindings || fail "cannot install the package"

# Elsewhere: the sources must not stand in for what was installed.
report=$(mktemp)
trap 'rm -f "$report"' EXIT
export MUON_CMAKE_DIR=$build/lib/cmake/MuonMLIR
(cd "$venv" && bin/pytest -q -p no:cacheprovider --junitxml="$report" \
  -c "$root/python_bindings/pyproject.toml" \
  "$root/python_bindings/tests" "$@")
status=$?
"$venv/bin/python" - "$report" "$status" <<'END'
import sys
import xml.etree.ElementTree as tree

try:
    suites = list(tree.parse(sys.argv[1]).getroot().iter("testsuite"))
except (OSError, tree.ParseError):
    suites = []
count = {name: sum(int(s.get(name, 0)) for s in suites)
         for name in ("tests", "failures", "errors", "skipped")}
failed = count["failures"] + count["errors"]
if int(sys.argv[2]) and not failed:
    failed = 1
passed = max(count["tests"] - count["failures"] - count["errors"]
             - count["skipped"], 0)
print(f"{passed} passed, {failed} failed, {count['skipped']} skipped")
sys.exit(failed != 0 or passed == 0)
END
