# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The custom call: under jit and not, in place, in loops, in threads."""
import re
import threading

import jax
import jax.numpy as jnp
import muon_mlir.jax
import numpy as np
import optax
import pytest


def addresses(tree):
    return [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(tree)]


def copied(tree):
    return jax.tree.map(jnp.copy, tree)


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def steps(tx, params, grads, count, call=None):
    state, call = tx.init(params), call or tx.apply
    for number in range(count):
        params, state = call(params, grads(number), state)
    return params, state


@pytest.fixture
def tx():
    return muon_mlir.jax.muon(0.02, weight_decay=0.01)


def test_with_and_without_jit(tx, params, grads):
    before = copied(params)
    eager = steps(tx, params, grads, 3)
    assert_same(params, before)  # not donated: the step worked in copies
    assert_same(steps(tx, params, grads, 3, jax.jit(tx.apply)), eager)


def test_donated_buffers_stay_where_they_are(tx, params, grads):
    expected = steps(tx, params, grads, 3)
    apply = jax.jit(tx.apply, donate_argnums=(0, 2))
    params = copied(params)
    state = tx.init(params)
    where = addresses((params, state.tensors))
    for number in range(3):
        params, state = apply(params, grads(number), state)
        assert addresses((params, state.tensors)) == where
    assert_same((params, state), expected)


def test_one_custom_call(tx, params, grads):
    """And no copy of a tensor, when what it updates is donated."""
    apply = jax.jit(tx.apply, donate_argnums=(0, 2))
    compiled = apply.lower(params, grads(0), tx.init(params)).compile()
    text = compiled.as_text()
    (call,) = re.findall(r"custom-call\((?:.*)", text)
    assert 'custom_call_target="muon_mlir_step"' in call
    # Three weights, two momenta, two moments: operands from 3 on.
    aliases = re.findall(r"\{(\d+)\}: \((\d+), \{\}\)",
                         call.split("output_to_operand_aliasing=")[1])
    assert [int(result) for result, _ in aliases] == list(range(2, 9))
    assert "f32[12,8]{1,0} copy(" not in text
    update = jax.jit(tx.update).lower(
        grads(0), tx.init(params), params).compile().as_text()
    assert len(re.findall(r"custom-call\(", update)) == 1


def test_update_is_the_difference(tx, params, grads):
    state = tx.init(params)
    new, expected = tx.apply(params, grads(0), state)
    for update in (tx.update, jax.jit(tx.update)):
        updates, found = update(grads(0), state, params)
        assert_same(found, expected)
        assert_same(updates, jax.tree.map(lambda a, b: a - b, new, params))
        # Adding it again rounds once more.
        sums = optax.apply_updates(params, updates)
        for one, other, before in zip(*map(jax.tree.leaves,
                                           (sums, new, params))):
            unit = np.maximum(np.spacing(np.abs(np.asarray(other))),
                              np.spacing(np.abs(np.asarray(before))))
            assert np.all(np.abs(np.asarray(one - other)) <= unit)


def test_scan(tx, params, grads):
    expected = steps(tx, params, grads, 5)
    stacked = jax.tree.map(lambda *g: jnp.stack(g), *map(grads, range(5)))

    @jax.jit
    def train(params, state):
        def body(carry, g):
            return tx.apply(carry[0], g, carry[1]), carry[1].count
        return jax.lax.scan(body, (params, state), stacked)
    found, counts = train(params, tx.init(params))
    assert counts.tolist() == [0, 1, 2, 3, 4]
    assert_same(found, expected)


def test_schedule_is_of_steps_taken(params, grads):
    seen = []

    def schedule(count):
        jax.debug.callback(lambda c: seen.append(int(c)), count)
        return jnp.where(count < 2, 0.5, 0.0)
    tx = muon_mlir.jax.muon(schedule)
    after = [steps(tx, params, grads, n)[0] for n in range(4)]
    jax.effects_barrier()
    assert sorted(seen) == [0, 0, 0, 1, 1, 2]
    assert not np.array_equal(after[1]["out"], after[2]["out"])
    assert_same(after[3], after[2])


def test_step_that_is_skipped(tx, params, grads):
    params, state = steps(tx, params, grads, 2)
    for bad in (np.nan, np.inf):
        g = grads(2)
        g["dense"]["bias"] = g["dense"]["bias"].at[3].set(bad)
        after, skipped = jax.jit(tx.apply)(params, g, state)
        assert_same(after, params)
        assert_same(skipped, state._replace(skipped=state.skipped + 1))
        assert (int(skipped.count), int(skipped.skipped)) == (2, 1)
        updates, _ = tx.update(g, state, params)
        assert not any(np.any(u) for u in jax.tree.leaves(updates))
    assert_same(tx.apply(params, grads(2), skipped)[0],
                tx.apply(params, grads(2), state)[0])


def test_state_on_disk(tx, params, grads, tmp_path):
    params, state = steps(tx, params, grads, 2)
    np.savez(tmp_path / "state.npz",
             **{str(i): leaf for i, leaf in
                enumerate(jax.tree.leaves((params, state)))})
    expected = tx.apply(params, grads(2), state)
    shapes = jax.eval_shape(lambda p: (p, tx.init(p)), params)
    with np.load(tmp_path / "state.npz") as file:
        params, state = jax.tree.unflatten(
            jax.tree.structure(shapes),
            [file[str(i)] for i in range(len(file.files))])
    assert {leaf.dtype.name for leaf in jax.tree.leaves(state)} == {
        "int32", "float32"}
    assert isinstance(state.tensors["out.momentum"], np.ndarray)
    assert_same(tx.apply(params, grads(2), state), expected)
    assert_same(jax.jit(tx.apply)(params, grads(2), state), expected)


def test_x64(tx, params, grads):
    expected = steps(tx, params, grads, 2)
    with jax.enable_x64(True):
        assert_same(steps(tx, params, grads, 2), expected)
        assert expected[1].count.dtype == "int32"


def test_jit_disabled(tx, params, grads):
    expected = steps(tx, params, grads, 2)
    with jax.disable_jit():
        assert_same(steps(tx, params, grads, 2), expected)


def test_one_buffer_for_several_tensors():
    """As for gradients that XLA knows to be equal, and parameters that are."""
    one = jax.random.normal(jax.random.key(1), (6, 4))
    params = {"a": one, "b": one, "c": 2 * one, "u": one[0], "v": one[0]}
    tx = muon_mlir.jax.muon(0.02)
    state = tx.init(params)

    def constant(params, state):
        return tx.apply(params, jax.tree.map(jnp.ones_like, params), state)
    apart = jax.tree.map(jnp.ones_like, params)
    assert len(set(addresses(apart))) == 5
    expected = tx.apply(jax.tree.map(jnp.array, params), apart, state)
    assert_same(jax.jit(constant)(params, state), expected)
    for number in range(2):  # the second run has the copies of the first
        grads = jax.tree.map(lambda x: jnp.ones_like(x) * (1 + number), params)
        shared = {**grads, "b": grads["a"], "c": grads["a"], "v": grads["u"]}
        expected = tx.apply(params, copied(shared), state)
        assert_same(tx.apply(params, shared, state), expected)


@pytest.mark.parametrize("kind", ["same", "own"])
def test_threads(params, grads, kind):
    """Two compiled functions, or one, at the same time: all steps are those of
    one thread."""
    makes = [muon_mlir.jax.muon(0.02),
             muon_mlir.jax.muon(0.02, nesterov=kind == "same")]
    functions = [jax.jit(makes[0].apply)]
    functions.append(functions[0] if kind == "same"
                     else jax.jit(makes[1].apply))
    starts = [params, jax.tree.map(lambda x: -2 * x, params)]
    expected = [steps(*a) for a in zip(makes, starts, [grads] * 2, [60] * 2,
                                       functions)]
    results, barrier = [[], []], threading.Barrier(4)

    def work(which):
        barrier.wait()
        results[which].append(steps(makes[which], starts[which], grads, 60,
                                    functions[which]))
    threads = [threading.Thread(target=work, args=(n % 2,)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for found, wanted in zip(results, expected):
        assert len(found) == 2
        for one in found:
            assert_same(one, wanted)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_masters(dtype):
    """Weights of 16 bits are their masters', rounded; masters move as weights
    in f32 do, from the same gradients."""
    rng = np.random.default_rng(4)
    start = jnp.asarray(rng.standard_normal((10, 14)), dtype)
    gradients = [jnp.asarray(rng.standard_normal((10, 14)), dtype)
                 for _ in range(6)]
    tx = muon_mlir.jax.muon(1e-3)
    low, low_state = {"w": start}, tx.init({"w": start})
    full = {"w": start.astype("float32")}
    full_state = tx.init(full)
    for g in gradients:
        updates, low_state = tx.update({"w": g}, low_state, low)
        assert updates["w"].dtype == dtype
        low, _ = optax.apply_updates(low, updates), None
        full, full_state = tx.apply(full, {"w": g.astype("float32")},
                                    full_state)
    master = low_state.tensors["w.master"]
    np.testing.assert_allclose(master, full["w"], rtol=0, atol=1e-6)
    assert_same(low["w"], master.astype(dtype))
    assert not np.array_equal(np.asarray(low["w"], "f4"), master)


def test_momenta_of_16_bits(params, grads):
    tx = muon_mlir.jax.muon(0.02, mu_dtype=jnp.bfloat16)
    after, state = steps(tx, params, grads, 2)
    assert {t.dtype.name for t in state.tensors.values()} == {"bfloat16"}
    plain, _ = steps(muon_mlir.jax.muon(0.02), params, grads, 2)
    distance = np.linalg.norm(after["out"] - plain["out"])
    assert 0 < distance < 0.05 * np.linalg.norm(plain["out"] - params["out"])
