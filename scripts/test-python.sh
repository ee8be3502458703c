#!/usr/bin/env bash
# Installs the Python package against a build and tests it. The last line is
# the total.
#
#   scripts/test-python.sh [build/release] [pytest's arguments]
#
# The environment is build/python-venv, which stays; $PYTHON makes it, by
# default Debian's Python. That one also has PyTorch, for whose optimizer
# build/torch-venv sees what the system has.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
build=${1:-build/release}
[ $# -gt 0 ] && shift
build=$(cd "$build" && pwd) || exit 1
venv=$root/build/python-venv
torch_venv=$root/build/torch-venv

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
torch_packages=(pytest==9.2.0)
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

# Debian's PyTorch goes with Debian's NumPy, which is another one.
if [ "$(cat "$torch_venv/packages" 2>/dev/null)" != "${torch_packages[*]}" ]; then
  rm -rf "$torch_venv"
  "${PYTHON:-/usr/bin/python3}" -m venv --system-site-packages "$torch_venv" &&
    "$torch_venv/bin/pip" install -q "${torch_packages[@]}" &&
    echo "${torch_packages[*]}" >"$torch_venv/packages" ||
    fail "cannot make $torch_venv"
fi
"$torch_venv/bin/python" -c "import torch" ||
  fail "no PyTorch; scripts/setup.sh installs it for Debian's Python"
folder='import sysconfig; print(sysconfig.get_path("purelib"))'
ln -sfn "$("$venv/bin/python" -c "$folder")/muon_mlir" \
  "$("$torch_venv/bin/python" -c "$folder")/muon_mlir" ||
  fail "cannot link the package into $torch_venv"

# Elsewhere: the sources must not stand in for what was installed.
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
export MUON_CMAKE_DIR=$build/lib/cmake/MuonMLIR
tests=$root/python_bindings/tests
options=(-q -p no:cacheprovider -c "$root/python_bindings/pyproject.toml")
# Status 5: the arguments select none of a run's tests.
(cd "$venv" && bin/pytest "${options[@]}" --junitxml="$reports/core.xml" \
  --ignore="$tests/torch" "$tests" "$@")
status=$?
[ "$status" -eq 5 ] && status=0
(cd "$torch_venv" && bin/python -m pytest "${options[@]}" \
  --junitxml="$reports/torch.xml" --confcutdir="$tests/torch" \
  "$tests/torch" "$@")
torch_status=$?
[ "$torch_status" -eq 5 ] || status=$((status | torch_status))
"$venv/bin/python" "$root/scripts/pytest-total.py" \
  "$reports/core.xml" "$reports/torch.xml" || status=1
exit "$status"
