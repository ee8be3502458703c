# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What JAX exports of optax.contrib.muon, raised, compiled, and compared with
what JAX computes itself.

One update is traced to StableHLO, which the passes in jaxlib turn to linalg.
There, muon-opt's --muon-raise finds the iteration, and muon-compile makes an
artifact of it.

The optimizer's state is closed over and no argument of the function: Optax keeps
the coefficients of the iteration in it, and only those that are constants can be
raised. Closing over makes constants of the momentum too, which is why it is one of
a few steps before, and not 0.

The last line is `N passed, N failed, N skipped`. Tools come from $MUON_BIN, by
default build/release/bin.
"""
import dataclasses
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax._src.interpreters import mlir as jax_mlir
from jaxlib.mlir import ir, passmanager
from jaxlib.mlir.dialects import stablehlo

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("MUON_BIN", ROOT / "build/release/bin"))

# Of the largest element of an update. JAX's own results in f32 are 1.8e-6 off what
# the iteration is in f64: five steps make an error in a small singular value
# 3.4445⁵ times as large. Two such results may differ by twice that.
TOLERANCE = 4e-6

KELLER_JORDAN = (3.4445, -4.7750, 2.0315)

# Fusion would hide the end of the iteration in what follows. It folds what is
# constant: the bias correction of a known step is a power that no artifact computes.
PASSES = [
    "--inline",
    "--canonicalize",
    "--muon-raise",
    "--linalg-fuse-elementwise-ops",
    "--canonicalize",
]

# A step around the exported function, whose weights it changes by −1 times the
# update.
STEP = """
func.func @step(
    %lr: tensor<f32> {{muon.role = #muon.role<lr>, muon.group = "muon",
                       muon.default = 1.0 : f32}},
    %wd: tensor<f32> {{muon.role = #muon.role<weight_decay>, muon.group = "muon",
                       muon.default = 0.0 : f32}},
    %w: {matrix} {{muon.role = #muon.role<weight>, muon.names = ["w"]}},
    %g: {matrix} {{muon.role = #muon.role<gradient>, muon.names = ["w"]}})
    -> {matrix} {{
  %u = func.call @main(%g) : ({matrix}) -> {matrix}
  %x = tensor.expand_shape %u [[0, 1], [2]] output_shape [1, {rows}, {columns}]
      : {matrix} into {batch}
  %next = muon.apply x(%x : {batch}) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : {matrix}) {{scale = 1.0 : f64}}
  return %next : {matrix}
}}
"""


def export(function, *arguments) -> str:
    """The linalg of a function that JAX can trace."""
    stablehlo.register_stablehlo_passes()
    text = str(jax.jit(function).lower(*arguments).compiler_ir("stablehlo"))
    with jax_mlir.make_ir_context():
        module = ir.Module.parse(text)
        passmanager.PassManager.parse(
            "builtin.module(stablehlo-legalize-to-linalg)"
        ).run(module.operation)
        return str(module)


def add_step(text: str, rows: int, columns: int) -> str:
    """The module with a step that calls its @main."""
    text = text.replace("func.func public @main(", "func.func private @main(")
    # Attributes of JAX's own that nobody else knows.
    text = re.sub(r" \{jax[^}]*\}", "", text)
    step = STEP.format(
        matrix=f"tensor<{rows}x{columns}xf32>",
        batch=f"tensor<1x{rows}x{columns}xf32>",
        rows=rows,
        columns=columns,
    )
    return text[: text.rindex("}")] + step + "}\n"


def save(path: pathlib.Path, tensors: dict) -> None:
    header, data = {}, b""
    for name, tensor in tensors.items():
        tensor = np.ascontiguousarray(tensor, np.float32)
        offsets = [len(data), len(data) + tensor.nbytes]
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": offsets}
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path: pathlib.Path) -> dict:
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    header, data = json.loads(data[8 : 8 + size]), data[8 + size :]
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], np.float32).reshape(
            entry["shape"]
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def run_tool(name: str, *arguments) -> str:
    """What it says on its error output."""
    done = subprocess.run(
        [BIN / name, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        raise AssertionError(f"{name}: exit status {done.returncode}\n{done.stderr}")
    return done.stderr


@dataclasses.dataclass
class Raised:
    """What became of a function."""

    text: str
    remarks: str
    result: np.ndarray


def raise_and_run(text: str, g: np.ndarray) -> Raised:
    """Compiles linalg of a function from a matrix to one of the same shape, and
    runs it."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "linalg.mlir").write_text(add_step(text, *g.shape))
        remarks = run_tool(
            "muon-opt",
            *PASSES,
            "--symbol-dce",
            "--remarks-filter=muon-raise",
            folder / "linalg.mlir",
            "-o",
            folder / "raised.mlir",
        )
        run_tool("muon-compile", folder / "raised.mlir", "-o", folder / "step.so")
        save(folder / "w.safetensors", {"w": np.zeros(g.shape)})
        save(folder / "g.safetensors", {"w": g})
        run_tool(
            "muon-run",
            folder / "step.so",
            "--params",
            folder / "w.safetensors",
            "--grads",
            folder / "g.safetensors",
            "--init-state",
            "--out-params",
            folder / "out.safetensors",
        )
        return Raised(
            (folder / "raised.mlir").read_text(),
            remarks,
            -load(folder / "out.safetensors")["w"],
        )


def get_schedules(text: str) -> list:
    """(coefficients, steps) of every muon.orthogonalize."""
    found = re.findall(
        r"muon\.orthogonalize .*schedule = #muon\.schedule<(.*?)>.*steps = (\d+)", text
    )
    return [
        (np.array(json.loads(f"[{literal}]"), np.float64), int(steps))
        for literal, steps in found
    ]


class OptaxMuon(unittest.TestCase):
    def check(self, shape, coefficients=KELLER_JORDAN, steps=5, **options):
        random = np.random.default_rng(shape[0] * 1000 + shape[1])

        def draw():
            # Singular values that decay, as those of gradients do.
            m = random.standard_normal(shape)
            return (m * np.geomspace(1, 1e-2, shape[1])).astype(np.float32)

        muon = optax.contrib.muon(
            learning_rate=0.02, ns_coeffs=coefficients, ns_steps=steps, **options
        )
        parameters = {"w": jnp.asarray(draw())}
        state = muon.init(parameters)
        for _ in range(2):
            _, state = muon.update({"w": jnp.asarray(draw())}, state, parameters)

        def update(g):
            return muon.update({"w": g}, state, parameters)[0]["w"]

        g = draw()
        want = np.asarray(jax.jit(update)(g))
        raised = raise_and_run(export(update, jnp.asarray(g)), g)

        literal = np.array(coefficients, np.float64).reshape(-1, 3)
        schedules = get_schedules(raised.text)
        self.assertEqual(len(schedules), 1, raised.remarks)
        np.testing.assert_allclose(schedules[0][0], literal, rtol=1e-7)
        self.assertEqual(schedules[0][1], steps)
        self.assertNotIn("[Missed]", raised.remarks)
        # No product is left beside it.
        self.assertNotRegex(raised.text, r"linalg\.(batch_)?matmul")

        largest = np.abs(want).max()
        self.assertGreater(largest, 0)
        difference = np.abs(raised.result - want).max()
        self.assertLessEqual(difference, TOLERANCE * largest)

    def test_wide(self):
        self.check((16, 40))

    def test_tall(self):
        self.check((40, 16))

    def test_square(self):
        self.check((24, 24))

    def test_odd(self):
        self.check((15, 37))

    def test_without_nesterov(self):
        self.check((40, 16), nesterov=False)

    def test_other_coefficients(self):
        self.check((16, 40), coefficients=(2.0, -1.5, 0.5))

    def test_three_steps(self):
        self.check((40, 16), steps=3)

    def test_weight_decay(self):
        self.check((16, 40), weight_decay=0.1)


class OtherJax(unittest.TestCase):
    """Functions that nobody prepared for this."""

    def check(self, function, shape, literal, steps):
        g = np.random.default_rng(7).standard_normal(shape).astype(np.float32)
        want = np.asarray(jax.jit(function)(g))
        raised = raise_and_run(export(function, jnp.asarray(g)), g)
        schedules = get_schedules(raised.text)
        self.assertEqual(len(schedules), 1, raised.remarks)
        np.testing.assert_allclose(schedules[0][0], np.array(literal), rtol=1e-7)
        self.assertEqual(schedules[0][1], steps)
        difference = np.abs(raised.result - want).max()
        self.assertLessEqual(difference, TOLERANCE * np.abs(want).max())

    def test_fori_loop(self):
        def function(x):
            def body(_, x):
                gram = x @ x.T
                return 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x

            # Others become a stablehlo.while, for which that pass does nothing.
            return jax.lax.fori_loop(
                0, 5, body, x / (jnp.linalg.norm(x) + 1e-7), unroll=True
            )

        self.check(function, (16, 40), [KELLER_JORDAN], 5)

    def test_from_the_right(self):
        """Three steps of their own coefficients, transposes around them."""
        steps = [(4.0, -6.0, 3.0), (3.0, -3.0, 1.0), (2.0, -1.5, 0.5)]

        def function(x):
            x = x.T / (jnp.linalg.norm(x) + 1e-7)
            for a, b, c in steps:
                gram = x.T @ x
                x = a * x + x @ (b * gram + c * (gram @ gram))
            return x.T

        self.check(function, (16, 40), steps, 3)

    def test_coefficient_that_is_no_constant(self):
        """What cannot be raised stays, and the remark says why."""

        def function(x):
            gram = x @ x.T
            a = jnp.sum(x) * 1e-3
            return a * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x

        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name, "linalg.mlir")
            text = export(function, jnp.zeros((8, 12)))
            path.write_text(add_step(text, 8, 12))
            remarks = run_tool(
                "muon-opt",
                *PASSES,
                "--remarks-filter=muon-raise",
                path,
                "-o",
                os.devnull,
            )
        self.assertIn("has a coefficient that is no constant", remarks)
        self.assertNotIn("[Passed]", remarks)


def main() -> int:
    tests = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    passed = result.testsRun - failed - skipped
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
