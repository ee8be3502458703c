# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parameters of any structure, who updates them, and Optax around a step."""
import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import muon_mlir
import muon_mlir.jax
import numpy as np
import optax
import pytest
from muon_mlir._jax_rules import _any_of


class Layer(NamedTuple):
    kernel: Any
    bias: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Head:
    weight: Any


def ones(*shape, dtype="float32"):
    return jnp.full(shape, 0.5, dtype)


def state_keys(tx, params):
    return sorted(tx.init(params).tensors)


MODEL = {"params": {"Dense_0": Layer(ones(4, 6), ones(6)),
                    "blocks": [{"w": ones(6, 6)}, {"w": ones(6, 6)}]},
         "head": Head(ones(6, 3)), "none": None, "scale": np.float32(2)}


def test_names_are_keys():
    assert state_keys(muon_mlir.jax.muon(0.1), MODEL) == [
        "head.weight.exp_avg", "head.weight.exp_avg_sq",  # a head, by its name
        "params.Dense_0.bias.exp_avg", "params.Dense_0.bias.exp_avg_sq",
        "params.Dense_0.kernel.momentum",
        "params.blocks.0.w.momentum", "params.blocks.1.w.momentum",
        "scale.exp_avg", "scale.exp_avg_sq"]


def test_structure_is_kept():
    tx = muon_mlir.jax.muon(0.1)
    grads = jax.tree.map(jnp.ones_like, MODEL)
    state = tx.init(MODEL)
    after, new_state = tx.apply(MODEL, grads, state)
    assert jax.tree.structure(after) == jax.tree.structure(MODEL)
    assert jax.tree.structure(new_state) == jax.tree.structure(state)
    updates, _ = tx.update(grads, state, MODEL)
    assert jax.tree.structure(updates) == jax.tree.structure(MODEL)
    # AdamW's first step is -lr, whatever the gradient.
    np.testing.assert_allclose(updates["scale"], -0.1, rtol=1e-5)
    assert all(np.all(u) for u in jax.tree.leaves(updates))


def test_an_array_is_a_tree():
    tx = muon_mlir.jax.muon(0.1)
    after, state = tx.apply(ones(4, 6), ones(4, 6), tx.init(ones(4, 6)))
    assert after.shape == (4, 6) and list(state.tensors) == ["params.momentum"]


def test_module_from_pytree():
    module = muon_mlir.jax.module_from_pytree(
        jax.eval_shape(lambda: MODEL), {"adamw": {"betas": [0.5, 0.75]}})
    step = muon_mlir.compile(module)
    weights = {a.key: a.shape for a in step.arguments if a.role == "weight"}
    assert weights["params.blocks.1.w"] == (6, 6) and len(weights) == 6
    assert "7.500000e-01" in str(module)


def test_step_and_module_of_a_transformation():
    tx = muon_mlir.jax.muon(0.1, beta=0.75)
    step = tx.step({"w": ones(4, 6)})
    assert [(s.role, s.group, s.default) for s in step.scalars] == [
        ("lr", "muon", None), ("weight_decay", "muon", 0.0),
        ("momentum", "muon", 0.75)]
    assert "muon.update" in str(tx.module({"w": ones(4, 6)}))


@pytest.mark.parametrize("labels", [
    lambda params: jax.tree.map(
        lambda p: "muon" if p.ndim > 1 else "frozen", params),
    {"head": "muon", "none": None, "scale": "frozen",
     "params": {"Dense_0": Layer("muon", "frozen"), "blocks": "muon"}},
], ids=["function", "prefix"])
def test_labels(labels):
    tx = muon_mlir.jax.muon(0.1, labels=labels)
    assert state_keys(tx, MODEL) == [
        "head.weight.momentum", "params.Dense_0.kernel.momentum",
        "params.blocks.0.w.momentum", "params.blocks.1.w.momentum"]
    grads = jax.tree.map(jnp.ones_like, MODEL)
    after, _ = tx.apply(MODEL, grads, tx.init(MODEL))
    assert after["scale"] == MODEL["scale"]
    assert np.array_equal(after["params"]["Dense_0"].bias,
                          MODEL["params"]["Dense_0"].bias)
    updates, _ = tx.update(grads, tx.init(MODEL), MODEL)
    assert not np.any(updates["scale"]) and np.all(updates["head"].weight)


@pytest.mark.parametrize("table", [jnp.arange(3), np.array([True, False])])
def test_other_types_are_frozen(table):
    params = {"w": ones(4, 6), "table": table}
    tx = muon_mlir.jax.muon(0.1)
    grads = {"w": ones(4, 6), "table": np.zeros(len(table),
                                                jax.dtypes.float0)}
    after, _ = tx.apply(params, grads, tx.init(params))
    assert after["table"].tolist() == table.tolist()
    updates, _ = tx.update(grads, tx.init(params), params)
    assert updates["table"].tolist() == [0] * len(table)
    assert updates["table"].dtype == table.dtype


def test_numpy_arrays():
    """In f64 too, which JAX makes f32."""
    values = np.linspace(-1, 1, 24).reshape(4, 6)
    tx = muon_mlir.jax.muon(0.1)
    found, _ = tx.apply(values, values, tx.init(values))
    array = jnp.asarray(values)
    expected, _ = tx.apply(array, array, tx.init(array))
    assert found.dtype == "float32" and np.array_equal(found, expected)


def test_everything_frozen():
    with pytest.raises(muon_mlir.CompileError, match="every parameter is"):
        muon_mlir.jax.muon(0.1, labels="frozen").init(MODEL)


def test_rank_3_and_more():
    """AdamW's, unless a label says that they are batches."""
    params = {"heads": ones(6, 2, 3), "conv": ones(3, 3, 2, 4), "w": ones(4, 6)}
    assert state_keys(muon_mlir.jax.muon(0.1), params) == [
        "conv.exp_avg", "conv.exp_avg_sq", "heads.exp_avg", "heads.exp_avg_sq",
        "w.momentum"]
    tx = muon_mlir.jax.muon(0.1, labels={
        "heads": "muon", "conv": "adam", "w": "adamw"})
    assert "heads.momentum" in state_keys(tx, params)
    batch = jax.random.normal(jax.random.key(0), (6, 2, 3))
    grads = {**params, "heads": batch}
    after, _ = tx.apply(params, grads, tx.init(params))
    single = muon_mlir.jax.muon(0.1)
    for i in range(6):
        one = {"w": params["heads"][i]}
        expected, _ = single.apply(one, {"w": batch[i]}, single.init(one))
        np.testing.assert_allclose(after["heads"][i], expected["w"], rtol=1e-5)


def test_rules():
    tx = muon_mlir.jax.muon(0.1, rules=[
        {"match": "blocks\\.1", "lr_multiplier": 0.5, "group": "slow"},
        {"match": "head", "optimizer": "muon"},
        {"match": "Dense", "optimizer": "frozen"}])
    assert state_keys(tx, MODEL) == [
        "head.weight.momentum", "params.blocks.0.w.momentum",
        "params.blocks.1.w.momentum", "scale.exp_avg", "scale.exp_avg_sq"]
    grads = jax.tree.map(jnp.ones_like, MODEL)
    updates, _ = tx.update(grads, tx.init(MODEL), MODEL)
    fast, slow = (block["w"] for block in updates["params"]["blocks"])
    np.testing.assert_allclose(slow, 0.5 * fast, rtol=1e-5)


def test_rules_override_options():
    params = {"w": ones(6, 4)}
    grads = {"w": jax.random.normal(jax.random.key(1), (6, 4))}

    def one(**options):
        tx = muon_mlir.jax.muon(0.1, **options)
        return tx.apply(params, grads, tx.init(params))[0]["w"]
    assert np.array_equal(one(rules={"muon": {"steps": 2}}), one(ns_steps=2))
    assert np.array_equal(one(rules='{"muon": {"schedule": "you"}}'),
                          one(ns_coeffs="dion"))
    clipped = one(rules={"clip_global_norm": 1e-30, "muon": {"eps": 1.0}})
    assert np.array_equal(clipped, params["w"])


def test_weight_decay_mask():
    params = {"embed": ones(4, 6), "w": ones(4, 6), "v": ones(4, 6),
              "b": ones(6)}
    grads = jax.tree.map(jnp.zeros_like, params)
    mask = {"embed": False, "w": True, "v": False, "b": True}
    for given in (mask, lambda p: mask):
        tx = muon_mlir.jax.muon(0.5, weight_decay=0.25, adam_weight_decay=0.5,
                                weight_decay_mask=given)
        after, _ = tx.apply(params, grads, tx.init(params))
        found = {name: float(value.ravel()[0]) for name, value in
                 after.items()}
        assert found == {"embed": 0.5, "v": 0.5, "w": 0.5 * (1 - 0.125),
                         "b": 0.5 * (1 - 0.25)}
    labels = {"embed": "muon", "w": "adamw", "v": "frozen", "b": "adamw"}
    tx = muon_mlir.jax.muon(0.5, weight_decay=0.25, weight_decay_mask=mask,
                            labels=labels)
    assert [k for k in state_keys(tx, params) if "exp_avg_sq" not in k] == [
        "b.exp_avg", "embed.momentum", "w.exp_avg"]


def test_many_and_strange_names():
    """Rules have a longest expression, and names its characters."""
    params = {f"layer-{n}/w[{'x' * 40}]+(a|b)^$*?.{{1}}\\": ones(3)
              for n in range(60)}
    tx = muon_mlir.jax.muon(0.1, labels=lambda p: {
        name: "adamw" if n % 2 else "frozen" for n, name in enumerate(p)})
    keys = tx.init(params).tensors
    wanted = [name for n, name in enumerate(params) if n % 2]
    assert set(keys) == {f"{name}.{role}" for name in wanted
                         for role in ("exp_avg", "exp_avg_sq")}
    assert _any_of(["a.b"]) == "^(a\\.b)$"


def test_empty_tree():
    """As Optax has it, where another transformation has all parameters."""
    tx = muon_mlir.jax.muon(0.1)
    state = tx.init({"a": None})
    assert state.tensors == {}
    assert tx.update({"a": None}, state, {"a": None})[0] == {"a": None}


# Optax.


def test_chain_and_partition(params, grads):
    def labels(tree):
        return {"dense": "muon", "out": "sgd"}
    tx = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.partition({"muon": muon_mlir.jax.muon(0.1),
                         "sgd": optax.sgd(0.5)}, labels))
    state = tx.init(params)
    updates, state = jax.jit(tx.update)(grads(0), state, params)
    norm = optax.tree.norm(grads(0))
    np.testing.assert_allclose(updates["out"], -0.5 * grads(0)["out"] / norm,
                               rtol=1e-5)
    alone = muon_mlir.jax.muon(0.1)
    dense = {"dense": params["dense"]}
    clipped = jax.tree.map(lambda g: g / norm, {"dense": grads(0)["dense"]})
    expected, _ = alone.update(clipped, alone.init(dense), dense)
    np.testing.assert_allclose(updates["dense"]["kernel"],
                               expected["dense"]["kernel"], rtol=1e-3,
                               atol=1e-5)


def test_multi_steps(params, grads):
    tx = optax.MultiSteps(muon_mlir.jax.muon(0.1), 2)
    state = tx.init(params)
    update = jax.jit(tx.update)
    none, state = update(grads(0), state, params)
    assert not any(np.any(u) for u in jax.tree.leaves(none))
    both, state = update(grads(1), state, params)
    alone = muon_mlir.jax.muon(0.1)
    mean = jax.tree.map(lambda a, b: (a + b) / 2, grads(0), grads(1))
    expected, _ = alone.update(mean, alone.init(params), params)
    np.testing.assert_allclose(both["out"], expected["out"], rtol=1e-3,
                               atol=1e-5)


def test_inject_hyperparams(params, grads):
    tx = optax.inject_hyperparams(
        muon_mlir.jax.muon, static_args=muon_mlir.jax.STATIC_ARGS)(
            learning_rate=0.1, adam_learning_rate=0.01)
    state = tx.init(params)
    update = jax.jit(tx.update)
    first, _ = update(grads(0), state, params)
    state.hyperparams["learning_rate"] = jnp.float32(0.05)
    second, _ = update(grads(0), state, params)
    np.testing.assert_allclose(second["out"], first["out"] / 2, rtol=1e-3,
                               atol=1e-6)
    assert np.array_equal(second["dense"]["bias"], first["dense"]["bias"])


def test_static_args_are_all_but_rates():
    import inspect
    names = set(inspect.signature(muon_mlir.jax.muon).parameters)
    assert names - set(muon_mlir.jax.STATIC_ARGS) == {
        "learning_rate", "adam_learning_rate"}
    theirs = set(inspect.signature(optax.contrib.muon).parameters)
    assert theirs <= names
