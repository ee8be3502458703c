# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each kernel of the GPU target by itself, against its definition in f64.

A program is a step without arguments: its buffers lie in the arena, at places
chosen here. muon-ptx-sim executes its launches one after the other, each under
three orders of execution, and looks for races and undefined values. The arena
is full of NaNs but for the inputs, so that what should be written and is not,
and padding that is read, show; any other byte has to stay as it is.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

import numpy as np

import safetensors_io
from inputs import rng_for
from storage import BITS, Tensor, rounded
from toolchain import call

NAMES = {"f64": "F64", "f32": "F32", "f16": "F16", "bf16": "BF16",
         "i64": "I64", "i1": "BOOL"}
POISON = 0xFF  # NaN in every float type
GUARD = 64
ALIGNMENT = 128
SCRATCH = 1 << 16  # what the compiler may add
SEEDS = 3

LAUNCH = re.compile(r"llvm\.call %\w+\(%\w+, %(\w+), %(\w+), %(\w+), %(\w+), "
                    r"%(\w+)\) : !llvm\.ptr, \(!llvm\.ptr, i32, i64, i64, "
                    r"i32, i32\) -> \(\)")
CONSTANT = re.compile(r"%(\w+) = llvm\.mlir\.constant\((-?\d+) : i\d+\)")
KERNEL = re.compile(r'name = "(\w+)", [^{}]*?shared = (\d+) : i64, '
                    r"[^{}]*?threads = (\d+) : i64")


@dataclass
class Buffer:
    """Memory of the arena; matrices have rows of `pitch` elements."""

    name: str
    kind: str  # of elements, as MLIR calls it
    shape: tuple[int, ...]
    pitch: int
    offset: int
    values: Optional[np.ndarray]  # None if it is not initialized

    @property
    def dtype(self) -> str:
        return NAMES[self.kind]

    @property
    def whole(self) -> tuple[int, ...]:
        return (*self.shape[:-1], self.pitch) if self.shape else ()

    @property
    def bytes(self) -> int:
        return math.prod(self.whole) * BITS[self.dtype].itemsize

    def memref(self, shape: Sequence[int]) -> str:
        return f"memref<{''.join(f'{s}x' for s in shape)}{self.kind}>"

    @property
    def type(self) -> str:
        if self.whole == self.shape:
            return self.memref(self.shape)
        strides = [math.prod(self.whole[i + 1:]) for i in range(3)]
        return (f"{self.memref(self.shape)[:-1]}, "
                f"strided<[{', '.join(map(str, strides))}]>>")

    def __str__(self) -> str:
        return f"%{self.name} : {self.type}"

    def view(self, arena: str) -> str:
        """Operations that make it a part of the arena."""
        target = self.name if self.whole == self.shape else f"{self.name}_all"
        whole = self.memref(self.whole)
        text = (f"%{self.name}_at = arith.constant {self.offset} : index\n"
                f"%{target} = memref.view %arena[%{self.name}_at][] : "
                f"{arena} to {whole}\n")
        if target != self.name:
            text += (f"%{self.name} = memref.subview %{target}[0, 0, 0] "
                     f"{list(self.shape)} [1, 1, 1] : {whole} to "
                     f"{self.type}\n")
        return text

    def part(self, image: np.ndarray) -> np.ndarray:
        """Its elements in an image of the arena, without the padding."""
        bits = image[self.offset:self.offset + self.bytes].view(
            BITS[self.dtype]).reshape(self.whole)
        return bits[..., :self.shape[-1]] if self.shape else bits


def operands(**groups) -> str:
    """`name(%a, %b : type, type)` for each group that is not empty."""
    text = []
    for name, group in groups.items():
        group = [group] if isinstance(group, Buffer) else group
        if group:
            text.append(f"{name}({', '.join('%' + b.name for b in group)} : "
                        f"{', '.join(b.type for b in group)})")
    return " ".join(text)


class Program:
    def __init__(self):
        self.buffers: list[Buffer] = []
        self.text: list[str] = []
        self.size = GUARD

    def buffer(self, kind: str, shape: Sequence[int] = (), values=None,
               pitch: int = 0) -> Buffer:
        """Values are rounded to the type; None is memory to be written."""
        shape = tuple(shape)
        offset = -(-self.size // ALIGNMENT) * ALIGNMENT
        if values is not None:
            values = np.broadcast_to(np.asarray(values), shape)
        result = Buffer(f"b{len(self.buffers)}", kind, shape,
                        pitch or (shape[-1] if shape else 1), offset, values)
        self.size = offset + result.bytes + GUARD
        self.buffers.append(result)
        return result

    def stored(self, buffer: Buffer) -> np.ndarray:
        """The numbers that `buffer` starts with, in f64."""
        return Tensor.of(buffer.values, buffer.dtype).values()

    def add(self, text: str) -> None:
        self.text.append(text)

    def launch(self, *operations: str, when: Optional[Buffer] = None) -> None:
        flag = operands(when=when) if when else ""
        work = "\n".join(operations)
        self.add(f"muon_gpu.launch {flag} {{\n{work}\n}}")

    def image(self) -> np.ndarray:
        image = np.full(self.size + SCRATCH, POISON, np.uint8)
        for buffer in self.buffers:
            if buffer.values is not None:
                buffer.part(image)[...] = Tensor.of(buffer.values,
                                                    buffer.dtype).bits
        return image

    def compile(self, folder: Path) -> tuple[Path, list[tuple]]:
        """A file of PTX and (kernel, threads, shared memory, arguments)."""
        arena = f"memref<{self.size + SCRATCH}xi8>"
        source = (f"func.func @step() {{\n%arena = muon.arena : {arena}\n"
                  + "".join(b.view(arena) for b in self.buffers)
                  + "\n".join(self.text) + "\nreturn\n}\n")
        (folder / "written.mlir").write_text(source)
        split = call("muon-opt", "--convert-muon-to-muon-gpu",
                     "--muon-gpu-select-schedules", "--muon-gpu-split-sums",
                     folder / "written.mlir").stdout
        # Partial sums and the like: memory that is scratch of the compiler.
        end = self.size

        def place(match) -> str:
            nonlocal end
            name, shape, kind = match.groups()
            count = math.prod(map(int, re.findall(r"\d+", shape)))
            at = -(-end // ALIGNMENT) * ALIGNMENT
            end = at + count * BITS[NAMES[kind]].itemsize
            return (f"%{name}_at = arith.constant {at} : index\n"
                    f"%{name} = memref.view %arena_0[%{name}_at][] : {arena} "
                    f"to memref<{shape}{kind}>")

        split = re.sub(r"%(\w+) = memref\.alloc\(\)[^:\n]* : "
                       r"memref<((?:\d+x)*)(\w+)>", place, split)
        arena_name = re.search(r"%(\w+) = muon\.arena", split)[1]
        split = split.replace("%arena_0[", f"%{arena_name}[")
        assert end <= self.size + SCRATCH, end
        (folder / "placed.mlir").write_text(split)
        text = call("muon-compile", folder / "placed.mlir", "--target=sm_80",
                    "--compile-to=llvm").stdout
        ptx = re.search(r'assembly = "((?:[^"\\]|\\.)*)"', text)[1]
        ptx = re.sub(r"\\([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), ptx)
        path = folder / "kernels.ptx"
        path.write_text(ptx.replace("\\t", "\t").rstrip("\0"))
        constants = dict(CONSTANT.findall(text))
        kernels = KERNEL.findall(text)
        launches = []
        for names in LAUNCH.findall(text):
            kernel, blocks, offset, first, count = (
                int(constants[n]) for n in names)
            name, shared, threads = kernels[kernel]
            launches.append((name, blocks, threads, shared, offset, first,
                             count))
        return path, launches

    def run(self, folder: Path) -> np.ndarray:
        """What the arena holds after all launches."""
        path, launches = self.compile(folder)
        assert launches, "nothing to launch"
        image = self.image()
        for number, (name, blocks, threads, shared, *rest) in enumerate(
                launches):
            before, after = (folder / f"{number}.{which}.safetensors"
                             for which in ("before", "after"))
            safetensors_io.save(before, {"arena": Tensor("U8", image)})
            offset, first, count = rest
            call("muon-ptx-sim", path, "--kernel", name, "--grid", blocks,
                 "--block", threads, "--shared", shared,
                 "--arg", "b64:0", "--arg", f"inout:{before}#arena",
                 "--arg", f"b64:{offset}", "--arg", f"b32:{first}",
                 "--arg", f"b32:{count}", "--seeds", SEEDS, "--threads", 1,
                 "--output", after)
            image = np.array(safetensors_io.load(after)["arena"].bits)
        return image


class KernelTestCase(unittest.TestCase):
    def setUp(self):
        keep = os.environ.get("MUON_INTEGRATION_KEEP")
        if keep:
            self.folder = Path(keep) / self.id()
            self.folder.mkdir(parents=True, exist_ok=True)
        else:
            holder = tempfile.TemporaryDirectory(prefix="muon-kernels-")
            self.addCleanup(holder.cleanup)
            self.folder = Path(holder.name)
        self.program = Program()
        self.expected: list[tuple] = []
        self.written: list[Buffer] = []

    def expect(self, buffer: Buffer, exact, plain=None, relative: float = 0.0,
               what: str = "") -> None:
        """`buffer` becomes `exact` (f64).

        It may be off twice as far as `plain`, the same formula evaluated in
        the precision of the kernel and rounded to the type of the buffer, and
        by 1e-6 of the largest number; without `plain`, by `relative` of each
        number.
        """
        self.expected.append((buffer, np.asarray(exact, np.float64), plain,
                              relative, what))
        self.written.append(buffer)

    def run_program(self) -> None:
        before = self.program.image()
        self.image = image = self.program.run(self.folder)
        may_change = np.zeros(len(image), bool)
        may_change[self.program.size:] = True
        for buffer in self.written:
            mask = np.zeros(len(image), np.uint8)
            buffer.part(mask)[...] = np.full(
                8, POISON, np.uint8).view(BITS[buffer.dtype])[0]
            may_change |= mask != 0
        touched = np.flatnonzero((image != before) & ~may_change)
        self.assertEqual(
            touched.size, 0, f"bytes {touched[:8]}… of the arena, which "
            "belong to no output, were changed")
        problems = []
        for buffer, exact, plain, relative, what in self.expected:
            bits = buffer.part(image)
            found = Tensor(buffer.dtype, bits).values()
            self.assertEqual(exact.shape, found.shape, what)
            with np.errstate(invalid="ignore"):
                error = np.abs(found - exact)
            poison = np.full(8, POISON, np.uint8).view(bits.dtype)[0]
            written = np.array([b.tobytes() != poison.tobytes()
                                for b in bits.flat], bool).reshape(bits.shape)
            nan = np.isnan(found) & np.isnan(exact) & written
            if plain is None:
                allowed = relative * np.abs(exact)
            else:
                stored = Tensor.of(plain, buffer.dtype).values()
                allowed = (2 * np.abs(stored - exact).max()
                           + 1e-6 * np.abs(exact).max())
            bad = ~((error <= allowed) | (found == exact) | nan)
            if bad.any():
                at = tuple(np.argwhere(bad)[0])
                problems.append(
                    f"{buffer} ({what}): {bad.sum()} of {bad.size} elements "
                    f"are off, first {at}: expected {exact[at]!r} ± "
                    f"{np.broadcast_to(allowed, error.shape)[at]:.3g}, "
                    f"found {found[at]!r}")
        self.assertFalse(problems, "\n".join(problems[:8]))


class Products(KernelTestCase):
    """acc = L·R, or of transposes, and what the epilogue makes of it."""

    def operand(self, compute: str, key, batch: int, rows: int,
                cols: int) -> Buffer:
        """A random operand, whose rows start at multiples of 16 bytes."""
        kind = "f32" if compute == "tf32" else compute
        per_row = 4 if kind == "f32" else 8
        return self.program.buffer(
            kind, (batch, rows, cols),
            rng_for(compute, *key).standard_normal((batch, rows, cols)),
            pitch=-(-cols // per_row) * per_row)

    def product(self, compute: str, lhs: Buffer, rhs: Buffer,
                transposed: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
        """L·R in f64, and in f32 of what `compute` makes of the operands."""
        both = []
        for buffer, flip in zip((lhs, rhs), transposed):
            values = self.program.stored(buffer)
            if compute == "tf32":
                values = rounded(values.astype(np.float32), "tf32").astype(
                    np.float64)
            both.append(values.transpose(0, 2, 1) if flip else values)
        left, right = both
        return left @ right, left.astype(np.float32) @ right.astype(np.float32)

    def matmul(self, compute: str, lhs: Buffer, rhs: Buffer,
               transposed: Sequence[bool], region: str, scalars=(), tiles=(),
               outs=(), sums=(), when=(), constants: Sequence[float] = (),
               symmetric: bool = False, schedule: str = "") -> str:
        attributes = ["lhs_transposed"] * transposed[0]
        attributes += ["rhs_transposed"] * transposed[1]
        attributes += ["tf32"] * (compute == "tf32")
        attributes += ["symmetric"] * symmetric
        if constants:
            attributes.append(
                f"constants = array<f64: {', '.join(map(repr, constants))}>")
        if schedule:
            attributes.append(f"schedule = #muon_gpu.schedule<{schedule}>")
        groups = operands(lhs=lhs, rhs=rhs, scalars=scalars, tiles=tiles,
                          outs=outs, sums=sums, when=when)
        text = (f"muon_gpu.matmul {groups} {{\n{region}\n}} "
                f"{{{', '.join(attributes)}}}")
        self.program.add(text)
        return text

    def stages(self, compute: str, more: int) -> int:
        """An inner dimension that takes all stages, and `more`."""
        return 3 * (32 if compute in ("f32", "tf32") else 64) + more

    IDENTITY = "^bb0(%acc: f32):\nmuon_gpu.yield %acc : f32"

    def shapes_of(self, transposed, m: int, n: int, k: int):
        return (((k, m) if transposed[0] else (m, k)),
                ((n, k) if transposed[1] else (k, n)))

    def check_transposes(self, compute: str) -> None:
        for transposed in ((False, False), (False, True), (True, False),
                           (True, True)):
            # Cut everywhere, in bands of two tiles and one; one matrix whose
            # tiles are whole; and next to nothing.
            inner = 32 if compute in ("f32", "tf32") else 64
            bands = (f"m = 32, n = 32, k = {inner}, warps_m = 2, warps_n = 2, "
                     "stages = 2, raster = 2, width = 1, masked = true")
            for (batch, m, n, k), schedule in (
                    ((3, 70, 45, 2 * inner + 21), bands),
                    ((1, 64, 32, 4 * inner), ""), ((3, 1, 3, 1), "")):
                left, right = self.shapes_of(transposed, m, n, k)
                key = (transposed, batch, m, n, k)
                lhs = self.operand(compute, ("lhs", *key), batch, *left)
                rhs = self.operand(compute, ("rhs", *key), batch, *right)
                out = self.program.buffer("f32", (batch, m, n))
                self.matmul(compute, lhs, rhs, transposed, self.IDENTITY,
                            outs=out, schedule=schedule)
                exact, plain = self.product(compute, lhs, rhs, transposed)
                self.expect(out, exact, plain, what=f"{key}")
        self.run_program()

    def test_transposes_f32(self):
        self.check_transposes("f32")

    def test_transposes_tf32(self):
        self.check_transposes("tf32")

    def test_transposes_bf16(self):
        self.check_transposes("bf16")

    def test_transposes_f16(self):
        self.check_transposes("f16")

    def check_symmetric(self, compute: str) -> None:
        """α·f·X·Xᵀ + β·T, of which one half is computed, as it is stored."""
        kind = "f32" if compute == "tf32" else compute
        narrow = kind != "f32"
        region = ["^bb0(%acc: f32, %alpha: f64, %beta: f64, %f: f32, "
                  f"%t: {kind}):",
                  "%a = arith.truncf %alpha : f64 to f32",
                  "%b = arith.truncf %beta : f64 to f32",
                  f"%w = arith.extf %t : {kind} to f32" if narrow else "",
                  "%x = arith.mulf %acc, %a : f32",
                  "%y = arith.mulf %x, %f : f32",
                  f"%z = arith.mulf %b, %{'w' if narrow else 't'} : f32",
                  "%s = arith.addf %y, %z : f32",
                  f"%r = arith.truncf %s : f32 to {kind}" if narrow else "",
                  f"muon_gpu.yield %{'r' if narrow else 's'} : {kind}"]
        alpha, beta = 0.375, -1.5
        for transposed in ((False, True), (True, False)):
            for batch, m, k in ((3, 45, self.stages(compute, 13)), (1, 96, 64),
                                (1, 2, 9)):
                key = ("symmetric", transposed, batch, m, k)
                x = self.operand(compute, key, batch, *(
                    (k, m) if transposed[0] else (m, k)))
                rng = rng_for("tile", *key)
                values = rng.standard_normal((batch, m, m))
                pitch = -(-m // 8) * 8
                tile = self.program.buffer(
                    kind, (batch, m, m), values + values.transpose(0, 2, 1),
                    pitch)
                factor = self.program.buffer("f32", (batch,),
                                             rng.uniform(0.5, 2, batch))
                out = self.program.buffer(kind, (batch, m, m), pitch=pitch)
                self.matmul(compute, x, x, transposed,
                            "\n".join(filter(None, region)), scalars=factor,
                            tiles=tile, outs=out, constants=(alpha, beta),
                            symmetric=True)
                exact, plain = self.product(compute, x, x, transposed)
                t, f = self.program.stored(tile), self.program.stored(factor)
                f = f[:, None, None]
                self.expect(out, alpha * f * exact + beta * t,
                            plain * np.float32(alpha) * f.astype(np.float32)
                            + np.float32(beta) * t.astype(np.float32),
                            what=f"{key}")
        self.run_program()
        # Not only near: the halves are mirror images to the last bit.
        image = self.image
        for buffer, *_ in self.expected:
            found = buffer.part(image)
            self.assertTrue((found == found.transpose(0, 2, 1)).all(), buffer)

    def test_symmetric_f32(self):
        self.check_symmetric("f32")

    def test_symmetric_tf32(self):
        self.check_symmetric("tf32")

    def test_symmetric_bf16(self):
        self.check_symmetric("bf16")

    def test_symmetric_f16(self):
        self.check_symmetric("f16")

    def check_epilogue(self, compute: str) -> None:
        """Everything at once, in place:

            r = s·(α·acc + T) + d·W,  d = 2 on the diagonal, 1 elsewhere
            W ← r, a copy of r in bf16, Σ r and Σ r² of each matrix
        """
        region = """
        ^bb0(%acc: f32, %alpha: f64, %f: f64, %g: f32, %t: bf16, %w: f32):
          %a = arith.truncf %alpha : f64 to f32
          %f32 = arith.truncf %f : f64 to f32
          %x = arith.mulf %a, %acc : f32
          %y = arith.extf %t : bf16 to f32
          %z = arith.addf %x, %y : f32
          %p = arith.mulf %f32, %z : f32
          %q = arith.mulf %g, %p : f32
          %d = muon_gpu.on_diagonal
          %two = arith.constant 2.0 : f32
          %one = arith.constant 1.0 : f32
          %c = arith.select %d, %two, %one : f32
          %u = arith.mulf %c, %w : f32
          %r = arith.addf %q, %u : f32
          %low = arith.truncf %r : f32 to bf16
          %wide = arith.extf %r : f32 to f64
          %square = arith.mulf %wide, %wide : f64
          muon_gpu.yield %r, %low, %wide, %square : f32, bf16, f64, f64"""
        alpha = -0.625
        for transposed, (batch, m, n, k) in (
                ((False, False), (3, 33, 70, self.stages(compute, 5))),
                ((False, True), (1, 64, 96, 64)),
                ((True, True), (1, 5, 3, 100))):
            left, right = self.shapes_of(transposed, m, n, k)
            key = ("epilogue", transposed, batch, m, n, k)
            lhs = self.operand(compute, ("lhs", *key), batch, *left)
            rhs = self.operand(compute, ("rhs", *key), batch, *right)
            rng, make = rng_for(*key), self.program.buffer
            per_matrix = make("f64", (batch,), rng.uniform(0.5, 2, batch))
            shared = make("f32", (), rng.uniform(0.5, 2))
            tile = make("bf16", (batch, m, n),
                        rng.standard_normal((batch, m, n)))
            weight = make("f32", (batch, m, n),
                          10 + rng.standard_normal((batch, m, n)))
            copy = make("bf16", (batch, m, n))
            sums, squares = make("f64", (batch,)), make("f64", (batch,))
            self.matmul(compute, lhs, rhs, transposed, region,
                        scalars=(per_matrix, shared), tiles=(tile, weight),
                        outs=(weight, copy), sums=(sums, squares),
                        constants=(alpha,))
            acc64, acc32 = self.product(compute, lhs, rhs, transposed)
            results = []
            for t, acc in ((np.float64, acc64), (np.float32, acc32)):
                f = self.program.stored(per_matrix).astype(t)[:, None, None]
                g = t(self.program.stored(shared))
                d = np.where(np.eye(m, n, dtype=bool), t(2), t(1))
                old, w = (self.program.stored(b).astype(t)
                          for b in (tile, weight))
                results.append(g * (f * (t(alpha) * acc + old)) + d * w)
            exact, plain = results
            self.expect(weight, exact, plain, what=f"{key}")
            self.expect(copy, exact, plain, what=f"copy, {key}")
            for buffer, power in ((sums, 1), (squares, 2)):
                self.expect(buffer, (exact ** power).sum((1, 2)),
                            (plain.astype(np.float64) ** power).sum((1, 2)),
                            what=f"sum of power {power}, {key}")
        self.run_program()

    def test_epilogue_f32(self):
        self.check_epilogue("f32")

    def test_epilogue_tf32(self):
        self.check_epilogue("tf32")

    def test_epilogue_bf16(self):
        self.check_epilogue("bf16")

    def test_epilogue_f16(self):
        self.check_epilogue("f16")

    def check_large_tiles(self, compute: str) -> None:
        """The tiles of large matrices, on matrices that are not."""
        inner = 32 if compute in ("f32", "tf32") else 64
        for size, warps, stages in ((64, "warps_m = 2, warps_n = 2", 4),
                                    (128, "warps_m = 2, warps_n = 4", 3)):
            m, n, k = size + 2, size - 3, inner + 9
            lhs = self.operand(compute, ("large", m, k), 1, m, k)
            rhs = self.operand(compute, ("large", k, n), 1, k, n)
            out = self.program.buffer("f32", (1, m, n))
            self.matmul(compute, lhs, rhs, (False, False), self.IDENTITY,
                        outs=out, schedule=f"m = {size}, n = {size}, k = "
                        f"{inner}, {warps}, stages = {stages}, raster = 8, "
                        "width = 1, masked = true")
            self.expect(out, *self.product(compute, lhs, rhs, (False, False)),
                        what=f"{size}")
        self.run_program()

    def test_large_tiles_f32(self):
        self.check_large_tiles("f32")

    def test_large_tiles_tf32(self):
        self.check_large_tiles("tf32")

    def test_large_tiles_bf16(self):
        self.check_large_tiles("bf16")

    def test_large_tiles_f16(self):
        self.check_large_tiles("f16")

    def test_condition(self):
        """Nothing is written if the flag is not set."""
        for compute, is_set in (("bf16", True), ("f32", False),
                                ("bf16", False)):
            lhs = self.operand(compute, ("when", "l"), 1, 20, 24)
            rhs = self.operand(compute, ("when", "r"), 1, 24, 8)
            flag = self.program.buffer("i1", (), is_set)
            out = self.program.buffer("f32", (1, 20, 8))
            self.matmul(compute, lhs, rhs, (False, False), self.IDENTITY,
                        outs=out, when=flag)
            if is_set:
                self.expect(out, *self.product(compute, lhs, rhs,
                                               (False, False)))
        self.run_program()


# The last is more than what a block of one element a thread has under way.
SIZES = (1, 3, 4, 255, 2051)
WIDE = 8200  # the same for four elements a thread
LARGE = 65536 + 5  # more than one chunk, and no multiple of four


class Streams(KernelTestCase):
    def random(self, kind: str, key, shape, scale: float = 1.0) -> Buffer:
        return self.program.buffer(
            kind, shape, scale * rng_for(*key).standard_normal(shape))

    def values(self, *buffers: Buffer) -> list[np.ndarray]:
        return [self.program.stored(b) for b in buffers]

    def test_sum_squares(self):
        for batch, size, kind in (*((2, s, "f32") for s in SIZES),
                                  (3, 255, "bf16"), (1, LARGE, "bf16"),
                                  (2, WIDE, "bf16"), (2, WIDE, "f32")):
            x = self.random(kind, ("squares", size, kind), (batch, 1, size))
            sums = self.program.buffer("f64", (batch,))
            self.program.add(f"muon.sum_squares "
                             f"{operands(value=x, sums=sums)}")
            self.expect(sums, (self.program.stored(x) ** 2).sum((1, 2)),
                        relative=1e-13, what=f"{batch}x{size} {kind}")
        self.run_program()

    def momentum(self, form: str, nesterov: bool, batch: int, size: int,
                 kinds: Sequence[str], has_clip: bool, is_set: bool = True):
        """M ← bM + wκG, U = bM + wκG or M (the new one), X = 2⁻ᵏ·U."""
        key = (form, nesterov, batch, size, *kinds)
        shape = (batch, 1, size)
        make = self.program.buffer
        g = self.random(kinds[0], ("g", *key), shape, 3.0)
        m = self.random(kinds[1], ("m", *key), shape)
        x = make(kinds[2], shape)
        beta, clip = make("f32", (), 0.9), make("f32", (), 0.75)
        flag = make("i1", (), is_set)
        sums, unit = make("f64", (batch,)), make("f64", (batch,))
        G, M, b, k = self.values(g, m, beta, clip)
        if not has_clip:
            k = np.ones(())
        squares = [make("f64", (batch,), (v ** 2).sum((1, 2)))
                   for v in (G, M)]
        self.program.add(
            "muon.momentum " + operands(
                gradient=g, gradient_sums=squares[0], momentum_sums=squares[1],
                beta=beta, clip=[clip] if has_clip else [], when=flag,
                momentum=m, x=x, sums=sums, unit=unit)
            + f" {{momentum_form = #muon.momentum_form<{form}>, "
            f"nesterov = {str(nesterov).lower()}}}")
        if not is_set:
            return
        # Of |U| <= p|M| + qκ|G|, the next power of two; f16 is used up to
        # 2^14 in addition.
        rest = 1 - b if form == "ema" else 1.0
        p, q = (b * b, rest * (1 + b)) if nesterov else (b, rest)
        bound = (p * np.sqrt(self.program.stored(squares[1]))
                 + q * k * np.sqrt(self.program.stored(squares[0])))
        exponent = np.frexp(bound)[1] - (14 if kinds[2] == "f16" else 0)
        scale = np.ldexp(1.0, -exponent)
        results = []
        for t in (np.float64, np.float32):
            one, bt, gt = t(1), t(b), G.astype(t)
            share = (one - bt if form == "ema" else one) * (t(k) * gt)
            new = bt * M.astype(t) + share
            u = bt * new + share if nesterov else new
            results.append((new, u * scale.astype(t)[:, None, None]))
        (new, X), (new32, X32) = results
        self.assertTrue((np.sqrt((X ** 2).sum((1, 2)))
                         <= (2.0 ** 14 if kinds[2] == "f16" else 1)).all())
        what = f"{key}"
        self.expect(unit, scale, what=what)
        self.expect(m, new, new32, what=what)
        self.expect(x, X, X32, what=what)
        self.expect(sums, (X ** 2).sum((1, 2)),
                    (X32.astype(np.float64) ** 2).sum((1, 2)), what=what)

    def check_momentum(self, form: str, nesterov: bool, large: Sequence[str],
                       small: Sequence[str]) -> None:
        for size in SIZES:
            self.momentum(form, nesterov, 2, size, small, nesterov)
        self.momentum(form, nesterov, 1, LARGE, large, nesterov)
        self.momentum(form, nesterov, 2, WIDE, large, not nesterov)
        self.momentum(form, nesterov, 2, 12, small, nesterov, is_set=False)
        self.run_program()

    def test_momentum_ema(self):
        self.check_momentum("ema", False, ("f32",) * 3, ("bf16", "f32", "f16"))

    def test_momentum_ema_nesterov(self):
        self.check_momentum("ema", True, ("f32", "f32", "bf16"),
                            ("bf16", "bf16", "bf16"))

    def test_momentum_heavy_ball(self):
        self.check_momentum("heavy_ball", False, ("bf16", "bf16", "f16"),
                            ("f32",) * 3)

    def test_momentum_heavy_ball_nesterov(self):
        self.check_momentum("heavy_ball", True, ("f32", "f32", "f16"),
                            ("f32", "f32", "bf16"))

    def apply(self, W: np.ndarray, u: np.ndarray, lr: float, decay: float,
              scale: float) -> np.ndarray:
        t = u.dtype.type
        return (t(1 - lr * decay) * W.astype(t) - t(lr * scale) * u)

    def test_apply(self):
        scale = 1.375
        for batch, size, kind, has_master in (
                *((2, s, "f32", False) for s in SIZES), (2, 255, "bf16", True),
                (2, WIDE, "bf16", True), (1, LARGE, "bf16", True),
                (1, WIDE, "f32", False)):
            key, shape = ("apply", batch, size, kind), (batch, 1, size)
            make = self.program.buffer
            x = self.random("bf16", ("x", *key), shape)
            master = self.random("f32", ("w", *key), shape)
            weight = make(kind, shape) if has_master else master
            lr, decay = make("f32", (), 0.3), make("f32", (), 0.01)
            flag = make("i1", (), True)
            sums = [make("f64", (batch,)) for _ in range(2)]
            self.program.add("muon.apply " + operands(
                x=x, lr=lr, weight_decay=decay, when=flag, weight=weight,
                master=[master] if has_master else [], update_sums=sums[0],
                weight_sums=sums[1]) + f" {{scale = {scale} : f64}}")
            X, W, l, d = self.values(x, master, lr, decay)
            new, new32 = (self.apply(W, X.astype(t), l, d, scale)
                          for t in (np.float64, np.float32))
            self.expect(weight, new, new32, what=f"{key}")
            if has_master:
                self.expect(master, new, new32, what=f"master, {key}")
            self.expect(sums[0], ((scale * X) ** 2).sum((1, 2)),
                        relative=1e-13, what=f"{key}")
            self.expect(sums[1], (new ** 2).sum((1, 2)),
                        (new32.astype(np.float64) ** 2).sum((1, 2)),
                        what=f"{key}")
        self.run_program()

    def test_adamw(self):
        beta1, beta2, eps, multiplier = 0.9, 0.95, 1e-8, 0.5
        for size, kind, state, t_step, has_clip in (
                *((s, "f32", "f32", 1, False) for s in SIZES),
                (2051, "bf16", "bf16", 3, True),
                (WIDE, "bf16", "f32", 40, True),
                (LARGE, "bf16", "f32", 2, True)):
            key, shape = ("adamw", size, kind, state), (size,)
            make = self.program.buffer
            g = self.random(state, ("g", *key), shape)
            m = self.random(state, ("m", *key), shape, 0.1)
            v = make(state, shape,
                     rng_for("v", *key).uniform(0.001, 0.1, shape))
            master = self.random("f32", ("w", *key), shape)
            weight = make(kind, shape) if kind != "f32" else master
            lr, decay = make("f32", (), 0.3), make("f32", (), 0.01)
            clip, flag = make("f32", (), 0.75), make("i1", (), True)
            step = make("i64", (), t_step)
            sums = [make("f64", (1,)) for _ in range(2)]
            self.program.add("muon.adamw_update " + operands(
                gradient=g, lr=lr, weight_decay=decay, step=step,
                clip=[clip] if has_clip else [], when=flag, weight=weight,
                exp_avg=m, exp_avg_sq=v,
                master=[master] if weight is not master else [],
                update_sums=sums[0], weight_sums=sums[1])
                + f" {{beta1 = {beta1} : f64, beta2 = {beta2} : f64, "
                f"eps = {eps:.17e} : f64, "
                f"lr_multiplier = {multiplier} : f64}}")
            G, M, V, W, l, d, k = self.values(g, m, v, master, lr, decay, clip)
            results = []
            for t in (np.float64, np.float32):
                grad = (t(k) if has_clip else t(1)) * G.astype(t)
                avg = t(beta1) * M.astype(t) + t(1 - beta1) * grad
                square = (t(beta2) * V.astype(t)
                          + t(1 - beta2) * (grad * grad))
                u = (avg * t(1 / (1 - beta1 ** t_step))
                     / (np.sqrt(square * t(1 / (1 - beta2 ** t_step)))
                        + t(eps)))
                results.append((avg, square, u,
                                self.apply(W, u, l, d, multiplier)))
            exact, plain = results
            for buffer, i in ((m, 0), (v, 1), (master, 3)):
                self.expect(buffer, exact[i], plain[i], what=f"{key} {i}")
            if weight is not master:
                self.expect(weight, exact[3], plain[3], what=f"{key}")
            for buffer, i, factor in ((sums[0], 2, multiplier),
                                      (sums[1], 3, 1.0)):
                self.expect(buffer, [((factor * exact[i]) ** 2).sum()], [
                    ((factor * plain[i].astype(np.float64)) ** 2).sum()],
                    what=f"sum {i}, {key}")
        self.run_program()

    def test_padded_rows(self):
        """Rows that lie apart, in either direction; the padding stays."""
        for m, n, pitch in ((7, 5, 8), (9, 12, 16), (300, 250, 256)):
            dense = self.random("f32", ("dense", m, n), (2, m, n))
            key = ("apart", m, n)
            apart = self.program.buffer("bf16", (2, m, n), rng_for(
                *key).standard_normal((2, m, n)), pitch)
            out = self.program.buffer("bf16", (2, m, n), pitch=pitch)
            back = self.program.buffer("f32", (2, m, n))
            groups = operands(ins=(dense, apart), outs=(out, back))
            self.program.add(
                f"muon_gpu.stream {groups} {{\n"
                "^bb0(%x: f32, %y: bf16):\n"
                "%z = arith.truncf %x : f32 to bf16\n"
                "%w = arith.extf %y : bf16 to f32\n"
                "muon_gpu.yield %z, %w : bf16, f32\n}")
            self.expect(out, Tensor.of(self.program.stored(dense),
                                       "BF16").values(), what=f"{key}")
            self.expect(back, self.program.stored(apart), what=f"{key}")
        self.run_program()


class BlockWork(KernelTestCase):
    """Work of one block."""

    def test_reduce(self):
        for count, numbers in ((1, 3), (8, 8), (8, 300), (3, 1500), (9, 11),
                               (72, 2), (1023, 9), (1024, 1), (1030, 3),
                               (5000, 2)):
            key, make = ("reduce", count, numbers), self.program.buffer
            values = rng_for(*key).uniform(0.5, 1.5, (numbers, count))
            partials = make("f64", (numbers * count,), values.reshape(-1))
            sums = make("f64", (numbers,))
            scale = 0.375 if count % 2 else 1.0
            self.program.launch(
                f"muon_gpu.reduce {operands(partials=partials, sums=sums)} "
                f"{{scale = {scale} : f64}}")
            self.expect(sums, [scale * math.fsum(row) for row in values],
                        relative=1e-14, what=f"{key}")
        self.run_program()

    def test_unit(self):
        """The power of two, from 2^-250 to 2^250, that ends at a bound."""
        sums = np.concatenate([[0.0, 1e-300, 1e300, np.inf, 1.0, 0.25],
                               np.ldexp(1.0, np.arange(-60, 60, 7))])
        for form, nesterov, half in (("ema", True, False),
                                     ("ema", False, True),
                                     ("heavy_ball", True, True),
                                     ("heavy_ball", False, False)):
            make = self.program.buffer
            g = make("f64", sums.shape, sums)
            m = make("f64", sums.shape, sums[::-1] * 3.1)
            beta, clip = make("f32", (), 0.875), make("f32", (), 0.5)
            unit = make("f64", sums.shape)
            self.program.launch(
                "muon_gpu.unit " + operands(gradient_sums=g, momentum_sums=m,
                                            beta=beta, clip=clip, unit=unit)
                + f" {{momentum_form = #muon.momentum_form<{form}>, nesterov "
                f"= {str(nesterov).lower()}{', half' if half else ''}}}")
            b, k = 0.875, 0.5
            rest = 1 - b if form == "ema" else 1.0
            p, q = (b * b, rest * (1 + b)) if nesterov else (b, rest)
            bound = p * np.sqrt(sums[::-1] * 3.1) + q * k * np.sqrt(sums)
            exponent = np.where(np.isfinite(bound), np.frexp(bound)[1], 10000)
            exponent = np.where(bound == 0, -10000, exponent)
            exponent = np.clip(exponent - (14 if half else 0), -250, 250)
            self.expect(unit, np.ldexp(1.0, -exponent),
                        what=f"{form} {nesterov} {half}")
        self.run_program()

    def test_normalize(self):
        sums = np.array([0.0, 1.0, 2.5, 1e-20, 1e20, 1e-300, np.inf, np.nan,
                         *rng_for("normalize").uniform(0.1, 9, 300)])
        for safety, eps in ((1.0, 1e-7), (1.02, 0.0), (2.0, 0.5)):
            make = self.program.buffer
            unit = np.ldexp(1.0, np.arange(len(sums)) % 9 - 4)
            s, u = make("f64", sums.shape, sums), make("f64", sums.shape, unit)
            factor = make("f32", sums.shape)
            self.program.launch(
                f"muon.normalize {operands(sums=s, unit=u, factor=factor)} "
                f"{{safety = {safety} : f64, eps = {eps:.17e} : f64}}")
            with np.errstate(divide="ignore"):
                exact = 1 / (safety * np.sqrt(sums) + eps * unit)
            exact = np.minimum(exact, 2.0 ** 62)
            exact[sums == 0] = 0
            exact[~np.isfinite(sums)] = np.nan
            self.expect(factor, exact, relative=2.0 ** -23,
                        what=f"{safety} {eps}")
        self.run_program()

    def test_advance_and_bias_correction(self):
        """A step that is advanced is the one that is corrected for; if the
        flag is not set, neither happens."""
        for t_step, is_set in ((0, True), (1, True), (6, True), (999, True),
                               (10 ** 7, True), (5, False)):
            make = self.program.buffer
            step, flag = make("i64", (), t_step), make("i1", (), is_set)
            corrections = [make("f32") for _ in range(2)]
            self.program.launch(
                f"muon.advance {operands(step=step)}",
                f"muon_gpu.bias_correction {operands(step=step)} "
                f"{operands(corrections=corrections)} "
                "{beta1 = 0.9 : f64, beta2 = 0.999 : f64}", when=flag)
            if is_set:
                self.expect(step, t_step + 1)
                for buffer, beta in zip(corrections, (0.9, 0.999)):
                    self.expect(buffer, 1 / (1 - beta ** (t_step + 1)),
                                relative=2.0 ** -23, what=f"{t_step}")
        self.run_program()

    def test_look(self):
        """Σ of all gradients and momenta finite, κ = min(1, L / (|G| + 1e-6))
        of the gradients alone."""
        cases = (((5,), (), None, None), ((1000, 30), (2,), 4.0, None),
                 ((1024,), (1024, 1), 1e9, None), ((7, 2500), (3,), 2.0, None),
                 ((7, 2500), (3,), 2.0, (1, 2499, np.inf)),
                 ((1030,), (9,), 2.0, (0, 1029, np.nan)),
                 ((20,), (1100,), 2.0, (1, 1099, np.inf)))
        for gradients, momenta, limit, bad in cases:
            make = self.program.buffer
            lists = [rng_for("look", i, size).uniform(0, 2, size)
                     for i, size in enumerate((*gradients, *momenta))]
            if bad:
                lists[bad[0]][bad[1]] = bad[2]
            buffers = [make("f64", v.shape, v) for v in lists]
            ok, clip = make("i1"), make("f32")
            limits = [make("f32", (), limit)] if limit else []
            n = len(gradients)
            self.program.launch("muon.look " + operands(
                gradients=buffers[:n], momenta=buffers[n:], limit=limits,
                ok=ok, clip=clip))
            norm = math.sqrt(sum(v.sum() for v in lists[:n]))
            finite = all(np.isfinite(v).all() for v in lists)
            self.expect(ok, float(finite), what=f"{gradients} {bad}")
            kappa = (min(1.0, limit / (norm + 1e-6))
                     if limit and math.isfinite(norm) else 1.0)
            self.expect(clip, kappa, relative=2.0 ** -22,
                        what=f"{gradients} {bad}")
        self.run_program()


class Rearrangement(KernelTestCase):
    """Copies of what ranks exchange: bits stay as they are."""

    KINDS = ("f32", "bf16", "f16")

    def matrices(self, kind: str, key, shape) -> Buffer:
        return self.program.buffer(
            kind, shape, rng_for(kind, *key).standard_normal(shape))

    def check_triangles(self, kind: str) -> None:
        """Rows from the diagonal on, one after the other; and back, whatever
        the other half was. 300 columns are more than a block has threads."""
        for batch, size in (*((b, s) for b in (1, 3)
                              for s in (1, 2, 3, 16, 33)), (2, 300)):
            key, upper = ("triangle", batch, size), np.triu_indices(size)
            count, make = size * (size + 1) // 2, self.program.buffer
            x = self.matrices(kind, key, (batch, size, size))
            packed = make(kind, (batch, 1, count))
            self.program.add(f"muon.pack_triangle {operands(x=x, out=packed)}")
            values = self.program.stored(x)
            self.expect(packed, values[:, None, upper[0], upper[1]],
                        what=f"pack, {key}")
            t = self.matrices(kind, ("packed", *key), (batch, 1, count))
            out = make(kind, (batch, size, size))
            self.program.add(f"muon.unpack_triangle {operands(x=t, out=out)}")
            whole = np.zeros((batch, size, size))
            whole[:, upper[0], upper[1]] = self.program.stored(t)[:, 0]
            self.expect(out, whole + np.triu(whole, 1).transpose(0, 2, 1),
                        what=f"unpack, {key}")
        self.run_program()

    def test_triangles_f32(self):
        self.check_triangles("f32")

    def test_triangles_bf16(self):
        self.check_triangles("bf16")

    def test_triangles_f16(self):
        self.check_triangles("f16")

    def test_triangles_under_a_condition(self):
        for is_set in (True, False):
            flag = self.program.buffer("i1", (), is_set)
            key, upper = ("condition", is_set), np.triu_indices(5)
            x = self.matrices("f32", key, (2, 5, 5))
            packed = self.program.buffer("f32", (2, 1, 15))
            self.program.launch(
                f"muon.pack_triangle {operands(x=x, out=packed)}", when=flag)
            t = self.matrices("bf16", key, (2, 1, 6))
            out = self.program.buffer("bf16", (2, 3, 3))
            self.program.launch(
                f"muon.unpack_triangle {operands(x=t, out=out)}", when=flag)
            if is_set:
                self.expect(packed, self.program.stored(
                    x)[:, None, upper[0], upper[1]], what="pack")
                a, b, c, d, e, f = self.program.stored(t)[:, 0].T
                self.expect(out, np.array([[a, b, c], [b, d, e], [c, e, f]])
                            .transpose(2, 0, 1), what="unpack")
        self.run_program()

    def test_place(self):
        """Zeros, but for runs: in any order, close or not, or none."""
        for sizes, runs, length in (
                ((4,), ((0, 0, 4),), 4), ((), (), 7),
                ((2,), ((0, 3, 2),), 5),
                ((2, 4), ((0, 3, 2), (1, 0, 1)), 5),
                ((6, 3, 9), ((1, 9, 4), (0, 0, 3), (2, 3, 5)), 15),
                ((700, 900), ((20, 1300, 600), (1, 5, 899)), 2000)):
            key, make = ("place", sizes, runs), self.program.buffer
            values = [make("f64", (n,), rng_for(i, *key).standard_normal(n))
                      for i, n in enumerate(sizes)]
            out = make("f64", (length,))
            start, to, counts = (
                "array<i64" + (": " if runs else "")
                + ", ".join(str(run[i]) for run in runs) + ">"
                for i in range(3))
            self.program.add(
                f"muon.place {operands(value=values, out=out)} "
                f"{{from = {start}, to = {to}, counts = {counts}}}")
            wanted = np.zeros(length)
            for value, (at, place, count) in zip(values, runs):
                wanted[place:place + count] = value.values[at:at + count]
            self.expect(out, wanted, what=f"{key}")
        # Two runs of one list.
        twice = make("f64", (4,), rng_for("twice").standard_normal(4))
        out = make("f64", (6,))
        self.program.add(
            f"muon.place {operands(value=(twice, twice), out=out)} "
            "{from = array<i64: 2, 0>, to = array<i64: 1, 4>, "
            "counts = array<i64: 2, 2>}")
        a, b, c, d = twice.values
        self.expect(out, [0, c, d, 0, a, b], what="twice")
        self.run_program()

    BLOCKS = {  # shape of a matrix: rows, columns, and where each block starts
        "columns": ((4, 5), ((4, 3, 0, 0), (4, 2, 0, 3))),
        "odd columns": ((3, 13), ((3, 1, 0, 0), (3, 5, 0, 1), (3, 7, 0, 6))),
        "wide columns": ((8, 24), ((8, 16, 0, 0), (8, 8, 0, 16))),
        "rows": ((5, 7), ((2, 7, 0, 0), (3, 7, 2, 0))),
        "both": ((5, 7), ((3, 4, 0, 0), (3, 3, 0, 4), (2, 4, 3, 0),
                          (2, 3, 3, 4))),
        "not in order": ((6, 9), ((2, 9, 4, 0), (4, 4, 0, 5), (4, 5, 0, 0))),
        "large": ((70, 301), ((35, 301, 35, 0), (35, 150, 0, 0),
                              (35, 151, 0, 150)))}
    PARTS = {  # that do not cover the matrix
        "a part": ((4, 5), ((2, 3, 1, 2),)),
        "parts": ((6, 9), ((3, 4, 3, 5), (1, 9, 0, 0)))}

    def check_blocks(self, kind: str, operation: str, cases) -> None:
        for name, ((rows, cols), blocks) in cases.items():
            area = sum(m * n for m, n, *_ in blocks)
            lists = [", ".join(str(block[i]) for block in blocks)
                     for i in range(4)]
            attributes = ", ".join(
                f"{attribute} = array<i64: {values}>" for attribute, values
                in zip(("rows", "cols", "row_offsets", "col_offsets"), lists))
            for batch in (1, 3):
                key = (operation, name, batch)
                shape, flat = (batch, rows, cols), (batch, 1, area)
                is_assemble = operation == "assemble"
                if is_assemble:
                    source = self.matrices(kind, key, flat)
                    out = self.program.buffer(kind, shape)
                    groups = operands(blocks=source, out=out)
                else:
                    source = self.matrices(kind, key, shape)
                    out = self.program.buffer(kind, flat)
                    groups = operands(x=source, blocks=out)
                self.program.add(f"muon.{operation} {groups} {{{attributes}}}")
                values = self.program.stored(source)
                wanted, at = np.full(out.shape, np.nan), 0
                for m, n, row, col in blocks:
                    part = np.s_[:, row:row + m, col:col + n]
                    run = np.s_[:, 0, at:at + m * n]
                    if is_assemble:
                        wanted[part] = values[run].reshape(batch, m, n)
                    else:
                        wanted[run] = values[part].reshape(batch, m * n)
                    at += m * n
                self.expect(out, wanted, what=f"{key}")
        self.run_program()

    def test_assemble_f32(self):
        self.check_blocks("f32", "assemble", self.BLOCKS)

    def test_assemble_bf16(self):
        self.check_blocks("bf16", "assemble", self.BLOCKS)

    def test_assemble_f16(self):
        self.check_blocks("f16", "assemble", self.BLOCKS)

    def test_divide_f32(self):
        self.check_blocks("f32", "divide", {**self.BLOCKS, **self.PARTS})

    def test_divide_bf16(self):
        self.check_blocks("bf16", "divide", {**self.BLOCKS, **self.PARTS})

    def test_divide_f16(self):
        self.check_blocks("f16", "divide", {**self.BLOCKS, **self.PARTS})

    def test_padded_matrices(self):
        """Matrices that products have rows of 16 bytes for: blocks go to and
        from them in place, triangles by way of others."""
        b = self.matrices("f32", ("blocks",), (2, 1, 39))
        gram = self.program.buffer("f32", (2, 3, 3))
        columns = ("rows = array<i64: 3, 3>, cols = array<i64: 8, 5>, "
                   "row_offsets = array<i64: 0, 0>, "
                   "col_offsets = array<i64: 0, 8>")
        self.program.add(
            "%x = memref.alloc() : memref<2x3x13xf32>\n"
            f"muon.assemble {operands(blocks=b)} "
            f"out(%x : memref<2x3x13xf32>) {{{columns}}}\n"
            "muon.symmetric_product x(%x : memref<2x3x13xf32>) "
            f"{operands(out=gram)} {{side = #muon.side<left>}}")
        values = self.program.stored(b)[:, 0]
        X = np.concatenate([values[:, :24].reshape(2, 3, 8),
                            values[:, 24:].reshape(2, 3, 5)], 2)
        G = X @ X.transpose(0, 2, 1)
        x32 = X.astype(np.float32)
        self.expect(gram, G, x32 @ x32.transpose(0, 2, 1), what="assembled")

        t = self.matrices("f32", ("triangle",), (2, 1, 6))
        blocks = self.program.buffer("f32", (2, 1, 39))
        packed = self.program.buffer("f32", (2, 1, 6))
        self.program.add(
            "%s = memref.alloc() : memref<2x3x3xf32>\n"
            "%y = memref.alloc() : memref<2x3x13xf32>\n"
            "%p = memref.alloc() : memref<2x3x3xf32>\n"
            f"muon.unpack_triangle {operands(x=t)} "
            "out(%s : memref<2x3x3xf32>)\n"
            "muon.symmetric_apply s(%s : memref<2x3x3xf32>) "
            "x(%x : memref<2x3x13xf32>) out(%y : memref<2x3x13xf32>) "
            "{side = #muon.side<left>}\n"
            f"muon.divide x(%y : memref<2x3x13xf32>) "
            f"{operands(blocks=blocks)} {{{columns}}}\n"
            "muon.symmetric_product x(%y : memref<2x3x13xf32>) "
            "out(%p : memref<2x3x3xf32>) {side = #muon.side<left>}\n"
            "muon.pack_triangle x(%p : memref<2x3x3xf32>) "
            f"{operands(out=packed)}")
        upper = np.triu_indices(3)
        S = np.zeros((2, 3, 3))
        S[:, upper[0], upper[1]] = self.program.stored(t)[:, 0]
        S += np.triu(S, 1).transpose(0, 2, 1)
        for type_, results in ((np.float64, []), (np.float32, [])):
            Y = S.astype(type_) @ X.astype(type_)
            P = Y @ Y.transpose(0, 2, 1)
            results += [np.concatenate([Y[:, :, :8].reshape(2, 1, 24),
                                        Y[:, :, 8:].reshape(2, 1, 15)], 2),
                        P[:, None, upper[0], upper[1]]]
            if type_ is np.float64:
                exact = results
        self.expect(blocks, exact[0], results[0], what="divided")
        self.expect(packed, exact[1], results[1], what="packed")
        self.run_program()


class SelfCheck(KernelTestCase):
    """These tests notice what they are there for."""

    def copy(self) -> tuple[Buffer, Buffer]:
        values = rng_for("copy").standard_normal((1, 8, 12))
        x = self.program.buffer("f32", (1, 8, 12), values)
        out = self.program.buffer("f32", (1, 8, 12), pitch=16)
        self.program.add(f"muon_gpu.stream {operands(ins=x, outs=out)} {{\n"
                         "^bb0(%x: f32):\nmuon_gpu.yield %x : f32\n}")
        return x, out

    def assertRefused(self, text: str) -> None:
        with self.assertRaisesRegex(AssertionError, text):
            self.run_program()

    def test_accepts(self):
        x, out = self.copy()
        values = self.program.stored(x)
        self.expect(out, values, values)
        self.run_program()

    def test_an_element_that_is_off(self):
        x, out = self.copy()
        values = self.program.stored(x)
        exact = values.copy()
        exact[0, 7, 11] += 1e-5 * np.abs(values).max()
        self.expect(out, exact, exact)
        self.assertRefused(r"1 of 96 elements are off, first \(0, 7, 11\)")

    def test_an_element_that_is_not_written(self):
        x, out = self.copy()
        self.expect(out, self.program.stored(x), self.program.stored(x))
        nothing = self.program.buffer("f32", (3,))
        self.expect(nothing, np.full(3, np.nan))
        self.assertRefused("3 of 3 elements are off")

    def test_a_byte_that_is_no_output(self):
        self.copy()
        self.assertRefused("which belong to no output, were changed")

    def test_an_input_that_is_changed(self):
        x, out = self.copy()
        self.program.add(f"muon_gpu.stream {operands(outs=x)} {{\n"
                         "%x = arith.constant 1.0 : f32\n"
                         "muon_gpu.yield %x : f32\n}")
        self.expect(out, self.program.stored(x), relative=1e-7)
        self.assertRefused("which belong to no output, were changed")
