# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rules, state, skipped steps and the tools' own options, end to end."""

from __future__ import annotations

import re

import numpy as np

import inputs
import safetensors_io
from muon_reference import init_state, step
from storage import Tensor
from support import THREE_STEPS, StepTestCase, gradients_for, tensors_of
from tolerance import Comparison
from toolchain import call

SCALARS = {"lr": 0.5}


def small_model(dtype: str = "F32") -> dict[str, Tensor]:
    """Two equal matrices, a batch, a vector, an embedding, an index."""
    shapes = {"blocks.0.w": (15, 37), "blocks.1.w": (15, 37),
              "experts.w": (3, 12, 20), "proj.w": (16, 64), "proj.bias": (64,),
              "embed.weight": (40, 8), "final_norm.weight": (8,)}
    model = {n: Tensor.of(inputs.weight(n, s), dtype)
             for n, s in shapes.items()}
    model["position_ids"] = Tensor.of(np.arange(9), "I64")
    return model


class Rules(StepTestCase):
    def test_default_rules_without_a_file(self):
        params = small_model()
        self.check_steps(self.artifact(params), params,
                         [{"lr": 0.5}, {"lr": {"muon": 0.3, "adamw": 0.01}}])

    def test_frozen_tensors_pass_through(self):
        params = small_model()
        artifact = self.artifact(params, {"rules": [
            {"match": "^blocks\\.1|bias$", "optimizer": "frozen"}]})
        out = self.check_steps(artifact, params)
        self.assertSameBits(params, out.params,
                            ["blocks.1.w", "proj.bias", "position_ids"])
        # They may also be absent.
        less = {n: t for n, t in params.items()
                if artifact.plan.parameters[n].optimizer is not None}
        grads = gradients_for(artifact.plan, params, 1)
        out = artifact.run(less, grads, None, SCALARS)
        self.assertEqual(set(out.params), set(less))

    def test_first_matching_rule_wins(self):
        params = small_model()
        rules = {"rules": [
            {"match": "^blocks\\.0", "optimizer": "adamw", "group": "early"},
            {"match": "^blocks", "optimizer": "muon", "steps": 2},
            {"match": "w$", "optimizer": "muon", "scale": "none"}]}
        self.check_steps(self.artifact(params, rules), params)

    def test_split_is_its_blocks(self):
        """QKV and gate-up, fused and not, give the same bits."""
        blocks = {"qkv": [24, 8, 8], "gate_up": [31, 31]}
        W = {n: inputs.weight(n, (sum(rows), 24))
             for n, rows in blocks.items()}
        G = {n: inputs.gradient("decay3", n, v.shape, "F32", 1)
             for n, v in W.items()}

        def parts(values):
            return tensors_of({
                f"{n}.{i}": part for n, rows in blocks.items()
                for i, part in enumerate(np.split(
                    values[n], np.cumsum(rows)[:-1]))})
        rules = {"rules": [{"match": f"^{n}$", "optimizer": "muon",
                            "split": rows} for n, rows in blocks.items()]}
        fused = self.artifact(tensors_of(W), rules, "fused")
        separate = self.artifact(parts(W), name="separate")
        # The blocks of `fused` may have different iterations.
        direct = self.artifact(
            tensors_of(W), {**rules, "muon": {"iteration": "direct"}},
            "direct")
        self.check_steps(direct, tensors_of(W))
        together = fused.run(tensors_of(W), tensors_of(G), None, SCALARS)
        apart = separate.run(parts(W), parts(G), None, SCALARS)
        for n, rows in blocks.items():
            ends = np.cumsum(rows)
            for i, (end, count) in enumerate(zip(ends, rows)):
                for whole, part in (
                        (together.params[n], apart.params[f"{n}.{i}"]),
                        (together.state[f"{n}.momentum"],
                         apart.state[f"{n}.{i}.momentum"])):
                    self.assertTrue(part.same_bits(Tensor(
                        "F32", whole.bits[end - count:end])), f"{n}.{i}")

    def test_split_low_precision_with_masters(self):
        params = {n: Tensor.of(inputs.weight(n, (40, 24)), n.upper())
                  for n in ("bf16", "f16")}
        rules = {"muon": {"split": [24, 8, 8], "iteration": "direct"}}
        self.check_steps(self.artifact(params, rules), params)

    def test_multiplier_leaves_the_decay_alone(self):
        """With no gradient the update is zero and only the decay acts."""
        params = tensors_of({n: inputs.weight("same", (15, 37))
                             for n in ("a", "b", "x.bias", "y.bias")})
        rules = {"rules": [
            {"match": "^b$", "optimizer": "muon", "lr_multiplier": 0.25},
            {"match": "^y", "optimizer": "adamw", "lr_multiplier": 0.25}]}
        artifact = self.artifact(params, rules)
        grads = tensors_of({n: np.zeros((15, 37)) for n in params})
        out = artifact.run(params, grads, None,
                           {"lr": 0.5, "weight_decay": 0.5})
        for n, t in out.params.items():
            self.assertTrue(t.same_bits(Tensor.of(
                0.75 * params[n].values(), "F32")), n)

    def test_transposed_storage(self):
        """GPT-2 stores in x out: the scale must be that of out x in."""
        for scale in ("original", "spectral", "match_rms_adamw"):
            W = inputs.weight("w", (15, 37))
            G = inputs.gradient("gaussian", "w", (15, 37), "F32", 1)
            conv = tensors_of({"w": W}), tensors_of({"w": G})
            linear = tensors_of({"w": W.T}), tensors_of({"w": G.T})
            muon = {"scale": scale}
            gpt2 = self.artifact(conv[0], {"muon": {**muon,
                                                    "transposed": True}},
                                 f"{scale}.conv")
            plain = self.artifact(linear[0], {"muon": muon},
                                  f"{scale}.linear")
            a = gpt2.run(*conv, None, SCALARS).params["w"].values()
            b = plain.run(*linear, None, SCALARS).params["w"].values()
            np.testing.assert_allclose(a, b.T, rtol=0, atol=1e-5)
            self.check_steps(gpt2, conv[0])

    def test_scalars_by_group(self):
        params = small_model()
        rules = {"rules": [
            {"match": "^blocks", "group": "blocks", "optimizer": "muon"},
            {"match": "bias", "group": "biases", "optimizer": "adamw"}]}
        self.check_steps(self.artifact(params, rules), params, [
            {"lr": {"": 0.3, "blocks": 0.7, "biases": 0.01}},
            {"lr": 0.2, "weight_decay": {"blocks": 0.9},
             "momentum": {"blocks": 0.25}},
            {"lr": {"": 0.1, "muon": 0.4}, "momentum": {"": 0.5, "muon": 0.9},
             "weight_decay": {"": 0.0, "biases": 0.5}}])

    def test_clip(self):
        """The norm is over all gradients that are used, of every type."""
        params = small_model("BF16")
        rules = {"clip_global_norm": 0.5, "grad_type": "f32",
                 "rules": [{"match": "^proj", "optimizer": "frozen"}]}
        self.check_steps(self.artifact(params, rules), params, [
            {"lr": 0.5}, {"lr": 0.5, "clip": 7.0}, {"lr": 0.5, "clip": 1e9}])

    def test_clip_of_an_overwhelming_gradient(self):
        """k is 1e-20; squares neither overflow nor underflow."""
        params = small_model()
        artifact = self.artifact(params, {"clip_global_norm": 1.0})
        plan = artifact.plan
        grads = {n: Tensor.of(g.values() * 1e20, "F32")
                 for n, g in gradients_for(plan, params, 1).items()}
        out = artifact.run(params, grads, None, SCALARS)
        comparison = Comparison(plan)
        comparison.add(params, grads, init_state(plan, params), SCALARS,
                       out.params, out.state)
        self.assertNoFailures(comparison.failures())


class State(StepTestCase):
    def test_initial_state(self):
        """--init-state is zero state, and masters equal to the weights."""
        for dtype in ("F32", "BF16", "F16"):
            params = small_model(dtype)
            artifact = self.artifact(params, name=dtype)
            grads = gradients_for(artifact.plan, params, 1)
            fresh = artifact.run(params, grads, None, SCALARS)
            given = artifact.run(params, grads,
                                 init_state(artifact.plan, params), SCALARS)
            self.assertSameBits(given.params, fresh.params)
            self.assertSameBits(given.state, fresh.state)
            self.assertEqual(int(fresh.state["step"].bits), 1)

    def test_masters_accumulate_small_updates(self):
        """Steps far below the spacing of bf16 still add up."""
        params = {"w": Tensor.of(np.ones((12, 20)), "BF16")}
        artifact = self.artifact(params, {"muon": {"weight_decay": 0.0}})
        grads = gradients_for(artifact.plan, params, 1)
        out = artifact.run(params, grads, None, {"lr": 1e-4})
        self.assertSameBits(params, out.params)
        for _ in range(40):
            out = artifact.run(out.params, grads, out.state, {"lr": 1e-4})
        self.assertFalse(params["w"].same_bits(out.params["w"]))
        self.assertEqual(out.state["w.master"].dtype, "F32")


class Skip(StepTestCase):
    """A value that is not finite: nothing changes, and who it was is said."""

    def check_skipped(self, artifact, params, grads, state, culprit):
        out = artifact.run(params, grads, state, SCALARS)
        self.assertSameBits(params, out.params)
        self.assertSameBits(state, out.state)
        self.assertIn(culprit, out.text)

    def prepared(self, dtype: str = "F32", **rules):
        """An artifact with a state that one step has filled."""
        params = small_model(dtype)
        artifact = self.artifact(params, rules)
        grads = gradients_for(artifact.plan, params, 1)
        out = artifact.run(params, grads, None, SCALARS)
        return artifact, out, gradients_for(artifact.plan, params, 2)

    @staticmethod
    def poisoned(tensors, name, value, place=-1):
        values = tensors[name].values()
        values.flat[place] = value
        return {**tensors, name: Tensor.of(values, tensors[name].dtype)}

    def test_gradient(self):
        artifact, before, grads = self.prepared(clip_global_norm=1.0)
        for name in ("blocks.1.w", "experts.w", "proj.bias", "embed.weight"):
            for value in (np.nan, np.inf, -np.inf):
                with self.subTest(name=name, value=value):
                    self.check_skipped(
                        artifact, before.params,
                        self.poisoned(grads, name, value, 5), before.state,
                        name)
        # The next good step goes on from there, with the right step count.
        after = artifact.run(before.params, grads, before.state, SCALARS)
        comparison = Comparison(artifact.plan)
        comparison.add(before.params, grads, before.state, SCALARS,
                       after.params, after.state)
        self.assertNoFailures(comparison.failures())
        self.assertEqual(int(after.state["step"].bits), 2)

    def test_gradient_low_precision(self):
        for dtype in ("BF16", "F16"):
            with self.subTest(dtype):
                artifact, before, grads = self.prepared(dtype)
                self.check_skipped(
                    artifact, before.params,
                    self.poisoned(grads, "proj.w", np.inf), before.state,
                    "proj.w")

    def test_momentum(self):
        artifact, before, grads = self.prepared()
        for name in ("blocks.0.w", "experts.w"):
            for value in (np.nan, np.inf):
                with self.subTest(name=name, value=value):
                    self.check_skipped(
                        artifact, before.params, grads,
                        self.poisoned(before.state, f"{name}.momentum",
                                      value), name)

    def test_without_the_guard(self):
        """Allowed to happen, a bad value shows in its matrix, and only there."""
        artifact, before, grads = self.prepared(skip_nonfinite=False)
        for name, rows in (("blocks.1.w", slice(None)),
                           ("experts.w", slice(0, 12))):
            for value in (np.nan, np.inf):
                with self.subTest(name=name, value=value):
                    out = artifact.run(
                        before.params, self.poisoned(grads, name, value, 5),
                        before.state, SCALARS)
                    for other, tensor in out.params.items():
                        values = tensor.values().reshape(
                            -1, tensor.values().shape[-1])
                        if other != name:
                            self.assertTrue(np.isfinite(values).all(), other)
                            continue
                        bad = ~np.isfinite(values)
                        self.assertTrue(bad[rows].all())
                        self.assertEqual(bad.sum(), bad[rows].sum())

    def test_first_step(self):
        params = small_model("BF16")
        artifact = self.artifact(params)
        grads = self.poisoned(gradients_for(artifact.plan, params, 1),
                              "proj.w", np.nan)
        out = artifact.run(params, grads, None, SCALARS)
        self.assertSameBits(params, out.params)
        self.assertSameBits(init_state(artifact.plan, params), out.state)


class Tools(StepTestCase):
    def setUp(self):
        super().setUp()
        self.params = small_model()
        self.model = self.artifact(self.params)
        self.grads = gradients_for(self.model.plan, self.params, 1)

    def test_portable_cpu(self):
        artifact = self.artifact(
            self.params, name="portable",
            compile_options=("--target=cpu", "--cpu=x86-64-v3"))
        self.check_steps(artifact, self.params, THREE_STEPS[:1])

    def test_stats(self):
        out = self.model.run(self.params, self.grads, None, SCALARS,
                             ["--stats"])
        state = init_state(self.model.plan, self.params)
        exact = step(self.model.plan, self.params, self.grads, state,
                     **SCALARS)
        for p in self.model.plan.trained():
            lines = [line for line in out.text.splitlines() if p.name in line]
            self.assertTrue(lines, f"{p.name} is not in --stats")
            numbers = [float(x) for line in lines for x in re.findall(
                r"(?<![\w.])[-+]?\d+\.?\d*(?:e[-+]?\d+)?(?![\w.])", line)]
            update = exact.update[p.name] / 0.5
            for what, want in (
                    ("gradient norm",
                     np.linalg.norm(self.grads[p.name].values())),
                    ("update RMS", np.sqrt(np.mean(update ** 2))),
                    ("weight norm", np.linalg.norm(exact.values[p.name]))):
                self.assertTrue(
                    any(abs(x - want) <= 2e-3 * want for x in numbers),
                    f"{p.name}: {what} {want} not in {lines}")

    def test_expect(self):
        state = init_state(self.model.plan, self.params)
        exact = step(self.model.plan, self.params, self.grads, state,
                     **SCALARS)
        expected = self.folder / "expected.safetensors"
        tolerances = ["--rtol", "1e-4", "--atol", "1e-5"]
        arguments = self.model.command(self.params, self.grads, None, SCALARS)
        arguments += ["--expect", expected, *tolerances]
        safetensors_io.save(expected, exact.params)
        self.assertEqual(
            call("muon-run", *arguments, check=False).returncode, 0)

        wrong = exact.params["proj.w"].values()
        wrong[3, 41] += 0.25
        safetensors_io.save(expected, {
            **exact.params, "proj.w": Tensor.of(wrong, "F32")})
        done = call("muon-run", *arguments, check=False)
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, text)
        self.assertIn("proj.w", text)
        self.assertRegex(text, r"3\D+41")

    def check_refused(self, params, grads, state, culprit, scalars=SCALARS):
        """Exit code 1, a message that names the tensor, no output touched."""
        outputs = {n: self.folder / f"{n}.safetensors" for n in "ps"}
        for path in outputs.values():
            path.write_bytes(b"precious")
        done = call("muon-run",
                    *self.model.command(params, grads, state, scalars),
                    "--out-params", outputs["p"], "--out-state", outputs["s"],
                    check=False)
        text = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, text)
        self.assertIn(culprit, text)
        for path in outputs.values():
            self.assertEqual(path.read_bytes(), b"precious")

    def test_arguments_that_do_not_match(self):
        params, grads = self.params, self.grads
        state = init_state(self.model.plan, params)
        name = "blocks.1.w"
        without = {n: t for n, t in grads.items() if n != name}
        for grad in (without,
                     {**without, name: Tensor.zeros((37, 15), "F32")},
                     {**without, name: Tensor.zeros((15, 37), "BF16")}):
            self.check_refused(params, grad, state, name)
        self.check_refused({n: t for n, t in params.items() if n != name},
                           grads, state, name)
        self.check_refused(params, grads, {
            n: t for n, t in state.items() if n != f"{name}.momentum"},
            f"{name}.momentum")
        self.check_refused(params, grads, state, "lr", {})
        self.check_refused(params, grads, state, "nobody",
                           {"lr": {"": 0.1, "nobody": 0.2}})
