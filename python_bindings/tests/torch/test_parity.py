# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fifty steps against the same algorithm in f64.

The measure is what a plain implementation of the same precision loses
(reference.py), twice over.
"""
import pytest
import torch
from reference import KELLER_JORDAN, Reference, error, gradient

import muon_mlir.torch

STEPS = 50
SHAPES = {"square": (24, 24), "wide": (6, 37), "tall": (37, 15),
          "row": (1, 9), "batch": (3, 8, 13), "b": (33,), "embed": (10, 6),
          "scalar": ()}
KINDS = {name: "adamw" if name in ("b", "embed", "scalar") else "muon"
         for name in SHAPES}
LOW = ((4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377),
       (3.7418, -5.5913, 2.3037))


def parameters(shapes=SHAPES, dtype=torch.float32):
    return {name: torch.nn.Parameter(
        gradient("w " + name, shape, 0, "gaussian").to(dtype))
        for name, shape in shapes.items()}


def compare(muon=None, adamw=None, spectrum="gaussian", shapes=SHAPES,
            steps=STEPS, rows=(KELLER_JORDAN,), clip=None, schedule=None):
    muon = {"lr": 0.02, "weight_decay": 0.1, **(muon or {})}
    adamw = {"lr": 0.01, "weight_decay": 0.1, **(adamw or {})}
    params = parameters(shapes)
    optimizer = muon_mlir.torch.Muon(
        params.items(), **muon, adamw=adamw, clip_global_norm=clip,
        ns_coefficients=rows if len(rows) > 1 else rows[0])
    exact = Reference(params, KINDS)
    plain = Reference(params, KINDS, torch.float32)
    for number in range(steps):
        grads = {name: gradient(name, shape, number, spectrum)
                 for name, shape in shapes.items()}
        for name, p in params.items():
            p.grad = grads[name]
        if schedule:
            for group in optimizer.param_groups:
                group.update(schedule(number, group["use_muon"]))
            muon = {**muon, **schedule(number, True)}
            adamw = {**adamw, **schedule(number, False)}
        optimizer.step()
        assert optimizer.result.taken
        for one in (exact, plain):
            one.step(grads, {**muon, "rows": rows}, adamw, clip)
    for name, p in params.items():
        wanted = exact.weights[name]
        allowed = 2 * error(plain.weights[name], wanted) + 1e-6
        assert error(p.detach(), wanted) <= allowed, name
        state = optimizer.state[p]
        for key, other in (("momentum_buffer", "first"), ("exp_avg", "first"),
                           ("exp_avg_sq", "second")):
            if key in state:
                wanted = getattr(exact, other)[name]
                allowed = 2 * error(getattr(plain, other)[name], wanted) + 1e-6
                assert error(state[key], wanted) <= allowed, (name, key)


@pytest.mark.parametrize("adjust", [None, "original", "match_rms_adamw",
                                    "spectral_unclamped"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_forms(nesterov, adjust):
    compare({"nesterov": nesterov, "adjust_lr_fn": adjust})


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_weight_decay(decay):
    compare({"weight_decay": decay}, {"weight_decay": decay / 2})


@pytest.mark.parametrize("spectrum", ["decaying", "half_rank"])
def test_spectra(spectrum):
    compare(spectrum=spectrum)


def test_a_schedule_of_triples():
    compare({"ns_steps": 4}, rows=LOW)


def test_three_steps_of_other_coefficients():
    compare({"ns_steps": 3, "momentum": 0.8, "ns_safety": 1.02, "eps": 1e-3},
            {"betas": (0.8, 0.99), "eps": 1e-3}, rows=((2.0, -1.5, 0.5),))


def test_clipping():
    compare(clip=3.0)


def test_numbers_that_change():
    """As schedulers change them."""
    def schedule(number, use_muon):
        changes = {"lr": 0.02 / (1 + number), "weight_decay": 0.01 * number}
        return {**changes, "momentum": 0.85 + number / 500} if use_muon \
            else changes
    compare(schedule=schedule)


def named_schedule(name, rows):
    params = parameters({"wide": (6, 37)})
    optimizer = muon_mlir.torch.Muon(params.items(), ns_coefficients=name,
                                     weight_decay=0.0)
    exact = Reference(params, KINDS)
    params["wide"].grad = gradient("wide", (6, 37), 0, "gaussian")
    optimizer.step()
    exact.step({"wide": params["wide"].grad},
               {"lr": 1e-3, "weight_decay": 0.0, "rows": rows}, {})
    assert error(params["wide"].detach(), exact.weights["wide"]) < 1e-7


def test_schedules_by_name():
    named_schedule("keller_jordan", (KELLER_JORDAN,))
    named_schedule("you", (*LOW, (2.8769, -3.1427, 1.2046),
                           (2.8366, -3.0525, 1.2012)))


def low_precision(dtype):
    """Masters are updated in f32, and the weights are those, rounded."""
    shapes = {"wide": (6, 37), "b": (33,)}
    params = parameters(shapes, dtype)
    optimizer = muon_mlir.torch.Muon(params.items(), lr=0.02, adamw={"lr": .01})
    exact = Reference(params, KINDS)
    plain = Reference(params, KINDS, torch.float32)
    for number in range(STEPS):
        grads = {n: gradient(n, s, number, "gaussian").to(dtype)
                 for n, s in shapes.items()}
        for name, p in params.items():
            p.grad = grads[name]
        optimizer.step()
        for one in (exact, plain):
            one.step(grads, {"lr": 0.02, "weight_decay": 0.1},
                     {"lr": 0.01, "weight_decay": 0.1})
    for name, p in params.items():
        master = optimizer.state[p]["master"]
        assert error(master, exact.weights[name]) <= 1e-6 + 2 * error(
            plain.weights[name], exact.weights[name])
        assert torch.equal(p.detach(), master.to(dtype)), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision(dtype):
    low_precision(dtype)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"),
                    reason=f"PyTorch {torch.__version__} has no Muon")
@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_against_pytorch(nesterov, adjust, decay):
    """Whose iteration is in bf16: it may be off by what that rounds, and we
    by what f32 does."""
    shapes = {n: s for n, s in SHAPES.items() if len(s) == 2
              and KINDS[n] == "muon"}
    options = {"lr": 0.02, "weight_decay": decay, "nesterov": nesterov,
               "adjust_lr_fn": adjust}
    ours, theirs = parameters(shapes), parameters(shapes)
    exact = Reference(ours, KINDS)
    rounded = Reference(ours, KINDS, torch.float32, torch.bfloat16)
    optimizers = (muon_mlir.torch.Muon(ours.items(), **options),
                  torch.optim.Muon(theirs.values(), **options))
    for number in range(STEPS):
        grads = {n: gradient(n, s, number, "gaussian")
                 for n, s in shapes.items()}
        for params, optimizer in zip((ours, theirs), optimizers):
            for name, p in params.items():
                p.grad = grads[name].clone()
            optimizer.step()
        for one in (exact, rounded):
            one.step(grads, options, {})
    for name in shapes:
        wanted = exact.weights[name]
        bf16 = error(rounded.weights[name], wanted)
        assert error(theirs[name].detach(), wanted) <= 2 * bf16, name
        assert error(ours[name].detach(), theirs[name].detach().double()
                     ) <= 3 * bf16, name
        assert error(ours[name].detach(), wanted) <= max(bf16 / 10, 1e-6), name
