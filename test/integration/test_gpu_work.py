# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the simulated device counts is what the algorithm needs.

The expected numbers follow from the algorithm, the tile and the types of what
is stored (docs/gpu-bytes.md); the compiler is only asked for the tile.
"""

from __future__ import annotations

import json
import math
import re
import unittest
from dataclasses import dataclass
from typing import Mapping, Sequence

import numpy as np

import inputs
from storage import Tensor
from support import gradients_for
from test_gpu import GpuArtifact, GpuTestCase, counters
from toolchain import call

MARGIN = 1.05  # of bytes over their floor
EFFICIENCY = 0.95  # of sectors
FEW = 128  # sectors of a kernel, 4 KiB, that are not worth a look
DIRECT = {"iteration": "direct", "schedule": "keller_jordan", "steps": 5}
GRAM = {**DIRECT, "iteration": "gram", "restarts": [2]}
ONE_STEP = {**DIRECT, "steps": 1}


def matrices(rows: int, cols: int, dtype: str = "F32",
             count: int = 1) -> dict[str, Tensor]:
    """Equal shapes: the compiler makes a stack of them."""
    return {f"w{i}": Tensor.of(inputs.weight(f"w{i}", (rows, cols)), dtype)
            for i in range(count)}


def moved(counted: Mapping) -> int:
    return (counted["global"]["read_bytes"]
            + counted["global"]["written_bytes"])


class WorkTestCase(GpuTestCase):
    def count(self, artifact: GpuArtifact, params: Mapping) -> dict:
        """The counters of a step, after a look at its sectors."""
        found = counters(self, artifact, params)
        self.check_sectors(found)
        return found

    def check_sectors(self, found: Mapping):
        for name, kernel in found["kernels"].items():
            if kernel["global_sectors"] < FEW:
                continue
            with self.subTest(kernel=name):
                self.assertGreaterEqual(
                    kernel["global_sectors_ideal"],
                    EFFICIENCY * kernel["global_sectors"])


@dataclass(frozen=True)
class Product:
    m: int
    n: int
    k: int
    symmetric: bool
    lhs_transposed: bool
    rhs_transposed: bool

    @property
    def loop(self) -> tuple[bool, ...]:
        """What the code of the main loop depends on, besides types."""
        return self.lhs_transposed, self.rhs_transposed

    def blocks(self, tile: int) -> int:
        rows, columns = self.m // tile, self.n // tile
        return rows * (rows + 1) // 2 if self.symmetric else rows * columns


def products_of(launches: str) -> list[Product]:
    """The products of one matrix each, in their order."""
    matrix = r"\(\S+ : memref<(?:1x)?(\d+)x(\d+)x\w+>\)"
    found = []
    for *sizes, attributes in re.findall(
            rf"muon_gpu\.matmul lhs{matrix} rhs{matrix}.*?\n *}} {{(.*?)}}",
            launches, re.DOTALL):
        flags = [bool(re.search(rf"\b{name}\b", attributes)) for name in
                 ("symmetric", "lhs_transposed", "rhs_transposed")]
        lhs, rhs = tuple(map(int, sizes[:2])), tuple(map(int, sizes[2:]))
        m, k = reversed(lhs) if flags[1] else lhs
        inner, n = reversed(rhs) if flags[2] else rhs
        assert inner == k
        found.append(Product(m, n, k, *flags))
    return found


# ---------------------------------------------------------------------------
# Multiplications and additions


def symmetric(m: int, k: int, tile: int) -> int:
    """FLOPs of an m×m product over k, of whose t² tiles one triangle and the
    diagonal are computed."""
    t = m // tile
    return t * (t + 1) // 2 * 2 * tile * tile * k


def direct_flops(m: int, n: int, tile: int) -> int:
    """Five times X Xᵀ and A A, symmetric, and B X."""
    return 5 * (symmetric(m, n, tile) + symmetric(m, m, tile)
                + 2 * m * m * n)


def gram_flops(m: int, n: int, tile: int) -> int:
    """Segments of two and three steps in Gram space: R = X Xᵀ before and Q X
    after each; R² in each step; R P and (R P) P in all but the last step of a
    segment, P Q in all but the first, where P = aI + bR + cR²."""
    products = 0
    for steps in (2, 3):
        products += steps + 2 * (steps - 1) + (steps - 1)
    return (2 * symmetric(m, n, tile) + products * symmetric(m, m, tile)
            + 2 * 2 * m * m * n)


class Flops(WorkTestCase):
    """Tensor cores do what tiles need: every tile once."""

    def check_chain(self, rows: int, cols: int, compute: str,
                    form: Mapping = DIRECT, count: int = 1):
        m, n = min(rows, cols), max(rows, cols)
        params = matrices(rows, cols, count=count)
        artifact = self.gpu(params, {"muon": {**form, "compute": compute}},
                            f"{compute}.{form['iteration']}.{rows}x{cols}")
        tiles = set(re.findall(r"muon_gpu\.schedule<m = (\d+), n = (\d+), "
                               r"k = (\d+)", artifact.level("launches")))
        self.assertEqual(len(tiles), 1, tiles)
        tile, tile_n, tile_k = map(int, tiles.pop())
        self.assertEqual(tile, tile_n)
        # Nothing is cut: otherwise tiles would do more than is needed.
        for size in (m, n):
            self.assertEqual((size % tile, size % tile_k), (0, 0))
        self.assertGreater(m, tile)
        flops = {"direct": direct_flops, "gram": gram_flops}[form["iteration"]]
        expected = {"f16": 0, "bf16": 0, "tf32": 0, "f64": 0,
                    compute: count * flops(m, n, tile)}
        self.assertEqual(self.count(artifact, params)["total"]["tensor_flops"],
                         expected)

    def test_direct_bf16(self):
        self.check_chain(128, 256, "bf16")
        self.check_chain(320, 192, "bf16")

    def test_direct_f16(self):
        self.check_chain(128, 192, "f16")
        self.check_chain(192, 128, "f16")

    def test_direct_tf32(self):
        self.check_chain(128, 192, "tf32")
        self.check_chain(192, 128, "tf32")

    def test_gram_bf16(self):
        self.check_chain(192, 256, "bf16", GRAM)
        self.check_chain(256, 128, "bf16", GRAM)

    def test_gram_f16(self):
        self.check_chain(128, 192, "f16", GRAM)
        self.check_chain(192, 128, "f16", GRAM)

    def test_gram_tf32(self):
        self.check_chain(128, 192, "tf32", GRAM)
        self.check_chain(192, 128, "tf32", GRAM)

    def test_stack(self):
        self.check_chain(128, 256, "bf16", DIRECT, 3)
        self.check_chain(256, 128, "f16", GRAM, 3)


class Limits(unittest.TestCase):
    """The counts of Flops tend to what the algorithm needs without tiles."""

    def test_large_matrices(self):
        tile = 128
        for ratio in (1, 3):
            for flops, limit in (
                    (direct_flops,
                     lambda m, n: 15 * m * m * n + 5 * m ** 3),
                    (gram_flops, lambda m, n: 6 * m * m * n + 14 * m ** 3)):
                for t in (1, 2, 10, 1000, 10 ** 6):
                    m = t * tile
                    found = flops(m, ratio * m, tile)
                    least = limit(m, ratio * m)
                    # Only tiles on the diagonal are computed in vain, by half.
                    self.assertGreater(found, least)
                    self.assertLessEqual((found - least) * t, least)


# ---------------------------------------------------------------------------
# Bytes


@dataclass(frozen=True)
class Types:
    """Where a parameter is stored: bytes per element."""
    weight: int = 4
    gradient: int = 4
    state: int = 4
    compute: int = 2
    master: bool = False

    def update(self) -> int:
        """The weight is read and written; of one with a master, only the
        latter is read."""
        return 2 * 4 + self.weight if self.master else 2 * self.weight

    def muon(self) -> int:
        """U is written times a power of two that the norms of all of G and M
        give: both are read before, whether or not the step is guarded."""
        look = self.gradient + self.state
        momentum = self.gradient + 2 * self.state + self.compute
        return look + momentum + self.update()

    def adamw(self, look: bool = True) -> int:
        """With neither clip nor guard nothing waits for the norm of G: it is
        added up where G is read for the update."""
        return (look * self.gradient + self.gradient + 4 * self.state
                + self.update())


class Bytes(WorkTestCase):
    """Streams and the last epilogue move little more than they have to.

    What is counted is everything but the products, and of the last product,
    which updates the weight, everything but its operands: what the main loop
    brings to shared memory by cp.async, which has a counter of its own and is
    exactly one slice of each operand for each tile and step of the loop, and
    in direct forms the X of aX + BX, which the epilogue reads once. The floor
    has neither of the two. Everything else, such as partial sums, scalars and
    records of problems, has to fit into the margin.
    """

    SHAPE = (256, 512)

    def net(self, artifact: GpuArtifact, params: Mapping,
            compute: int = 0) -> int:
        """Bytes of everything but products, and the last without what is
        copied; elements of products have `compute` bytes."""
        total = 0
        for name, kernel in self.count(artifact, params)["kernels"].items():
            if name.startswith("product_"):
                continue
            total += moved(kernel) - kernel["async_bytes"]
            copied = 0
            if name.startswith("update_"):
                launches = artifact.level("launches")
                tile, = map(int, set(re.findall(
                    r"#muon_gpu\.schedule<m = (\d+)", launches)))
                last = products_of(launches)[-1]
                copied = last.blocks(tile) * 2 * tile * last.k * compute
            self.assertEqual(kernel["async_bytes"], copied, name)
        return total

    def check_bytes(self, found: int, floor: int):
        elements = math.prod(self.SHAPE)
        self.notes.append(f"{found / elements:.2f} bytes per parameter, "
                          f"floor {floor}")
        self.assertGreaterEqual(found, floor * elements)
        self.assertLessEqual(found, MARGIN * floor * elements)

    def check_muon(self, types: Types, dtype: str = "F32",
                   form: Mapping = ONE_STEP, compute: str = "bf16", **rules):
        params = matrices(*self.SHAPE, dtype)
        artifact = self.gpu(params, {"muon": {
            **form, "compute": compute, "master": types.master}, **rules})
        found = self.net(artifact, params, types.compute)
        if form["iteration"] == "direct":
            found -= types.compute * math.prod(self.SHAPE)
        self.check_bytes(found, types.muon())

    def check_adamw(self, types: Types, dtype: str = "F32",
                    look: bool = True, **rules):
        params = matrices(*self.SHAPE, dtype)
        artifact = self.gpu(params, {
            "rules": [{"match": ".", "optimizer": "adamw"}], **rules})
        self.check_bytes(self.net(artifact, params), types.adamw(look))

    def test_f32(self):
        self.assertEqual(Types().muon(), 30)
        self.check_muon(Types())

    def test_f32_clip(self):
        self.check_muon(Types(), clip_global_norm=0.5)

    def test_f32_clip_without_guard(self):
        self.check_muon(Types(), clip_global_norm=0.5, skip_nonfinite=False)

    # 30, not 22: the momentum pass takes its power of two from the norms of G
    # and M, so that both are read first even if nothing else asks for it.
    def test_f32_without_clip_and_guard(self):
        self.assertEqual(Types().muon(), 30)
        self.check_muon(Types(), skip_nonfinite=False)

    def test_f32_gram(self):
        """Nothing is subtracted but what comes by cp.async."""
        self.check_muon(Types(), form=GRAM, compute="f16")

    def test_f32_computed_in_f32(self):
        self.check_muon(Types(compute=4), compute="tf32")

    def test_bf16_with_master(self):
        self.check_muon(Types(weight=2, gradient=2, master=True), "BF16",
                        clip_global_norm=0.5)

    def test_bf16_without_master(self):
        self.check_muon(Types(weight=2, gradient=2), "BF16")

    def test_bf16_state_and_master_f32_gradients(self):
        self.check_muon(Types(weight=2, state=2, master=True), "BF16",
                        grad_type="f32", state_type="bf16")

    def test_bf16_state(self):
        self.check_muon(Types(weight=2, gradient=2, state=2), "BF16",
                        state_type="bf16")

    def test_adamw_f32(self):
        self.assertEqual(Types().adamw(), 32)
        self.check_adamw(Types())

    def test_adamw_f32_clip_without_guard(self):
        self.check_adamw(Types(), clip_global_norm=0.5, skip_nonfinite=False)

    def test_adamw_f32_without_clip_and_guard(self):
        self.assertEqual(Types().adamw(look=False), 28)
        self.check_adamw(Types(), look=False, skip_nonfinite=False)

    def test_adamw_bf16_with_master_without_clip_and_guard(self):
        types = Types(weight=2, gradient=2, master=True)
        self.assertEqual(types.adamw(look=False), 28)
        self.check_adamw(types, "BF16", look=False, skip_nonfinite=False)

    def test_adamw_bf16_with_master(self):
        self.check_adamw(Types(weight=2, gradient=2, master=True), "BF16")


class ManySums(WorkTestCase):
    """Norms of many matrices, each the sum of a few partial sums."""

    def test_many_matrices(self):
        # One tile of 32x32 for each partial sum: 1040 are more than shared
        # memory takes at a time.
        params = matrices(32, 256, count=130)
        artifact = self.gpu(params, {"muon": {**ONE_STEP, "compute": "bf16"}})
        grads = gradients_for(artifact.plan, params, 1)
        path = self.folder / "counters.json"
        out = artifact.run(params, grads, None, {"lr": 0.5},
                           ["--counters", path, "--stats"])
        self.check_sectors(json.loads(path.read_text()))
        self.check_norms(params, grads, out)

    def check_norms(self, params: Mapping, grads: Mapping, out) -> None:
        norms = {name: (float(gradient), float(weight)) for
                 name, gradient, weight in re.findall(
                     r"^'(\w+)' +(\S+) +\S+ +(\S+)$", out.text, re.MULTILINE)}
        self.assertEqual(set(norms), set(params))
        for name, found in norms.items():
            for tensor, norm in zip((grads[name], out.params[name]), found):
                expected = np.linalg.norm(tensor.values())
                # What is printed has nine digits.
                self.assertAlmostEqual(norm / expected, 1, 8, name)

    def test_norms_that_are_only_reported(self):
        """Without a guard they are added up in the update, which stays what it
        was; Muon's, in the same step, are needed before."""
        params = {**matrices(60, 100, count=3), **{
            f"a{shape[0]}": Tensor.of(inputs.weight(shape, shape), "F32")
            for shape in ((300, 700), (7, 13), (77777,), (1,))}}
        results = []
        for guard in (True, False):
            rules = {"muon": {**ONE_STEP, "compute": "f32"},
                     "rules": [{"match": "^a", "optimizer": "adamw"}]}
            artifact = self.gpu(params, {**rules, "skip_nonfinite": guard},
                                str(guard))
            # Streams that only add up: of each shape, and of both of Muon's.
            alone = re.findall(r"muon_gpu\.stream ins\([^)]*\) sums\(",
                               artifact.level("launches"))
            self.assertEqual(len(alone), 6 if guard else 2)
            grads = gradients_for(artifact.plan, params, 1)
            results.append(artifact.run(params, grads, None, {"lr": 0.5},
                                        ["--stats"]))
            self.check_norms(params, grads, results[-1])
        self.assertSameBits(results[0].params, results[1].params)
        self.assertSameBits(results[0].state, results[1].state)


# ---------------------------------------------------------------------------
# Shared memory

# Warps and stages of a tile, as in the compiler's table.
REST_OF_SCHEDULE = {64: "warps_m = 2, warps_n = 2, stages = 4",
                    128: "warps_m = 2, warps_n = 4, stages = 3"}


class TiledArtifact(GpuArtifact):
    """A step whose products have a tile that is too large to be chosen for
    matrices as small as those of tests: its launches, edited."""

    def __init__(self, folder, tensors: Mapping, rules: Mapping, tile: int):
        super().__init__(folder, tensors, rules,
                         options=("--compile-to=launches",))
        text = self.library.read_text()
        self.products = products_of(text)
        chosen, = set(re.findall(r"#muon_gpu\.schedule<m = (\d+)", text))
        text, count = re.subn(
            r"(#muon_gpu\.schedule<)m = \d+, n = \d+, (k = \d+), "
            r"warps_m = \d+, warps_n = \d+, stages = \d+",
            rf"\1m = {tile}, n = {tile}, \2, {REST_OF_SCHEDULE[tile]}", text)
        assert count == len(self.products)
        # The sums of the last product are lists of one number for each tile.
        text = text.replace(
            f"memref<{self.products[-1].blocks(int(chosen))}xf64>",
            f"memref<{self.products[-1].blocks(tile)}xf64>")
        edited = self.folder / "launches.mlir"
        edited.write_text(text)
        call("muon-compile", edited, "--target=sm_80", "--ptxas=none", "-o",
             self.library)


class BankConflicts(WorkTestCase):
    """Main loops have none: products that differ in K have as many.

    The epilogues have some, a number for each block, which differs between
    tiles on the diagonal and others.
    """

    def check(self, compute: str, tile: int,
              shapes: Sequence[tuple[int, int]]):
        # Of one loop: K, conflicts and accesses of products that have the same
        # blocks; those of products without symmetry are all alike.
        found: dict = {}
        for shape in shapes:
            params = matrices(*shape)
            artifact = TiledArtifact(
                self.folder / f"{shape[0]}x{shape[1]}", params,
                {"muon": {**ONE_STEP, "compute": compute}}, tile)
            kernels = [kernel for name, kernel in
                       self.count(artifact, params)["kernels"].items()
                       if name.startswith(("product_", "update_"))]
            self.assertEqual(len(kernels), len(artifact.products))
            for product, kernel in zip(artifact.products, kernels):
                self.assertEqual(kernel["launches"], 1)
                blocks = product.blocks(tile)
                alike = product.m if product.symmetric else None
                found.setdefault((product.loop, alike), []).append(
                    (product.k, kernel["shared_bank_conflicts"] / blocks,
                     kernel["shared_requests"] / blocks))
        compared = set()
        for (loop, _), products in found.items():
            products.sort()
            self.assertEqual({conflicts for _, conflicts, _ in products},
                             {products[0][1]}, (loop, products))
            if products[0][0] < products[-1][0]:
                compared.add(loop)
                # It is the main loop that is longer.
                self.assertLess(products[0][2], products[-1][2])
        return compared

    # X Xᵀ and A A, whose right-hand sides are transposed, and B X, with two K
    # each: K is n of the first and m of the others.
    WIDE = (128, 512), (256, 256)
    WIDE_LOOPS = {(False, True), (False, False)}
    # Xᵀ X; X B is a loop that WIDE has.
    TALL = (256, 128), (512, 128)
    TALL_LOOPS = {(True, False)}

    def check_all(self, compute: str, tile: int):
        self.assertEqual(self.check(compute, tile, self.WIDE),
                         self.WIDE_LOOPS)
        self.assertEqual(self.check(compute, tile, self.TALL),
                         self.TALL_LOOPS)

    def test_f16_64(self):
        self.check_all("f16", 64)

    def test_f16_128(self):
        self.check_all("f16", 128)

    def test_bf16_64(self):
        self.check_all("bf16", 64)

    def test_bf16_128(self):
        self.check_all("bf16", 128)

    def test_tf32_64(self):
        self.check_all("tf32", 64)

    def test_tf32_128(self):
        self.check_all("tf32", 128)

    def test_f32_64_wide(self):
        self.assertEqual(self.check("f32", 64, self.WIDE), self.WIDE_LOOPS)

    def test_f32_128_wide(self):
        self.assertEqual(self.check("f32", 128, self.WIDE), self.WIDE_LOOPS)

    def test_f32_128_tall(self):
        self.assertEqual(self.check("f32", 128, self.TALL), self.TALL_LOOPS)


# ---------------------------------------------------------------------------
# Launches


class Launches(GpuTestCase):
    """Equal shapes are one product, unequal ones share a launch."""

    def check_preset(self, preset: str, most: int):
        for rules in ({}, {"muon": {"compute": "f32"}},
                      {"muon": {"compute": "bf16", "iteration": "direct"}}):
            with self.subTest(rules=rules):
                config = self.folder / "rules.json"
                config.write_text(json.dumps(rules))
                step = self.folder / "step.mlir"
                call("muon-import", f"--preset={preset}", "--config", config,
                     "-o", step)
                text = call("muon-compile", step, "--target=sm_80",
                            "--compile-to=launches").stdout
                self.assertNotIn("scf.for", text)  # each launch runs once
                count = len(re.findall(r"\bmuon_gpu\.launch\b", text))
                self.notes.append(f"{count} launches")
                # Three products in each of five steps follow one another.
                self.assertGreater(count, 10)
                self.assertLessEqual(count, most)

    def test_gpt2(self):
        self.check_preset("gpt2-124m", 60)

    def test_llama2(self):
        self.check_preset("llama2-7b", 80)
