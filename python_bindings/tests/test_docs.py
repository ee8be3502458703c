# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sessions of docs/python.md, in order and in one interpreter."""
import doctest
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/python.md"


def test_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    sessions = re.findall(r"^```pycon\n(.*?)^```$", text, re.M | re.S)
    assert len(sessions) == text.count("```pycon") >= 5
    test = doctest.DocTestParser().get_doctest(
        "\n".join(sessions), {}, PAGE.name, str(PAGE), 0)
    output = []
    found = doctest.DocTestRunner().run(test, out=output.append)
    assert found.attempted >= 20
    assert found.failed == 0, "".join(output)
