# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The artifact by itself, loaded as any program may load it.

docs/artifact.md says how. The host of this test is hostile: scratch memory is
full of NaN, reports are, too, every buffer lies between guards, and products
may only touch memory that the step was given.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from typing import Mapping

import numpy as np

import grid
from muon_reference import init_state
from storage import BITS, Tensor
from support import StepTestCase, gradients_for
from tolerance import Comparison

_STORAGE = {"f32": "F32", "bf16": "BF16", "f16": "F16", "f64": "F64",
            "i64": "I64", "i1": "BOOL"}
_SCALARS = {"lr": "lr", "weight_decay": "weight_decay", "beta": "momentum",
            "clip_limit": "clip"}
_STATE = ("momentum", "exp_avg", "exp_avg_sq", "master")
_POISON = 0xFF  # NaN in every floating-point type
_GUARD, _GUARD_BYTES = 0xA5, 256

_int32, _int64, _float = ctypes.c_int32, ctypes.c_int64, ctypes.c_float
_pointer = ctypes.c_void_p
SSYRK = ctypes.CFUNCTYPE(None, _pointer, _int32, _int64, _int64, _float,
                         _pointer, _int64, _pointer, _int64)
SGEMM = ctypes.CFUNCTYPE(None, _pointer, _int64, _int64, _int64, _float,
                         _pointer, _int64, _pointer, _int64, _float, _pointer,
                         _int64)


class HostApi(ctypes.Structure):
    """MuonHostApi of muon-mlir/Runtime/HostApi.h."""

    _fields_ = [("version", ctypes.c_uint32), ("size", ctypes.c_uint32),
                ("context", _pointer), ("arena", _pointer), ("ssyrk", SSYRK),
                ("sgemm", SGEMM)]


class Guarded:
    """Memory of `size` bytes, aligned as asked, between two guards."""

    def __init__(self, size: int, alignment: int, content=None):
        self.size = size
        self.raw = np.full(size + 2 * _GUARD_BYTES + alignment, _GUARD,
                           np.uint8)
        base = self.raw.ctypes.data + _GUARD_BYTES
        self.begin = _GUARD_BYTES + (-base) % alignment
        self.address = self.raw.ctypes.data + self.begin
        self.bytes[:] = (_POISON if content is None
                         else np.frombuffer(content, np.uint8))

    @property
    def bytes(self) -> np.ndarray:
        return self.raw[self.begin:self.begin + self.size]

    def intact(self) -> bool:
        """Nothing was written outside."""
        return (np.all(self.raw[:self.begin] == _GUARD)
                and np.all(self.raw[self.begin + self.size:] == _GUARD))


class Host:
    """Products in NumPy, with every argument checked. Errors are collected:
    an exception cannot leave a callback."""

    def __init__(self):
        self.memory: list[Guarded] = []
        self.errors: list[str] = []
        self.calls = {"ssyrk": 0, "sgemm": 0}
        self.context = 0x5EED

    def matrix(self, what, address, rows, cols, ld) -> np.ndarray:
        if ld < cols or rows < 1 or cols < 1:
            raise ValueError(f"{what}: {rows}x{cols} with leading "
                             f"dimension {ld}")
        size = 4 * ((rows - 1) * ld + cols)
        if not any(m.address <= address
                   and address + size <= m.address + m.size
                   for m in self.memory):
            raise ValueError(f"{what}: outside the step's memory")
        flat = np.ctypeslib.as_array((ctypes.c_float * (size // 4)
                                      ).from_address(address))
        return np.lib.stride_tricks.as_strided(flat, (rows, cols),
                                               (4 * ld, 4))

    @staticmethod
    def read(what, matrix) -> np.ndarray:
        if not np.all(np.isfinite(matrix)):
            raise ValueError(f"{what}: reads memory that was never written")
        return matrix

    def guarded_call(self, name, context, body) -> None:
        self.calls[name] += 1
        try:
            if context != self.context:
                raise ValueError("context was not passed back")
            body()
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(f"{name}: {error}")

    def ssyrk(self, context, transposed, n, k, alpha, x, ldx, c, ldc):
        def body():
            X = self.matrix("X", x, *((k, n) if transposed else (n, k)), ldx)
            X = self.read("X", X)
            product = X.T @ X if transposed else X @ X.T
            C = self.matrix("C", c, n, n, ldc)
            upper = np.triu_indices(n)
            C[upper] = (np.float32(alpha) * product)[upper]
        self.guarded_call("ssyrk", context, body)

    def sgemm(self, context, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        def body():
            A = self.read("A", self.matrix("A", a, m, k, lda))
            B = self.read("B", self.matrix("B", b, k, n, ldb))
            C = self.matrix("C", c, m, n, ldc)
            product = np.float32(alpha) * (A @ B)
            if beta != 0:
                product += np.float32(beta) * self.read("C", C)
            C[:] = product
        self.guarded_call("sgemm", context, body)

    def table(self, arena: Guarded) -> HostApi:
        return HostApi(1, ctypes.sizeof(HostApi), self.context, arena.address,
                       SSYRK(self.ssyrk), SGEMM(self.sgemm))


class Abi(StepTestCase):
    def checkpoint(self):
        tensors, kinds, rules = grid.storage_checkpoint(
            clip_global_norm=3.0, state_type="bf16")
        keep = {n: t for n, t in tensors.items()
                if kinds.get(n) in (None, "gaussian", "decay3", "zero")
                and t.bits.size < 4000}
        # A fused matrix: its blocks share one buffer.
        keep["fused"] = Tensor.of(np.linspace(-1, 1, 40 * 8).reshape(40, 8),
                                  "F32")
        keep["ids"] = Tensor.of(np.arange(5), "I64")
        rules["rules"].append({"match": "^fused$", "optimizer": "muon",
                               "split": [24, 8, 8], "iteration": "direct"})
        return keep, kinds, rules

    def load(self, artifact):
        library = ctypes.CDLL(str(artifact.library))
        size = ctypes.c_uint64.in_dll(library, "muon_manifest_size").value
        text = bytes((ctypes.c_char * size).in_dll(library, "muon_manifest"))
        step = library.step
        step.restype = _int32
        step.argtypes = [ctypes.POINTER(HostApi), ctypes.POINTER(_pointer),
                         _pointer]
        return library, json.loads(text), step

    def fill(self, manifest, tensors: Mapping[str, Mapping[str, Tensor]],
             scalars: Mapping):
        """(slot table, buffers by tensor or report) for one step."""
        slots: list = [None] * manifest["slots"]
        buffers: dict[str, Guarded] = {}
        reports: list[tuple[dict, Guarded]] = []

        def put(slot, address):
            self.assertIsNone(slots[slot], f"slot {slot} is used twice")
            slots[slot] = address

        def buffer_of(role, name):
            source, key = (("params", name) if role == "weight" else
                           ("grads", name) if role == "gradient" else
                           ("state", name if role == "step"
                            else f"{name}.{role}"))
            tensor = tensors[source][key]
            label = f"{source}:{key}"
            if label not in buffers:
                buffers[label] = Guarded(
                    tensor.bits.nbytes, tensor.bits.itemsize,
                    tensor.bits.tobytes())
            return tensor, buffers[label]

        for argument in manifest["arguments"]:
            role, shape = argument["role"], tuple(argument["shape"])
            dtype = _STORAGE[argument["type"]]
            if role in ("weight", "gradient", *_STATE):
                members = manifest["params"][argument["params"]]
                for i, member in enumerate(members):
                    block = isinstance(member, dict)
                    name = member["tensor"] if block else member
                    tensor, memory = buffer_of(role, name)
                    self.assertEqual(tensor.dtype, dtype, name)
                    offset = 0
                    if block:
                        begin, end = member["begin"], member["end"]
                        self.assertEqual(tensor.shape[0], member["rows"])
                        self.assertEqual(shape,
                                         (end - begin, *tensor.shape[1:]))
                        offset = begin * tensor.bits[0].nbytes
                    else:
                        self.assertEqual(tensor.shape, shape, name)
                    put(argument["slot"] + i, memory.address + offset)
            elif role == "step":
                put(argument["slot"], buffer_of("step", "step")[1].address)
            elif role in _SCALARS:
                self.assertEqual((dtype, shape), ("F32", ()))
                given = scalars.get(_SCALARS[role])
                if isinstance(given, Mapping):
                    given = given.get(argument.get("group"), given.get(""))
                value = argument.get("default") if given is None else given
                self.assertIsNotNone(value, f"{role}: no value, no default")
                buffers[f"scalar:{argument['slot']}"] = memory = Guarded(
                    4, 4, np.float32(value).tobytes())
                put(argument["slot"], memory.address)
            else:
                size = int(np.prod(shape, dtype=int)) * BITS[dtype].itemsize
                memory = Guarded(size, BITS[dtype].itemsize)
                reports.append((argument, memory))
                put(argument["slot"], memory.address)
        self.assertNotIn(None, slots, "slots do not cover the table")
        return slots, buffers, reports

    def test_step_in_a_hostile_host(self):
        tensors, kinds, rules = self.checkpoint()
        artifact = self.artifact(tensors, rules)
        if shutil.which("nm"):
            undefined = subprocess.run(
                ["nm", "-D", "--undefined-only", artifact.library],
                capture_output=True, text=True, check=True).stdout.split("\n")
            self.assertEqual([u for u in undefined if " U " in u], [])
        library, manifest, step = self.load(artifact)
        self.assertEqual((manifest["format"], manifest["version"],
                          manifest["host_api"], manifest["target"]),
                         ("muon-artifact", 1, 1, "cpu"))
        self.assertEqual(manifest["frozen"], ["ids"])

        plan = artifact.plan
        comparison = Comparison(plan)
        params, state = dict(tensors), init_state(plan, tensors)
        # Two steps in the same, then dirty, scratch memory.
        arena = Guarded(manifest["arena"]["bytes"],
                        manifest["arena"]["alignment"])
        for number in (1, 2):
            scalars = {"lr": 0.5, "momentum": 0.75 if number == 2 else None}
            grads = gradients_for(plan, params, number, kinds)
            before = {"params": params, "grads": grads, "state": state}
            slots, buffers, reports = self.fill(manifest, before, scalars)
            host = Host()
            host.memory = [arena, *buffers.values()]
            table = host.table(arena)
            done = step(ctypes.byref(table), (_pointer * len(slots))(*slots),
                        None)
            self.assertEqual(done, 0)
            self.assertEqual(host.errors[:5], [])
            self.assertGreater(host.calls["ssyrk"], 0)

            after: dict = {"params": dict(params), "grads": {},
                           "state": dict(state)}
            for label, memory in buffers.items():
                self.assertTrue(memory.intact(), f"{label}: written outside")
                source, _, name = label.partition(":")
                if source == "scalar":
                    continue
                old = before[source][name]
                after[source][name] = Tensor(old.dtype, np.frombuffer(
                    memory.bytes.tobytes(), BITS[old.dtype]
                ).reshape(old.shape))
            self.assertTrue(arena.intact(), "scratch memory: written outside")
            self.assertSameBits(grads, after["grads"])
            exact = comparison.add(params, grads, state, scalars,
                                   after["params"], after["state"])
            self.check_reports(manifest, reports, before, after, exact)
            params, state = after["params"], after["state"]
        self.assertNoFailures(comparison.failures())
        del library

    def check_reports(self, manifest, reports, before, after, exact):
        """Every report is written, and true."""
        for argument, memory in reports:
            self.assertTrue(memory.intact())
            role = argument["role"]
            values = np.frombuffer(memory.bytes.tobytes(),
                                   BITS[_STORAGE[argument["type"]]])
            if role == "ok":
                self.assertEqual(list(values), [1])
            elif role == "clip":
                np.testing.assert_allclose(values, exact.clip, rtol=1e-6)
            else:
                want = np.concatenate([
                    self.sums(role, member, before, after, exact)
                    for member in manifest["params"][argument["params"]]])
                self.assertEqual(values.shape, want.shape, role)
                # Sums over a bf16 or f16 copy may be of what is stored.
                np.testing.assert_allclose(values, want, rtol=1e-2,
                                           atol=1e-30, err_msg=role)

    def sums(self, role, member, before, after, exact) -> np.ndarray:
        block = isinstance(member, dict)
        name = member["tensor"] if block else member
        values = {
            "gradient_sums": lambda: before["grads"][name].values(),
            "momentum_sums": lambda: before["state"][
                f"{name}.momentum"].values(),
            "update_sums": lambda: exact.update[name] / 0.5,
            "weight_sums": lambda: exact.values[name],
        }[role]()
        if block:
            values = values[member["begin"]:member["end"]]
        values = (values.reshape(-1, *values.shape[-2:])
                  if values.ndim > 2 else values[None])
        return np.array([np.sum(np.square(v)) for v in values])
