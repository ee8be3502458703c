# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled steps of PyTorch's parameters, and what they are bound to."""
from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter, is_
from typing import Any, Mapping, NamedTuple, Optional, Sequence

import torch

from . import _torch_options as options
from ._compile import compile
from ._errors import ArgumentError, Diagnostic
from ._module import Module
from ._step import NonFinite, Result, Statistics, Step

Tensor = torch.Tensor
State = dict[str, Any]

_data_ptr, _is_contiguous = Tensor.data_ptr, Tensor.is_contiguous
_size, _dtype = Tensor.size, attrgetter("dtype")
_TYPES = (torch.float32, torch.bfloat16, torch.float16)
# Of the step for a parameter, as PyTorch calls it.
STATE = {options.MUON: ("momentum_buffer",),
         options.ADAMW: ("exp_avg", "exp_avg_sq")}
# Weights of less than f32 have one in the state, which is what is updated.
MASTER = "master"
ROLES = {"momentum": "momentum_buffer", "exp_avg": "exp_avg",
          "exp_avg_sq": "exp_avg_sq", "master": "master"}


class Slot(NamedTuple):
    """A parameter at its place in the groups; `label` is for messages."""

    parameter: Tensor
    group: int
    kind: str
    label: str

    @property
    def key(self) -> str:
        """Its name in the step: the rule of a group goes by the beginning."""
        return f"{self.group}/{self.label}"


# Parameters and gradients.


def tensors_and_names(params: Any, where: str
                       ) -> tuple[list[Any], Optional[list[str]]]:
    """Of a tensor, or an iterable of tensors or of (name, tensor)."""
    if isinstance(params, Tensor):
        return [params], None
    if isinstance(params, (set, frozenset)):
        raise TypeError(f"{where}: parameters are a set, which has no order; "
                        "expected a list")
    items = list(params)
    if not items or not isinstance(items[0], tuple):
        return items, None
    for item in items:
        if not (isinstance(item, tuple) and len(item) == 2
                and isinstance(item[0], str)):
            raise TypeError(f"{where}: expected (name, tensor) as before, "
                            f"found {type(item).__name__}")
    return [tensor for _, tensor in items], [name for name, _ in items]


def labels_of(tensors: Sequence[Any], names: Optional[Sequence[str]],
            index: int) -> list[str]:
    if not names:
        return [f"group {index}, parameter {i}" for i in range(len(tensors))]
    if len(names) != len(tensors):
        raise ArgumentError(f"param_groups[{index}] has {len(tensors)} "
                            f"parameters and {len(names)} names")
    return list(names)


def check_parameter(parameter: Any, label: str) -> None:
    """Raises TypeError or ArgumentError if no step can update it."""
    if not isinstance(parameter, Tensor):
        raise TypeError(f"parameter {label!r} is a "
                        f"{type(parameter).__name__}, expected a tensor")

    def refuse(message: str) -> None:
        raise ArgumentError(f"parameter {label!r}: {message}")
    if hasattr(parameter, "device_mesh"):
        refuse("is distributed (DTensor), which is not supported")
    if parameter.layout != torch.strided:
        refuse(f"layout is {parameter.layout}, expected torch.strided")
    if parameter.dtype not in _TYPES:
        refuse(f"dtype is {parameter.dtype}, expected torch.float32, "
               "torch.bfloat16 or torch.float16")
    if not parameter.is_leaf:
        refuse("is not a leaf of the graph")
    if not parameter.requires_grad:
        refuse("does not require gradients; leave it out, and add it with "
               "add_param_group when it does")
    if not parameter.numel():
        refuse(f"of shape {tuple(parameter.shape)} has no elements")
    if parameter.device.type not in ("cpu", "cuda"):
        refuse(f"device is {parameter.device}, expected cpu or cuda")
    if not parameter.is_contiguous():
        refuse("not contiguous in row-major order: strides are "
               f"{parameter.stride()}, of shape {tuple(parameter.shape)}")


def check_kind(parameter: Tensor, kind: str, label: str) -> None:
    if kind == options.MUON and parameter.dim() not in (2, 3):
        raise ArgumentError(
            f"parameter {label!r} of shape {tuple(parameter.shape)}: Muon "
            "updates matrices and batches of them (rank 2 and 3), found rank "
            f"{parameter.dim()}; use_muon=False is for all others")


def check_devices(slots: Sequence[Slot]) -> None:
    first = slots[0]
    for slot in slots:
        if slot.parameter.device != first.parameter.device:
            raise ArgumentError(
                f"parameters {first.label!r} and {slot.label!r} are on "
                f"different devices: {first.parameter.device} and "
                f"{slot.parameter.device}")


def check_gradient(slot: Slot) -> None:
    parameter = slot.parameter
    gradient: Any = parameter.grad
    where = f"gradient of {slot.label!r}"
    if gradient.layout != torch.strided:
        raise ArgumentError(f"{where}: sparse ({gradient.layout}), expected a "
                            "dense tensor")
    for what in ("dtype", "shape", "device"):
        found, wanted = getattr(gradient, what), getattr(parameter, what)
        if found != wanted:
            raise ArgumentError(f"{where}: {what} is {found}, expected "
                                f"{wanted} as of the parameter")
    if not gradient.is_contiguous():
        raise ArgumentError(
            f"{where}: not contiguous in row-major order: strides are "
            f"{gradient.stride()}, of shape {tuple(gradient.shape)}")


# Where steps run.


@dataclass(frozen=True)
class Place:
    """target of the compiler, device of the runtime, whether steps end before
    a call does."""

    target: str
    device: str
    waits: bool


def place_of(device: torch.device) -> Place:
    if device.type == "cpu":
        return Place("cpu", "cpu", True)
    major, minor = torch.cuda.get_device_capability(device)
    return Place(f"sm_{major}{minor}", f"cuda:{device.index}", False)


def stream_of(device: torch.device) -> Optional[int]:
    """The address of the current stream; None on the CPU."""
    if device.type == "cpu":
        return None
    return int(torch.cuda.current_stream(device).cuda_stream)


def is_state(found: Any, parameter: Tensor) -> bool:
    """Whether a step can have this as state of the parameter."""
    return (isinstance(found, Tensor) and found.dtype is torch.float32
            and found.shape == parameter.shape and found.is_contiguous()
            and found.device == parameter.device)


def new_state(like: Tensor) -> Tensor:
    """Zeros in f32 of a parameter's shape, where it is."""
    return torch.zeros(like.shape, dtype=torch.float32, device=like.device)


def new_count(value: int, device: torch.device) -> Tensor:
    return torch.tensor(value, dtype=torch.int64, device=device)


# Steps.


def key_of(slots: Sequence[Slot], groups: Sequence[Mapping[str, Any]],
           common: tuple[Any, ...]) -> tuple[Any, ...]:
    """What decides about the code of a step."""
    used = sorted({slot.group for slot in slots})
    return (common, tuple((index, options.compiled(groups[index]))
                          for index in used),
            tuple((slot.key, tuple(slot.parameter.shape), slot.parameter.dtype)
                  for slot in slots), slots[0].parameter.device)


def compile_step(slots: Sequence[Slot], groups: Sequence[Mapping[str, Any]],
                 common: tuple[Any, ...]) -> Step:
    """The step of these parameters; common is what the optimizer has for all:
    whether it clips, skip_nonfinite and compute."""
    clips, skip_nonfinite, compute = common
    used = sorted({slot.group for slot in slots})
    rules: dict[str, Any] = {
        "skip_nonfinite": skip_nonfinite,
        "rules": [options.rule(index, groups[index], compute)
                  for index in used]}
    if clips:
        rules["clip_global_norm"] = 1.0  # each call gives the limit
    module = Module.from_params(
        {slot.key: (tuple(slot.parameter.shape), str(slot.parameter.dtype))
         for slot in slots}, rules)
    place = place_of(slots[0].parameter.device)
    return compile(module, place.target, device=place.device)


class Program:
    """A compiled step; `bound` are the addresses that it has."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.bound: list[int] = []


class Part:
    """Parameters that one compiled step updates, and their state.

    `count` is the number of steps that all of its AdamW parameters share.
    """

    def __init__(self, program: Program, slots: Sequence[Slot],
                 states: Mapping[Tensor, State], count: Tensor) -> None:
        self.program, self.step = program, program.step
        self.slots, self.count = tuple(slots), count
        self.params = [slot.parameter for slot in slots]
        self.device = self.params[0].device
        self.place = place_of(self.device)
        self._dtypes = list(map(_dtype, self.params))
        self._shapes = list(map(_size, self.params))
        self._labels = {slot.key: slot.label for slot in slots}
        self._index(states)
        # The keyword of a call, by role: keys of groups and groups.
        self.scalars: dict[str, list[tuple[str, int]]] = {}
        for scalar in self.step.scalars:
            if scalar.group is not None:
                self.scalars.setdefault(scalar.role, []).append(
                    (scalar.group, int(scalar.group)))
        self.clips = any(s.role == "clip" for s in self.step.scalars)

    def _index(self, states: Mapping[Tensor, State]) -> None:
        """Orders arguments as `bind` does: weights, gradients, state by its
        name, at last the number of steps if there is one."""
        at = {(a.role, a.name): i for i, a in enumerate(self.step.arguments)}
        keys = [slot.key for slot in self.slots]
        order = [at["weight", key] for key in keys]
        order += [at["gradient", key] for key in keys]
        self._states: list[tuple[str, list[State], list[Tensor]]] = []
        for role, name in ROLES.items():
            having = [slot for slot in self.slots if (role, slot.key) in at]
            order += [at[role, slot.key] for slot in having]
            params = [slot.parameter for slot in having]
            self._states.append((name, [states[p] for p in params], params))
        self._counted = [states[slot.parameter] for slot in self.slots
                         if slot.kind == options.ADAMW]
        self._has_count = ("step", "step") in at
        if self._has_count:
            order.append(at["step", "step"])
        self._order = order

    def bind(self) -> bool:
        """Binds what is there now, of which little is new in most steps.

        False if this does not fit the step: then nothing is bound. Nothing but
        the addresses is kept, so that gradients are free to go after a step.
        """
        count = self.count
        try:
            if not all([state["step"] is count for state in self._counted]):
                return False
            gradients: list[Any] = [p.grad for p in self.params]
            addresses = [*map(_data_ptr, self.params),
                         *map(_data_ptr, gradients)]
            for name, states, _ in self._states:
                addresses += [_data_ptr(state[name]) for state in states]
            if not (all(map(_is_contiguous, self.params))
                    and all(map(_is_contiguous, gradients))):
                return False
        except (KeyError, TypeError, RuntimeError):
            return False  # no gradient, a sparse one, state that is gone
        if self._has_count:
            addresses.append(count.data_ptr())
        if addresses != self.program.bound:
            if not self._fits(gradients, addresses, self.program.bound):
                return False
            self.step._instance.bind_addresses(self._order, addresses)
            self.program.bound = addresses
        return True

    def _fits(self, gradients: list[Tensor], addresses: list[int],
              before: list[int]) -> bool:
        """That what is at new addresses is what the step was compiled for."""
        count = len(self.params)
        if (list(map(_dtype, gradients)) != self._dtypes
                or list(map(_size, gradients)) != self._shapes):
            return False
        if (addresses[:count] == before[:count]
                and addresses[2 * count:] == before[2 * count:]):
            return True
        if (list(map(_dtype, self.params)) != self._dtypes
                or list(map(_size, self.params)) != self._shapes
                or any(p.device != self.device for p in self.params)):
            return False
        return all(is_state(state[name], p)
                   for name, states, params in self._states
                   for state, p in zip(states, params))

    def places(self) -> list[int]:
        """The addresses of the parameters, as bound."""
        return self.program.bound[:len(self.params)]

    def run(self, groups: Sequence[Mapping[str, Any]],
            clip: Optional[float]) -> Optional[Result]:
        """Runs on what is bound; None where that does not wait."""
        place = self.place
        return self.step(
            **{role: {key: groups[index][role] for key, index in of}
               for role, of in self.scalars.items()},
            clip=clip if self.clips else None, wait=place.waits,
            stream=stream_of(self.device))

    def result(self, raw: Result) -> Result:
        return raw._replace(nonfinite=tuple(
            NonFinite(one.role, self._labels[one.name])
            for one in raw.nonfinite))

    def stats(self) -> dict[str, Statistics]:
        return {self._labels[key]: one
                for key, one in self.step.stats().items()}


def same(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Whether these are the same objects in the same order."""
    return len(left) == len(right) and all(map(is_, left, right))
