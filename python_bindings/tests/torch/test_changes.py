# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Options, groups and tensors that change between steps, and what is refused."""
import copy

import pytest
import torch
from common import give_gradients, same, snapshot
from reference import Reference, error, gradient

import muon_mlir
from muon_mlir.torch import Muon, RecompileWarning


def test_a_scheduler(params, optimizer):
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.5 ** t)
    twins = copy.deepcopy(params)
    other = Muon(twins.items(), lr=0.02, adamw={"lr": 0.01})
    other.load_state_dict(optimizer.state_dict())
    (step,) = optimizer.compiled_steps
    for number in range(3):
        for group, lr in zip(other.param_groups, (0.02, 0.01)):
            group["lr"] = lr * 0.5 ** number
        for one in (params, twins):
            give_gradients(one, number)
        optimizer.step()
        other.step()
        scheduler.step()
    assert optimizer.compiled_steps == (step,)
    assert same(snapshot(optimizer), snapshot(other))


def test_a_scheduler_of_momentum(params):
    w = {"w": params["w"]}
    optimizer = Muon(w.items())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, total_steps=10)
    give_gradients(w)
    optimizer.step()
    scheduler.step()
    optimizer.step()
    assert optimizer.param_groups[0]["momentum"] < 0.95
    # AdamW has none, and says so.
    both = Muon(params.items())
    torch.optim.lr_scheduler.OneCycleLR(both, max_lr=0.1, total_steps=10)
    give_gradients(params)
    before = snapshot(both)
    with pytest.raises(muon_mlir.ArgumentError,
                       match=r"param_groups\[1\]: 'momentum' is an option of"):
        both.step()
    assert same(before, snapshot(both))
    assert not both.state


def test_compiled_options_that_change(params, optimizer):
    optimizer.param_groups[0]["ns_steps"] = 3
    with pytest.warns(RecompileWarning, match=r"param_groups\[0\]: ns_steps "
                                              "was 5 and is 3"):
        optimizer.step()
    optimizer.param_groups[0]["ns_steps"] = 5
    optimizer.step()  # is there still
    optimizer.param_groups[1]["betas"] = [0.5, 0.6]
    with pytest.warns(RecompileWarning, match=r"betas was \(0.9, 0.95\) and is "
                                              r"\(0.5, 0.6\)"):
        optimizer.step()
    optimizer.clip_global_norm = 1.0
    with pytest.warns(RecompileWarning, match="clip_global_norm was changed"):
        optimizer.step()
    assert optimizer.result.clip < 1
    optimizer.clip_global_norm = 1e6
    optimizer.step()
    assert optimizer.result.clip == 1


@pytest.mark.parametrize("change, message", [
    ({"ns_steps": 0}, "ns_steps is 0, expected an integer"),
    ({"lr": -1.0}, "lr"), ({"typo": 1}, "unknown option 'typo'")])
def test_options_that_become_wrong(params, optimizer, change, message):
    before = snapshot(optimizer)
    optimizer.param_groups[0].update(change)
    with pytest.raises(muon_mlir.ArgumentError, match=message):
        optimizer.step()
    assert same(before, snapshot(optimizer))


def test_a_group_that_comes_later(params, optimizer):
    new = torch.nn.Parameter(torch.ones(6, 5))
    optimizer.add_param_group({"params": [("new", new)], "lr": 0.5,
                               "weight_decay": 0.0})
    new.grad = gradient("new", (6, 5), 0, "gaussian")
    exact = Reference({"new": new}, {"new": "muon"})
    with pytest.warns(RecompileWarning, match=r"param_groups\[2\] came"):
        optimizer.step()
    exact.step({"new": new.grad}, {"lr": 0.5, "weight_decay": 0.0}, {})
    assert error(new.detach(), exact.weights["new"]) < 1e-6
    assert int(optimizer.state[params["b"]]["step"]) == 2
    # A group of AdamW begins to count for itself.
    late = torch.nn.Parameter(torch.ones(3))
    optimizer.add_param_group({"params": [("late", late)]})
    late.grad = torch.ones(3)
    with pytest.warns(RecompileWarning):
        optimizer.step()
    assert int(optimizer.state[late]["step"]) == 1
    assert int(optimizer.state[params["b"]]["step"]) == 3


def test_another_dtype(params, optimizer):
    for name, p in params.items():
        p.grad = None
        p.data = p.data.bfloat16()
        p.grad = gradient(name, tuple(p.shape), 1, "gaussian").bfloat16()
    with pytest.warns(RecompileWarning, match="another dtype"):
        optimizer.step()
    assert optimizer.state[params["w"]]["master"].dtype == torch.float32


# Gradients that no step can use.

def wrong(change, message, params, optimizer):
    before = snapshot(optimizer)
    groups = [dict(group) for group in optimizer.param_groups]
    change(params["v"])
    with pytest.raises(muon_mlir.ArgumentError, match=message):
        optimizer.step()
    assert same(before, snapshot(optimizer))
    assert groups == optimizer.param_groups
    give_gradients(params, 1)
    optimizer.step()
    assert optimizer.result.taken


def test_sparse_gradients(params, optimizer):
    def change(p):
        p.grad = torch.ones(5, 9).to_sparse()
    wrong(change, "gradient of 'v': sparse", params, optimizer)


def test_gradients_that_are_not_contiguous(params, optimizer):
    def change(p):
        p.grad = torch.ones(9, 5).t()
    wrong(change, r"gradient of 'v': not contiguous.*strides are \(1, 5\)",
          params, optimizer)


def test_a_gradient_that_is_transposed_where_it_is():
    square = {"w": torch.nn.Parameter(torch.ones(6, 6))}
    optimizer = Muon(square.items())
    give_gradients(square)
    optimizer.step()
    square["w"].grad = square["w"].grad.t()
    with pytest.raises(muon_mlir.ArgumentError, match="not contiguous"):
        optimizer.step()


def test_gradients_of_another_dtype(params, optimizer):
    def change(p):
        p.grad.data = p.grad.data.double()
    wrong(change, "gradient of 'v': dtype is torch.float64, expected "
          "torch.float32", params, optimizer)


def test_gradients_of_another_shape(params, optimizer):
    def change(p):
        p.grad.data = torch.ones(9, 5)
    wrong(change, "gradient of 'v': shape is", params, optimizer)


def test_parameters_that_become_wrong(params, optimizer):
    before = snapshot(optimizer)
    data, params["v"].data = params["v"].data, torch.ones(9, 5).t()
    with pytest.raises(muon_mlir.ArgumentError,
                       match="parameter 'v': not contiguous"):
        optimizer.step()
    params["v"].data = data
    assert same(before, snapshot(optimizer))
    optimizer.step()
    assert not same(before, snapshot(optimizer))


def test_state_of_another_type(params, optimizer):
    before = snapshot(optimizer)
    state = optimizer.state[params["w"]]
    good = state["momentum_buffer"]
    state["momentum_buffer"] = good.double()
    with pytest.raises(muon_mlir.ArgumentError,
                       match="state 'momentum_buffer' of 'w' is of "
                             "torch.float64.*load_state_dict converts"):
        optimizer.step()
    state["momentum_buffer"] = good
    assert same(before, snapshot(optimizer))


def test_overlapping_parameters():
    both = torch.ones(6, 4)
    params = [torch.nn.Parameter(both[:4]), torch.nn.Parameter(both[2:])]
    optimizer = Muon(params)
    for p in params:
        p.grad = torch.ones(4, 4)
    with pytest.raises(muon_mlir.ArgumentError, match="overlap"):
        optimizer.step()
    assert torch.equal(both, torch.ones(6, 4))
