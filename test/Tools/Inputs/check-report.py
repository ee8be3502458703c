"""Checks reports of muon-compile against their documentation, against what they
describe, and against themselves.

  check-report.py keys DOC REPORT...         DOC lists all keys of the reports
                                             and no others
  check-report.py step REPORT ARTIFACT IR    IR: the same step, at level buffers
  check-report.py gpu REPORT IR              IR: the same step, at level launches
"""

import json
import math
import pathlib
import re
import subprocess
import sys

BYTES = {"f32": 4, "bf16": 2, "f16": 2}


def get_keys(value, path=""):
    """Paths of all values: names of keys, `[]` for entries of lists."""
    if isinstance(value, dict):
        return set().union(*(get_keys(v, f"{path}.{k}") for k, v in value.items()))
    if isinstance(value, list):
        return set().union(*(get_keys(v, f"{path}[]") for v in value))
    return {path.lstrip(".")}


def check_keys(document, *reports):
    text = pathlib.Path(document).read_text()
    documented = set(re.findall(r"^\| `([a-z0-9_.\[\]]+)` \|", text, re.M))
    found = set().union(*(get_keys(json.loads(pathlib.Path(r).read_text())) for r in reports))
    for key in sorted(found - documented):
        print(f"in a report, not in the document: {key}")
    for key in sorted(documented - found):
        print(f"in the document, not in any report: {key}")
    print(f"{len(found & documented)} keys")
    return found == documented


def get_streams(group):
    """Bytes that each pass reads and writes, by its definition."""
    types = {role: BYTES[name] for role, name in group["types"].items()}
    weight, gradient = types["weight"], types["gradient"]
    master = types.get("master", 0)
    old, new = master or weight, master + weight
    if group["optimizer"] == "adamw":
        moments = types["exp_avg"] + types["exp_avg_sq"]
        streams = [("look", gradient, 0), ("update", gradient + moments + old, moments + new)]
    else:
        momentum = types["momentum"]
        x = 4 if group["compute"] in ("f32", "tf32") else 2
        streams = [
            ("look", gradient + momentum, 0),
            ("momentum", gradient + momentum, momentum + x),
            # What leaves the last product is f32 whatever its operands are.
            ("apply", 4 + old, new),
        ]
    return [
        {
            "stream": name,
            "bytes_read": read * group["parameters"],
            "bytes_written": written * group["parameters"],
        }
        for name, read, written in streams
    ]


def get_shape(op, operand):
    dims = re.search(rf"{operand}\([^:)]*: memref<([\dx]+)x\w+", op)[1]
    return [int(dim) for dim in dims.split("x")]


def get_flops(ir):
    """Of all products in the IR, one triangle of those that are symmetric."""
    flops = 0
    for op in re.findall(r"muon\.(?:symmetric|commuting)_.*", ir):
        if op.startswith("muon.symmetric_product"):
            count, rows, cols = get_shape(op, "x")
            m, k = (cols, rows) if "side = #muon.side<right>" in op else (rows, cols)
            flops += count * m * m * k
        elif op.startswith("muon.commuting_product"):
            count, m, _ = get_shape(op, "lhs")
            flops += count * m**3
        else:
            _, m, _ = get_shape(op, "s")
            flops += 2 * m * math.prod(get_shape(op, "x"))
    return flops


def check_step(report_path, artifact, ir_path):
    report = json.loads(pathlib.Path(report_path).read_text())
    groups, totals = report["groups"], report["totals"]
    printer = pathlib.Path(__file__).parents[2] / "Inputs/print-manifest.py"
    lines = subprocess.run(
        [sys.executable, printer, artifact], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    manifest = dict(line.split(" = ", 1) for line in lines)
    problems = []

    def expect(what, found, wanted):
        if found != wanted:
            problems.append(f"{what}: expected {wanted}, found {found}")

    names = [
        entry
        for key, value in manifest.items()
        if key.startswith("params[")
        for entry in json.loads(value)
    ]
    key = lambda entry: json.dumps(entry, sort_keys=True)
    expect(
        "members",
        sorted((entry for group in groups for entry in group["members"]), key=key),
        sorted(names, key=key),
    )
    expect("slots", totals["slots"], json.loads(manifest["slots"]))
    arena = json.loads(manifest["arena"])["bytes"]
    expect("arena", totals["scratch_bytes"], arena)
    expect("flops", totals.get("flops", 0), get_flops(pathlib.Path(ir_path).read_text()))
    for group in groups:
        name = group["members"][0]
        dims = group["shape"]
        count = len(group["members"])
        expect(f"{name}: parameters", group["parameters"], count * math.prod(dims))
        expect(f"{name}: streams", group["streams"], get_streams(group))
        if group["optimizer"] == "adamw":
            expect(f"{name}: scratch", group["scratch_bytes"], 0)
            continue
        expect(f"{name}: matrices", group["matrices"], count * math.prod(dims[:-2]))
        m, n = sorted(dims[-2:])
        dense = group["steps"] * (4 * m * m * n + 2 * m**3)
        expect(f"{name}: dense", group["dense_flops"], group["matrices"] * dense)
        # X and the result are there at the same time, and the Gram matrix.
        least = group["matrices_per_pass"] * 4 * m * n
        if not group["scratch_bytes"] > least:
            problems.append(f"{name}: {group['scratch_bytes']} bytes of scratch")
        per_pass = group["matrices_per_pass"]
        expect(f"{name}: passes", group["passes"], math.ceil(group["matrices"] / per_pass))
    for key in ("parameters", "flops", "dense_flops", "bytes_read", "bytes_written"):
        expect(key, totals[key], sum(group.get(key, 0) for group in groups))
    # Updates follow each other in the same memory.
    largest = max(group["scratch_bytes"] for group in groups)
    if not largest <= arena <= 1.1 * largest:
        problems.append(f"the arena has {arena} bytes, its largest user {largest}")
    print("\n".join(problems) or f"{len(groups)} groups hold")
    return not problems


def get_tile_flops(op):
    """Of the tiles that a muon_gpu.matmul computes, those at an edge whole."""
    tile = {key: int(value) for key, value in re.findall(r"\b([mnk]) = (\d+)", op)}
    batch, *left = [int(d) for d in re.search(r"lhs\(.*?: \D*((?:\d+x)+)", op)[1][:-1].split("x")]
    right = [int(d) for d in re.search(r"rhs\(.*?: \D*((?:\d+x)+)", op)[1][:-1].split("x")][1:]
    m, k = left[::-1] if "lhs_transposed" in op else left
    n = right[0] if "rhs_transposed" in op else right[1]
    rows, cols = math.ceil(m / tile["m"]), math.ceil(n / tile["n"])
    tiles = rows * (rows + 1) // 2 if "symmetric" in op else rows * cols
    return batch * tiles * 2 * tile["m"] * tile["n"] * math.ceil(k / tile["k"]) * tile["k"]


def check_gpu(report_path, ir_path):
    report = json.loads(pathlib.Path(report_path).read_text())
    ir = pathlib.Path(ir_path).read_text()
    problems = []

    def expect(what, found, wanted):
        if found != wanted:
            problems.append(f"{what}: expected {wanted}, found {found}")

    # A product's head and the attributes behind its region.
    products = re.findall(r"(muon_gpu\.matmul.*?)\{\n.*?\n *\} \{(.*?)\n", ir, re.S)
    kernels = report["device"]["kernels"]
    expect("flops", sum(k["flops"] for k in kernels), sum(get_tile_flops(a + b) for a, b in products))
    trips = 0
    stack = []
    for line in ir.splitlines():
        indent = len(line) - len(line.lstrip())
        stack = [entry for entry in stack if entry[0] < indent]
        if loop := re.search(r"scf\.for .* = (%\S+) to (%\S+) step (%\S+)", line):
            values = [
                int(re.search(rf"{name} = arith.constant (\d+) : index", ir)[1])
                for name in loop.groups()
            ]
            stack.append((indent, len(range(*values))))
        if "muon_gpu.launch" in line:
            trips += math.prod(count for _, count in stack)
    expect("launches", report["device"]["launches"], trips)
    expect("launches", sum(k["launches"] for k in kernels), trips)
    arena = re.search(r"muon\.arena : memref<(\d+)xi8>", ir)
    expect("scratch", report["totals"]["scratch_bytes"], int(arena[1]))
    chip = report["device"]["chip"]
    for kernel in kernels:
        peak = {"f32": "f32_flops", "tf32": "tf32_flops"}.get(kernel["arithmetic"], "half_flops")
        moved = (kernel["bytes_read"] + kernel["bytes_written"]) / chip["bandwidth"]
        least = max(kernel["flops"] / chip[peak], moved)
        if not math.isclose(kernel["floor_seconds"], least, rel_tol=1e-9):
            problems.append(f"{kernel['name']}: floor {kernel['floor_seconds']}, not {least}")
    print("\n".join(problems) or f"{trips} launches hold")
    return not problems


if __name__ == "__main__":
    check = {"keys": check_keys, "step": check_step, "gpu": check_gpu}[sys.argv[1]]
    sys.exit(0 if check(*sys.argv[2:]) else 1)
