# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled steps as gradient transformations of Optax.

    tx = muon_mlir.jax.muon(learning_rate=0.02)
    state = tx.init(params)
    updates, state = tx.update(grads, state, params)     # as Optax has it
    params, state = tx.apply(params, grads, state)       # in place, if donated

Each of the two is one custom call, under jit or not. Optax is not needed.
"""
from __future__ import annotations

from . import _native

_native.xla()  # says what to do where there is no JAX

from typing import Any, Callable, Mapping, NamedTuple, Sequence, Union

import jax
import jax.numpy as jnp
import numpy as np

from ._errors import ArgumentError
from ._jax_call import Program, module_of, program_of
from ._jax_rules import Labels, Mask, Options, Rules, rules_of
from ._module import Module, rules_text
from ._step import Step

PyTree = Any
Schedule = Callable[[Any], Any]
Rate = Union[float, Any, Schedule]

__all__ = ["Muon", "MuonState", "STATIC_ARGS", "module_from_pytree", "muon"]

#: What optax.inject_hyperparams has to leave alone: all but learning rates.
STATIC_ARGS = (
    "ns_coeffs", "ns_steps", "beta", "eps", "weight_decay",
    "weight_decay_mask", "mu_dtype", "nesterov", "adaptive", "preconditioning",
    "adam_b1", "adam_b2", "adam_eps_root", "adam_weight_decay",
    "muon_weight_dimension_numbers", "consistent_rms", "labels", "rules")


class MuonState(NamedTuple):
    """The state: arrays alone.

    count    int32: steps taken
    skipped  int32: steps that were skipped, for gradients or momenta that were
             not finite. They changed nothing, and did not count
    tensors  by key, as 'dense.kernel.momentum'; momentum and moments of
             AdamW, and f32 masters of parameters in bf16 and f16
    """

    count: Any
    skipped: Any
    tensors: dict[str, Any]


class Muon(NamedTuple):
    """A gradient transformation that is a compiled step. Made by `muon`.

    init(params) makes the state; update(grads, state, params) has updates for
    optax.apply_updates, and the state after the step.

    The step of parameters is compiled when it is first asked for, which takes
    about a second, and shared by all transformations with the same options.
    """

    init: Callable[[PyTree], MuonState]
    update: Callable[..., tuple[PyTree, MuonState]]

    def apply(self, params: PyTree, grads: PyTree,
              state: MuonState) -> tuple[PyTree, MuonState]:
        """params and state after a step.

        Under jit with both donated, the step works in their memory, and nothing
        is copied. Raises ArgumentError where gradients or state do not fit the
        parameters.
        """
        return self._steps.apply(params, grads, state)

    def module(self, params: PyTree) -> Module:
        """The step of `params` as IR."""
        return self._steps.module(params)

    def step(self, params: PyTree) -> Step:
        """The compiled step of `params`, to be looked at: its arguments, its
        report, the artifact."""
        return self._steps.program(params, _leaves(params)[0]).step

    @property
    def _steps(self) -> _Steps:
        steps: _Steps = self.init.__self__  # type: ignore[attr-defined]
        return steps


class _Steps:
    """Steps of parameters, by options and learning rates."""

    def __init__(self, learning_rate: Rate, adam_learning_rate: Rate,
                 options: Options) -> None:
        self._rates = {True: learning_rate, False: adam_learning_rate}
        self._options = options

    def apply(self, params: PyTree, grads: PyTree,
              state: MuonState) -> tuple[PyTree, MuonState]:
        leaves, tree = _leaves(params)
        new, state = self._call(params, leaves, _matching(grads, tree), state)
        return jax.tree.unflatten(tree, [
            new.get(name, leaf) for name, leaf in leaves.items()]), state

    def _call(self, params: PyTree, leaves: Mapping[str, Any],
              gradients: Sequence[Any], state: MuonState
              ) -> tuple[dict[str, Any], MuonState]:
        """New parameters, of those that are not frozen, and state."""
        if not leaves:
            return {}, state
        program = self.program(params, leaves)
        _check_state(state, program)
        have = {"weight": leaves, "gradient": dict(zip(leaves, gradients))}
        count, skipped, new = program(
            _checked("state", "count", state.count, (), "int32"),
            _checked("state", "skipped", state.skipped, (), "int32"),
            self._scalars(program, jnp.asarray(state.count)),
            [_checked(one.role, one.name,
                      have.get(one.role, state.tensors)[one.key], one.shape,
                      one.dtype) for one in program.tensors])
        weights: dict[str, Any] = {}
        tensors: dict[str, Any] = {}
        for one, value in zip(
                (one for one in program.tensors if one.written), new):
            (weights if one.role == "weight" else tensors)[one.key] = value
        return weights, MuonState(count, skipped, tensors)

    def module(self, params: PyTree) -> Module:
        leaves, _ = _leaves(params)
        return module_of(_description(leaves),
                         rules_of(self._options, params, leaves))

    def program(self, params: PyTree, leaves: Mapping[str, Any]) -> Program:
        return program_of(_description(leaves),
                          rules_of(self._options, params, leaves))

    def init(self, params: PyTree) -> MuonState:
        leaves, _ = _leaves(params)
        tensors = {}
        if leaves:
            for one in self.program(params, leaves).tensors:
                if one.role == "master":
                    tensors[one.key] = leaves[one.name].astype(jnp.float32)
                elif one.role not in ("weight", "gradient"):
                    tensors[one.key] = jnp.zeros(one.shape, one.dtype)
        return MuonState(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32),
                         tensors)

    def update(self, updates: PyTree, state: MuonState, params: PyTree = None,
               **extra_args: Any) -> tuple[PyTree, MuonState]:
        if params is None:
            raise ArgumentError("update() needs the parameters, as in "
                                "update(grads, state, params)")
        leaves, tree = _leaves(params)
        new, state = self._call(params, leaves, _matching(updates, tree), state)
        return jax.tree.unflatten(tree, [
            new[name] - leaf if name in new else jnp.zeros_like(leaf)
            for name, leaf in leaves.items()]), state

    def _scalars(self, program: Program, count: Any) -> Any:
        """f32, in the order of the program's."""
        muon_groups = {one.group for one in program.scalars
                       if one.role == "momentum"}
        rates: dict[int, Any] = {}  # a schedule is asked once
        values: list[Any] = []
        for one in program.scalars:
            if one.role == "lr":
                rate = self._rates[one.group in muon_groups]
                if id(rate) not in rates:
                    rates[id(rate)] = _rate(rate, count)
                values.append(rates[id(rate)])
            elif one.role == "momentum":
                values.append(_momentum(float(one.default or 0), count))
            else:
                values.append(one.default)
        return jnp.stack([jnp.asarray(value, jnp.float32) for value in values])


def _momentum(beta: float, count: Any) -> Any:
    """The momentum that makes a plain EMA what Optax's muon orthogonalizes.

    With m_t = β·m + (1−β)·g, Optax takes β·m_t/(1−β^(t+1)) + (1−β)·g/(1−β^t).
    M_t = m_t/(1−β^(t+1)) is itself an EMA, of momentum
    b_t = β·(1−β^t)/(1−β^(t+1)), and b_t·M_t + (1−b_t)·g is what Optax takes
    times (1−β^t)/(1−β^(t+1)), a factor that the normalization removes. Without
    Nesterov's momentum, M_t is a multiple of Optax's m_t/(1−β^t).
    """
    if beta == 0:
        return 0.0
    # As 1 − (1−β)/(1−β^(t+1)), whose only error that counts is the rounding of
    # the last difference.
    t = count.astype(jnp.float32) + 1
    return 1 + (1 - beta) / jnp.expm1((t + 1) * np.float32(np.log(beta)))


def _rate(rate: Rate, count: Any) -> Any:
    value = rate(count) if callable(rate) else rate
    if jnp.shape(value) != ():
        raise ArgumentError(f"learning_rate has shape {jnp.shape(value)}, "
                            "expected a number")
    return value


# Trees.


def _leaves(params: PyTree) -> tuple[dict[str, Any], Any]:
    """The arrays by name, in the order of the tree, and the tree."""
    with_paths, tree = jax.tree_util.tree_flatten_with_path(params)
    leaves: dict[str, Any] = {}
    for path, leaf in with_paths:
        name = (jax.tree_util.keystr(path, simple=True, separator=".")
                or "params")
        if name in leaves:
            raise ArgumentError(
                f"two parameters have the name {name!r}, which is their keys "
                "joined by '.': expected keys that tell them apart")
        # Descriptions have no values, as of jax.eval_shape.
        leaves[name] = (leaf if isinstance(leaf, jax.ShapeDtypeStruct)
                        else jnp.asarray(leaf))
    return leaves, tree


def _description(leaves: Mapping[str, Any]
                 ) -> tuple[tuple[str, tuple[int, ...], str], ...]:
    return tuple((name, tuple(leaf.shape), leaf.dtype.name)
                 for name, leaf in leaves.items())


def _matching(grads: PyTree, tree: Any) -> list[Any]:
    leaves, found = jax.tree.flatten(grads)
    if found != tree:
        raise ArgumentError(f"gradients are of structure {found}, expected "
                            f"that of the parameters, {tree}")
    return leaves


def _checked(role: str, name: str, value: Any, shape: Sequence[int],
             dtype: str) -> Any:
    array = jnp.asarray(value)
    if array.shape != tuple(shape):
        raise ArgumentError(f"{role} '{name}': shape is {array.shape}, "
                            f"expected {tuple(shape)}")
    if array.dtype.name != dtype:
        raise ArgumentError(
            f"{role} '{name}': dtype is {array.dtype.name}, expected {dtype}")
    return array


def _check_state(state: MuonState, program: Program) -> None:
    if not isinstance(state, MuonState):
        raise ArgumentError(f"state is a {type(state).__name__}, expected the "
                            "MuonState that init(params) makes")
    wanted = {one.key for one in program.tensors
              if one.role not in ("weight", "gradient")}
    for what, keys in (("has no", wanted - set(state.tensors)),
                       ("has", set(state.tensors) - wanted)):
        if keys:
            raise ArgumentError(
                f"the state {what} {', '.join(map(repr, sorted(keys)[:8]))}"
                f"{', …' if len(keys) > 8 else ''}: expected what "
                "init(params) makes for these parameters and options")


def module_from_pytree(params: PyTree,
                       rules: Union[Mapping[str, Any], str, None] = None
                       ) -> Module:
    """`Module.from_params` of a tree of arrays, or of what has shape and dtype.

    Names are the keys on the way to a leaf, joined by '.': 'layers.0.kernel'.
    `rules` is a rules file (docs/rules.md). Raises CompileError.
    """
    leaves, _ = _leaves(params)
    return module_of(_description(leaves), rules_text(rules) or "{}")


def muon(learning_rate: Rate,
         ns_coeffs: Union[Sequence[float], Sequence[Sequence[float]],
                          str] = (3.4445, -4.7750, 2.0315),
         ns_steps: int = 5, beta: float = 0.95, eps: float = 1e-8,
         weight_decay: float = 0.0, weight_decay_mask: Mask = None,
         mu_dtype: Any = None, *, nesterov: bool = True,
         adaptive: bool = False, preconditioning: str = "frobenius",
         adam_b1: float = 0.9, adam_b2: float = 0.999,
         adam_eps_root: float = 0.0, adam_weight_decay: float = 0.0,
         adam_learning_rate: Union[Rate, None] = None,
         muon_weight_dimension_numbers: None = None,
         consistent_rms: Union[float, None] = None, labels: Labels = None,
         rules: Rules = None) -> Muon:
    """A compiled step of Muon and AdamW, with the options of
    optax.contrib.muon; docs/jax.md has the differences.

    learning_rate       a number, an array or a schedule: a function of the
                        number of steps taken
    ns_coeffs           (a, b, c) for all of `ns_steps`, a triple for each
                        step, or a name: those of docs/rules.md, and Optax's
                        'standard' and 'dion'
    weight_decay_mask   a tree of booleans, or a function from parameters to
                        one: False for what does not decay
    mu_dtype            of momenta and moments: float32 (the default),
                        bfloat16 or float16
    adam_learning_rate  of AdamW; by default `learning_rate`
    consistent_rms      None scales by √max(1, out/in), a number r by
                        r·√max(in, out)
    labels              a tree of 'muon', 'adamw' or 'frozen', or a function
                        from parameters to one; the tree may be a prefix
    rules               without labels, what decides: rules of docs/rules.md
                        as a list, or a whole rules file as a mapping or text,
                        whose keys override options

    Without labels and rules, matrices are Muon's, but for those whose names say
    that they are embeddings or heads, and all other arrays AdamW's.

    Raises ArgumentError for options that compiled steps do not have.
    """
    options = Options.checked(
        ns_coeffs=ns_coeffs, ns_steps=ns_steps, beta=beta, eps=eps,
        weight_decay=weight_decay, weight_decay_mask=weight_decay_mask,
        mu_dtype=mu_dtype, nesterov=nesterov, adaptive=adaptive,
        preconditioning=preconditioning, adam_b1=adam_b1, adam_b2=adam_b2,
        adam_eps_root=adam_eps_root, adam_weight_decay=adam_weight_decay,
        muon_weight_dimension_numbers=muon_weight_dimension_numbers,
        consistent_rms=consistent_rms, labels=labels, rules=rules)
    if adam_learning_rate is None:
        adam_learning_rate = learning_rate
    for name, rate in (("learning_rate", learning_rate),
                       ("adam_learning_rate", adam_learning_rate)):
        if isinstance(rate, (int, float)) and not 0 <= rate < float("inf"):
            raise ArgumentError(f"{name} is {rate}, expected a finite number "
                                "that is at least 0")
    steps = _Steps(learning_rate, adam_learning_rate, options)
    return Muon(steps.init, steps.update)
