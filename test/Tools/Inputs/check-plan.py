# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks a plan in JSON against itself, and prints one line for each group.

  check-plan.py PLAN.json
"""

import json
import math
import sys


def check_spread(where, spread, ranks):
    if not 0 <= spread["min"] <= spread["mean"] <= spread["max"]:
        sys.exit(f"{where}: expected min <= mean <= max, found {spread}")
    wanted = spread["max"] / spread["mean"] if spread["mean"] else 1
    if not math.isclose(spread["imbalance"], wanted):
        sys.exit(f"{where}: expected an imbalance of {wanted}, found {spread}")
    return spread["mean"] * ranks


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    if (plan["format"], plan["version"]) != ("muon-plan", 1):
        sys.exit(f"expected a plan of version 1, found {plan['format']} {plan['version']}")
    ranks = math.prod(axis["size"] for axis in plan["grid"])
    totals = dict.fromkeys(plan["ranks"], 0)
    for group in plan["groups"]:
        name, predicted, second = group["name"], group["predicted"], group.get("runner_up")
        if group["strategy"] != predicted["strategy"]:
            sys.exit(f"{name}: {group['strategy']} is not {predicted['strategy']}")
        limited = plan["memory"] > 0
        if second and not (limited or group["pinned"]) and second["seconds"] < predicted["seconds"]:
            sys.exit(f"{name}: the runner-up is faster")
        for key, spread in group["ranks"].items():
            totals[key] += check_spread(f"{name}: {key}", spread, ranks)
        if not math.isclose(
            group["ranks"]["bytes_sent"]["mean"], group["ranks"]["bytes_received"]["mean"]
        ):
            sys.exit(f"{name}: what is sent is not received")
        shape = "x".join(map(str, [group["members"], *group["shape"]]))
        split = "|".join("+".join(axes) for axes in group["split"])
        line = f"{name} {shape}"
        line += f" split={split}" if split.strip("|") else ""
        line += f" unreduced={'+'.join(group['unreduced'])}" if group["unreduced"] else ""
        print(f"{line}: {group['strategy']}{', pinned' if group['pinned'] else ''}")
    for key, total in totals.items():
        of_ranks = check_spread(key, plan["ranks"][key], ranks)
        if not math.isclose(total, of_ranks):
            sys.exit(f"{key}: groups have {total}, ranks {of_ranks}")
    print("holds")


if __name__ == "__main__":
    main()
