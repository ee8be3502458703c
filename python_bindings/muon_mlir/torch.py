# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch's parameters, updated by compiled steps (docs/pytorch.md).

    optimizer = muon_mlir.torch.Muon(model, lr=0.02, adamw={"lr": 3e-4})
"""
from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence, Union

import torch

from . import _torch_options as options
from . import _torch_plans as plans
from . import _torch_state as saved
from . import _torch_steps as steps
from ._errors import ArgumentError
from ._step import Result, Statistics, Step

__all__ = ["Muon", "RecompileWarning", "SkippedStepWarning"]

Tensor = torch.Tensor
Params = Union[torch.nn.Module, Iterable[Any]]

# Of sets of parameters that have gradients; the disk has all.
_MOST_PLANS = 16
_COMPUTE = ("auto", "f32", "tf32", "bf16", "f16")


class RecompileWarning(UserWarning):
    """A step was compiled again, and why."""


class SkippedStepWarning(RuntimeWarning):
    """A step changed nothing, because of values that are not finite."""


class Muon(torch.optim.Optimizer):
    """Muon for matrices and AdamW for the rest, in one compiled step.

    params  a module, whose parameters go to Muon or AdamW by the default rules
            (docs/rules.md); or an iterable of tensors or of (name, tensor),
            likewise; or of dicts, which are groups with options of their own
            and `use_muon`

    Options of a group of Muon: lr, weight_decay, momentum, nesterov,
    ns_coefficients (three numbers, a sequence of such triples, or the name of
    a schedule), eps and ns_safety (X = U / (ns_safety * norm(U) + eps)),
    ns_steps, and adjust_lr_fn ('original', which None stands for,
    'match_rms_adamw' or 'spectral_unclamped'), as torch.optim.Muon has them.
    Of AdamW: lr, weight_decay, betas and eps; `adamw` has the defaults of its
    groups, (0.9, 0.95), 1e-8, and lr and weight_decay as given for Muon.

    clip_global_norm  limit of the norm of all gradients together, or None
    skip_nonfinite    whether a step with an infinite or NaN gradient changes
                      nothing, with a SkippedStepWarning; `result` tells
    compute           precision of the iteration: 'auto' is f32 on the CPU and
                      f16 on a GPU

    Raises TypeError for what is no tensor, and ArgumentError, a ValueError,
    for tensors and options that do not fit; nothing has changed then.
    """

    clip_global_norm: Optional[float]
    skip_nonfinite: bool
    compute: str
    _adamw: dict[str, Any]
    # What is bound and what ran last; by which parameters have gradients; and
    # what is compiled.
    _plan: Optional[plans.Plan]
    _ran: Optional[plans.Plan]
    _result: Optional[Result]
    _plans: "OrderedDict[Any, plans.Plan]"
    _programs: "OrderedDict[Any, steps.Program]"
    _last_key: Any
    _last_count: int
    _told_of_sets: bool

    def __init__(self, params: Params, lr: Any = 1e-3,
                 weight_decay: float = 0.1, momentum: float = 0.95,
                 nesterov: bool = True,
                 ns_coefficients: Any = (3.4445, -4.7750, 2.0315),
                 eps: float = 1e-7, ns_steps: int = 5,
                 adjust_lr_fn: Optional[str] = None, *,
                 ns_safety: float = 1.0,
                 adamw: Optional[Mapping[str, Any]] = None,
                 clip_global_norm: Optional[float] = None,
                 skip_nonfinite: bool = True, compute: str = "auto") -> None:
        defaults = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum,
            "nesterov": nesterov, "ns_coefficients": ns_coefficients,
            "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn,
            "ns_safety": ns_safety}
        options.refuse_unknown(adamw or {}, options.ADAMW, "adamw")
        self._adamw = {"lr": lr, "weight_decay": weight_decay,
                       "betas": (0.9, 0.95), "eps": 1e-8, **(adamw or {})}
        options.normalize({**defaults, "use_muon": True}, "defaults")
        options.normalize({**self._adamw, "use_muon": False}, "adamw")
        self.clip_global_norm = clip_global_norm
        self.skip_nonfinite, self.compute = skip_nonfinite, compute
        self._check_common()
        self._forget()
        self.param_groups: list[dict[str, Any]] = []
        super().__init__(self._groups_of(params), defaults)

    # Groups.

    def _groups_of(self, params: Params) -> list[dict[str, Any]]:
        if isinstance(params, Tensor):
            raise TypeError("params is a tensor, expected a module or an "
                            "iterable")
        if isinstance(params, torch.nn.Module):
            items: list[Any] = [
                (name, p) for name, p in params.named_parameters()
                if p.requires_grad and p.numel()]
            if not items:
                raise ArgumentError("the module has no parameter that requires "
                                    "gradients")
        else:
            items = list(params)
            if not items:
                raise ArgumentError("params is empty")
        if isinstance(items[0], dict):
            for item in items:
                if not isinstance(item, dict):
                    raise TypeError(f"params has a {type(item).__name__} "
                                    "beside groups, expected dicts alone")
            return items
        tensors, names = steps.tensors_and_names(items, "params")
        by_kind: dict[str, list[Any]] = {options.MUON: [], options.ADAMW: []}
        for i, tensor in enumerate(tensors):
            label = names[i] if names else f"parameter {i}"
            steps.check_parameter(tensor, label)
            kind = options.default_kind(label if names else "", tensor.dim())
            by_kind[kind].append((names[i], tensor) if names else tensor)
        return [{"params": entries, "use_muon": kind == options.MUON}
                for kind, entries in by_kind.items() if entries]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group; the next step is compiled anew, with a warning.

        Without `use_muon` the default rules decide, on which all parameters of
        the group have to agree.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group is a {type(param_group).__name__}, "
                            "expected a dict")
        index = len(self.param_groups)
        where = f"param_groups[{index}]"
        group = dict(param_group)
        if "params" not in group:
            raise ArgumentError(f"{where} has no 'params'")
        tensors, names = steps.tensors_and_names(group["params"], where)
        names = group.get("param_names", names)
        if not tensors:
            raise ArgumentError(f"{where} has no parameters")
        if self.param_groups and bool(names) != (
                "param_names" in self.param_groups[0]):
            raise ArgumentError(f"{where}: either all groups have names of "
                                "parameters, or none has")
        labels = steps.labels_of(tensors, names, index)
        for tensor, label in zip(tensors, labels):
            steps.check_parameter(tensor, label)
        kind = self._kind_of(group, tensors, labels, bool(names), where)
        options.refuse_unknown(group, kind, where)
        defaults = (self.defaults if kind == options.MUON else self._adamw)
        group = {**{name: defaults[name] for name in options.names_of(kind)},
                 **group, "params": tensors,
                 "use_muon": kind == options.MUON}
        if names:
            group["param_names"] = list(names)
        options.normalize(group, where)
        slots = [steps.Slot(t, index, kind, label)
                 for t, label in zip(tensors, labels)]
        present = self._slots()
        self._check_new(slots, present, bool(names))
        steps.check_devices([*present, *slots])
        keys = set(group)
        super().add_param_group(group)
        # The base class adds its defaults, which are Muon's.
        added = self.param_groups[-1]
        for key in set(added) - keys:
            del added[key]

    @staticmethod
    def _kind_of(group: Mapping[str, Any], tensors: Sequence[Tensor],
                 labels: Sequence[str], named: bool, where: str) -> str:
        use_muon = group.get("use_muon")
        if not (use_muon is None or isinstance(use_muon, bool)):
            raise ArgumentError(f"{where}: use_muon is {use_muon!r}, expected "
                                "True or False")
        kinds = []
        for tensor, label in zip(tensors, labels):
            if use_muon is None:
                kinds.append(options.default_kind(label if named else "",
                                                  tensor.dim()))
            else:
                kinds.append(options.MUON if use_muon else options.ADAMW)
                steps.check_kind(tensor, kinds[-1], label)
        if len(set(kinds)) > 1:
            other = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
            raise ArgumentError(
                f"{where}: by default {labels[0]!r} is {kinds[0]}'s and "
                f"{labels[other]!r} is {kinds[other]}'s; say use_muon, or make "
                "two groups")
        return kinds[0]

    @staticmethod
    def _check_new(slots: Sequence[steps.Slot], present: Sequence[steps.Slot],
                   named: bool) -> None:
        seen = {slot.parameter: slot.label for slot in present}
        labels = {slot.label for slot in present}
        for slot in slots:
            if slot.parameter in seen:
                raise ArgumentError(
                    f"parameter {slot.label!r} is there already, as "
                    f"{seen[slot.parameter]!r}")
            if named and slot.label in labels:
                raise ArgumentError(f"two parameters are named {slot.label!r}")
            seen[slot.parameter] = slot.label
            labels.add(slot.label)

    def _slots(self) -> list[steps.Slot]:
        return [steps.Slot(p, index, options.kind_of(group), label)
                for index, group in enumerate(self.param_groups)
                for p, label in zip(group["params"], steps.labels_of(
                    group["params"], group.get("param_names"), index))]

    # Steps.

    def step(self, closure: Optional[Callable[[], Any]] = None) -> Any:
        """Updates parameters that have gradients, in place.

        Returns what `closure` returned, which is called first, with gradients
        enabled. Raises ArgumentError, and nothing has changed, for gradients
        that are sparse, not contiguous or on other devices.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        plan = self._bound_plan()
        self._ran = plan
        self._result = None
        if not plan.parts:
            return loss
        if len(plan.parts) > 1 and self.skip_nonfinite:
            # Or one part would be skipped and another not.
            bad = plan.nonfinite(self.state)
            if bad:
                self._result = Result(False, 1.0, bad)
                self._warn_of_skip(self._result)
                return loss
        results = [part.run(self.param_groups, limit) for part, limit in
                   zip(plan.parts, plan.limits(self.clip_global_norm))]
        plan.written()
        if results[0] is not None:
            self._result = plan.joined(results)
            if not self._result.taken:
                self._warn_of_skip(self._result)
        return loss

    def _bound_plan(self) -> plans.Plan:
        """The plan for the gradients that are there, bound to them."""
        groups = self.param_groups
        params = [p for group in groups for p in group["params"]]
        compiled = self._compiled()
        plan = self._plan
        if plan is None or not self._holds(plan, params, compiled):
            mask = tuple([p.grad is None for p in params])
            plan = self._plans.get(mask)
            if plan is None or not self._holds(plan, params, compiled):
                plan = self._prepare()
                self._plans[mask] = plan
                while len(self._plans) > _MOST_PLANS:
                    self._plans.popitem(last=False)
            else:
                self._plans.move_to_end(mask)
            self._plan = plan
        return plan

    def _compiled(self) -> Any:
        return ((self.clip_global_norm is not None, self.skip_nonfinite,
                 self.compute), [(options.compiled(group), len(group))
                                 for group in self.param_groups])

    def _holds(self, plan: plans.Plan, params: list[Tensor], compiled: Any
               ) -> bool:
        """Binds the parts of a plan if nothing speaks against it."""
        return (plan.compiled == compiled and steps.same(plan.params, params)
                and steps.same(plan.states, list(self.state.values()))
                and all([p.grad is None for p in plan.absent])
                and all([part.bind() for part in plan.parts]))

    @torch.no_grad()
    def _prepare(self) -> plans.Plan:
        """A plan from scratch, bound. Everything that can fail comes first."""
        self._check_common()
        for index, group in enumerate(self.param_groups):
            where = f"param_groups[{index}]"
            options.refuse_unknown(group, options.kind_of(group), where)
            options.normalize(group, where)
        slots = self._slots()
        for slot in slots:
            steps.check_parameter(slot.parameter, slot.label)
            steps.check_kind(slot.parameter, slot.kind, slot.label)
        steps.check_devices(slots)
        active = [s for s in slots if s.parameter.grad is not None]
        for slot in active:
            steps.check_gradient(slot)
        states = saved.completed(active, self.state)
        compiled = self._compiled()
        parts = []
        for members, count in saved.shared_counts(active, states, self.state):
            program = self._program(members, compiled[0], len(active))
            parts.append(steps.Part(program, members, states, count))
        for slot in active:
            self.state[slot.parameter] = states[slot.parameter]
        plan = plans.Plan([s.parameter for s in slots],
                     [s.parameter for s in slots if s.parameter.grad is None],
                     parts, compiled, self.state.values())
        for part in parts:
            if not part.bind():
                raise AssertionError("a step does not fit what it was made for")
        return plan

    def _program(self, slots: Sequence[steps.Slot], common: Any,
                 active: int) -> steps.Program:
        key = steps.key_of(slots, self.param_groups, common)
        program = self._programs.get(key)
        if program is None:
            step = steps.compile_step(slots, self.param_groups, common)
            program = self._programs[key] = steps.Program(step)
            while len(self._programs) > 2 * _MOST_PLANS:
                self._programs.popitem(last=False)
            self._warn_of_compilation(key, len(slots), active)
        self._programs.move_to_end(key)
        return program

    def _warn_of_compilation(self, key: Any, here: int, active: int) -> None:
        """Says why, but for the first time, and for parameters without
        gradients once."""
        last, self._last_key = self._last_key, key
        if last is None:
            self._last_count = active
            return
        total = sum(len(group["params"]) for group in self.param_groups)
        reasons = plans.differences(last, key)
        if not reasons and (here < total or self._last_count != active):
            if self._told_of_sets:
                return
            self._told_of_sets = True
            reasons = [f"{active} of {total} parameters have gradients, "
                       f"{here} of them with the same number of steps; other "
                       "such sets are compiled without a message"]
        self._last_count = active
        warnings.warn("compiled again: " + ("; ".join(reasons) or
                      "other parameters"), RecompileWarning, stacklevel=6)

    @staticmethod
    def _warn_of_skip(result: Result) -> None:
        first = result.nonfinite[0]
        more = len(result.nonfinite) - 1
        warnings.warn(
            f"step skipped: {first.role} of {first.name!r} is not finite"
            + (f", nor are {more} more tensors" if more else ""),
            SkippedStepWarning, stacklevel=4)

    # What users look at.

    @property
    def result(self) -> Optional[Result]:
        """Of the last step, for which this waits on a GPU; None if there was
        none, or none of the parameters had a gradient."""
        if self._result is None and self._ran is not None and self._ran.parts:
            self._result = self._ran.joined(
                [part.step.wait() for part in self._ran.parts])
        return self._result

    def stats(self) -> dict[str, Statistics]:
        """Of each parameter in the last step, by name; waits on a GPU."""
        result: dict[str, Statistics] = {}
        for part in self._ran.parts if self._ran is not None else ():
            result.update(part.stats())
        return result

    @property
    def compiled_steps(self) -> tuple[Step, ...]:
        """Those that the last step() ran: one, unless numbers of steps differ
        among parameters of AdamW."""
        parts = self._ran.parts if self._ran is not None else ()
        return tuple(part.step for part in parts)

    # State.

    def load_state_dict(self, state_dict: Any) -> None:
        """Loads a state_dict of this class, of torch.optim.Muon or AdamW, of
        Keller Jordan's MuonWithAuxAdam or of Moonlight's Muon.

        A list of them stands for one optimizer with all their groups in this
        order. State is copied; options of groups that are saved replace those
        here. Raises ArgumentError for what does not fit, by name and key, and
        nothing has changed.
        """
        for hook in _hooks(self, "_optimizer_load_state_dict_pre_hooks"):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        slots = self._slots()
        with torch.no_grad():
            states, groups = saved.read(state_dict, slots, self.param_groups)
        for index, group in enumerate(groups):
            options.normalize(group, f"param_groups[{index}]")
        for mine, group in zip(self.param_groups, groups):
            mine.update(group)
        self.state.clear()
        self.state.update(states)
        for hook in _hooks(self, "_optimizer_load_state_dict_post_hooks"):
            hook(self)

    def _check_common(self) -> None:
        limit = self.clip_global_norm
        if limit is not None and not (
                isinstance(limit, (int, float)) and 0 < limit < float("inf")):
            raise ArgumentError(f"clip_global_norm is {limit!r}, expected None "
                                "or a number above 0")
        if not isinstance(self.skip_nonfinite, bool):
            raise ArgumentError(f"skip_nonfinite is {self.skip_nonfinite!r}, "
                                "expected True or False")
        if self.compute not in _COMPUTE:
            raise ArgumentError(f"compute is {self.compute!r}, expected one of "
                                + ", ".join(_COMPUTE))

    def _forget(self) -> None:
        self._plan = self._ran = self._result = self._last_key = None
        self._plans, self._programs = OrderedDict(), OrderedDict()
        self._last_count = 0
        self._told_of_sets = False

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_adamw": self._adamw,
                "clip_global_norm": self.clip_global_norm,
                "skip_nonfinite": self.skip_nonfinite, "compute": self.compute}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of pickle and deepcopy: without what is compiled."""
        super().__setstate__(state)
        self._forget()


def _hooks(optimizer: Muon, name: str) -> list[Callable[..., Any]]:
    """Those that PyTorch 2 registers."""
    return list(getattr(optimizer, name, {}).values())
