# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled steps and what they are bound to."""
from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from typing import (TYPE_CHECKING, Any, BinaryIO, Callable, Mapping, NamedTuple,
                    Optional, Union)

from . import _native
from ._errors import ArgumentError, Error, StepError

if TYPE_CHECKING:
    from . import _runtime
else:
    _runtime = _native.runtime()

Tensors = Mapping[str, Any]
Scalar = Union[float, Mapping[str, float], None]
PathLike = Union[str, "os.PathLike[str]"]

DeviceArray = _runtime.DeviceArray


def bfloat16(bits: Any) -> Any:
    """Says that a buffer of 16-bit integers has the bits of bf16 numbers.

    For exporters that have no bf16, as NumPy without ml_dtypes: the result
    goes where a bf16 tensor does. Nothing is copied.
    """
    return _runtime.BFloat16(bits)


@dataclass(frozen=True)
class Argument:
    """A tensor of a step.

    role     'weight', 'gradient', 'momentum', 'exp_avg', 'exp_avg_sq',
             'master' or 'step'
    name     of the parameter; 'step' for the number of steps
    key      in the mapping that has it: the name for weights and gradients,
             '<name>.<role>' or 'step' for state
    dtype    'float32', 'bfloat16', 'float16' or 'int64'
    written  whether the step writes to it: to all but gradients
    """

    role: str
    name: str
    key: str
    dtype: str
    shape: tuple[int, ...]
    written: bool


@dataclass(frozen=True)
class ScalarArgument:
    """A number that a call gives; `default` is None where it has to.

    `role` is the keyword: 'lr', 'weight_decay', 'momentum' or 'clip'. `group`
    is the rule group; None for the clip limit.
    """

    role: str
    group: Optional[str]
    default: Optional[float]


class NonFinite(NamedTuple):
    """A tensor that had an infinity or a NaN before the step."""

    role: str
    name: str


class Result(NamedTuple):
    """What a call did.

    taken      False if the step was skipped, for `nonfinite`; then it changed
               nothing
    clip       what all gradients were multiplied by; 1 without clipping
    nonfinite  the tensors, where the step looks for them
    """

    taken: bool
    clip: float
    nonfinite: tuple[NonFinite, ...]


class Statistics(NamedTuple):
    """Of one parameter; NaN for what the step does not report.

    gradient_norm  Frobenius norm, before clipping
    momentum_norm  before the step
    update_rms     of the scaled update, without learning rate
    weight_norm    after the step
    """

    gradient_norm: float
    momentum_norm: float
    update_rms: float
    weight_norm: float


_PLAIN, _PLAIN_RESULT = (True, 1.0, 0), Result(True, 1.0, ())
_KEYWORDS = {"beta": "momentum", "clip_limit": "clip"}


class _Runner:
    """What steps and bound steps have in common."""

    _instance: _runtime.Instance

    def _result(self, raw: tuple[bool, float, int]) -> Result:
        if raw == _PLAIN:
            return _PLAIN_RESULT
        taken, clip, count = raw
        return Result(taken, clip, tuple(
            NonFinite(*one) for one in self._instance.nonfinite())
            if count else ())

    def wait(self) -> Result:
        """The result of the last call, which may have been one without
        waiting."""
        return self._result(self._instance.wait())

    def stats(self) -> dict[str, Statistics]:
        """Of each parameter in the last call, by name.

        Raises ArgumentError if there was none.
        """
        return {name: Statistics(*values)
                for name, values in self._instance.statistics().items()}


class BoundStep(_Runner):
    """A step with all of its tensors, from `Step.bind`.

    A call does nothing for each of them. The memory is in use until this
    object is gone: the exporters keep it where it is.
    """

    def __init__(self, instance: _runtime.Instance) -> None:
        self._instance = instance

    def __call__(self, *, lr: Scalar = None, weight_decay: Scalar = None,
                 momentum: Scalar = None, clip: Optional[float] = None,
                 stream: Any = None, wait: bool = True) -> Optional[Result]:
        """As `Step.__call__`, on the tensors that are bound."""
        raw = self._instance.run(None, None, None, lr, weight_decay, momentum,
                                 clip, stream, wait)
        return self._result(raw) if wait else None


class Step(_Runner):
    """A compiled step on a device, from `compile` or `load`.

    Calls of two threads must not overlap: the second raises StepError and does
    nothing. Steps that `bind` makes are independent of each other and of this
    one.
    """

    _artifact: _runtime.Artifact
    _file: BinaryIO
    _report: Optional[str]
    _about: dict[str, Any]
    _arguments: tuple[Argument, ...]
    _scalars: tuple[ScalarArgument, ...]

    def __init__(self) -> None:
        raise TypeError("expected muon_mlir.compile() or Step.load()")

    @classmethod
    def load(cls, path: PathLike, device: str = "cpu") -> "Step":
        """A step from an artifact, as `save` or muon-compile write it.

        `device` is 'cpu', 'cuda', 'cuda:1', or 'sim', a simulated GPU. Loading
        runs code of the file. Raises StepError if the file is no artifact, or
        one for another device or processor.
        """
        return cls._open(os.fspath(path), device, None)

    @classmethod
    def _open(cls, path: str, device: str, report: Optional[str]) -> "Step":
        if not isinstance(path, str):
            raise ArgumentError(f"path is {path!r}, expected a string")
        if not isinstance(device, str):
            raise ArgumentError(f"device is {device!r}, expected a string")
        self = object.__new__(cls)
        # Whatever the name means later, `save` copies what was loaded.
        try:
            file = open(path, "rb")
        except OSError as error:
            raise StepError(f"{path}: {error.strerror}") from error
        try:
            self._artifact = _runtime.load(path, device)
            self._instance = _runtime.Instance(self._artifact)
        except BaseException:
            file.close()
            raise
        self._file = file
        self._report = report
        self._about = self._artifact.info()
        self._arguments = tuple(
            Argument(*one) for one in self._artifact.tensors())
        self._scalars = tuple(
            ScalarArgument(_KEYWORDS.get(role, role), group, default)
            for role, group, default in self._artifact.scalars())
        return self

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()

    def __repr__(self) -> str:
        return (f"<muon_mlir.Step for {self._about['target']} on "
                f"{self.device}, {len(self._arguments)} tensors>")

    @property
    def device(self) -> str:
        """'cpu', 'cuda' or 'sim'."""
        return str(self._about["device"])

    @property
    def info(self) -> dict[str, Any]:
        """compiler, target, arch, cpu, scratch_bytes (of each step), device,
        host_memory (whether tensors are in memory of the host), rank, ranks
        and grid."""
        return dict(self._about)

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The tensors that a call needs."""
        return self._arguments

    @property
    def scalars(self) -> tuple[ScalarArgument, ...]:
        """The numbers that a call takes, by role and group."""
        return self._scalars

    @property
    def frozen(self) -> tuple[str, ...]:
        """Names of tensors that the step does not touch."""
        return tuple(self._artifact.frozen())

    def save(self, path: PathLike) -> None:
        """Writes the artifact, for `load` and muon-run: to a temporary name in
        the same folder, which is then renamed.

        A step that was loaded from `path` itself and is still alive is in the
        way of loading the new file by that name.
        """
        target = os.path.abspath(os.fspath(path))
        try:
            handle, temporary = tempfile.mkstemp(
                prefix=".muon-", dir=os.path.dirname(target))
        except OSError as error:
            raise Error(f"cannot write {target}: {error.strerror}") from error
        try:
            with os.fdopen(handle, "wb") as out:
                at = 0
                while block := os.pread(self._file.fileno(), 1 << 20, at):
                    out.write(block)
                    at += len(block)
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, target)
        except OSError as error:
            os.unlink(temporary)
            raise Error(f"cannot write {target}: {error.strerror}") from error

    def report(self) -> dict[str, Any]:
        """What the step does and what it takes (docs/report.md).

        Raises StepError for a step that was loaded from a file: artifacts do
        not have it.
        """
        if self._report is None:
            raise StepError("a step that was loaded from a file has no report; "
                            "one from muon_mlir.compile() does")
        report: dict[str, Any] = json.loads(self._report)
        return report

    def bind(self, params: Tensors, grads: Tensors,
             state: Tensors) -> BoundStep:
        """A step of the same code, bound to these tensors for its life.

        All tensors of `arguments` have to be there. Each bound step has its
        own scratch memory, which the first call allocates. Raises
        ArgumentError.
        """
        instance = _runtime.Instance(self._artifact)
        instance.bind(params, grads, state)
        return BoundStep(instance)

    def __call__(self, params: Optional[Tensors] = None,
                 grads: Optional[Tensors] = None,
                 state: Optional[Tensors] = None, *, lr: Scalar = None,
                 weight_decay: Scalar = None, momentum: Scalar = None,
                 clip: Optional[float] = None, stream: Any = None,
                 wait: bool = True) -> Optional[Result]:
        """Runs the step: updates params and state, in place.

        params, grads and state map keys of `arguments` to tensors that have
        __dlpack__ or the buffer protocol, on the step's device, of exactly the
        dtype and shape, and contiguous in row-major order. They stay bound:
        what a later call does not give is as the last one gave it, and is kept
        alive and in place until then.

        lr, weight_decay and momentum are one number for all rule groups, or a
        mapping from group to number; clip is the limit of the global norm. For
        what is not given, the defaults of `scalars` hold, not what an earlier
        call gave.

        On a GPU the step runs on `stream`: the address of a CUstream, or an
        object with __cuda_stream__; None is the default stream. Without `wait`
        the call does not wait for the GPU and returns None; `wait()` has the
        result. The order among streams is the caller's business.

        Raises ArgumentError for an argument that does not fit, and nothing has
        changed; StepError if the step fails while it runs, and tensors may be
        half updated.
        """
        raw = self._instance.run(params, grads, state, lr, weight_decay,
                                 momentum, clip, stream, wait)
        return self._result(raw) if wait else None

    def empty(self, argument: Argument) -> DeviceArray:
        """Memory of the device for an argument, with undefined contents.

        A DeviceArray has copy_from(tensor) and copy_to(tensor), to and from
        memory of the host, address, dtype and shape. For devices that nothing
        else allocates on, as 'sim'.
        """
        return self._artifact.empty(self._index(argument))

    def init_state(self, params: Tensors,
                   allocator: Optional[Callable[[Argument], Any]] = None
                   ) -> dict[str, Any]:
        """The state before the first step, by key: zero, and masters equal to
        the weights in `params`.

        `allocator` makes a tensor for an argument; what is in it does not
        matter. By default NumPy does, or `empty` where the step does not work
        in memory of the host; bf16 state is then of ml_dtypes, or wrapped by
        `bfloat16` without it.
        """
        if allocator is None:
            allocator = (_numpy_empty if self._about["host_memory"]
                         else self.empty)
        state = {}
        for index, argument in enumerate(self._arguments):
            if argument.role in ("weight", "gradient"):
                continue
            weight = None
            if argument.role == "master":
                if argument.name not in params:
                    raise ArgumentError(
                        f"params has no {argument.name!r}, which "
                        f"{argument.key!r} is to be equal to")
                weight = params[argument.name]
            tensor = allocator(argument)
            self._artifact.initialize(index, tensor, weight)
            state[argument.key] = tensor
        return state

    def _index(self, argument: Argument) -> int:
        try:
            return self._arguments.index(argument)
        except ValueError:
            raise ArgumentError(f"{argument!r} is no argument of this step"
                                ) from None


def _numpy_empty(argument: Argument) -> Any:
    try:
        import numpy
    except ImportError as error:
        raise ImportError(
            "init_state() needs NumPy, or an allocator") from error
    if argument.dtype != "bfloat16":
        return numpy.empty(argument.shape, argument.dtype)
    try:
        import ml_dtypes
    except ImportError:
        return bfloat16(numpy.empty(argument.shape, "uint16"))
    return numpy.empty(argument.shape, ml_dtypes.bfloat16)


def set_cpu_threads(count: int) -> None:
    """Sets the number of threads of steps on the CPU, at least 1: a setting of
    the BLAS library, and so of the whole process."""
    _runtime.set_cpu_threads(count)


def devices() -> tuple[str, ...]:
    """Names that `Step.load` knows, whether or not this machine has them."""
    return tuple(_runtime.devices())
