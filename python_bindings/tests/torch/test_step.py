# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a step does with parameters and gradients, and what it leaves alone."""
import copy
import gc
import threading
import weakref

import pytest
import torch
from common import KINDS, SHAPES, give_gradients, parameters, same, snapshot
from reference import Reference, error, gradient

from muon_mlir.torch import Muon, RecompileWarning, SkippedStepWarning


def test_in_place(params, optimizer):
    places = {n: p.data_ptr() for n, p in params.items()}
    state = {n: {k: v.data_ptr() for k, v in optimizer.state[p].items()}
             for n, p in params.items()}
    before = {n: p.detach().clone() for n, p in params.items()}
    grads = {n: p.grad.clone() for n, p in params.items()}
    optimizer.step()
    for name, p in params.items():
        assert p.data_ptr() == places[name]
        assert {k: v.data_ptr() for k, v in optimizer.state[p].items()
                } == state[name]
        assert not torch.equal(p, before[name])
        assert torch.equal(p.grad, grads[name])


def test_names_of_state(params, optimizer):
    assert set(optimizer.state[params["w"]]) == {"momentum_buffer"}
    state = optimizer.state[params["b"]]
    assert set(state) == {"step", "exp_avg", "exp_avg_sq"}
    assert int(state["step"]) == 1


def test_one_compiled_step(optimizer, params):
    (step,) = optimizer.compiled_steps
    assert len([a for a in step.arguments if a.role == "weight"]) == 4
    assert set(optimizer.stats()) == set(SHAPES)
    assert optimizer.stats()["w"].gradient_norm == pytest.approx(
        float(params["w"].grad.norm()), rel=1e-5)
    optimizer.step()
    assert optimizer.compiled_steps == (step,)


def test_autograd_sees_that_parameters_changed(params, optimizer):
    x = torch.ones(8, requires_grad=True)
    loss = (params["w"] @ x).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_closure(params, optimizer):
    calls = []

    def closure():
        assert torch.is_grad_enabled()
        calls.append(1)
        optimizer.zero_grad(set_to_none=True)
        loss = (params["b"] ** 2).sum()
        loss.backward()
        return loss
    with torch.no_grad(), pytest.warns(RecompileWarning):
        loss = optimizer.step(closure)
    assert calls == [1] and loss.requires_grad
    assert optimizer.step() is None


@pytest.mark.parametrize("to_none", [False, True])
def test_training(to_none):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(),
                              torch.nn.Linear(16, 3))
    optimizer = Muon(net, lr=0.1, weight_decay=0, adamw={"lr": 0.01})
    x = torch.randn(64, 8)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    losses = []
    for _ in range(60):
        optimizer.zero_grad(set_to_none=to_none)
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4


def test_gradients_are_not_kept(params, optimizer):
    give_gradients(params, 1)
    optimizer.step()
    gone = [weakref.ref(p.grad) for p in params.values()]
    optimizer.zero_grad(set_to_none=True)
    gc.collect()
    assert all(one() is None for one in gone)


def test_new_gradients_and_weights_at_new_addresses(params, optimizer):
    """Whatever moved: the values decide, not where they are."""
    twins = copy.deepcopy(params)
    other = Muon(twins.items(), lr=0.02, adamw={"lr": 0.01})
    other.load_state_dict(optimizer.state_dict())
    keep = []
    for number in range(4):
        give_gradients(params, number)
        for name, p in twins.items():
            keep.append((p.grad, p.data))
            p.grad = params[name].grad.clone()
            p.data = p.data.clone()
            other.state[p] = {k: v.clone()
                              for k, v in other.state[p].items()}
        optimizer.step()
        other.step()
    assert same(snapshot(optimizer), snapshot(other))


def test_a_gradient_whose_memory_is_exchanged(params, optimizer):
    """The tensor stays, what it is of does not."""
    twins = copy.deepcopy(params)
    other = Muon(twins.items(), lr=0.02, adamw={"lr": 0.01})
    other.load_state_dict(optimizer.state_dict())
    for name, p in params.items():
        new = gradient(name, tuple(p.shape), 5, "gaussian")
        p.grad.data = new.clone()
        twins[name].grad = new
    optimizer.step()
    other.step()
    assert same(snapshot(optimizer), snapshot(other))


# Parameters without gradients.

def test_parameters_without_gradients_stay(params, optimizer):
    before = snapshot(optimizer)
    give_gradients(params, 1, {"w", "b"})
    with pytest.warns(RecompileWarning, match="2 of 4 parameters have "
                                              "gradients"):
        optimizer.step()
    after = snapshot(optimizer)
    changed = {key for key in before
               if not torch.equal(before[key], after[key])}
    assert changed == {(0, 0), (0, 0, "momentum_buffer"), (1, 0),
                       (1, 0, "exp_avg"), (1, 0, "exp_avg_sq"), (1, 0, "step")}
    # Said once; and a set that was there is not compiled again.
    give_gradients(params, 2, {"v"})
    optimizer.step()
    programs = dict(optimizer._programs)
    for names in ({"w", "b"}, {"v"}):
        give_gradients(params, 3, names)
        optimizer.step()
    assert optimizer._programs == programs


def test_no_gradients_at_all(params):
    optimizer = Muon(params.items())
    before = snapshot(optimizer)
    optimizer.step()
    assert same(before, snapshot(optimizer))
    assert optimizer.result is None and optimizer.compiled_steps == ()
    assert optimizer.stats() == {}


@pytest.mark.usefixtures("compiles")
@pytest.mark.parametrize("clip", [None, 0.5])
def test_numbers_of_steps_that_differ(params, clip):
    """Each parameter has its own count, as in torch.optim; a limit of the norm
    is one for all."""
    optimizer = Muon(params.items(), lr=0.02, adamw={"lr": 0.01},
                     clip_global_norm=clip)
    exact = Reference(params, KINDS)
    plain = Reference(params, KINDS, torch.float32)
    sets = (None, {"w", "b"}, {"v", "c", "b"}, None, {"c"}, {"w", "b"}, None,
            {"w"}, None)
    for number, names in enumerate(sets):
        give_gradients(params, number, names)
        optimizer.step()
        assert optimizer.result.taken
        grads = {n: p.grad for n, p in params.items() if p.grad is not None}
        for one in (exact, plain):
            one.step(grads, {"lr": 0.02, "weight_decay": 0.1},
                     {"lr": 0.01, "weight_decay": 0.1}, clip)
        if names is None and number > 2:
            assert len(optimizer.compiled_steps) > 1
    for name, p in params.items():
        if KINDS[name] == "adamw":
            assert int(optimizer.state[p]["step"]) == exact.counts[name]
        wanted = exact.weights[name]
        assert error(p.detach(), wanted) <= 1e-6 + 2 * error(
            plain.weights[name], wanted), name
    # Of equal counts, there is one step.
    for p in params.values():
        if "step" in optimizer.state[p]:
            optimizer.state[p]["step"] = 7
    optimizer.step()
    assert len(optimizer.compiled_steps) == 1


@pytest.mark.usefixtures("compiles")
def test_skips_all_of_several_steps(params, optimizer):
    give_gradients(params, 1, {"b"})
    optimizer.step()
    give_gradients(params, 2)
    optimizer.step()
    assert len(optimizer.compiled_steps) == 2
    before = snapshot(optimizer)
    params["c"].grad[3] = float("inf")
    with pytest.warns(SkippedStepWarning, match="gradient of 'c' is not"):
        optimizer.step()
    assert same(before, snapshot(optimizer))
    assert optimizer.result.nonfinite == (("gradient", "c"),)
    params["c"].grad[3] = 0.0
    optimizer.state[params["w"]]["momentum_buffer"][0, 0] = float("nan")
    with pytest.warns(SkippedStepWarning, match="momentum of 'w'"):
        optimizer.step()


# Values that are not finite, and scaling.

def test_skips_what_is_not_finite(params, optimizer):
    before = snapshot(optimizer)
    params["v"].grad[0, 0] = float("nan")
    params["b"].grad[1] = float("-inf")
    with pytest.warns(SkippedStepWarning, match="gradient of 'v' is not "
                      "finite, nor are 1 more tensors"):
        optimizer.step()
    assert same(before, snapshot(optimizer))
    assert not optimizer.result.taken
    assert set(optimizer.result.nonfinite) == {("gradient", "v"),
                                               ("gradient", "b")}


def test_without_skipping_nan_spreads(params):
    optimizer = Muon(params.items(), skip_nonfinite=False)
    give_gradients(params)
    params["v"].grad[0, 0] = float("nan")
    optimizer.step()
    assert params["v"].isnan().all() and not params["w"].isnan().any()


class Scaler(torch.cuda.amp.GradScaler):
    """What there is of it on the CPU in old versions: the decision."""

    def __init__(self):
        self._per_optimizer_states = {}


@pytest.mark.parametrize("found", [0.0, 1.0])
def test_found_inf(params, optimizer, found):
    """The scaler does not call step() where it found an infinity."""
    before = snapshot(optimizer)
    scaler = Scaler.__new__(Scaler)
    scaler._maybe_opt_step(
        optimizer, {"found_inf_per_device": {"cpu": torch.tensor([found])}})
    assert same(before, snapshot(optimizer)) == bool(found)
    assert not getattr(optimizer, "_step_supports_amp_scaling", False)


@pytest.mark.skipif(not hasattr(torch, "amp")
                    or not hasattr(torch.amp, "GradScaler"),
                    reason=f"PyTorch {torch.__version__} has no scaler for the "
                    "CPU")
def test_scaler_of_the_cpu(params, optimizer):
    twins = copy.deepcopy(params)
    other = Muon(twins.items(), lr=0.02, adamw={"lr": 0.01})
    other.load_state_dict(optimizer.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    scaler.scale(torch.ones(()))  # makes the scale
    for number in range(3):
        give_gradients(params, number)
        give_gradients(twins, number)
        for p in params.values():
            p.grad *= scaler.get_scale()
        if number == 1:
            params["w"].grad[0, 0] = float("inf")
        before = snapshot(optimizer)
        scaler.step(optimizer)
        scaler.update()
        if number == 1:
            assert same(before, snapshot(optimizer))
        else:
            other.step()
    assert scaler.get_scale() == 128.0
    assert same(snapshot(optimizer), snapshot(other))


# Threads.

def test_two_threads_with_optimizers_of_their_own():
    results, failures = {}, []

    def train(which):
        try:
            params = parameters()
            optimizer = Muon(params.items(), lr=0.02)
            for number in range(40):
                give_gradients(params, number)
                optimizer.step()
            results[which] = snapshot(optimizer)
        except BaseException as failure:
            failures.append(failure)
    threads = [threading.Thread(target=train, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    train("alone")
    assert same(results[0], results["alone"])
    assert same(results[1], results["alone"])
