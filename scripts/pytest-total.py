#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints `N passed, N failed, N skipped` of reports that pytest --junitxml
wrote.

    pytest-total.py REPORT...
"""
import sys
import xml.etree.ElementTree as tree


def main() -> int:
    suites = []
    for report in sys.argv[1:]:
        try:
            suites += tree.parse(report).getroot().iter("testsuite")
        except (OSError, tree.ParseError) as error:
            print(f"pytest-total: error: {report}: {error}", file=sys.stderr)
            return 1
    count = {name: sum(int(suite.get(name, 0)) for suite in suites)
             for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = max(count["tests"] - failed - count["skipped"], 0)
    print(f"{passed} passed, {failed} failed, {count['skipped']} skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
