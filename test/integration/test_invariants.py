# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What must hold between runs, without any reference.

Equality is of bits, except where the order of sums differs by nature.
"""

from __future__ import annotations

import numpy as np

import inputs
from muon_reference import init_state
from storage import Tensor
from support import StepTestCase, tensors_of
from tolerance import Comparison

SCALARS = {"lr": 0.5, "weight_decay": 0.1}
EMA = {"muon": {"momentum_form": "ema"}}


def gaussian(key, shape) -> np.ndarray:
    return inputs.rng_for("invariant", key).standard_normal(shape)


class Invariants(StepTestCase):
    def one_step(self, artifact, params, grads):
        return artifact.run(params, grads, None, SCALARS)

    def test_scaling_the_gradient_by_a_power_of_two(self):
        """EMA and heavy ball from zero state: the weights do not notice."""
        for form in ("ema", "heavy_ball"):
            rules = {"muon": {"momentum_form": form}}
            shapes = {"wide": (15, 37), "tall": (129, 64), "row": (1, 13),
                      "one": (1, 1), "batch": (3, 12, 20)}
            params = tensors_of({n: inputs.weight(n, s)
                                 for n, s in shapes.items()})
            values = {n: gaussian(n, s) for n, s in shapes.items()}
            artifact = self.artifact(params, rules, form)
            plain = self.one_step(artifact, params, tensors_of(values))
            for power in (-100, -60, -3, 1, 40, 100):
                with self.subTest(form=form, power=power):
                    scaled = self.one_step(artifact, params, tensors_of(
                        {n: np.ldexp(Tensor.of(v, "F32").values(), power)
                         for n, v in values.items()}))
                    self.assertSameBits(plain.params, scaled.params)

    def test_scaling_bf16_and_f16_gradients(self):
        params = {n: Tensor.of(inputs.weight(n, (15, 37)), n.upper())
                  for n in ("bf16", "f16")}
        values = {n: Tensor.of(gaussian(n, (15, 37)), n.upper()).values()
                  for n in params}
        # Normal numbers of f16, momentum included, at every scale used.
        for n in values:
            values[n] = np.where(np.abs(values[n]) < 2 ** -6, 0.5, values[n])
        artifact = self.artifact(params, EMA)
        plain = None
        for power in (0, -6, 9):
            out = self.one_step(artifact, params, {
                n: Tensor.of(np.ldexp(v, power), n.upper())
                for n, v in values.items()})
            plain = plain or out
            self.assertSameBits(plain.params, out.params)

    def relations(self, transform, shapes, rules=None):
        """`transform` of weight and gradient transforms the new weight."""
        params, grads, images = {}, {}, {}
        for shape in shapes:
            for kind in ("gaussian", "decay3", "huge"):
                name = f"{kind}.{shape[0]}x{shape[1]}"
                W = inputs.weight(name, shape)
                G = inputs.gradient(kind, name, shape, "F32", 1)
                image, back = transform(name, shape)
                params[f"{name}.a"], grads[f"{name}.a"] = W, G
                params[f"{name}.b"], grads[f"{name}.b"] = image(W), image(G)
                images[name] = back
        params, grads = tensors_of(params), tensors_of(grads)
        artifact = self.artifact(params, rules)
        out = self.one_step(artifact, params, grads)
        comparison = Comparison(artifact.plan)
        exact = comparison.add(params, grads,
                               init_state(artifact.plan, params), SCALARS,
                               out.params, out.state)
        self.assertNoFailures(comparison.failures())
        allowed = {f.tensor: f.tolerance for f in comparison.findings()}
        for name, back in images.items():
            a, b = f"{name}.a", f"{name}.b"
            difference = np.linalg.norm(out.params[a].values()
                                        - back(out.params[b].values()))
            size = np.linalg.norm(exact.update[a])
            self.assertLessEqual(difference / size, allowed[a] + allowed[b],
                                 name)

    def test_transposing(self):
        def transform(name, shape):
            return np.transpose, np.transpose
        self.relations(transform, ((6, 13), (64, 64), (129, 40)))

    def test_permuting_rows_and_columns(self):
        def transform(name, shape):
            rng = inputs.rng_for("permutation", name)
            rows, cols = map(rng.permutation, shape)

            def back(image):
                result = np.empty_like(image)
                result[np.ix_(rows, cols)] = image
                return result
            return (lambda x: x[np.ix_(rows, cols)]), back
        self.relations(transform, ((6, 13), (64, 64), (129, 40)))

    def test_batch_is_each_matrix_alone(self):
        """A rank-3 tensor, a stack of separate tensors and single tensors."""
        for shape in ((6, 13), (37, 15), (64, 64), (129, 257), (1, 9)):
            for count in (3, 8):
                with self.subTest(shape=shape, count=count):
                    self.batch(shape, count)

    def batch(self, shape, count):
        key = f"{'x'.join(map(str, shape))}.{count}"
        names = [f"w{i}" for i in range(count)]
        W = tensors_of({n: inputs.weight((key, n), shape) for n in names})
        G = tensors_of({n: inputs.gradient(kind, (key, n), shape, "F32", 1)
                        for n, kind in zip(names, inputs.KINDS)})
        stack = self.artifact(W, name=f"{key}.stack")
        separate = self.one_step(stack, W, G)

        rank3 = [{"w": Tensor("F32", np.stack([t[n].bits for n in names]))}
                 for t in (W, G)]
        together = self.one_step(self.artifact(rank3[0], name=f"{key}.batch"),
                                 *rank3)
        alone = self.artifact({"w": W["w0"]}, name=f"{key}.alone")
        for i, n in enumerate(names):
            single = self.one_step(alone, {"w": W[n]}, {"w": G[n]})
            for what, params, state in (
                    ("stack", separate.params[n], separate.state[
                        f"{n}.momentum"]),
                    ("batch", Tensor("F32", together.params["w"].bits[i]),
                     Tensor("F32", together.state["w.momentum"].bits[i]))):
                self.assertTrue(params.same_bits(single.params["w"]),
                                f"{what}: weight of matrix {i}")
                self.assertTrue(state.same_bits(single.state["w.momentum"]),
                                f"{what}: momentum of matrix {i}")

    def test_run_to_run_and_compile_to_compile(self):
        params = tensors_of({
            "a": inputs.weight("a", (129, 257)),
            "b": inputs.weight("b", (129, 257)),
            "c": inputs.weight("c", (64, 64)),
            "bias": inputs.weight("bias", (77,))})
        grads = tensors_of({n: gaussian(n, t.shape)
                            for n, t in params.items()})
        first = self.artifact(params, {"clip_global_norm": 1.0}, "first")
        second = self.artifact(params, {"clip_global_norm": 1.0}, "second")
        outs = [self.one_step(artifact, params, grads)
                for artifact in (first, first, first, second)]
        for out in outs[1:]:
            self.assertSameBits(outs[0].params, out.params)
            self.assertSameBits(outs[0].state, out.state)
        self.assertEqual((first.folder / "step.mlir").read_bytes(),
                         (second.folder / "step.mlir").read_bytes())

    def test_neighbours_change_nothing(self):
        """The same parameter in a model of its own and in a larger one."""
        params = tensors_of({
            "a": inputs.weight("a", (15, 37)),
            "other": inputs.weight("o", (15, 37)),
            "wide": inputs.weight("w", (6, 2000)),
            "bias": inputs.weight("bias", (15,))})
        grads = tensors_of({n: gaussian(n, t.shape)
                            for n, t in params.items()})
        model = self.one_step(self.artifact(params, name="model"), params,
                              grads)
        for n in params:
            alone = self.one_step(
                self.artifact({n: params[n]}, name=f"alone.{n}"),
                {n: params[n]}, {n: grads[n]})
            self.assertSameBits(alone.params, model.params, [n])
