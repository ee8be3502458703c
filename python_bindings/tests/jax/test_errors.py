# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong, and what is said about it."""
import jax
import jax.numpy as jnp
import muon_mlir
import muon_mlir.jax
import numpy as np
import optax
import pytest
from muon_mlir import _jax_call

W = jnp.full((4, 6), 0.5)
PARAMS = {"w": W, "b": jnp.zeros(6)}


@pytest.fixture
def tx():
    return muon_mlir.jax.muon(0.1)


@pytest.mark.parametrize("options, message", [
    ({"adaptive": True}, "adaptive is True, expected False"),
    ({"preconditioning": "schatten"},
     "preconditioning is 'schatten', expected 'frobenius'"),
    ({"adam_eps_root": 1e-9}, "adam_eps_root is 1e-09, expected 0"),
    ({"muon_weight_dimension_numbers": optax.contrib.MuonDimensionNumbers()},
     "muon_weight_dimension_numbers is .*, expected None"),
    ({"mu_dtype": "float64"},
     "mu_dtype is 'float64', expected float32, bfloat16 or float16"),
    ({"ns_coeffs": (1.0, 2.0)}, r"ns_coeffs is .*, expected \(a, b, c\)"),
    ({"ns_coeffs": ()}, "ns_coeffs is .*, expected"),
    ({"ns_steps": 2.5}, "ns_steps is 2.5, expected an integer"),
    ({"beta": "x"}, "beta is 'x', expected a number"),
    ({"learning_rate": -0.1}, "learning_rate is -0.1, expected a finite"),
    ({"adam_learning_rate": float("nan")}, "adam_learning_rate is nan"),
    ({"rules": {"muon": {"momentum_form": "heavy_ball"}}},
     "muon.momentum_form is 'heavy_ball', expected 'ema'"),
    ({"rules": [{"match": "w", "momentum_form": "heavy_ball"}]},
     r"rules\[0\].momentum_form"),
    ({"rules": {"grid": {"dp": 2}}}, "rules have a grid"),
    ({"rules": "{"}, "rules are no JSON"),
    ({"rules": 3}, "rules are a int, expected a list"),
    ({"rules": [{"match": "w"}], "labels": {}}, "both labels and a list"),
    ({"rules": [{"match": "w"}], "weight_decay_mask": {}},
     "both weight_decay_mask and a list"),
    ({"consistent_rms": 0.3, "rules": [{"match": "w", "lr_multiplier": 2.0}]},
     r"rules\[0\] has a scale or an lr_multiplier"),
])
def test_options(options, message):
    with pytest.raises(muon_mlir.ArgumentError, match=message):
        muon_mlir.jax.muon(**{"learning_rate": 0.1, **options})


@pytest.mark.parametrize("options, message", [
    ({"beta": 1.5}, "muon.momentum: expected"),
    ({"ns_steps": 0}, "muon.steps: expected an integer from 1 to 100"),
    ({"eps": 0.0}, "adamw.eps"),
    ({"ns_coeffs": "unknown"}, "muon.schedule: .*unknown"),
    ({"rules": [{"match": "w", "nonsense": 1}]}, "nonsense"),
    ({"rules": [{"match": "b", "optimizer": "muon"}]}, "b"),
])
def test_what_the_compiler_says(options, message):
    with pytest.raises(muon_mlir.CompileError, match=message):
        muon_mlir.jax.muon(**{"learning_rate": 0.1, **options}).init(PARAMS)


@pytest.mark.parametrize("options, message", [
    ({"labels": {"w": "sgd", "b": "adamw"}}, "label of 'w' is 'sgd', expected"),
    ({"labels": {"w": "muon"}}, "labels: expected the structure"),
    ({"weight_decay_mask": {"w": 1.0, "b": True}},
     "weight_decay_mask of 'w' is 1.0, expected True or False"),
])
def test_labels_and_mask(options, message):
    with pytest.raises(muon_mlir.ArgumentError, match=message):
        muon_mlir.jax.muon(0.1, **options).init(PARAMS)


@pytest.mark.parametrize("params, grads, message", [
    (PARAMS, {"w": W}, "gradients are of structure .*, expected"),
    (PARAMS, {"w": W.T, "b": PARAMS["b"]},
     r"gradient 'w': shape is \(6, 4\), expected \(4, 6\)"),
    (PARAMS, {"w": W.astype("bfloat16"), "b": PARAMS["b"]},
     "gradient 'w': dtype is bfloat16, expected float32"),
    ({"w": W.T, "b": PARAMS["b"]}, {"w": W.T, "b": PARAMS["b"]},
     r"momentum 'w': shape is \(4, 6\), expected \(6, 4\)"),
    ({"w": W}, {"w": W}, "the state has 'b.exp_avg', 'b.exp_avg_sq'"),
    ({**PARAMS, "v": W}, {**PARAMS, "v": W}, "the state has no 'v.momentum'"),
])
def test_what_does_not_fit(tx, params, grads, message):
    state = tx.init(PARAMS)
    for call in (tx.apply, jax.jit(tx.apply)):
        with pytest.raises(muon_mlir.ArgumentError, match=message):
            call(params, grads, state)


def test_state_of_another_kind(tx):
    with pytest.raises(muon_mlir.ArgumentError,
                       match="state is a tuple, expected the MuonState"):
        tx.apply(PARAMS, PARAMS, (1, 2))
    state = tx.init(PARAMS)
    with pytest.raises(muon_mlir.ArgumentError,
                       match="state 'count': dtype is float32, expected int32"):
        tx.apply(PARAMS, PARAMS, state._replace(count=jnp.float32(0)))


def test_update_without_parameters(tx):
    with pytest.raises(muon_mlir.ArgumentError, match="needs the parameters"):
        tx.update(PARAMS, tx.init(PARAMS))


def test_two_of_one_name(tx):
    with pytest.raises(muon_mlir.ArgumentError,
                       match="two parameters have the name 'a.b'"):
        tx.init({"a.b": W, "a": {"b": W}})


def test_float64(tx):
    with jax.enable_x64(True):
        with pytest.raises(muon_mlir.CompileError,
                           match='tensor "w": its element type is a '
                           "floating-point type other than"):
            tx.init({"w": jnp.zeros((4, 6), "float64")})


@pytest.mark.parametrize("rate, found", [(-1.0, "-1"), (np.nan, "nan")])
def test_rate_that_is_wrong_when_it_runs(rate, found):
    tx = muon_mlir.jax.muon(lambda count: jnp.where(count > 0, rate, 0.5))
    apply = jax.jit(tx.apply)
    params, state = apply(PARAMS, PARAMS, tx.init(PARAMS))
    with pytest.raises(jax.errors.JaxRuntimeError,
                       match=f"INVALID_ARGUMENT: muon_mlir: .*lr.*{found}"):
        jax.block_until_ready(apply(params, PARAMS, state))
    again, _ = apply(PARAMS, PARAMS, tx.init(PARAMS))
    assert np.array_equal(again["w"], params["w"])


def test_rate_that_is_no_number():
    tx = muon_mlir.jax.muon(lambda count: jnp.zeros(3))
    with pytest.raises(muon_mlir.ArgumentError,
                       match=r"learning_rate has shape \(3,\)"):
        tx.apply(PARAMS, PARAMS, tx.init(PARAMS))


@pytest.mark.parametrize("count", [-1, 2 ** 31 - 1])
def test_count_that_is_wrong(tx, count):
    state = tx.init(PARAMS)._replace(count=jnp.int32(count))
    with pytest.raises(jax.errors.JaxRuntimeError,
                       match=f"count is {count} and skipped 0"):
        jax.block_until_ready(tx.apply(PARAMS, PARAMS, state))


def test_options_under_jit():
    @jax.jit
    def init(beta):
        return muon_mlir.jax.muon(0.1, beta=beta).init(PARAMS)
    with pytest.raises(muon_mlir.ArgumentError,
                       match="beta is only known under jit.*STATIC_ARGS"):
        init(0.9)


def test_vmap(tx):
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), PARAMS)
    states = jax.tree.map(lambda x: jnp.stack([x, x]), tx.init(PARAMS))
    with pytest.raises(muon_mlir.ArgumentError, match="vmap of a step"):
        jax.vmap(tx.apply)(stacked, stacked, states)


def test_derivative(tx):
    def loss(grads):
        return jnp.sum(tx.apply(PARAMS, grads, tx.init(PARAMS))[0]["w"])
    with pytest.raises(muon_mlir.ArgumentError, match="has no derivative"):
        jax.grad(loss)(PARAMS)


def test_other_platforms(tx):
    state = tx.init(PARAMS)
    traced = jax.jit(tx.apply).trace(PARAMS, PARAMS, state)
    for platform in ("cuda", "tpu"):
        with pytest.raises(muon_mlir.ArgumentError,
                           match=f"compiled for {platform}, expected cpu"):
            traced.lower(lowering_platforms=(platform,))


def call_directly(tx, program=None, aliases=None, **changes):
    """The custom call without what checks it in Python."""
    one = tx._steps.program({"w": W}, {"w": W})
    operands = {"count": jnp.int32(0), "skipped": jnp.int32(0),
                "scalars": jnp.zeros(len(one.scalars)), "w": W, "g": W, "m": W,
                **changes}
    values = [v for v in operands.values() if v is not None]
    results = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in (
        values[0], values[1], operands["w"], operands["m"])]
    call = jax.ffi.ffi_call(_jax_call._TARGET, results, input_output_aliases={
        3: 2, 5: 3} if aliases is None else aliases)
    return jax.block_until_ready(jax.jit(lambda *v: call(
        *v, program=program or one.key))(*values))


@pytest.mark.parametrize("changes, message", [
    ({"count": jnp.float32(0)}, "count and skipped are not int32"),
    ({"scalars": jnp.zeros(2)}, "expected 3 scalars"),
    ({"g": W.T}, r"gradient 'w': expected dtype float32 and shape \(4, 6\)"),
    ({"g": W.astype("int32")}, "gradient 'w': expected dtype float32"),
    ({"g": None}, "the call has 5 operands and 4 results, expected 6 and 4"),
    ({"aliases": {3: 2}}, "momentum 'w': expected a result in the buffer"),
    ({"program": "0" * 64}, "this process has no step 0000"),
])
def test_the_call_itself(changes, message):
    if changes.get("g", W) is None:
        changes = {**changes, "aliases": {3: 2}}
    with pytest.raises(jax.errors.JaxRuntimeError, match=message):
        call_directly(muon_mlir.jax.muon(0.1), **changes)
    assert len(call_directly(muon_mlir.jax.muon(0.1))) == 4
