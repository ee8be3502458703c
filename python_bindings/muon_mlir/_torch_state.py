# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State of parameters: what steps need, and what other optimizers saved."""
from __future__ import annotations

from itertools import chain
from typing import Any, Iterable, Iterator, Mapping, NoReturn, Sequence

import torch

from . import _torch_options as options
from . import _torch_steps as steps
from ._errors import ArgumentError
from ._step import NonFinite

Tensor = torch.Tensor
State = dict[str, Any]

# Options of torch.optim.AdamW that say how it computes, or that this does not
# do; with the values that change nothing.
_WITHOUT_EFFECT = {"foreach": None, "fused": None, "capturable": None,
                   "amsgrad": (False, None), "maximize": (False, None),
                   "differentiable": (False, None),
                   "decoupled_weight_decay": (True, None)}
# Moonlight's names of options and state.
_OF_MOONLIGHT = {"wd": "weight_decay", "adamw_betas": "betas",
                 "adamw_eps": "eps"}
_MOMENTS = {"moment1": "exp_avg", "moment2": "exp_avg_sq"}


# State for steps.


def completed(slots: Iterable[steps.Slot],
              states: Mapping[Tensor, State]) -> dict[Tensor, State]:
    """State of all slots, zero where there is none; `states` stays as it is.

    Raises ArgumentError for state that no step can use.
    """
    result: dict[Tensor, State] = {}
    for parameter, _, kind, label in slots:
        old = states[parameter] if parameter in states else {}
        state = dict(old)
        for name in steps.STATE[kind]:
            if name not in state:
                state[name] = steps.new_state(parameter)
        if (parameter.dtype is not torch.float32
                and steps.MASTER not in state):
            state[steps.MASTER] = parameter.detach().to(
                torch.float32, copy=True)
        for name in (*steps.STATE[kind], steps.MASTER):
            if name in state and not steps.is_state(state[name], parameter):
                _refuse_state(state[name], parameter, name, label)
        # The same object where nothing is new: users may hold it.
        result[parameter] = old if old and len(old) == len(state) else state
    return result


def _refuse_state(found: Any, parameter: Tensor, name: str,
                  label: str) -> NoReturn:
    if not isinstance(found, Tensor):
        what = f"a {type(found).__name__}"
    else:
        what = (f"of {found.dtype} and shape {tuple(found.shape)} on "
                f"{found.device}"
                + ("" if found.is_contiguous() else ", not contiguous"))
    raise ArgumentError(
        f"state {name!r} of {label!r} is {what}, expected torch.float32 of "
        f"shape {tuple(parameter.shape)} on {parameter.device}, contiguous; "
        "load_state_dict converts")


def shared_counts(slots: Sequence[steps.Slot], made: dict[Tensor, State],
                  states: Mapping[Tensor, State]
                  ) -> Iterator[tuple[list[steps.Slot], Tensor]]:
    """Parameters that step together, with the number of their steps.

    A compiled step has one number for the bias corrections of AdamW, so that
    parameters which missed steps are apart. Those that are together share the
    tensor, in `made`; nobody else has it. Muon has no number and goes along.
    """
    owners: dict[int, set[Tensor]] = {}
    for parameter, state in chain(states.items(), made.items()):
        if "step" in state:
            owners.setdefault(id(state["step"]), set()).add(parameter)
    by_number: dict[int, list[steps.Slot]] = {}
    known: dict[int, int] = {}  # a GPU is asked once for each tensor
    for slot in slots:
        if slot.kind == options.ADAMW:
            found = made[slot.parameter].get("step", 0)
            if id(found) not in known:
                known[id(found)] = _count(found, slot.label)
            by_number.setdefault(known[id(found)], []).append(slot)
    rest = [slot for slot in slots if slot.kind == options.MUON]
    if not by_number and rest:
        yield rest, steps.new_count(0, rest[0].parameter.device)
    for number, members in by_number.items():
        params = {slot.parameter for slot in members}
        device = members[0].parameter.device
        count: Any = next(
            (made[p]["step"] for p in params if "step" in made[p]
             and owners[id(made[p]["step"])] <= params
             and _is_count(made[p]["step"], device)), None)
        if count is None:
            count = steps.new_count(number, device)
        for parameter in params:
            if made[parameter].get("step") is not count:
                made[parameter] = {**made[parameter], "step": count}
        chosen = params | {slot.parameter for slot in rest}
        rest = []
        yield [slot for slot in slots if slot.parameter in chosen], count


def _is_count(found: Any, device: torch.device) -> bool:
    return (isinstance(found, Tensor) and found.dtype is torch.int64
            and not found.dim() and found.device == device)


def nonfinite(parts: Iterable[steps.Part],
              states: Mapping[Tensor, State]) -> tuple[NonFinite, ...]:
    """What a step that looks at all parameters would find."""
    found = []
    slots = [slot for part in parts for slot in part.slots]
    for slot in slots:
        gradient: Any = slot.parameter.grad
        if not bool(torch.isfinite(gradient).all()):
            found.append(NonFinite("gradient", slot.label))
    for slot in slots:
        if slot.kind == options.MUON:
            momentum = states[slot.parameter]["momentum_buffer"]
            if not bool(torch.isfinite(momentum).all()):
                found.append(NonFinite("momentum", slot.label))
    return tuple(found)


# What was saved.


def read(saved: Any, slots: Sequence[steps.Slot],
         groups: Sequence[Mapping[str, Any]]
         ) -> tuple[dict[Tensor, State], list[dict[str, Any]]]:
    """State by parameter, and all options of groups, as `saved` has them.

    Nothing is changed, and nothing of what is returned is that of `saved`.
    Raises ArgumentError.
    """
    entries, saved_groups = _joined(
        saved if isinstance(saved, (list, tuple)) else [saved])
    moonlight = any(key in group for group in saved_groups
                    for key in _OF_MOONLIGHT)
    counts = [len(group["params"]) for group in saved_groups]
    if moonlight:
        if sum(counts) != len(slots):
            raise ArgumentError(f"state_dict is of {sum(counts)} parameters, "
                                f"expected {len(slots)}")
        if len(saved_groups) != 1:
            raise ArgumentError(f"state_dict of Moonlight has "
                                f"{len(saved_groups)} groups, expected one")
        saved_groups *= len(groups)
    elif counts != [len(group["params"]) for group in groups]:
        raise ArgumentError(
            f"state_dict has groups of {counts} parameters, expected "
            f"{[len(group['params']) for group in groups]}")
    new_groups = [
        _options(found, group, index, moonlight)
        for index, (found, group) in enumerate(zip(saved_groups, groups))]
    order = (list(saved_groups[0]["params"]) if moonlight else
             _order(entries, saved_groups, slots))
    result = {}
    left = dict(entries)
    for index, slot in zip(order, slots):
        state = left.pop(index, {})
        if not isinstance(state, Mapping):
            raise ArgumentError(f"state of {slot.label!r} is a "
                                f"{type(state).__name__}, expected a dict")
        beta = saved_groups[slot.group].get("momentum") if moonlight else None
        made = _state(state, slot, beta)
        if made:
            result[slot.parameter] = made
    if left:
        raise ArgumentError(f"state_dict has state of {next(iter(left))!r}, "
                            "which is in none of its groups")
    return result, new_groups


def _joined(saved: Sequence[Any]) -> tuple[dict[Any, Any], list[Any]]:
    """Several as one, with numbers of parameters that do not collide."""
    entries: dict[Any, Any] = {}
    groups: list[Any] = []
    for which, one in enumerate(saved):
        for key in ("state", "param_groups"):
            if not isinstance(one, Mapping) or key not in one:
                raise ArgumentError(f"state_dict has no {key!r}")
        for group in one["param_groups"]:
            if not isinstance(group, Mapping) or "params" not in group:
                raise ArgumentError("state_dict has a group without 'params'")
            groups.append(
                {**group, "params": [(which, i) for i in group["params"]]})
        entries.update({(which, i): v for i, v in one["state"].items()})
    return entries, groups


def _options(found: Mapping[str, Any], group: Mapping[str, Any], index: int,
             moonlight: bool) -> dict[str, Any]:
    """The options of a group here, with what a saved one says."""
    kind = options.kind_of(group)
    result = {k: v for k, v in group.items() if k != "params"}
    for key, value in found.items():
        name = _OF_MOONLIGHT.get(key, key) if moonlight else key
        if key in ("params", "param_names"):
            continue
        if moonlight and (name not in options.names_of(kind)
                          and name in options.ALL
                          or (name, kind) == ("eps", options.MUON)):
            continue  # of the other optimizer: its groups are one
        if key == "use_muon":
            if bool(value) != group["use_muon"]:
                raise ArgumentError(
                    f"state_dict: use_muon of param_groups[{index}] is "
                    f"{value!r}, expected {group['use_muon']!r}")
        elif name in options.names_of(kind) or name in options.KEPT:
            # A learning rate that is a tensor must not be shared.
            result[name] = value.clone() if isinstance(value, Tensor) else value
        elif key in _WITHOUT_EFFECT:
            good = _WITHOUT_EFFECT[key]
            if good is not None and value not in good:
                raise ArgumentError(f"state_dict: {key!r} of param_groups"
                                    f"[{index}] is {value!r}, which cannot be "
                                    f"mapped; expected {good[0]!r}")
        else:
            raise ArgumentError(f"state_dict: {key!r} of param_groups[{index}] "
                                f"cannot be mapped to an option of {kind}")
    return result


def _shape(state: Any) -> Any:
    """Of the parameter that saved state belongs to; None if it cannot tell."""
    for name in ("momentum_buffer", "exp_avg", "moment1"):
        if isinstance(state, Mapping) and isinstance(state.get(name), Tensor):
            return state[name].shape
    return None


def _order(entries: Mapping[Any, Any], groups: Sequence[Mapping[str, Any]],
           slots: Sequence[steps.Slot]) -> list[Any]:
    """The saved number of each slot.

    Keller Jordan's distributed optimizer sorts the parameters of Muon by
    decreasing shape; whether a saved group is sorted shows in its state.
    """
    result = []
    at = 0
    for group in groups:
        numbers = list(group["params"])
        members = slots[at:at + len(numbers)]
        at += len(numbers)
        shapes = [slot.parameter.shape for slot in members]
        ranked = sorted(range(len(members)), key=lambda i: tuple(shapes[i]),
                        reverse=True)
        by_rank = [numbers[ranked.index(i)] for i in range(len(members))]

        def fits(order: Sequence[Any]) -> bool:
            return all(_shape(entries.get(n)) in (None, shape)
                       for n, shape in zip(order, shapes))
        if not fits(numbers) and group.get("use_muon") and fits(by_rank):
            numbers = by_rank
        result += numbers
    return result


def _state(found: Mapping[str, Any], slot: steps.Slot, beta: Any) -> State:
    """State as steps have it. `beta` is the momentum of saved sums, of which
    (1 - beta) are the averages; None for averages."""
    given = dict(found)
    where = f"state of {slot.label!r}"
    if beta is not None:
        use_muon = given.pop("use_muon", None)
        if use_muon is not None and bool(use_muon) != (
                slot.kind == options.MUON):
            raise ArgumentError(f"{where}: use_muon is {use_muon!r}, and its "
                                f"group is {slot.kind}'s")
        given = {_MOMENTS.get(key, key): v for key, v in given.items()}
    if not given:
        return {}
    result: State = {}
    for name in steps.STATE[slot.kind]:
        if name not in given:
            names = ", ".join(repr(key) for key in found)
            raise ArgumentError(f"{where} has no {name!r}, which {slot.kind} "
                                f"needs, but {names}")
        result[name] = _tensor(given.pop(name), slot, f"{name!r} of {where}")
    if beta is not None and slot.kind == options.MUON:
        result["momentum_buffer"] *= 1 - float(beta)
    if slot.kind == options.ADAMW:
        if "step" not in given:
            raise ArgumentError(f"{where} has no 'step'")
        result["step"] = steps.new_count(_count(given.pop("step"), slot.label),
                                         slot.parameter.device)
    if steps.MASTER in given and slot.parameter.dtype is not torch.float32:
        result[steps.MASTER] = _tensor(given.pop(steps.MASTER), slot,
                                       f"{steps.MASTER!r} of {where}")
    if given:
        raise ArgumentError(f"{where}: {next(iter(given))!r} cannot be mapped "
                            f"to state of {slot.kind}")
    return result


def _tensor(found: Any, slot: steps.Slot, where: str) -> Tensor:
    """A copy in f32, where the parameter is."""
    parameter = slot.parameter
    if not isinstance(found, Tensor) or not found.is_floating_point():
        raise ArgumentError(f"{where} is "
                            f"{getattr(found, 'dtype', type(found).__name__)}, "
                            "expected a floating-point tensor")
    if found.shape != parameter.shape:
        raise ArgumentError(f"{where}: shape is {tuple(found.shape)}, expected "
                            f"{tuple(parameter.shape)}")
    result = steps.new_state(parameter)
    result.copy_(found)
    return result


def _count(found: Any, label: str) -> int:
    """A number of steps that is a number, or a tensor with one element."""
    try:
        number = float(found)
    except (TypeError, ValueError, RuntimeError):
        number = -1.0
    if not (0 <= number < 2 ** 53 and number == int(number)):
        raise ArgumentError(f"'step' of the state of {label!r} is {found!r}, "
                            "expected a whole number, at least 0")
    return int(number)
