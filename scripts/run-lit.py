#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the lit tests of a build and prints one total.

    scripts/run-lit.py build/release
"""
import json
import pathlib
import subprocess
import sys
import tempfile

GOOD = {"PASS", "XFAIL", "FLAKYPASS"}
SKIPPED = {"UNSUPPORTED", "SKIPPED", "EXCLUDED"}


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        done = subprocess.run(
            ["lit-22", "-v", "--no-progress-bar", "-o", report.name, build / "test"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            tests = json.loads(pathlib.Path(report.name).read_text())["tests"]
        except ValueError:
            print(done.stdout)
            return 1
    codes = [test["code"] for test in tests]
    passed = sum(code in GOOD for code in codes)
    skipped = sum(code in SKIPPED for code in codes)
    failed = len(codes) - passed - skipped
    if failed or done.returncode != 0:
        print(done.stdout)
        failed = max(failed, 1)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
