#!/usr/bin/env python3
# ===- extract-op-examples.py - Examples of op descriptions ---------------=== #
#
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------=== #
"""Prints the example of every operation that the given .td files define.

Each example becomes a function whose arguments are the values that the example
uses but does not define, with the types that the example prints, and a CHECK
line that expects the operation. The body that muon.parallel_call names is
declared, and so is the grid of a group, in a module for the rank at its place. An operation without an example, or whose example does not contain it,
is an error.
"""

import re
import sys

OP = re.compile(r"^def \w+ *: *Muon_\w*Op<\s*\"([a-z_0-9]+)\"", re.MULTILINE)
EXAMPLE = re.compile(r"^ *Example:\s*```mlir\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
VALUE = r"%\w+"
BLOCK = re.compile(r"^\^\w+\((.*)\):$")
BODY = re.compile(r"muon\.parallel_call @(\w+)\(")
DEFINITION = re.compile(r"^def \w+ *:(?! *Muon_Constraint<)", re.MULTILINE)
GROUP = re.compile(r"#muon\.group<@(\w+), \[0\], (\d+) of (\d+)>")


def split_types(text):
    """Splits a list of types at its top-level commas."""
    types, depth = [""], 0
    for previous, char in zip(" " + text, text):
        if char in "<([":
            depth += 1
        elif char in ">)]" and not (char == ">" and previous == "-"):
            depth -= 1
        if char == "," and depth == 0:
            types.append("")
        else:
            types[-1] += char
    return [t.strip() for t in types]


def types_of_values(text, defined):
    """Maps the values that one operation uses to their printed types."""
    types = {}

    def bind(values, printed):
        # Of what the example defines, an operation need not print every type.
        if all(value in defined for value in values):
            return
        if len(values) != len(printed):
            sys.exit(f"{len(values)} values but {len(printed)} types in: {text}")
        types.update(zip(values, printed))

    # Groups, `name(%a, %b : t0, t1)`. What remains is `%a, %b … : t0, t1`.
    group = re.compile(rf"\w+\(((?:{VALUE}[, ]*)+) : ((?:[^()]|\([^()]*\))*)\)")
    for values, printed in group.findall(text):
        bind(re.findall(VALUE, values), split_types(printed))
    rest = group.sub("", text)
    for index in re.findall(rf"\[({VALUE})\]", rest):
        types[index] = "index"
    rest = re.sub(rf"\[{VALUE}\]", "", rest)
    rest = re.sub(r"\{.*\}", "", rest)
    operands, colon, printed = rest.partition(" : ")
    values = re.findall(VALUE, operands)
    if values:
        bind(values, split_types(re.split(" -> | to ", printed)[0]))
    return types


def declare_body(line, arguments):
    """The declaration of the function that a muon.parallel_call names."""
    captured, _, sums = line.partition(" sums(")
    types = [arguments[value] for value in re.findall(VALUE, captured)]
    types += ["index"] + ["memref<f64>"] * len(re.findall(VALUE, sums))
    name = BODY.search(line).group(1)
    return f"func.func private @{name}({', '.join(types)})\n"


def main(paths):
    modules = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        starts = [(m.group(1), m.start()) for m in OP.finditer(text)]
        if len(starts) != len(DEFINITION.findall(text)):
            sys.exit(f"{path}: a definition is not that of an operation")
        ends = [start for _, start in starts[1:]] + [len(text)]
        for (op, start), end in zip(starts, ends):
            example = EXAMPLE.search(text, start, end)
            if not example:
                sys.exit(f"{path}: muon.{op} has no example")
            lines = [line.strip() for line in example.group(1).splitlines()]
            if not any(re.search(rf"\bmuon\.{op}\b", line) for line in lines):
                sys.exit(f"{path}: the example of muon.{op} does not contain it")
            defined, arguments, bodies = set(), {}, ""
            for line in lines:
                block = BLOCK.match(line)
                if block:
                    defined.update(re.findall(VALUE, block.group(1)))
                    continue
                results, body = re.match(rf"((?:{VALUE}[, ]*)+ = )?(.*)", line).groups()
                for value, printed in types_of_values(body, defined).items():
                    if value not in defined:
                        arguments.setdefault(value, printed)
                defined.update(re.findall(VALUE, results or ""))
                if BODY.search(line):
                    bodies += declare_body(line, arguments)
            signature = ", ".join(f"{v}: {t}" for v, t in arguments.items())
            grid, end = "", ""
            if group := GROUP.search(example.group(1)):
                grid = (
                    f"module attributes {{muon.rank = {group[2]} : i64}} {{\n"
                    f"shard.grid @{group[1]}(shape = {group[3]})\n"
                )
                end = "}\n"
            modules.append(
                f"// CHECK-LABEL: func.func @{op}(\n"
                f"// CHECK: muon.{op}{{{{ |$}}}}\n"
                + grid
                + f"func.func @{op}({signature}) attributes {{muon.entry}} {{\n"
                + "".join(f"  {line}\n" for line in lines)
                + "  return\n}\n"
                + bodies
                + end
            )
    if not modules:
        sys.exit("no operation found")
    print("// -----\n".join(modules), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
