# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""docs/accuracy.md says what compiled steps do today."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import unittest

from toolchain import ROOT

SCRIPT = ROOT / "scripts/update-accuracy.py"


class Accuracy(unittest.TestCase):
    def test_page_is_up_to_date(self):
        done = subprocess.run([sys.executable, SCRIPT, "--check"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_counts_as_a_difference(self):
        spec = importlib.util.spec_from_file_location("accuracy", SCRIPT)
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        page = (ROOT / "docs/accuracy.md").read_text()
        self.assertEqual(script.differences(page, page), [])
        number = script.NUMBER.search(page).group()
        for factor, same in ((1.5, True), (0.7, True), (2.4, False),
                             (0.4, False)):
            other = f"{factor * float(number):.1e}".replace("e-0", "e-")
            found = script.differences(page.replace(number, other, 1), page)
            self.assertEqual(found == [], same, (number, other))
        self.assertNotEqual(script.differences(
            page.replace("direct", "Direct", 1), page), [])
        self.assertNotEqual(script.differences(page + "\n", page), [])
