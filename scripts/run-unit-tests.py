#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs every GoogleTest of a build and prints one total.

    scripts/run-unit-tests.py build/release
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile


# Of processes that execute the tests of ranks together.
RANKS = (2, 4)


def run(program: pathlib.Path, ranks: int):
    """The output, the exit status, and the reports: one, or one of each rank."""
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory, "report.json")
        command = [program, f"--gtest_output=json:{report}", "--gtest_brief=1"]
        reports = [report]
        environment = dict(os.environ)
        if ranks:
            # MPI's plug-ins keep memory, and are unloaded before leaks are looked
            # for: what they leak cannot be told from ours.
            environment["ASAN_OPTIONS"] = "detect_leaks=0"
            command[:0] = ["mpirun", "--allow-run-as-root", "--oversubscribe"]
            command[3:3] = ["--bind-to", "none", "-n", str(ranks)]
            reports = [pathlib.Path(f"{report}.{rank}") for rank in range(ranks)]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            env=environment,
        )
        try:
            results = [json.loads(path.read_text()) for path in reports]
        except (OSError, ValueError):
            results = []
        return done.stdout, done.returncode, results


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    passed = failed = skipped = 0
    programs = sorted((build / "bin").glob("Muon*Tests"))
    runs = []
    for program in programs:
        is_mpi = program.name == "MuonMpiTests"
        runs += [(program, ranks) for ranks in RANKS] if is_mpi else [(program, 0)]
    for program, ranks in runs:
        name = program.name + (f" on {ranks} ranks" if ranks else "")
        output, status, results = run(program, ranks)
        if not results:
            print(output)
            print(f"{name}: ended with {status} before its report")
            failed += 1
            continue
        # A test of several ranks is one test, and fails if it does on any.
        names, bad, left = set(), set(), set()
        for result in results:
            for suite in result["testsuites"]:
                for case in suite["testsuite"]:
                    test = (suite["name"], case["name"])
                    names.add(test)
                    if case.get("failures"):
                        bad.add(test)
                    if case.get("result") in ("SKIPPED", "SUPPRESSED"):
                        left.add(test)
        left -= bad
        num_bad = len(bad)
        if status != 0:
            print(output)
            num_bad = max(num_bad, 1)
        print(f"{name}: {len(names)} tests")
        passed += len(names) - num_bad - len(left)
        failed += num_bad
        skipped += len(left)
    if not programs:
        print(f"no unit tests in {build}")
        failed = 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
