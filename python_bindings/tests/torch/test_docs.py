# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sessions of docs/pytorch.md, in one interpreter, and the example."""
import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/pytorch.md"


def test_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    sessions = re.findall(r"^```pycon\n(.*?)^```$", text, re.M | re.S)
    assert len(sessions) == text.count("```") // 2 >= 6
    test = doctest.DocTestParser().get_doctest(
        "\n".join(sessions), {}, PAGE.name, str(PAGE), 0)
    output = []
    found = doctest.DocTestRunner().run(test, out=output.append)
    assert found.attempted >= 25
    assert found.failed == 0, "".join(output)


def test_digits(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    done = subprocess.run(
        [sys.executable, ROOT / "examples/digits/digits_torch.py", "--steps",
         "25", "--out", tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^ +(\d) +([\d.]+)% +([\d.]+)%$", done.stdout, re.M)
    assert [row[0] for row in rows] == ["1", "2"]
    assert all(float(x) > 50 for x in rows[-1][1:])
    assert (tmp_path / "digits-torch.png").read_bytes()[:4] == b"\x89PNG"
    assert [p.name for p in tmp_path.iterdir()] == ["digits-torch.png"]
    # What cannot be written is told, in a line.
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, ROOT / "examples/digits/digits_torch.py", "--steps",
         "2", "--out", tmp_path / "file/folder"], capture_output=True,
        text=True, timeout=120)
    assert done.returncode == 1
    assert re.fullmatch(r"digits_torch: .*Not a directory.*\n", done.stderr)
