# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State that is saved, loaded and copied, also that of other optimizers."""
import copy
import io
import pickle

import pytest
import torch
from reference import Reference, error, gradient

import muon_mlir
from muon_mlir.torch import Muon

# The shapes of Muon are not sorted, so that the order shows.
SHAPES = {"v": (5, 9), "w": (12, 8), "u": (12, 9), "b": (12,), "c": (7,)}
KINDS = {n: "muon" if len(s) == 2 else "adamw" for n, s in SHAPES.items()}
RATES = {"lr": 0.02, "adamw": {"lr": 0.01}}


def parameters(dtype=torch.float32):
    return {name: torch.nn.Parameter(
        gradient("w " + name, shape, 0, "gaussian").to(dtype))
        for name, shape in SHAPES.items()}


def train(params, optimizer, first, last):
    for number in range(first, last):
        for name, p in params.items():
            p.grad = gradient(name, tuple(p.shape), number, "gaussian"
                              ).to(p.dtype)
        optimizer.step()


def tensors(params, optimizer):
    result = {(n,): p.detach() for n, p in params.items()}
    for name, p in params.items():
        for key, value in optimizer.state[p].items():
            result[name, key] = value
    return result


def same(left, right):
    return left.keys() == right.keys() and all(
        torch.equal(left[key], right[key]) for key in left)


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file)


@pytest.mark.parametrize("way", [lambda s: s, copy.deepcopy, through_a_file],
                         ids=["itself", "deepcopy", "file"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_round_trip(dtype, way):
    params = parameters(dtype)
    optimizer = Muon(params.items(), **RATES, momentum=0.9)
    train(params, optimizer, 0, 3)
    state = way(optimizer.state_dict())
    assert set(state) == {"state", "param_groups"}
    twins = copy.deepcopy(params)
    other = Muon(twins.items(), lr=1.0)
    other.load_state_dict(state)
    assert same(tensors(params, optimizer), tensors(twins, other))
    assert other.param_groups[0]["momentum"] == 0.9
    assert [g["lr"] for g in other.param_groups] == [0.02, 0.01]
    mine = {t.data_ptr() for s in optimizer.state.values() for t in s.values()}
    assert not mine & {t.data_ptr() for s in other.state.values()
                       for t in s.values()}
    train(params, optimizer, 3, 6)
    train(twins, other, 3, 6)
    assert same(tensors(params, optimizer), tensors(twins, other))


def test_loading_into_one_that_has_run():
    params = parameters()
    optimizer = Muon(params.items(), **RATES)
    train(params, optimizer, 0, 2)
    saved = copy.deepcopy((optimizer.state_dict(),
                           {n: p.detach().clone() for n, p in params.items()}))
    train(params, optimizer, 2, 4)
    after = {k: v.clone() for k, v in tensors(params, optimizer).items()}
    optimizer.load_state_dict(saved[0])
    for name, p in params.items():
        p.data.copy_(saved[1][name])
    train(params, optimizer, 2, 4)
    assert same(after, tensors(params, optimizer))


def test_parameters_without_state():
    params = parameters()
    optimizer = Muon(params.items(), **RATES)
    optimizer.load_state_dict(Muon(parameters().items()).state_dict())
    assert not optimizer.state
    train(params, optimizer, 0, 1)
    assert len(optimizer.state) == 5
    optimizer.load_state_dict(Muon(parameters().items()).state_dict())
    assert not optimizer.state


@pytest.mark.parametrize("way", [copy.deepcopy,
                                 lambda x: pickle.loads(pickle.dumps(x))],
                         ids=["deepcopy", "pickle"])
def test_copies(way):
    """Copied with its parameters, an optimizer goes on with the copies."""
    params = parameters()
    optimizer = Muon(params.items(), **RATES, clip_global_norm=3.0)
    train(params, optimizer, 0, 2)
    twins, other = way((params, optimizer))
    assert all(p is q for p, q in zip(
        twins.values(), [p for g in other.param_groups for p in g["params"]]))
    assert other.clip_global_norm == 3.0
    assert other.result is None
    for one in ((params, optimizer), (twins, other)):
        train(*one, 2, 5)
    assert same(tensors(params, optimizer), tensors(twins, other))
    added = torch.nn.Parameter(torch.ones(2))
    other.add_param_group({"params": [("added", added)]})
    assert set(other.param_groups[-1]) == {
        "params", "param_names", "use_muon", "lr", "weight_decay", "betas",
        "eps"}
    assert other.param_groups[-1]["lr"] == 0.01


# Of others. What they save is made by the reference, whose momentum is an
# average.

def saved_by(kind, count, momentum=0.95, beta2=0.95):
    """(weights and state in f64 after `count` steps, what `kind` saves)."""
    params = parameters()
    reference = Reference(params, KINDS)
    for number in range(count):
        reference.step({n: gradient(n, s, number, "gaussian")
                        for n, s in SHAPES.items()},
                       {"lr": 0.02, "weight_decay": 0.1, "momentum": momentum},
                       {"lr": 0.01, "weight_decay": 0.1,
                        "betas": (0.9, beta2)})
    names = {"muon": [n for n in SHAPES if KINDS[n] == "muon"],
             "adamw": [n for n in SHAPES if KINDS[n] == "adamw"]}
    average = {n: m.float() for n, m in reference.first.items()}
    second = {n: v.float() for n, v in reference.second.items()}
    muon = {"lr": 0.02, "momentum": momentum, "weight_decay": 0.1}
    adamw = {"lr": 0.01, "betas": (0.9, beta2), "eps": 1e-8,
             "weight_decay": 0.1}
    if kind == "keller_jordan_sorted":
        names["muon"].sort(key=lambda n: SHAPES[n], reverse=True)
    order = names["muon"] + names["adamw"]
    state = {}
    for i, name in enumerate(order):
        if kind == "moonlight" and KINDS[name] == "muon":
            state[i] = {"use_muon": True,
                        "momentum_buffer": average[name] / (1 - momentum)}
        elif kind == "moonlight":
            state[i] = {"use_muon": False, "step": count,
                        "moment1": average[name], "moment2": second[name]}
        elif KINDS[name] == "muon":
            state[i] = {"momentum_buffer": average[name]}
        else:
            step = count if kind != "pytorch" else torch.tensor(float(count))
            state[i] = {"step": step, "exp_avg": average[name],
                        "exp_avg_sq": second[name]}
    if kind == "moonlight":
        groups = [{"lr": 0.02, "wd": 0.1, "momentum": momentum,
                   "nesterov": True, "ns_steps": 5, "adamw_betas": (0.9, beta2),
                   "adamw_eps": 1e-8, "params": [0, 1, 2, 3, 4]}]
    else:
        groups = [{**muon, "params": [0, 1, 2]}, {**adamw, "params": [3, 4]}]
        if kind == "pytorch":
            groups[0].update(nesterov=True, ns_steps=5, eps=1e-7,
                             ns_coefficients=(3.4445, -4.775, 2.0315),
                             adjust_lr_fn=None)
            groups[1].update(amsgrad=False, maximize=False, foreach=None,
                             capturable=False, differentiable=False,
                             fused=None, decoupled_weight_decay=True)
        else:
            for group, use_muon in zip(groups, (True, False)):
                group["use_muon"] = use_muon
    return reference, {"state": state, "param_groups": groups}


OTHERS = ["pytorch", "keller_jordan", "keller_jordan_sorted", "moonlight"]


@pytest.mark.parametrize("kind", OTHERS)
def test_states_of_others(kind):
    reference, saved = saved_by(kind, 4, momentum=0.9)
    kept = copy.deepcopy(saved)
    params = parameters()
    for name, p in params.items():
        p.data.copy_(reference.weights[name])
    optimizer = Muon(params.items())
    optimizer.load_state_dict(saved)
    muon, adamw = optimizer.param_groups
    assert muon["momentum"] == 0.9 and adamw["betas"] == (0.9, 0.95)
    assert muon["lr"] == 0.02 and muon["eps"] == 1e-7
    assert adamw["lr"] == (0.02 if kind == "moonlight" else 0.01)
    assert "wd" not in muon and "momentum" not in adamw
    for name, p in params.items():
        state = optimizer.state[p]
        first = state.get("momentum_buffer", state.get("exp_avg"))
        assert error(first, reference.first[name]) < 1e-6
    # The numbers of one are those of the other's next steps.
    adamw["lr"] = 0.01
    train(params, optimizer, 4, 8)
    for number in range(4, 8):
        reference.step({n: gradient(n, s, number, "gaussian")
                        for n, s in SHAPES.items()},
                       {"lr": 0.02, "weight_decay": 0.1, "momentum": 0.9},
                       {"lr": 0.01, "weight_decay": 0.1})
    for name, p in params.items():
        assert error(p.detach(), reference.weights[name]) < 3e-6, name
    # What was loaded is the caller's still.
    assert str(saved) == str(kept)


def test_two_optimizers_as_one():
    reference, saved = saved_by("pytorch", 3)
    separate = [
        {"state": {i: saved["state"][i] for i in range(3)},
         "param_groups": [saved["param_groups"][0]]},
        {"state": {i: saved["state"][i + 3] for i in range(2)},
         "param_groups": [{**saved["param_groups"][1], "params": [0, 1]}]}]
    params = parameters()
    optimizer = Muon(params.items())
    optimizer.load_state_dict(separate)
    for name, p in params.items():
        state = optimizer.state[p]
        first = state.get("momentum_buffer", state.get("exp_avg"))
        assert error(first, reference.first[name]) < 1e-6


def test_of_pytorch_itself():
    params = {n: p for n, p in parameters().items() if KINDS[n] == "adamw"}
    twins = copy.deepcopy(params)
    theirs = torch.optim.AdamW(params.values(), lr=0.01, betas=(0.9, 0.95),
                               weight_decay=0.1)
    train(params, theirs, 0, 3)
    ours = Muon(twins.items())
    for name, p in twins.items():
        p.data.copy_(params[name])
    ours.load_state_dict(theirs.state_dict())
    for one in ((params, theirs), (twins, ours)):
        train(*one, 3, 6)
    for name, p in twins.items():
        assert error(p.detach(), params[name].detach().double()) < 1e-6
    # And back.
    theirs.load_state_dict({"state": ours.state_dict()["state"],
                            "param_groups": theirs.state_dict()["param_groups"]
                            })


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"),
                    reason=f"PyTorch {torch.__version__} has no Muon")
def test_of_the_muon_of_pytorch():
    params = {n: p for n, p in parameters().items() if KINDS[n] == "muon"}
    theirs = torch.optim.Muon(params.values(), lr=0.02,
                              adjust_lr_fn="match_rms_adamw")
    train(params, theirs, 0, 3)
    ours = Muon(params.items())
    ours.load_state_dict(theirs.state_dict())
    assert ours.param_groups[0]["adjust_lr_fn"] == "match_rms_adamw"
    for p in params.values():
        assert torch.equal(ours.state[p]["momentum_buffer"],
                           theirs.state[p]["momentum_buffer"])
    train(params, ours, 3, 5)
    theirs.load_state_dict({"state": ours.state_dict()["state"],
                            "param_groups": theirs.state_dict()["param_groups"]
                            })


# What cannot be mapped.

def group(saved, index, **options):
    saved["param_groups"][index].update(options)


def state(saved, index, **values):
    saved["state"][index].update(values)


WRONG = {
    "no state": (lambda s: s.pop("state"), "state_dict has no 'state'"),
    "option": (lambda s: group(s, 0, dampening=0.1),
               r"'dampening' of param_groups\[0\] cannot be mapped to an "
               "option of Muon"),
    "amsgrad": (lambda s: group(s, 1, amsgrad=True),
                "'amsgrad' .* is True, which cannot be mapped; expected False"),
    "use_muon": (lambda s: group(s, 0, use_muon=False),
                 r"use_muon of param_groups\[0\] is False, expected True"),
    "value": (lambda s: group(s, 0, ns_steps=0), "ns_steps is 0, expected"),
    "state key": (lambda s: state(s, 0, second_moment=torch.ones(1)),
                  "state of 'v': 'second_moment' cannot be mapped to state of "
                  "Muon"),
    "max": (lambda s: state(s, 3, max_exp_avg_sq=torch.ones(12)),
            "state of 'b': 'max_exp_avg_sq' cannot be mapped"),
    "missing": (lambda s: s["state"][3].pop("exp_avg_sq"),
                "state of 'b' has no 'exp_avg_sq', which AdamW needs, but "
                "'step', 'exp_avg'"),
    "no step": (lambda s: s["state"][3].pop("step"), "'b' has no 'step'"),
    "shape": (lambda s: state(s, 1, momentum_buffer=torch.ones(8, 12)),
              "'momentum_buffer' of state of 'w': shape is .8, 12., expected "
              ".12, 8."),
    "type": (lambda s: state(s, 1, momentum_buffer=torch.ones(12, 8).int()),
             "'momentum_buffer' of state of 'w' is torch.int32, expected"),
    "step": (lambda s: state(s, 4, step=1.5),
             "'step' of the state of 'c' is 1.5, expected a whole number"),
    "huge step": (lambda s: state(s, 4, step=float("inf")), "is inf, expected"),
    "kind": (lambda s: s["state"].update({0: s["state"][3]}),
             "state of 'v' has no 'momentum_buffer', which Muon needs"),
    "left over": (lambda s: s["state"].update({9: {}}),
                  "state of .*9.*, which is in none of its groups"),
    "sizes": (lambda s: group(s, 1, params=[3]),
              r"groups of \[3, 1\] parameters, expected \[3, 2\]"),
    "no params": (lambda s: s["param_groups"][0].pop("params"),
                  "a group without 'params'"),
    "no dict": (lambda s: s["state"].update({1: 5}), "state of 'w' is a int"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_mapped(what):
    change, message = WRONG[what]
    saved = saved_by("keller_jordan", 2)[1]
    params = parameters()
    optimizer = Muon(params.items(), **RATES)
    train(params, optimizer, 0, 1)
    optimizer.load_state_dict(saved)  # as it is, it fits
    before = {k: v.clone() for k, v in tensors(params, optimizer).items()}
    options = [dict(g) for g in optimizer.param_groups]
    change(saved)
    with pytest.raises(muon_mlir.ArgumentError, match=message):
        optimizer.load_state_dict(saved)
    assert same(before, tensors(params, optimizer))
    assert options == optimizer.param_groups


@pytest.mark.parametrize("change, message", [
    (lambda s: state(s, 0, use_muon=False),
     "state of 'v': use_muon is False, and its group is Muon's"),
    (lambda s: group(s, 0, params=[0, 1]), "of 2 parameters, expected 5"),
    (lambda s: s["param_groups"].append({"params": []}),
     "has 2 groups, expected one"),
    (lambda s: state(s, 3, moment3=1), "'moment3' cannot be mapped"),
    (lambda s: group(s, 0, warmup=1), "'warmup' of .* cannot be mapped")])
def test_what_cannot_be_mapped_of_moonlight(change, message):
    saved = saved_by("moonlight", 2)[1]
    optimizer = Muon(parameters().items())
    optimizer.load_state_dict(saved)
    change(saved)
    with pytest.raises(muon_mlir.ArgumentError, match=message):
        optimizer.load_state_dict(saved)
