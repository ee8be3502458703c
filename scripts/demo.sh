#!/usr/bin/env bash
# Sets up, builds and trains a network on handwritten digits with a compiled
# optimizer step. Arguments go to examples/digits/digits.py.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
echo "building (a few minutes the first time)"
scripts/build.sh release
exec /usr/bin/python3 examples/digits/digits.py "$@"
