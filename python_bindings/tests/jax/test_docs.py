# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sessions of docs/jax.md, and the example."""
import doctest
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/jax.md"


def test_page():
    text = PAGE.read_text(encoding="utf-8")
    sessions = re.findall(r"^```pycon\n(.*?)^```$", text, re.M | re.S)
    assert len(sessions) == text.count("```pycon") >= 6
    test = doctest.DocTestParser().get_doctest(
        "\n".join(sessions), {}, PAGE.name, str(PAGE), 0)
    output = []
    found = doctest.DocTestRunner().run(test, out=output.append)
    assert found.attempted >= 20
    assert found.failed == 0, "".join(output)


def test_digits(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "examples/digits/digits_jax.py", "--epochs", "2",
         "--out", tmp_path / "out"],
        text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Muon  21/42 steps  epoch 1  loss ") == 1
    table = re.search(r"^epoch +Muon +AdamW\n((?: +\d( +\d+\.\d%){2}\n){2})\n",
                      done.stdout, re.M)
    assert table, done.stdout
    last = [float(n) for n in re.findall(r"(\d+\.\d)%", table[1])[-2:]]
    assert min(last) > 90
    picture = (tmp_path / "out/digits-jax.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
