# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles steps for every rank of a grid, and checks what must hold of all
ranks together, from their manifests and IR alone.

  check-ranks.py [CASE...]
"""

import collections
import itertools
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

Param = collections.namedtuple(
    "Param", "name shape type split axes reduction strategy", defaults=[None] * 4
)


def matrices(names, shape, *more):
    return [Param(name, shape, "f32", *more) for name in names]


MEAN = ([0], "mean")
COLS = "[[], [1]]"
ROWS = "[[1], []]"
# Name: axes, parameters.
CASES = {
    "own": (
        {"dp": 2},
        matrices("abc", (48, 16), None, *MEAN, "own")
        + [Param("v", (200,), "f32", None, *MEAN)],
    ),
    "replicate": (
        {"dp": 3},
        matrices("ab", (48, 16), None, *MEAN, "replicate")
        + [Param("v", (200,), "f32", None, [0], "sum", "replicate")],
    ),
    "masters": (
        {"dp": 3},
        [
            Param("w", (24, 16), "bf16", None, *MEAN, "own"),
            Param("h", (70, 3), "bf16", None, *MEAN, "own"),
            Param("k", (65,), "bf16", None, *MEAN, "own"),
            Param("e", (5, 24, 16), "bf16", None, *MEAN, "own"),
        ],
    ),
    "reduced": (
        {"dp": 2},
        matrices("abc", (48, 16), None, None, None, "own")
        + [Param("v", (200,), "f32")],
    ),
    "own shards": (
        {"dp": 2, "tp": 2},
        matrices("abc", (48, 16), ROWS, *MEAN, "own")
        + matrices("de", (16, 64), COLS, *MEAN, "own")
        + [Param("v", (200,), "f32", "[[1]]", *MEAN)],
    ),
    "gather": (
        {"dp": 2, "tp": 2},
        matrices("abc", (48, 16), ROWS, *MEAN, "gather")
        + matrices("de", (16, 64), COLS, *MEAN, "gather"),
    ),
    "distributed_gram": (
        {"dp": 2, "tp": 2},
        matrices("abc", (48, 16), ROWS, *MEAN, "distributed_gram")
        + matrices("de", (16, 64), COLS, *MEAN, "distributed_gram"),
    ),
    "uneven": (
        {"dp": 2, "tp": 2},
        matrices("ab", (49, 16), ROWS, *MEAN, "own")
        + matrices("cd", (49, 15), ROWS, *MEAN, "gather"),
    ),
    "empty": (
        {"dp": 2, "tp": 3},
        matrices("ab", (2, 16), ROWS, *MEAN, "own")
        + matrices("cd", (1, 15), ROWS, *MEAN, "gather")
        + [Param("v", (2,), "f32", "[[1]]", *MEAN)]
        + matrices("ef", (24, 16), None, *MEAN, "own"),
    ),
    "both dimensions": (
        {"dp": 2, "tp": 2, "cp": 3},
        matrices("ab", (25, 16), "[[1], [2]]", *MEAN, "own")
        + matrices("c", (25, 17), "[[1, 2], []]", *MEAN, "gather"),
    ),
    "axes in another order": (
        {"dp": 2, "tp": 2},
        matrices("ab", (9, 16), "[[1, 0], []]", None, None, "own")
        + matrices("cd", (10, 17), "[[1], [0]]", None, None, "gather"),
    ),
    "row blocks": (
        {"dp": 2},
        [Param("qkv", (24, 16), "f32", None, *MEAN, "own")]
        + matrices("ab", (8, 16), None, *MEAN, "own"),
    ),
    "experts": (
        {"dp": 2, "ep": 2},
        [
            Param("x", (5, 8, 4), "f32", "[[1], [], []]", *MEAN, "own"),
            Param("y", (5, 8, 4), "f32", "[[1], [], []]", *MEAN, "own"),
            Param("z", (1, 6, 4), "f32", "[[1], [], []]", *MEAN, "own"),
        ],
    ),
    "fully sharded": (
        {"fsdp": 4},
        matrices("abcde", (48, 16), "[[0], []]", None, None, "own")
        + [Param("v", (200,), "f32", "[[0]]")],
    ),
    "both reduced": (
        {"dp": 2, "cp": 3},
        matrices("abcdefg", (48, 16), None, [0, 1], "mean", "own")
        + [Param("v", (300,), "f32", None, [0, 1], "mean")],
    ),
    "partly reduced": (
        {"dp": 2, "cp": 3},
        matrices("abcdefg", (48, 16), None, [1], "sum", "own")
        + [Param("v", (300,), "f32", None, [1], "sum")],
    ),
    # A rank that has no part in one of several parameters of a bucket.
    "one sum less": (
        {"dp": 2, "tp": 2},
        [
            Param("a", (48, 16), "f32", None, [0, 1], "mean", "own"),
            Param("b", (32, 16), "f32", None, [0], "mean", "own"),
            Param("c", (24, 16), "f32", None, [0, 1], "mean", "own"),
        ],
    ),
    "one weight less": (
        {"dp": 2, "tp": 2},
        [
            Param("a", (48, 16), "f32", None, [0, 1], "mean", "own"),
            Param("b", (1, 32, 16), "f32", "[[1], [], []]", [0], "mean", "own"),
            Param("c", (24, 16), "f32", None, [0, 1], "mean", "own"),
        ],
    ),
    # Exchanges among other ranks between those of a group.
    "one exchange less": (
        {"fs": 2, "tp": 2},
        [
            Param("a", (48, 16), "f32", "[[0], [1]]", None, None, "own"),
            Param("b", (32, 16), "f32", "[[], [1]]", None, None, "own"),
            Param("c", (24, 16), "f32", "[[0], [1]]", None, None, "own"),
        ],
    ),
    "one looks on": (
        {"tp": 4},
        [
            Param("p", (3, 70), "f32", "[[0], []]", None, None, "gather"),
            Param("q", (64, 16), "f32", "[[0], []]", None, None, "distributed_gram"),
            Param("s", (24, 16), "f32", "[[0], []]", None, None, "own"),
        ],
    ),
    "many exchanges": (
        {"tp": 2},
        [
            Param(n, (16 + 8 * i, 16), "f32", "[[0], []]", None, None,
                  "own" if i % 3 else "gather")
            for i, n in enumerate("abcdefg")
        ],
    ),
}


# Parameters that are updated as blocks of rows.
RULES = {"rules": [{"match": "qkv", "split": [8, 8, 8]}]}


def get_module(grid, params):
    names = ", ".join(f'"{name}"' for name in grid)
    sizes = "x".join(map(str, grid.values()))
    arguments, body = [], []
    for i, p in enumerate(params):
        shape = "x".join(map(str, p.shape))
        type = f"tensor<{shape}x{p.type}>"
        split = f", muon.sharding = #muon.sharding<{p.split}>" if p.split else ""
        sums = (
            f", muon.unreduced = #muon.unreduced<{p.axes}, {p.reduction}>"
            if p.axes
            else ""
        )
        strategy = f' {{muon.strategy = "{p.strategy}"}}' if p.strategy else ""
        arguments += [
            f"%w{i}: {type} {{muon.role = #muon.role<weight>, "
            f'muon.names = ["{p.name}"]{split}}}',
            f"%g{i}: {type} {{muon.role = #muon.role<gradient>, "
            f'muon.names = ["{p.name}"]{split}{sums}}}',
        ]
        body.append(
            f"  %{i} = muon.optimize weight(%w{i}) gradient(%g{i})"
            f"{strategy} : {type}, {type}"
        )
    return "\n".join(
        [
            f"shard.grid @grid(shape = {sizes}) {{muon.axes = [{names}]}}",
            "func.func @step(\n    " + ",\n    ".join(arguments) + ") {",
            *body,
            "  return",
            "}",
        ]
    )


def run(*arguments, text):
    done = subprocess.run(
        ["muon-opt", "-", *arguments], input=text, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout


def get_coordinates(grid, rank):
    coordinates = []
    for size in reversed(list(grid.values())):
        coordinates.insert(0, rank % size)
        rank //= size
    return coordinates


def get_shard(grid, param, rank):
    """Ranges of the dimensions that a rank has by the placement alone."""
    sizes, coordinates = list(grid.values()), get_coordinates(grid, rank)
    split = json.loads(param.split) if param.split else [[]] * len(param.shape)
    ranges = []
    for dim, axes in zip(param.shape, split):
        index, parts = 0, 1
        for axis in axes:
            index = index * sizes[axis] + coordinates[axis]
            parts *= sizes[axis]
        begins = [0]
        for part in range(parts):
            begins.append(begins[-1] + dim // parts + (part < dim % parts))
        assert begins[-1] == dim
        ranges.append(range(begins[index], begins[index + 1]))
    return ranges


def number(ranges, shape):
    """Row-major numbers of the elements of a block."""
    numbers = set()
    for place in itertools.product(*ranges):
        n = 0
        for at, dim in zip(place, shape):
            n = n * dim + at
        numbers.add(n)
    return numbers


def get_elements(member, argument, params):
    """The parameter, and its elements that a member of an argument has."""
    if isinstance(member, str):
        return member, number(map(range, params[member].shape), params[member].shape)
    param = params[member["tensor"]]
    if "begin" in member:
        rows = range(member["begin"], member["end"])
        assert (member["rows"],) == param.shape[:1], member
        return param.name, number([rows, range(param.shape[1])], param.shape)
    assert tuple(member["of"]) == param.shape, member
    if "from" not in member:
        block, offset = argument["shape"], member["offset"]
    else:
        block = member.get("block", member["of"])
        offset = member.get("offset", [0] * len(block))
    ranges = [range(o, o + b) for o, b in zip(offset, block)]
    elements = sorted(number(ranges, param.shape))
    if "from" in member:
        begin = member["from"]
        elements = elements[begin : begin + math.prod(argument["shape"])]
        assert len(elements) == math.prod(argument["shape"]), member
    return param.name, set(elements)


def check_tensors(grid, params, manifests):
    """Weights and gradients are there once on each rank that has them by their
    placement; state is there once in each group of ranks that have the same
    weights, or on all of them.
    """
    counts = collections.defaultdict(collections.Counter)
    for rank, manifest in enumerate(manifests):
        local = collections.defaultdict(collections.Counter)
        for argument in manifest["arguments"]:
            role = argument["role"]
            if role.endswith("_sums") or "params" not in argument:
                continue
            for member in manifest["params"][argument["params"]]:
                name, elements = get_elements(member, argument, params)
                local[name, role].update(elements)
        for name, param in params.items():
            wanted = number(get_shard(grid, param, rank), param.shape)
            assert local[name, "weight"] == collections.Counter(wanted), (
                f"rank {rank}: weight {name}"
            )
            gradient = local[name, "gradient"]
            assert set(gradient.values()) <= {1}, f"rank {rank}: gradient {name}"
            assert wanted >= set(gradient), f"rank {rank}: gradient {name}"
            # A gradient that needs no sum is only where it is used.
            if param.axes is not None and len(param.axes) == sum(
                str(i) not in (param.split or "") for i in range(len(grid))
            ):
                assert set(gradient) == wanted, f"rank {rank}: gradient {name}"
        for (name, role), elements in local.items():
            if role not in ("weight", "gradient"):
                counts[name, role].update(elements.keys())
                assert set(elements.values()) <= {1}, f"rank {rank}: {name}"
    for name, param in params.items():
        roles = {role for n, role in counts if n == name}
        expected = {"exp_avg", "exp_avg_sq"}
        if len(param.shape) > 1 and param.name != "h":
            expected = {"momentum"}
        if param.type == "bf16":
            expected.add("master")
        if "momentum" in roles:
            expected = expected - {"exp_avg", "exp_avg_sq"} | {"momentum"}
        assert roles == expected, f"{name}: {roles}"
        shards = [
            math.prod(map(len, get_shard(grid, param, rank)))
            for rank in range(len(manifests))
        ]
        copies = sum(shards) // math.prod(param.shape)
        for role in roles:
            times = set(counts[name, role].values())
            assert len(counts[name, role]) == math.prod(param.shape), (
                f"{role} of {name} does not cover it"
            )
            if param.strategy is None:
                wanted = [{1}, {copies}]
            else:
                wanted = [{copies if param.strategy == "replicate" else 1}]
            assert times in wanted, f"{role} of {name} is there {times} times"


def check_collectives(manifests):
    """The ranks of a group mean the same by what they do, one after the other,
    and each segment has the ranks that it needs.
    """
    sequences = collections.defaultdict(dict)
    for rank, manifest in enumerate(manifests):
        distribution = manifest["distribution"]
        assert distribution["rank"] == rank
        assert distribution["plan"] == manifests[0]["distribution"]["plan"]
        for collective in distribution["collectives"]:
            group = tuple(collective["group"])
            assert rank in group
            sequences[group].setdefault(rank, []).append(collective)
    for group, ranks in sequences.items():
        assert set(ranks) == set(group), f"group {group}: only ranks {list(ranks)}"
        lengths = {len(sequence) for sequence in ranks.values()}
        assert len(lengths) == 1, f"group {group}: {lengths} collectives"
        for together in zip(*(ranks[rank] for rank in group)):
            check_collective(group, together)


def check_collective(group, together):
    first = together[0]
    for key in ("kind", "name", "type", "reduction", "segments"):
        for rank, other in zip(group, together):
            assert other.get(key) == first.get(key), (
                f"group {group}: rank {rank} has {key} {other.get(key)}, rank "
                f"{group[0]} {first.get(key)}"
            )
    for place, collective in enumerate(together):
        listed = [
            sum((operand["segments"] for operand in collective[key]), [])
            for key in ("send", "receive")
        ]
        sends, receives = set(), set()
        for i, (_, source, target) in enumerate(collective["segments"]):
            kind = collective["kind"]
            assert (source >= 0) == (kind in ("all_gather", "all_to_all"))
            assert (target >= 0) == (kind in ("reduce_scatter", "all_to_all"))
            if source in (-1, place):
                sends.add(i)
            if target in (-1, place):
                receives.add(i)
        assert sorted(listed[0]) == sorted(sends), collective
        if collective["kind"] == "all_gather":
            # A rank's own segments are where they have to be.
            assert receives - sends <= set(listed[1]) <= receives
            assert len(listed[1]) == len(set(listed[1]))
        else:
            assert sorted(listed[1]) == sorted(receives), collective


def check_order(manifests, steps):
    """All ranks get to the end if a wait lasts until the group has started."""
    calls = [
        re.findall(r"muon\.(start|wait)_collective (\d+)", step) for step in steps
    ]
    for manifest, sequence in zip(manifests, calls):
        count = len(manifest["distribution"]["collectives"])
        starts = [int(n) for what, n in sequence if what == "start"]
        waits = [int(n) for what, n in sequence if what == "wait"]
        assert starts == list(range(count)), f"starts {starts}"
        assert sorted(waits) == starts, f"waits {waits}"
        for n in range(count):
            ends = sequence.index(("wait", str(n)))
            assert sequence.index(("start", str(n))) < ends, f"waits for {n} first"
    at = [0] * len(calls)
    started = [collections.Counter() for _ in calls]
    place = [{} for _ in calls]
    moves = True
    while moves:
        moves = False
        for rank, sequence in enumerate(calls):
            while at[rank] < len(sequence):
                what, n = sequence[at[rank]]
                group = tuple(
                    manifests[rank]["distribution"]["collectives"][int(n)]["group"]
                )
                if what == "start":
                    place[rank][n] = started[rank][group]
                    started[rank][group] += 1
                elif any(started[r][group] <= place[rank][n] for r in group):
                    break
                at[rank] += 1
                moves = True
    for rank, sequence in enumerate(calls):
        assert at[rank] == len(sequence), f"rank {rank} waits at {sequence[at[rank]]}"


def check_sums(params, steps):
    """Every element of a gradient, a state and a weight is in one partial sum of
    one rank: of its own matrix, where the update is not elementwise.
    """
    totals = collections.defaultdict(collections.Counter)
    heights = {}
    for step in steps:
        values = {}
        for line in step.splitlines():
            match = re.match(r"\s*(%\w+)(?::\d+)? = muon\.(\w+) (.*)", line)
            if match is None:
                continue
            result, name, rest = match.groups()
            groups = {
                group: (names.split(", "), types)
                for group, names, types in re.findall(
                    r"(\w+)\((%[^:]*) : ([^)]*)\)", rest
                )
            }
            if name == "sum_squares":
                values[result] = groups["value"][1]
            elif name in ("update", "adamw_update"):
                destinations = [
                    group
                    for group in re.findall(r"(\w+)\(%", rest)
                    if group
                    in (
                        "weight momentum exp_avg exp_avg_sq master update_sums "
                        "weight_sums"
                    ).split()
                ]
                for i, group in enumerate(destinations):
                    if group.endswith("_sums"):
                        values[f"{result}#{i}"] = groups["weight"][1]
            elif name == "place" and "value" in groups:
                runs = zip(
                    groups["value"][0],
                    *(get_list(rest, key) for key in ("from", "to", "counts")),
                )
                # Sums of the whole step, picked for an update, come from none.
                values[result] = [
                    (values[value], *run) for value, *run in runs if value in values
                ]
            elif name == "place":
                values[result] = []
            elif name == "all_reduce" and 'label = "sums"' in rest:
                for value, report in zip(groups["value"][0], groups["out"][0]):
                    attrs = re.search(
                        re.escape(report)
                        + r": tensor<(\d+)xf64> "
                        + r"\{(.*?muon\.role = #muon\.role<(\w+)>)\}",
                        step,
                    )
                    names = re.findall(r'"([^"]*)"', attrs[2])
                    key = tuple(names), attrs[3]
                    blocks = re.findall(r"(\d+) to (\d+) of", attrs[2])
                    if blocks:
                        rows = int(blocks[0][1]) - int(blocks[0][0])
                        heights[key] = rows
                    for type, _, to, count in values[value]:
                        shape = [int(n) for n in re.findall(r"(\d+)x", type)]
                        for i in range(count):
                            totals[key][to + i] += get_matrix_elements(
                                type, shape, params[names[0]]
                            )
                    totals[key].setdefault("size", int(attrs[1]))
    assert totals
    for (names, role), sums in totals.items():
        size = sums.pop("size")
        shape = params[names[0]].shape
        if (names, role) in heights:
            shape = heights[names, role], *shape[1:]
        per_member = size // len(names)
        each = math.prod(shape) // per_member
        expected = {i: each for i in range(size)}
        assert dict(sums) == expected, f"{role} of {names}: {dict(sums)}, not {expected}"


def get_list(text, key):
    """The numbers of an attribute of an operation."""
    numbers = re.search(key + r" = array<i64: ([^>]*)>", text)[1]
    return [int(n) for n in numbers.split(", ")]


def get_matrix_elements(type, shape, param):
    """Elements that one number of the sums of a tensor stands for."""
    if type.startswith("!muon.stack") or len(shape) > 2:
        rank = len(param.shape)
        return math.prod(shape[-2:] if rank > 1 else shape[-1:])
    return math.prod(shape)


def main():
    folder = tempfile.TemporaryDirectory()
    rules = pathlib.Path(folder.name, "rules.json")
    rules.write_text(json.dumps(RULES))
    for name in sys.argv[1:] or CASES:
        grid, params = CASES[name]
        module = get_module(grid, params)
        ranks = math.prod(grid.values())
        try:
            passes = [
                [
                    f"--muon-assign-optimizers=rules={rules}",
                    "--muon-stack-updates",
                    f"--muon-distribute=rank={rank}",
                ]
                for rank in range(ranks)
            ]
            steps = [run(*step, text=module) for step in passes]
            # In one run: the last pass puts the manifest beside the calls.
            loops = [
                run(
                    *step,
                    "--muon-phase-math",
                    "--muon-phase-buffers",
                    "--muon-phase-loops",
                    "--muon-lower-entry",
                    text=module,
                )
                for step in passes
            ]
            manifests = [get_manifest(loop) for loop in loops]
            by_name = {p.name: p for p in params}
            check_collectives(manifests)
            check_order(manifests, loops)
            check_tensors(grid, by_name, manifests)
            check_sums(by_name, steps)
        except AssertionError as error:
            print(f"{name}: {error}")
            continue
        kinds = sorted(
            {c["kind"] for m in manifests for c in m["distribution"]["collectives"]}
        )
        print(f"{name}: {ranks} ranks agree on {', '.join(kinds)}")


def get_manifest(text):
    escaped = re.search(r'muon\.manifest = "((?:[^"\\]|\\.)*)"', text)[1]
    return json.loads(
        re.sub(
            r"\\([0-9A-F]{2}|.)",
            lambda m: bytes.fromhex(m[1]).decode() if len(m[1]) == 2 else m[1],
            escaped,
        )
    )


if __name__ == "__main__":
    main()
