# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the bundle of scripts/gpu-bundle.sh: what a machine with a GPU, but
without LLVM, needs to test and time compiled steps. See docs/gpu-suite.md."""
from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from typing import Mapping, Sequence

import gpu_tensors
import gpu_work
import streams

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 60 << 20
HOST_CPU = "x86-64-v3"
# Those of glibc and the compiler, which every Debian and Ubuntu has. Their own
# must not be replaced by older ones.
EVERYWHERE = re.compile(r"(linux-vdso|ld-linux.*|lib(c|m|dl|rt|pthread|stdc\+\+"
                        r"|gcc_s))\.so(\.\d+)*$")
PYTHON = ("gpu_driver.py", "gpu_replay.py", "gpu_step.py", "gpu_suite.py",
          "gpu_tensors.py", "gpu_work.py")

# -- Tests --------------------------------------------------------------------

# Large rates, so that what was subtracted is not lost in the rounding of the
# weight. Each step names all scalars, since in one process they stay set.
STEPS = ({"lr": 0.5, "momentum": 0.95, "weight_decay": 0.1},
         {"lr": 0.3, "momentum": 0.875, "weight_decay": 0.1},
         {"lr": 0.7, "momentum": 0.95, "weight_decay": 0.05})
# Cut tiles, rows of odd length, one long row, a batch, a vector for AdamW.
SHAPES = {"odd": (6, 13), "tall": (37, 15), "cut": (129, 300),
          "long": (1, 64), "batch": (3, 12, 20), "tiles": (128, 256),
          "some.bias": (17,)}
# How far the results of two machines may be apart, as a part of the root mean
# square of the change of a weight: sums in another order, after which other
# values are rounded, five times in a row.
APART = {"f32": 2e-4, "tf32": 0.1, "bf16": 0.4, "f16": 0.1}
# A weight that is rounded to the other side.
ULP = {"F32": 1e-6, "BF16": 2.0 ** -7, "F16": 2.0 ** -10}


def test(compute: str, iteration: str, dtype: str = "F32", shapes=SHAPES,
         steps: Sequence[Mapping] = STEPS, kinds=({},) * 3, sim: bool = True,
         sanitize: bool = False, state: bool = True, muon=None, apart=None,
         **rules) -> dict:
    return {"compute": compute, "dtype": dtype, "shapes": shapes, "sim": sim,
            "sanitize": sanitize, "state": state,
            "apart": apart or APART[compute],
            "steps": [{"scalars": s, "kinds": k}
                      for s, k in zip(steps, kinds)],
            "rules": {**rules, "muon": {"compute": compute,
                                        "iteration": iteration,
                                        **(muon or {})}}}


def transformer() -> dict:
    shapes = {"embed.weight": (96, 32), "lm_head.weight": (96, 32)}
    for layer in range(2):
        for name, shape in (("attn.qkv", (96, 32)), ("attn.proj", (32, 32)),
                            ("mlp.up", (128, 32)), ("mlp.down", (32, 128)),
                            ("norm", (32,))):
            shapes[f"layers.{layer}.{name}.weight"] = shape
    return shapes


SMALL_TESTS = {
    "f32-direct": test("f32", "direct", sanitize=True,
                       shapes={"odd": (6, 13), "some.bias": (17,)}),
    "bf16-direct": test("bf16", "direct", sanitize=True,
                        shapes={"batch": (2, 70, 90)}),
    "skip": test("f32", "direct", shapes={"odd": (6, 13), "last": (20,)},
                 kinds=({}, {"last": "nan"}, {})),
}
TESTS = {
    **SMALL_TESTS,
    "f32-direct": test("f32", "direct", sanitize=True),
    "f32-gram": test("f32", "gram", muon={"restarts": [2]}),
    "tf32-direct": test("tf32", "direct"),
    "bf16-direct": test("bf16", "direct", sanitize=True),
    "f16-direct": test("f16", "direct"),
    "f16-gram": test("f16", "gram", sanitize=True),
    "bf16-stored": test("bf16", "direct", "BF16", sanitize=True,
                        clip_global_norm=0.5, steps=tuple(
                            {**scalars, "clip": clip} for scalars, clip
                            in zip(STEPS, (0.5, 7.0, 1e9)))),
    "transformer": test("bf16", "direct", shapes=transformer(),
                        clip_global_norm=1.0, muon={"momentum_form": "ema"}),
    "zero": test("f32", "direct", shapes={"w": (15, 37)},
                 kinds=({"w": "zero"},) * 3),
    # What is rounded off grows five hundredfold where there is nothing else.
    "rank1": test("f32", "direct", shapes={"w": (64, 130)}, apart=5e-3,
                  kinds=({"w": "rank1"},) * 3),
    "large-bf16": test("bf16", "direct", "BF16", shapes={"w": (1024, 2048)},
                       steps=STEPS[:1], sim=False, state=False),
    "large-f16": test("f16", "gram", "F16", shapes={"w": (1000, 1516)},
                      steps=STEPS[:1], sim=False, state=False),
}

# -- The benchmark ------------------------------------------------------------

CASES = [(1, 1024, 1024), (1, 2048, 8192), (1, 4096, 4096), (1, 4096, 11008),
         (64, 1024, 4096)]
SMALL_CASES = [(2, 64, 136)]
FORMS = (("bf16", "direct"), ("f16", "gram"))

CHAIN = """
func.func @step(
    %x: tensor<{b}x{r}x{c}x{t}> {{muon.role = #muon.role<gradient>, muon.names = ["x"]}},
    %o: tensor<{b}x{r}x{c}x{t}> {{muon.role = #muon.role<weight>, muon.names = ["x"]}})
    -> tensor<{b}x{r}x{c}x{t}> {{
  %0 = muon.orthogonalize x(%x : tensor<{b}x{r}x{c}x{t}>) out(%o : tensor<{b}x{r}x{c}x{t}>)
      {{schedule = #muon.schedule<keller_jordan>, steps = 5 : i64,
        iteration = #muon.iteration<{i}>}}
  return %0 : tensor<{b}x{r}x{c}x{t}>
}}
"""


class Builder:
    def __init__(self, build: pathlib.Path, target: str, scratch: pathlib.Path):
        self.build, self.target, self.scratch = build, target, scratch

    def tool(self, name: str, *arguments) -> str:
        command = [self.build / "bin" / name, *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True,
                              text=True)
        if done.returncode != 0:
            sys.exit(f"gpu-bundle: error: {' '.join(map(str, command))}\n"
                     f"{done.stdout}{done.stderr}")
        return done.stdout

    def work(self, source: pathlib.Path) -> gpu_work.Work:
        try:
            return gpu_work.read(self.tool(
                "muon-compile", source, f"--target={self.target}",
                "--compile-to=launches", "-o", "-"))
        except ValueError as error:
            sys.exit(f"gpu-bundle: error: {source.name}: {error}")

    def compile(self, source: pathlib.Path, out: pathlib.Path) -> None:
        # PTX alone, the same with and without CUDA here: which machine code
        # the GPU needs is known there.
        self.tool("muon-compile", source, f"--target={self.target}",
                  "--ptxas=none", f"--cpu={HOST_CPU}", "-o", out)

    def imported(self, name: str, dtype: str, shapes: Mapping,
                 rules: Mapping) -> pathlib.Path:
        model = self.scratch / f"{name}.safetensors"
        gpu_tensors.save_zeros(model, {n: (dtype, s)
                                       for n, s in shapes.items()})
        config = self.scratch / f"{name}.json"
        config.write_text(json.dumps(rules))
        source = self.scratch / f"{name}.mlir"
        self.tool("muon-import", model, "--config", config, "-o", source)
        model.unlink()
        return source

    # -- Tests ------------------------------------------------------------

    def test(self, name: str, spec: dict, folder: pathlib.Path) -> dict:
        """Artifact and expected values, which the CPU target computes."""
        folder.mkdir(parents=True)
        source = self.imported(name, spec["dtype"], spec["shapes"],
                               spec["rules"])
        self.compile(source, folder / "step.so")
        on_cpu = self.scratch / f"{name}.cpu.so"
        self.tool("muon-compile", source, "-o", on_cpu)
        entry = {"name": name, "steps": spec["steps"], "sim": spec["sim"],
                 "sanitize": spec["sanitize"],
                 "tensors": [{"name": n, "dtype": spec["dtype"],
                              "shape": list(s)}
                             for n, s in spec["shapes"].items()]}
        params, gradients = gpu_tensors.test_inputs(entry)
        before = {"params": self.scratch / f"{name}.params"}
        gpu_tensors.save(before["params"], params)
        changes = []
        for number, tensors in enumerate(gradients):
            grads = self.scratch / f"{name}.grads"
            gpu_tensors.save(grads, tensors)
            after = {what: self.scratch / f"{name}.{number}.{what}"
                     for what in ("params", "state")}
            self.tool("muon-run", on_cpu, "--grads", grads,
                      "--params", before["params"],
                      *(("--state", before["state"]) if "state" in before
                        else ("--init-state",)),
                      *scalars(spec["steps"][number]["scalars"]),
                      "--out-params", after["params"],
                      "--out-state", after["state"])
            found = gpu_tensors.load(after["params"])
            changes += changed(gpu_tensors.load(before["params"]), found)
            if spec["state"]:
                found.update(gpu_tensors.load(after["state"]))
            gpu_tensors.save(folder / f"expected{number}.safetensors", found)
            before = after
        entry["atol"] = spec["apart"] * min(changes)
        entry["rtol"] = ULP[spec["dtype"]]
        entry["tensor_flops"] = {}
        for operation in self.work(source).operations:
            if operation.flops and operation.type != "f32":
                entry["tensor_flops"][operation.type] = operation.flops + \
                    entry["tensor_flops"].get(operation.type, 0)
        return entry

    # -- The benchmark ----------------------------------------------------

    def timed(self, name: str, source: pathlib.Path, folder: pathlib.Path,
              **about) -> dict:
        self.compile(source, folder / f"{name}.so")
        work = self.work(source)
        return {"name": name, "file": f"{name}.so", **about,
                "launches": work.launches,
                "operations": [o._asdict() for o in work.operations]}

    def benchmark(self, cases: Sequence, stream_rows: int,
                  folder: pathlib.Path) -> None:
        folder.mkdir()
        entries = []
        for batch, rows, cols in cases:
            shape = (f"{batch}x" if batch > 1 else "") + f"{rows}x{cols}"
            for compute, iteration in FORMS:
                if iteration == "gram" and rows == cols:
                    continue  # where it costs more
                about = {"batch": batch, "rows": rows, "cols": cols,
                         "compute": compute, "iteration": iteration}
                name = f"chain-{shape}-{compute}-{iteration}"
                source = self.scratch / f"{name}.mlir"
                source.write_text(CHAIN.format(b=batch, r=rows, c=cols,
                                               t=compute, i=iteration))
                entries.append(self.timed(name, source, folder, kind="chain",
                                          **about))
                name = f"step-{shape}-{compute}-{iteration}"
                source = self.imported(
                    name, "F32", {f"w{i}": (rows, cols) for i in range(batch)},
                    {"muon": {"compute": compute, "iteration": iteration,
                              "momentum_form": "ema"}})
                entries.append(self.timed(name, source, folder, kind="step",
                                          **about))
        for name, (arguments, results, body) in streams.STREAMS.items():
            source = self.scratch / f"stream-{name}.mlir"
            text = (f"func.func @step({', '.join(arguments)}) -> ({results}) "
                    f"{{{body}\n}}\n")
            source.write_text(text.replace("8192x4096", f"{stream_rows}x4096"))
            entries.append(self.timed(f"stream-{name}", source, folder,
                                      kind="stream"))
        gpu_tensors.write_replacing(folder / "bench.json",
                                    json.dumps(entries, indent=1).encode())

    # -- Libraries --------------------------------------------------------

    def libraries(self, folder: pathlib.Path) -> list[str]:
        """Copies what muon-run needs; returns what the runtime needs, in the
        order in which it can be loaded."""
        folder.mkdir()
        runtime = self.build / "lib" / "libmuon_runtime.so.0"
        shutil.copy2(runtime.resolve(), folder / runtime.name)
        paths = linked(runtime)
        for soname, path in paths.items():
            shutil.copy2(pathlib.Path(path).resolve(), folder / soname)
        # A library comes after those that it links to itself.
        order: list[str] = []
        while len(order) < len(paths):
            ready = [s for s in sorted(paths) if s not in order
                     and linked(paths[s]).keys() <= set(order)]
            if not ready:
                sys.exit("gpu-bundle: error: libraries need each other: "
                         + ", ".join(sorted(paths.keys() - set(order))))
            order += ready
        return order


def linked(path) -> dict[str, str]:
    """Libraries, by soname, that a machine may lack."""
    text = subprocess.run(["ldd", str(path)], capture_output=True, text=True,
                          check=True).stdout
    missing = re.findall(r"(\S+) => not found", text)
    if missing:
        sys.exit(f"gpu-bundle: error: {path} needs {', '.join(missing)}")
    return {soname: where for soname, where in
            re.findall(r"^\s*(\S+) => (/\S+)", text, re.MULTILINE)
            if not EVERYWHERE.match(soname)}


def scalars(values: Mapping) -> list[str]:
    options = {"lr": "--lr", "weight_decay": "--weight-decay",
               "momentum": "--momentum", "clip": "--clip"}
    return [text for name, value in values.items()
            for text in (options[name], repr(value))]


def changed(before: Mapping, after: Mapping) -> list[float]:
    """Root mean squares of the changes of the tensors that did change."""
    changes = []
    for name, tensor in after.items():
        total = math.fsum((x - y) ** 2 for x, y in
                          zip(tensor.values(), before[name].values()))
        if total > 0:
            changes.append(math.sqrt(total / math.prod(tensor.shape)))
    return changes


def commit() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always",
                           "--dirty", "--abbrev=12"], capture_output=True,
                          text=True)
    return done.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(prog="gpu-bundle.sh",
                                     description=__doc__.split(":")[0])
    parser.add_argument("out", type=pathlib.Path, metavar="OUT.tar.gz")
    parser.add_argument("--build", type=pathlib.Path,
                        default=ROOT / "build" / "release")
    parser.add_argument("--target", default="sm_80",
                        help="of muon-compile; default sm_80")
    parser.add_argument("--small", action="store_true",
                        help="a few small tests and shapes only")
    options = parser.parse_args()
    if options.out.is_dir() or not options.out.parent.is_dir():
        parser.error(f"cannot write '{options.out}': expected a file name in "
                     "a folder that exists")
    with tempfile.TemporaryDirectory(prefix="gpu-bundle.") as scratch:
        folder = pathlib.Path(scratch) / "muon-gpu"
        for name in ("bin", "python", "tests"):
            (folder / name).mkdir(parents=True)
        builder = Builder(options.build, options.target, pathlib.Path(scratch))
        # A build with debug information would not fit.
        subprocess.run(["strip", "--strip-debug", "-o",
                        folder / "bin" / "muon-run",
                        options.build / "bin" / "muon-run"], check=True)
        for name in PYTHON:
            shutil.copy2(ROOT / "benchmarks" / name, folder / "python" / name)
        shutil.copy2(ROOT / "scripts" / "gpu-suite.sh", folder)
        shutil.copy2(ROOT / "LICENSE", folder)
        libraries = builder.libraries(folder / "lib")
        specs = SMALL_TESTS if options.small else TESTS
        tests = [builder.test(name, spec, folder / "tests" / name)
                 for name, spec in specs.items()]
        builder.benchmark(SMALL_CASES if options.small else CASES,
                          8 if options.small else 32768, folder / "bench")
        (folder / "bundle.json").write_text(json.dumps({
            "format": "muon-gpu-bundle", "version": 1, "commit": commit(),
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(
                timespec="seconds"),
            "target": options.target, "libraries": libraries,
            "tests": tests}, indent=1) + "\n")
        temporary = options.out.with_name(
            f"{options.out.name}.tmp{os.getpid()}")
        try:
            with tarfile.open(temporary, "w:gz",
                              compresslevel=1 if options.small else 6
                              ) as archive:
                archive.add(folder, folder.name)
            size = temporary.stat().st_size
            if size > LIMIT:
                sys.exit(f"gpu-bundle: error: {size / 2**20:.1f} MiB, "
                         f"expected at most {LIMIT >> 20} MiB")
            os.replace(temporary, options.out)
        finally:
            temporary.unlink(missing_ok=True)
    print(f"{options.out}: {size / 2**20:.1f} MiB, {len(tests)} tests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
