#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs every GoogleTest of a build and prints one total.

    scripts/run-unit-tests.py build/release
"""
import json
import pathlib
import subprocess
import sys
import tempfile


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    passed = failed = skipped = 0
    programs = sorted((build / "bin").glob("Muon*Tests"))
    for program in programs:
        with tempfile.NamedTemporaryFile(suffix=".json") as report:
            done = subprocess.run(
                [program, f"--gtest_output=json:{report.name}", "--gtest_brief=1"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=600,
            )
            try:
                result = json.loads(pathlib.Path(report.name).read_text())
            except ValueError:
                print(done.stdout)
                print(f"{program.name}: ended with {done.returncode} before its report")
                failed += 1
                continue
        cases = [case for suite in result["testsuites"] for case in suite["testsuite"]]
        bad = sum(1 for case in cases if case.get("failures"))
        left = sum(1 for case in cases if case.get("result") in ("SKIPPED", "SUPPRESSED"))
        if done.returncode != 0:
            print(done.stdout)
            bad = max(bad, 1)
        print(f"{program.name}: {len(cases)} tests")
        passed += len(cases) - bad - left
        failed += bad
        skipped += left
    if not programs:
        print(f"no unit tests in {build}")
        failed = 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
