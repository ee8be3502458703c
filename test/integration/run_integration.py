#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the integration tests: checkpoint in, compiled step, weights out.

  run_integration.py [-k WORD] [-j JOBS] [--list] [--keep DIR]

Tools come from $MUON_BIN, by default build/release/bin. The last line is
`N passed, N failed, N skipped`; the exit code is 0 only if nothing failed.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
import unittest
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Before NumPy is loaded, and for the tools: jobs share the cores already.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path[:0] = [str(HERE), str(HERE.parent / "reference")]


def collect() -> list[str]:
    """Ids of all tests, the longest-running modules first."""
    def flatten(suite):
        for item in suite:
            if isinstance(item, unittest.TestSuite):
                yield from flatten(item)
            else:
                yield item

    loader = unittest.TestLoader()
    tests = list(flatten(loader.discover(str(HERE))))
    if loader.errors:
        sys.exit("\n".join(loader.errors))
    tests.sort(key=lambda t: "test_grid" not in t.id())
    return [t.id() for t in tests]


def run_one(name: str) -> tuple[str, str, float, str, list[str]]:
    """(id, outcome, seconds, message, notes) of one test."""
    start = time.monotonic()
    suite = unittest.TestLoader().loadTestsFromName(name)
    tests = list(suite)
    result = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0
                                     ).run(unittest.TestSuite(tests))
    problems = [text for _, text in result.failures + result.errors]
    outcome = ("failed" if problems or result.unexpectedSuccesses else
               "skipped" if result.skipped else "passed")
    notes = [note for t in tests for note in getattr(t, "notes", ())]
    notes += [reason for _, reason in result.skipped]
    return name, outcome, time.monotonic() - start, "\n".join(problems), notes


class Progress:
    """A bar on a terminal; nothing elsewhere, where results are lines."""

    def __init__(self, total: int):
        self.total = total
        self.shown = sys.stderr.isatty()

    def clear(self) -> None:
        if self.shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def draw(self, done: int) -> None:
        if self.shown and done < self.total:
            filled = 30 * done // self.total
            sys.stderr.write(f"[{'#' * filled:<30}] {done}/{self.total}")
            sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", dest="words", action="append", default=[],
                        metavar="WORD", help="only tests whose id contains it")
    parser.add_argument("-j", dest="jobs", type=int,
                        default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--list", action="store_true", help="print ids, stop")
    parser.add_argument("--keep", metavar="DIR",
                        help="leave all files of the tests there")
    options = parser.parse_args()
    if options.keep:
        os.environ["MUON_INTEGRATION_KEEP"] = os.path.abspath(options.keep)

    names = [n for n in collect()
             if not options.words or any(w in n for w in options.words)]
    if options.list:
        print("\n".join(names))
        return 0
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failures = []
    progress = Progress(len(names))
    progress.draw(0)
    with ProcessPoolExecutor(max(1, options.jobs)) as pool:
        for future in as_completed([pool.submit(run_one, n) for n in names]):
            name, outcome, seconds, message, notes = future.result()
            counts[outcome] += 1
            progress.clear()
            note = f"  {'; '.join(notes)}" if notes else ""
            print(f"{outcome.upper():7} {seconds:6.1f} s  {name}{note}",
                  flush=True)
            if message:
                failures.append((name, message))
            progress.draw(sum(counts.values()))
    progress.clear()
    for name, message in failures:
        print(f"\n==== {name}\n{message.rstrip()}")
    if not names:
        print("no test matches")
        counts["failed"] = 1
    print("{passed} passed, {failed} failed, {skipped} skipped"
          .format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
