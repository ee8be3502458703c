# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fifty steps against optax.contrib.muon.

The reference is Optax in f64. A compiled step in f32 may be off by twice what
Optax is in f32, of the distance that the parameters moved, and by 1e-6. Two
values are rounded to f32 that Optax does not round: the momentum b, 2^-25 of which
are 2^-25/(1−b) of the share that gradients have; and with weight decay, which
Optax adds to the update, the factor 1 − lr·λ of each step.
"""
import functools

import jax
import jax.numpy as jnp
import muon_mlir.jax
import numpy as np
import optax
import pytest

STEPS = 50
SHAPES = {"wide": (16, 40), "tall": (40, 16), "row": (1, 9)}
MORE = {"square": (20, 20), "odd": (13, 6), "column": (9, 1)}
VECTORS = {"bias": (33,), "scale": ()}
TRIPLES = ((4.0, -6.0, 3.0), (3.0, -3.0, 1.0), (2.0, -1.5, 0.5))


def initial(shapes):
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape).astype("f4")
            for name, shape in shapes.items()}


def gradient(number, shapes):
    """Matrices of decaying singular values 1 … 1e-3, and noise of 1e-4."""
    rng = np.random.default_rng(1000 + number)
    made = {}
    for name, shape in shapes.items():
        values = rng.standard_normal(shape)
        if len(shape) == 2:
            u, s, v = np.linalg.svd(values, full_matrices=False)
            values = (u * np.logspace(0, -3, len(s))) @ v
            values = values + 1e-4 * rng.standard_normal(shape)
        made[name] = np.asarray(values, "f4")
    return made


def run_optax(make, shapes, dtype):
    """The parameters and the state after STEPS steps."""
    with jax.enable_x64(dtype == "f8"):
        tx = make()
        params = jax.tree.map(lambda x: jnp.asarray(x, dtype), initial(shapes))
        state = tx.init(params)

        @jax.jit
        def step(params, grads, state):
            updates, state = tx.update(grads, state, params)
            return optax.apply_updates(params, updates), state

        for number in range(STEPS):
            grads = jax.tree.map(lambda x: jnp.asarray(x, dtype),
                                 gradient(number, shapes))
            params, state = step(params, grads, state)
        return jax.tree.map(np.asarray, (params, state))


def run_compiled(tx, shapes, protocol):
    params = jax.tree.map(jnp.asarray, initial(shapes))
    state = tx.init(params)

    @jax.jit
    def step(params, grads, state):
        if protocol == "apply":
            return tx.apply(params, grads, state)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for number in range(STEPS):
        params, state = step(params, gradient(number, shapes), state)
    assert (int(state.count), int(state.skipped)) == (STEPS, 0)
    return jax.tree.map(np.asarray, (params, state))


def failures(found, plain, exact, start, decays=False, beta=0.95):
    for name in start:
        moved = np.linalg.norm(exact[name] - start[name])
        ours = np.linalg.norm(found[name] - exact[name]) / moved
        theirs = np.linalg.norm(plain[name] - exact[name]) / moved
        rounding = 2 ** -25 / (1 - beta)
        if decays:
            rounding += STEPS * 2 ** -25 * np.linalg.norm(start[name]) / moved
        if not ours <= 2 * theirs + 1e-6 + rounding:
            yield (f"{name}: {ours:.2e}, expected 2·{theirs:.2e} + 1e-6 + "
                   f"{rounding:.2e}")


def schedule(count):
    return 0.02 * 0.9 ** count


OPTIONS = {
    "defaults": {},
    "no_nesterov": {"nesterov": False},
    "decay": {"weight_decay": 0.1},
    "rms": {"consistent_rms": 0.2},
    "rms_decay": {"consistent_rms": 0.35, "weight_decay": 0.1},
    "beta_steps": {"beta": 0.5, "ns_steps": 3},
    "no_momentum": {"beta": 0.0},
    "standard": {"ns_coeffs": "standard"},
    "dion": {"ns_coeffs": "dion"},
    "triples": {"ns_coeffs": TRIPLES, "ns_steps": 3, "beta": 0.99},
    "schedule": {"learning_rate": schedule},
}


@pytest.mark.parametrize("name, protocol", [
    *((name, "apply") for name in OPTIONS), ("defaults", "update"),
    ("decay", "update")])
def test_muon(name, protocol):
    options = {"learning_rate": 0.02, **OPTIONS[name]}
    plain, exact = optax_results(name)
    found, _ = run_compiled(muon_mlir.jax.muon(**options), SHAPES, protocol)
    assert list(failures(found, plain[0], exact[0], initial(SHAPES),
                         "weight_decay" in options,
                         options.get("beta", 0.95))) == []


@functools.lru_cache(maxsize=None)
def optax_results(name):
    options = {"learning_rate": 0.02, **OPTIONS[name]}
    make = functools.partial(optax.contrib.muon, **options)
    return run_optax(make, SHAPES, "f4"), run_optax(make, SHAPES, "f8")


@pytest.mark.parametrize("name", ["defaults", "no_nesterov", "beta_steps"])
def test_momentum_is_a_multiple_of_optaxs(name):
    """As docs/jax.md has it."""
    options = {"learning_rate": 0.02, **OPTIONS[name]}
    _, exact = optax_results(name)
    _, state = run_compiled(muon_mlir.jax.muon(**options), SHAPES, "apply")
    beta = options.get("beta", 0.95)
    theirs = exact[1].inner_states["muon"].inner_state[0].mu
    for key in SHAPES:
        expected = theirs[key] / (1 - beta ** (STEPS + 1))
        np.testing.assert_allclose(state.tensors[f"{key}.momentum"], expected,
                                   rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("options, shapes", [
    ({}, {**MORE, **VECTORS}),
    ({"adam_b1": 0.8, "adam_b2": 0.95, "adam_weight_decay": 0.1}, VECTORS),
    ({"adam_learning_rate": 3e-3, "weight_decay": 0.05},
     {"wide": (16, 40), **VECTORS}),
    ({"eps": 0.1}, VECTORS),
], ids=["defaults", "betas_decay", "rate", "eps"])
def test_matrices_and_vectors(options, shapes):
    """Without Nesterov's momentum, which Optax gives to AdamW as well."""
    options = {"learning_rate": 0.02, "nesterov": False, **options}
    make = functools.partial(optax.contrib.muon, **options)
    plain, exact = (run_optax(make, shapes, dtype)[0] for dtype in ("f4", "f8"))
    found, _ = run_compiled(muon_mlir.jax.muon(**options), shapes, "apply")
    decays = {"weight_decay", "adam_weight_decay"} & set(options)
    assert list(failures(found, plain, exact, initial(shapes),
                         bool(decays))) == []


def test_eps_counts_more_at_first():
    """The step's U is r times Optax's, with r = (1−β)/(1−β²) at first; and
    Optax's is g·(1 + β·r), from zero state."""
    rng = np.random.default_rng(2)
    g = 1e-6 * rng.standard_normal((6, 10))
    tx = muon_mlir.jax.muon(1.0, eps=1e-6, ns_steps=1,
                            ns_coeffs=(1.0, 0.0, 0.0))
    start = {"w": jnp.zeros((6, 10))}
    new, _ = tx.apply(start, {"w": jnp.asarray(g, jnp.float32)},
                      tx.init(start))
    r = 0.05 / (1 - 0.95 ** 2)
    expected = -g / (np.linalg.norm(g) + 1e-6 / (r * (1 + 0.95 * r)))
    np.testing.assert_allclose(new["w"], expected * (10 / 6) ** 0.5,
                               rtol=0, atol=1e-6 * np.abs(expected).max())


def test_nesterov_is_not_adamws():
    """With it, vectors are those of plain AdamW."""
    shapes = {"wide": (16, 40), **VECTORS}

    def make():
        return optax.partition(
            {"muon": optax.contrib.muon(0.02), "adam": optax.adamw(
                0.02, b1=0.9, b2=0.999, weight_decay=0.0)},
            lambda params: jax.tree.map(
                lambda x: "muon" if x.ndim == 2 else "adam", params))
    plain, exact = (run_optax(make, shapes, dtype)[0] for dtype in ("f4", "f8"))
    found, _ = run_compiled(muon_mlir.jax.muon(0.02), shapes, "apply")
    assert list(failures(found, plain, exact, initial(shapes))) == []


def test_descent_on_a_loss():
    """Gradients that follow from the parameters, as in training."""
    rng = np.random.default_rng(5)
    a, b = (rng.standard_normal(shape).astype("f4")
            for shape in ((64, 16), (64, 12)))
    start = (rng.standard_normal((16, 12)) / 4).astype("f4")

    def train(tx, dtype):
        x, y, w = (jnp.asarray(v, dtype) for v in (a, b, start))
        loss = jax.jit(jax.value_and_grad(
            lambda w: jnp.mean(jnp.square(x @ w - y))))
        update, state = jax.jit(tx.update), tx.init(w)
        for _ in range(STEPS):
            value, grads = loss(w)
            updates, state = update(grads, state, w)
            w = optax.apply_updates(w, updates)
        return np.asarray(w), float(value)
    with jax.enable_x64(True):
        exact, best = train(optax.contrib.muon(0.01), "f8")
    plain, _ = train(optax.contrib.muon(0.01), "f4")
    found, loss = train(muon_mlir.jax.muon(0.01), "f4")
    assert loss == pytest.approx(best, rel=1e-4)
    assert list(failures({"w": found}, {"w": plain}, {"w": exact},
                         {"w": start})) == []
