# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Steps from Python against the independent reference in f64."""
import models
import muon_mlir
import numpy as np
import pytest
from muon_reference import step as reference_step
from tolerance import Comparison

CALLS = (
    {"lr": 0.5},
    {"lr": {"muon": 0.3, "adamw": 0.02, "slow": 0.1}, "momentum": 0.875},
    {"lr": 0.7, "weight_decay": 0.05, "clip": 0.5},
)


def applicable(model, call):
    roles = {"clip"} if model.rules.get("clip_global_norm") else set()
    groups = {p.group for p in model.plan().trained()}
    if any(p.group != "adamw" for p in model.plan().trained()):
        roles.add("momentum")
    return {k: {g: x for g, x in v.items() if g in groups}
            if isinstance(v, dict) else v for k, v in call.items()
            if k in roles | {"lr", "weight_decay"}}


@pytest.mark.parametrize("model", [models.MUON, models.ADAMW, models.MIXED],
                         ids=lambda m: m.name)
@pytest.mark.parametrize("way", ["call", "bind"])
def test_three_steps(artifacts, model, way):
    step = muon_mlir.Step.load(artifacts(model))
    params, grads, state = model.tensors()
    frozen = {n: t for n, t in model.params().items() if n not in params}
    bound = step.bind(params, grads, state) if way == "bind" else None
    comparison = Comparison(model.plan())
    for number, call in enumerate(CALLS):
        call = applicable(model, call)
        for name, values in model.gradients(number).items():
            grads[name][...] = models.array(values)
        before = [models.snapshot(m) for m in (params, grads, state)]
        result = (bound(**call) if bound
                  else step(params, grads, state, **call))
        exact = comparison.add(
            {**before[0], **frozen}, before[1], before[2], call,
            {**models.snapshot(params), **frozen}, models.snapshot(state))
        assert result.taken and result.nonfinite == ()
        assert result.clip == pytest.approx(exact.clip, rel=1e-6)
    assert comparison.failures() == []
    assert comparison.steps == 3


def test_statistics(artifacts, mixed, tensors):
    step = muon_mlir.Step.load(artifacts(mixed))
    params, grads, state = tensors
    before = [models.snapshot(m) for m in (params, grads, state)]
    step(params, grads, state, lr=0.25, weight_decay=0.0)
    exact = reference_step(mixed.plan(), *before, lr=0.25, weight_decay=0.0)
    stats = step.stats()
    assert set(stats) == set(params)
    for name, one in stats.items():
        gradient = before[1][name].values()
        assert one.gradient_norm == pytest.approx(
            np.linalg.norm(gradient), rel=1e-6)
        if one.update_rms == one.update_rms:
            rms = np.sqrt(np.mean(np.square(exact.update[name]))) / 0.25
            factor = {"slow": 0.5}.get(name, 1)  # lr_multiplier is applied
            assert (one.update_rms == pytest.approx(rms, rel=1e-3)
                    or one.update_rms == pytest.approx(rms / factor, rel=1e-3))
        if one.weight_norm == one.weight_norm:
            assert one.weight_norm == pytest.approx(
                np.linalg.norm(exact.values[name]), rel=1e-5)
        if name in ("w", "slow"):
            assert one.momentum_norm == 0  # before the first step


def test_step_that_is_skipped_changes_nothing(step, tensors):
    params, grads, state = tensors
    grads["w"][3, 2] = np.inf
    state["slow.momentum"][0, 0] = np.nan
    before = [models.snapshot(m) for m in (params, grads, state)]
    result = step(params, grads, state, lr=0.5)
    assert not result.taken
    assert set(result.nonfinite) == {("gradient", "w"), ("momentum", "slow")}
    for was, now in zip(before, (params, grads, state)):
        for name, values in models.snapshot(now).items():
            assert values.same_bits(was[name]), name


def test_a_default_comes_back(artifacts):
    """What one call gives does not hold in the next."""
    results = []
    for first in ({"weight_decay": 0.9}, {}):
        step = muon_mlir.Step.load(artifacts(models.MUON))
        params, grads, state = models.MUON.tensors()
        begin = [{n: v.copy() for n, v in m.items()}
                 for m in (params, grads, state)]
        step(params, grads, state, lr=0.5, **first)
        for now, was in zip((params, grads, state), begin):
            for name in now:
                now[name][...] = was[name]
        step(lr=0.5)
        results.append(params["w"].tobytes())
    assert results[0] == results[1]


def test_simulated_gpu(artifacts):
    model = models.MUON
    step = muon_mlir.Step.load(artifacts(model, "sm_80"), "sim")
    assert step.device == "sim" and not step.info["host_memory"]
    params, grads, _ = model.tensors()
    memory = {"weight": {}, "gradient": {}}
    for argument in step.arguments:
        if argument.role in memory:
            on_device = step.empty(argument)
            host = params if argument.role == "weight" else grads
            on_device.copy_from(host[argument.key])
            memory[argument.role][argument.key] = on_device
    state = step.init_state(memory["weight"])
    before = {n: models.tensor(v) for n, v in params.items()}
    assert step(memory["weight"], memory["gradient"], state, lr=0.5,
                wait=False) is None
    assert step.wait().taken
    exact = reference_step(model.plan(), before, models.snapshot(grads),
                           models.snapshot(model.tensors()[2]), lr=0.5)
    for name, on_device in memory["weight"].items():
        on_device.copy_to(params[name])
        error = np.linalg.norm(params[name] - exact.values[name])
        # The iteration is in f16 there.
        assert error < 2e-2 * np.linalg.norm(exact.update[name]), name
    with pytest.raises(muon_mlir.ArgumentError,
                       match="weight 'w': device is cpu, expected sim"):
        step(params, lr=0.5)
