#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures the errors of compiled steps and writes docs/accuracy.md.

  update-accuracy.py [--check] [FILE]

With --check the file is only compared: the words must be the same and the
numbers within a factor of two: other processors add in other orders. Tools
come from $MUON_BIN, by default build/release/bin.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "test/reference"), str(ROOT / "test/integration")]

import numpy as np

from muon_reference import orthogonalize, plain_form
from storage import COMPUTE, Tensor
from toolchain import Artifact, ToolError

ROWS, COLS = 192, 768
SPECTRA = {
    "Gaussian": None,
    "1 … 1e-3": np.logspace(0, -3, ROWS),
    "1 … 1e-7": np.logspace(0, -7, ROWS),
    "half rank": np.r_[np.linspace(1, 0.5, ROWS // 2), np.zeros(ROWS // 2)],
}
SCHEDULES = {"polar_express": ("Polar Express, safety 1.02", 1.02),
             "keller_jordan": ("Keller Jordan", 1.0)}
FORMS = {"direct": {"iteration": "direct"}, "gram": {"iteration": "gram"},
         "none": {"iteration": "gram", "restarts": []}}
CASES = [(compute, form) for compute in COMPUTE for form in FORMS
         if form != "none" or compute == "f32"]
SAME = 0.5
NUMBER = re.compile(r"\d\.\de-\d+")

TEXT = """\
# Accuracy

How far the direction O of a compiled step is from the same iteration in f64:
‖O − O₆₄‖ / ‖O₆₄‖ (Frobenius norm) for {rows}×{cols} matrices, five steps, on
the CPU. In parentheses is the error of a NumPy model in f32 that rounds where
the compiled step does (`test/reference/muon_reference.py`). Singular values
fall logarithmically, or half of them are zero. A Gaussian matrix hides what
rounding does to small singular values, which every step multiplies by the
coefficient a; gradients look more like the other columns.

The Gram iteration is followed by the steps before which it returns to X: those
that the compiler chooses, and none in f32 for comparison. Its additional error
grows by about a² a step between them. Another processor's kernels add in
another order, which moves numbers by some percent, some by a third.
"""


def matrices() -> dict[str, np.ndarray]:
    """One matrix of each spectrum, as f32."""
    rng = np.random.default_rng(20)
    result = {}
    for name, spectrum in SPECTRA.items():
        G = rng.standard_normal((ROWS, COLS))
        if spectrum is not None:
            U, _, Vt = np.linalg.svd(G, full_matrices=False)
            G = (U * spectrum) @ Vt
        result[name] = G.astype(np.float32)
    return result


def measure(folder: Path):
    """(schedule, case, spectrum) -> (compiled error, plain error), and
    (schedule, case) -> restarts or None."""
    inputs = matrices()
    rules, grads, keys = [], {}, {}
    for schedule, (_, safety) in SCHEDULES.items():
        for compute, form in CASES:
            prefix = f"{schedule}.{compute}.{form}."
            rules.append({"match": "^" + re.escape(prefix), "safety": safety,
                          "schedule": schedule, "compute": compute,
                          **FORMS[form]})
            for i, (spectrum, G) in enumerate(inputs.items()):
                name = f"{prefix}{i}"
                keys[name] = (schedule, (compute, form), spectrum)
                grads[name] = Tensor.of(G, "F32")
    params = {n: Tensor.zeros((ROWS, COLS), "F32") for n in grads}
    # So that the new weight is -O.
    muon = {"momentum": 0.0, "momentum_form": "ema", "nesterov": False,
            "weight_decay": 0.0, "scale": "none"}
    artifact = Artifact(folder, params, {"muon": muon, "rules": rules})
    out = artifact.run(params, grads, None, {"lr": 1.0})

    exact = {(schedule, spectrum): orthogonalize(
        G.astype(np.float64), schedule, safety=safety)
        for schedule, (_, safety) in SCHEDULES.items()
        for spectrum, G in inputs.items()}
    errors, restarts = {}, {}
    for name, (schedule, case, spectrum) in keys.items():
        compute, chosen = plain_form(artifact.plan.parameters[name].optimizer)
        restarts[schedule, case] = chosen
        plain = orthogonalize(inputs[spectrum], schedule,
                              safety=SCHEDULES[schedule][1], compute=compute,
                              restarts=chosen)
        want = exact[schedule, spectrum]
        errors[schedule, case, spectrum] = tuple(
            np.linalg.norm(O - want) / np.linalg.norm(want)
            for O in (-out.params[name].values(), plain))
    return errors, restarts


def render(errors, restarts) -> str:
    lines = [TEXT.format(rows=ROWS, cols=COLS)]
    for schedule, (title, _) in SCHEDULES.items():
        lines.append(f"## {title}\n")
        lines.append("| precision | iteration | "
                     + " | ".join(SPECTRA) + " |")
        lines.append("|---" * (2 + len(SPECTRA)) + "|")
        for compute, form in CASES:
            chosen = restarts[schedule, (compute, form)]
            how = ("direct" if chosen is None else
                   "Gram, " + (", ".join(map(str, chosen)) or "none"))
            cells = ["{} ({})".format(*(
                f"{e:.1e}".replace("e-0", "e-")
                for e in errors[schedule, (compute, form), spectrum]))
                for spectrum in SPECTRA]
            lines.append(f"| {compute} | {how} | " + " | ".join(cells) + " |")
        lines.append("")
    lines.append("`scripts/update-accuracy.py` makes this page.")
    return "\n".join(lines) + "\n"


def differences(old: str, new: str) -> list[str]:
    """Lines of `new` that `old` does not have, numbers within SAME."""
    found = []
    before, after = old.splitlines(), new.splitlines()
    if len(before) != len(after):
        found.append(f"expected {len(after)} lines, found {len(before)}")
    for a, b in zip(before, after):
        pairs = zip(map(float, NUMBER.findall(a)),
                    map(float, NUMBER.findall(b)))
        if NUMBER.sub("#", a) != NUMBER.sub("#", b) or any(
                abs(x - y) > SAME * max(x, y) for x, y in pairs):
            found.append(f"expected {b}\n   found {a}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("file", nargs="?", type=Path,
                        default=ROOT / "docs/accuracy.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muon-accuracy-") as folder:
        try:
            text = render(*measure(Path(folder)))
        except ToolError as error:
            print(error, file=sys.stderr)
            return 1
    if options.check:
        try:
            old = options.file.read_text()
        except OSError as error:
            print(f"{options.file}: {error.strerror}", file=sys.stderr)
            return 1
        found = differences(old, text)
        for line in found:
            print(f"{options.file}: {line}", file=sys.stderr)
        if found:
            print("run scripts/update-accuracy.py", file=sys.stderr)
        return 1 if found else 0
    new = options.file.with_name(options.file.name + ".new")
    new.write_text(text)
    os.replace(new, options.file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
