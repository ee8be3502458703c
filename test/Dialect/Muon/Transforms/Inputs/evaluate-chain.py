# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the values of unrolled iterations.

    evaluate-chain.py

Unrolls iterations on 1×1 matrices, which are all symmetric and commute, and
executes the products that come out in f64: whatever the iteration, restarts and
scales are, the result is that of the polynomials one after the other, and what
is stored in f16 is in its range.
"""
import itertools
import random
import re
import struct
import subprocess
import sys

SCHEDULES = {
    "keller_jordan": [(3.4445, -4.7750, 2.0315)],
    "[2.0, -1.5, 0.5], [1.875, -1.25, 0.375]": [(2, -1.5, 0.5), (1.875, -1.25, 0.375)],
    "[1.5, -0.5, 0.0]": [(1.5, -0.5, 0)],
    "[1.5, 0.0, -0.25], [1.5, -0.5, 0.0]": [(1.5, 0, -0.25), (1.5, -0.5, 0)],
    "[1.125, 0.0, 0.0], [2.0, -1.5, 0.5]": [(1.125, 0, 0), (2, -1.5, 0.5)],
    # Constants that would leave the range of f16 by themselves.
    "[1.0, -1.0e-6, 1.0e-9]": [(1, -1e-6, 1e-9)],
}
OPERATION = re.compile(r"(%\w+) = muon\.(\w+) (.*) \{(.*)\}")
GROUP = re.compile(r"(\w+)\((%\w+) : tensor<[^>]*x(\w+)>\)")
NUMBER = re.compile(r"(\w+) = (\S+) : f64")
F16_MAX, STEPS = 65504.0, 5


def parse(number):
    """A number as MLIR prints it: in hexadecimal where decimals are not exact."""
    if number.startswith("0x"):
        return struct.unpack(">d", bytes.fromhex(number[2:]))[0]
    return float(number)


def source(name, schedule, restarts, compute):
    type = "f16" if compute == "f16" else "f32"
    x, o = f"tensor<1x1x1x{type}>", "tensor<1x1x1xf32>"
    iteration = "direct" if restarts is None else "gram"
    cuts = "" if restarts is None else "restarts = array<i64" + (
        ": " + ", ".join(map(str, restarts)) if restarts else "") + ">, "
    return (
        f"func.func @{name}(%x: {x}, %f: tensor<1xf32>, %o: {o}) -> {o} {{\n"
        f"  %0 = muon.orthogonalize x(%x : {x}) factor(%f : tensor<1xf32>) out(%o : {o}) "
        f"{{schedule = #muon.schedule<{schedule}>, steps = {STEPS} : i64, {cuts}"
        f"side = #muon.side<left>, iteration = #muon.iteration<{iteration}>, "
        f"compute = #muon.compute<{compute}>}}\n  return %0 : {o}\n}}\n"
    )


def execute(body, x, f):
    """The value that a function returns for scalars."""
    values = dict(zip(re.findall(r"(%arg\d): ", body), (x, f, None)))
    for line in body.splitlines():
        match = OPERATION.search(line)
        if not match:
            continue
        result, op, operands, attributes = match.groups()
        groups = {name: values.get(value) for name, value, _ in GROUP.findall(operands)}
        types = {name: type for name, _, type in GROUP.findall(operands)}
        n = {name: parse(value) for name, value in NUMBER.findall(attributes)}
        factor = groups.get("factor", 1.0)
        if op == "symmetric_product":
            value = n["alpha"] * (factor * groups["x"]) ** 2
            value += n["beta"] * groups.get("addend", 0.0)
        elif op == "commuting_product":
            value = n["alpha"] * (groups["lhs"] + n["lhs_shift"]) * (groups["rhs"] + n["rhs_shift"])
        elif op == "symmetric_apply":
            value = factor * (n["beta"] + n["alpha"] * groups["s"]) * groups["x"]
        else:
            sys.exit(f"muon.{op} is no product")
        if types["out"] == "f16" and not abs(value) <= F16_MAX:
            sys.exit(f"{value} is out of range of f16 at x = {factor * x}:\n{line}")
        values[result] = value
    return values[re.search(r"return (%\w+)", body).group(1)]


def main():
    cases, text = [], ""
    cuts = [None] + [
        list(c) for k in range(STEPS) for c in itertools.combinations(range(1, STEPS), k)
    ]
    for schedule, table in SCHEDULES.items():
        for restarts, compute in itertools.product(cuts, ("f32", "f16")):
            text += source(f"f{len(cases)}", schedule, restarts, compute)
            cases.append((schedule, table, restarts, compute))
    passes = ["--muon-unroll-orthogonalize", "--muon-expand-polynomials"]
    ir = subprocess.run(
        ["muon-opt", *passes], input=text, check=True, capture_output=True, text=True
    ).stdout
    bodies = ir.split("func.func @")[1:]
    assert len(bodies) == len(cases)
    numbers = random.Random(1)
    for (schedule, table, restarts, compute), body in zip(cases, bodies):
        for x in [0.0, 1e-4, 0.5, 1.0, 1.1] + [numbers.uniform(0, 1.1) for _ in range(8)]:
            wanted = x
            for step in range(STEPS):
                a, b, c = table[min(step, len(table) - 1)]
                wanted = a * wanted + b * wanted**3 + c * wanted**5
            # As the direction that muon.momentum writes in f16, and its factor.
            found = execute(body, x * 2.0**14, 2.0**-14)
            if not abs(found - wanted) <= 1e-9 * max(abs(wanted), 1e-6):
                sys.exit(
                    f"{schedule}, restarts {restarts}, {compute}: "
                    f"at {x} expected {wanted}, found {found}"
                )
    print(f"{len(cases)} iterations have the values of their polynomials")


if __name__ == "__main__":
    main()
