# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parameters, groups and options, and what is refused."""
import inspect

import pytest
import torch

import muon_mlir
import muon_mlir.torch
from muon_mlir import _torch_options

Muon = muon_mlir.torch.Muon
MUON_OPTIONS = {"lr", "weight_decay", "momentum", "nesterov",
                "ns_coefficients", "ns_steps", "ns_safety", "eps",
                "adjust_lr_fn"}
ADAMW_OPTIONS = {"lr", "weight_decay", "betas", "eps"}


def matrix(*shape, dtype=torch.float32, **options):
    return torch.nn.Parameter(torch.ones(shape or (4, 3), dtype=dtype),
                              **options)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(5, 4)
        self.hidden = torch.nn.Linear(4, 6)
        self.norm = torch.nn.LayerNorm(6)
        self.lm_head = torch.nn.Linear(6, 5, bias=False)
        self.frozen = torch.nn.Linear(2, 2)
        self.frozen.requires_grad_(False)


def test_a_module_goes_by_the_default_rules():
    net = Net()
    optimizer = Muon(net, lr=0.5, weight_decay=0.25,
                     adamw={"lr": 0.125, "eps": 1e-6})
    muon, adamw = optimizer.param_groups
    assert muon["param_names"] == ["hidden.weight"]
    assert muon["params"] == [net.hidden.weight] and muon["use_muon"]
    assert adamw["param_names"] == [
        "embedding.weight", "hidden.bias", "norm.weight", "norm.bias",
        "lm_head.weight"]
    assert set(muon) == MUON_OPTIONS | {"params", "param_names", "use_muon"}
    assert set(adamw) == ADAMW_OPTIONS | {"params", "param_names", "use_muon"}
    assert (muon["lr"], muon["weight_decay"]) == (0.5, 0.25)
    assert (adamw["lr"], adamw["weight_decay"]) == (0.125, 0.25)
    assert (adamw["eps"], adamw["betas"]) == (1e-6, (0.9, 0.95))


def test_default_rules_are_those_of_the_compiler():
    names = ["w", "embed", "xwte", "wpe.w", "lm_head", "a.head.weight",
             "a.head.w", "output.weight", "output", "norm.q", "bias.w",
             "gate.bias", "gate.w", "Embed", "out_proj.weight"]
    params = {name: ((4, 3), "float32") for name in names}
    params.update({f"{name}.{rank}": ((2,) * rank, "float32")
                   for name in names for rank in (0, 1, 3)})
    step = muon_mlir.compile(muon_mlir.Module.from_params(params))
    muon = {a.name for a in step.arguments if a.role == "momentum"}
    assert 0 < len(muon) < len(params)
    for name, (shape, _) in params.items():
        kind = _torch_options.default_kind(name, len(shape))
        assert (kind == "Muon") == (name in muon), name


def test_signature_begins_as_that_of_pytorch():
    ours = inspect.signature(Muon).parameters
    expected = {"params": inspect.Parameter.empty, "lr": 1e-3,
                "weight_decay": 0.1, "momentum": 0.95, "nesterov": True,
                "ns_coefficients": (3.4445, -4.775, 2.0315), "eps": 1e-7,
                "ns_steps": 5, "adjust_lr_fn": None}
    assert {n: p.default for n, p in list(ours.items())[:9]} == expected
    if hasattr(torch.optim, "Muon"):
        theirs = inspect.signature(torch.optim.Muon.__init__).parameters
        assert {n: p.default for n, p in theirs.items()
                if n != "self"} == expected


def test_iterables():
    w, b, e = matrix(), matrix(3), matrix(5, 2)
    named = Muon(iter([("w", w), ("b", b), ("embed", e)]))
    assert [g["params"] for g in named.param_groups] == [[w], [b, e]]
    # Without names, the rank is all there is to go by.
    plain = Muon([w, b, e])
    assert [g["params"] for g in plain.param_groups] == [[w, e], [b]]
    assert all("param_names" not in g for g in plain.param_groups)
    assert [g["use_muon"] for g in Muon([b]).param_groups] == [False]


def test_groups_have_options_of_their_own():
    w, e, b = matrix(), matrix(5, 2), matrix(3)
    optimizer = Muon([
        {"params": [w], "use_muon": True, "lr": 0.05, "momentum": 0.9,
         "ns_coefficients": [[3, -4, 2], [2, -1.5, 0.5]]},
        {"params": e, "use_muon": False, "betas": [0.8, 0.9], "eps": 1e-10},
        {"params": [b]}], lr=0.3, adamw={"lr": 0.1})
    first, second, third = optimizer.param_groups
    assert first["ns_coefficients"] == ((3, -4, 2), (2, -1.5, 0.5))
    assert (first["lr"], first["momentum"]) == (0.05, 0.9)
    assert (second["lr"], second["betas"]) == (0.1, (0.8, 0.9))
    assert third["use_muon"] is False and third["eps"] == 1e-8


def test_shared_parameters_are_one():
    net = torch.nn.ModuleDict({"a": torch.nn.Linear(4, 4, bias=False),
                               "b": torch.nn.Linear(4, 4, bias=False)})
    net["b"].weight = net["a"].weight
    assert Muon(net).param_groups[0]["param_names"] == ["a.weight"]


# What is refused. Each with a part of its message.

def sparse():
    return torch.nn.Parameter(torch.ones(3, 3).to_sparse())


def strided():
    return torch.nn.Parameter(torch.ones(4, 3).t())


TENSORS = {
    "f64": (lambda: matrix(dtype=torch.float64),
            "dtype is torch.float64, expected torch.float32"),
    "int": (lambda: torch.ones(3, 3, dtype=torch.int64), "torch.int64"),
    "complex": (lambda: matrix(dtype=torch.complex64), "torch.complex64"),
    "frozen": (lambda: matrix(requires_grad=False),
               "does not require gradients"),
    "no leaf": (lambda: matrix() * 2, "is not a leaf"),
    "empty": (lambda: matrix(0, 3), "has no elements"),
    "meta": (lambda: torch.nn.Parameter(torch.ones(3, 3, device="meta")),
             "device is meta"),
    "sparse": (sparse, "layout is torch.sparse_coo"),
    "strided": (strided, r"strides are \(1, 3\)"),
}


@pytest.mark.parametrize("what", TENSORS)
@pytest.mark.parametrize("way", ["tensors", "named", "group", "added"])
def test_tensors_that_no_step_updates(what, way):
    make, message = TENSORS[what]
    good, bad = matrix(), make()
    with pytest.raises(muon_mlir.ArgumentError, match=message) as caught:
        if way == "tensors":
            Muon([good, bad])
        elif way == "named":
            Muon([("good", good), ("bad", bad)])
        elif way == "group":
            Muon([{"params": [good, bad], "use_muon": True}])
        else:
            optimizer = Muon([good])
            optimizer.add_param_group({"params": [bad], "use_muon": True})
    assert isinstance(caught.value, ValueError)
    label = {"tensors": "parameter 1", "named": "'bad'",
             "group": "group 0, parameter 1", "added": "group 1, parameter 0"}
    assert label[way] in str(caught.value)
    if way == "added":
        assert len(optimizer.param_groups) == 1


def test_devices_that_differ(monkeypatch):
    """On the CPU alone there is one; `meta` stands for another."""
    monkeypatch.setattr(muon_mlir.torch.steps, "check_parameter",
                        lambda *_: None)
    optimizer = Muon([("w", matrix())])
    other = torch.nn.Parameter(torch.ones(3, 3, device="meta"))
    with pytest.raises(muon_mlir.ArgumentError,
                       match="'w' and 'v' are on different devices: cpu and "
                             "meta"):
        optimizer.add_param_group({"params": [("v", other)]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2, 2)])
def test_ranks_that_muon_does_not_have(shape):
    with pytest.raises(muon_mlir.ArgumentError,
                       match=f"found rank {len(shape)}"):
        Muon([{"params": [("w", matrix(*shape) if shape else
                           torch.nn.Parameter(torch.tensor(1.0)))],
               "use_muon": True}])


def test_convolutions_need_a_group():
    net = torch.nn.Conv2d(2, 3, 3)
    with pytest.raises(muon_mlir.ArgumentError,
                       match="'weight' has rank 4, for which there is no "
                             "default: put it into a group"):
        Muon(net)
    optimizer = Muon([{"params": net.parameters(), "use_muon": False}])
    before = net.weight.detach().clone()
    net(torch.ones(1, 2, 4, 4)).sum().backward()
    optimizer.step()
    assert not torch.equal(before, net.weight)


def raises(error, message, *arguments, **options):
    with pytest.raises(error, match=message):
        Muon(*arguments, **options)


def test_no_parameters():
    raises(ValueError, "params is empty", [])
    raises(ValueError, "no parameter that requires", torch.nn.ReLU())
    raises(ValueError, r"param_groups\[0\] has no parameters", [{"params": []}])
    raises(ValueError, r"param_groups\[0\] has no 'params'", [{"lr": 1}])


def test_wrong_kinds():
    raises(TypeError, "params is a tensor", matrix())
    raises(TypeError, "is a str, expected a tensor", ["w"])
    raises(TypeError, "beside groups", [{"params": [matrix()]}, matrix()])
    raises(TypeError, "expected .name, tensor", [("w", matrix()), matrix()])
    raises(TypeError, "has no order", [{"params": {matrix()}}])
    raises(TypeError, "unexpected keyword argument 'lrs'", [matrix()], lrs=1)
    optimizer = Muon([matrix()])
    with pytest.raises(TypeError, match="expected a dict"):
        optimizer.add_param_group([matrix()])


def test_unknown_options():
    group = {"params": [matrix()], "use_muon": True}
    raises(ValueError, r"param_groups\[0\]: unknown option 'dampening'; "
           "options of Muon are lr, weight_decay, momentum", [
               {**group, "dampening": 0}])
    raises(ValueError, "'betas' is an option of AdamW, and the group is "
           "Muon's", [{**group, "betas": (0, 0)}])
    raises(ValueError, "'nesterov' is an option of Muon, and the group is "
           "AdamW's", [{**group, "use_muon": False, "nesterov": True}])
    raises(ValueError, "adamw: unknown option 'amsgrad'", [matrix()],
           adamw={"amsgrad": False})
    raises(ValueError, "use_muon is 1, expected True or False",
           [{**group, "use_muon": 1}])


@pytest.mark.parametrize("option, value", [
    ("lr", -1), ("lr", "0.1"), ("lr", float("nan")), ("weight_decay", -0.1),
    ("momentum", 1.0), ("momentum", True), ("nesterov", 1),
    ("ns_coefficients", "quintic"), ("ns_coefficients", (1, 2)),
    ("ns_coefficients", ((1, 2, 3), (4, 5))), ("ns_coefficients", ()),
    ("ns_coefficients", (1, 2, float("inf"))), ("ns_coefficients", 3),
    ("ns_coefficients", ((1, 2, 3),) * 101), ("ns_coefficients", ((), ())),
    ("ns_steps", 0), ("ns_steps", 101), ("ns_steps", 5.0),
    ("ns_safety", 0), ("eps", -1e-9), ("adjust_lr_fn", "spectral"),
    ("adjust_lr_fn", 2)])
def test_values_of_muon(option, value):
    for way in ({"params": [matrix()], option: value},):
        raises(ValueError, rf"param_groups\[0\]: {option} is .*, expected",
               [way])
    raises(ValueError, f"defaults: {option} is .*, expected", [matrix()],
           **{option: value})


@pytest.mark.parametrize("option, value", [
    ("lr", -1), ("weight_decay", None), ("betas", (0.9,)), ("betas", 0.9),
    ("betas", (0.9, 1.0)), ("betas", "ab"), ("eps", 0.0)])
def test_values_of_adamw(option, value):
    raises(ValueError, rf"param_groups\[0\]: {option} is .*, expected",
           [{"params": [matrix(3)], option: value}])
    raises(ValueError, f"adamw: {option} is .*, expected", [matrix(3)],
           adamw={option: value})


def test_values_for_all():
    w = matrix()
    raises(ValueError, "clip_global_norm is 0, expected None or a number",
           [w], clip_global_norm=0)
    raises(ValueError, "skip_nonfinite is 1, expected", [w], skip_nonfinite=1)
    raises(ValueError, "compute is 'fp8', expected one of auto, f32", [w],
           compute="fp8")


def test_a_parameter_twice():
    w = matrix()
    raises(ValueError, "parameter 'b' is there already, as 'a'",
           [("a", w), ("b", w)])
    raises(ValueError, "two parameters are named 'a'",
           [("a", w), ("a", matrix())])
    optimizer = Muon([("a", w)])
    with pytest.raises(ValueError, match="is there already, as 'a'"):
        optimizer.add_param_group({"params": [("c", w)]})
    with pytest.raises(ValueError, match="two parameters are named 'a'"):
        optimizer.add_param_group({"params": [("a", matrix())]})
    with pytest.raises(ValueError, match="either all groups have names"):
        optimizer.add_param_group({"params": [matrix()]})
    assert len(optimizer.param_groups) == 1


def test_a_group_that_the_rules_divide():
    raises(ValueError, "by default 'w' is Muon's and 'bias' is AdamW's; say "
           "use_muon", [{"params": [("w", matrix()), ("bias", matrix(3))]}])


def test_from_torch():
    module = muon_mlir.Module.from_torch(Net())
    step = muon_mlir.compile(module)
    weights = {a.name: a.shape for a in step.arguments if a.role == "weight"}
    assert weights == {
        "embedding.weight": (5, 4), "hidden.weight": (6, 4),
        "hidden.bias": (6,), "norm.weight": (6,), "norm.bias": (6,),
        "lm_head.weight": (5, 6)}
    low = muon_mlir.Module.from_torch(
        Net().bfloat16(), {"rules": [{"match": ".", "optimizer": "adamw"}]})
    arguments = muon_mlir.compile(low).arguments
    assert {a.dtype for a in arguments if a.role == "weight"} == {"bfloat16"}
    assert not [a for a in arguments if a.role == "momentum"]
    with pytest.raises(muon_mlir.ArgumentError, match="is a dict, expected"):
        muon_mlir.Module.from_torch({})
    with pytest.raises(muon_mlir.ArgumentError, match="no parameter that"):
        muon_mlir.Module.from_torch(torch.nn.ReLU())
