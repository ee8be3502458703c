# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The artifact by itself, loaded as any program may load it.

docs/artifact.md says how. The host of this test is hostile: scratch memory is
full of NaN, reports are, too, every buffer lies between guards, products may
only touch memory that the step was given, and iterations of a parallel loop run
in any order.
"""

from __future__ import annotations

import ctypes
import json
import random
import shutil
import subprocess
from typing import Mapping

import numpy as np

import grid
from muon_reference import init_state
from storage import BITS, Tensor, rounded
from support import StepTestCase, gradients_for
from tolerance import Comparison

_STORAGE = {"f32": "F32", "bf16": "BF16", "f16": "F16", "f64": "F64",
            "i64": "I64", "i1": "BOOL"}
_SCALARS = {"lr": "lr", "weight_decay": "weight_decay", "beta": "momentum",
            "clip_limit": "clip"}
_STATE = ("momentum", "exp_avg", "exp_avg_sq", "master")
_POISON = 0xFF  # NaN in every floating-point type
_GUARD, _GUARD_BYTES = 0xA5, 256

_int32, _int64, _double = ctypes.c_int32, ctypes.c_int64, ctypes.c_double
_pointer = ctypes.c_void_p
_function = ctypes.CFUNCTYPE
SYMMETRIC_PRODUCT = _function(
    None, _pointer, _int32, _int32, _int64, _int64, _int64, _double, _double,
    _pointer, _pointer, _pointer, _pointer)
COMMUTING_PRODUCT = _function(
    None, _pointer, _int32, _int64, _int64, _double, _double, _double, _pointer,
    _pointer, _pointer)
SYMMETRIC_APPLY = _function(
    None, _pointer, _int32, _int32, _int64, _int64, _int64, _double, _double,
    _pointer, _pointer, _pointer, _pointer)
BODY = _function(None, _pointer, _int64, _pointer)
PARALLEL_FOR = _function(None, _pointer, _int64, BODY, _pointer, _int64, _int64,
                         ctypes.POINTER(_pointer))

# MuonProductType and MuonProductFlags.
_COMPUTE = ("f32", "tf32", "bf16", "f16")
_PRODUCT_STORAGE = ("F32", "F32", "BF16", "F16")
_RIGHT, _HAS_FACTOR, _HAS_ADDEND, _F32_RESULT = 1, 2, 4, 8


class HostApi(ctypes.Structure):
    """MuonHostApi of muon-mlir/Runtime/HostApi.h."""

    _fields_ = [("version", ctypes.c_uint32), ("size", ctypes.c_uint32),
                ("context", _pointer), ("arena", _pointer),
                ("symmetric_product", SYMMETRIC_PRODUCT),
                ("commuting_product", COMMUTING_PRODUCT),
                ("symmetric_apply", SYMMETRIC_APPLY),
                ("parallel_for", PARALLEL_FOR), ("launch", _pointer),
                ("collective_start", _pointer),
                ("collective_wait", _pointer)]


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
        self.calls = {"symmetric_product": 0, "commuting_product": 0,
                      "symmetric_apply": 0, "parallel_for": 0}
        self.types: set[int] = set()
        self.context = 0x5EED
        self.order = random.Random(7)

    def array(self, what, address, shape, dtype) -> np.ndarray:
        """The bits at an address, which are the step's."""
        if min(shape) < 1:
            raise ValueError(f"{what}: shape {shape}")
        bits = BITS[dtype]
        size = int(np.prod(shape)) * bits.itemsize
        if address % bits.itemsize or not any(
                m.address <= address and address + size <= m.address + m.size
                for m in self.memory):
            raise ValueError(f"{what}: outside the step's memory")
        raw = np.ctypeslib.as_array((ctypes.c_uint8 * size
                                     ).from_address(address))
        return raw.view(bits).reshape(shape)

    def read(self, what, address, shape, dtype) -> np.ndarray:
        values = Tensor(dtype, self.array(what, address, shape, dtype)).values()
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{what}: reads memory that was never written")
        return values.astype(np.float32)

    def write(self, what, address, values, dtype) -> None:
        self.array(what, address, values.shape, dtype)[:] = Tensor.of(
            values, dtype).bits

    def symmetric(self, what, address, shape, dtype) -> np.ndarray:
        values = self.read(what, address, shape, dtype)
        if not np.array_equal(values, values.transpose(0, 2, 1)):
            raise ValueError(f"{what}: not symmetric")
        return values

    def factors(self, flags, address, batch) -> np.ndarray:
        if not flags & _HAS_FACTOR:
            return np.ones((batch, 1, 1), np.float32)
        return self.read("factor", address, (batch, 1, 1), "F32")

    def guarded_call(self, name, context, body, type=0) -> None:
        self.calls[name] += 1
        self.types.add(type)
        try:
            if context != self.context:
                raise ValueError("context was not passed back")
            body()
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(f"{name}: {error}")

    def symmetric_product(self, context, type, flags, batch, n, k, alpha, beta,
                          factor, x, addend, out):
        def body():
            dtype, right = _PRODUCT_STORAGE[type], flags & _RIGHT
            shape = (batch, k, n) if right else (batch, n, k)
            X = rounded(self.read("x", x, shape, dtype), _COMPUTE[type])
            if right:
                X = X.transpose(0, 2, 1)
            f = self.factors(flags, factor, batch).astype(np.float64)
            C = (alpha * f * f).astype(np.float32) * (
                X @ X.transpose(0, 2, 1))
            if flags & _HAS_ADDEND:
                C += np.float32(beta) * self.symmetric(
                    "addend", addend, (batch, n, n), dtype)
            elif beta != 0:
                raise ValueError("beta without an addend")
            upper = np.triu(C)
            self.write("out", out, upper + np.triu(C, 1).transpose(0, 2, 1),
                       dtype)
        self.guarded_call("symmetric_product", context, body, type)

    def commuting_product(self, context, type, batch, n, alpha, lhs_shift,
                          rhs_shift, lhs, rhs, out):
        def body():
            dtype, shape = _PRODUCT_STORAGE[type], (batch, n, n)
            A = self.symmetric("lhs", lhs, shape, dtype)
            B = self.symmetric("rhs", rhs, shape, dtype)
            C = (rounded(A, _COMPUTE[type]) @ rounded(B, _COMPUTE[type])
                 + np.float32(rhs_shift) * A + np.float32(lhs_shift) * B
                 + np.float32(lhs_shift * rhs_shift) * np.eye(
                     n, dtype=np.float32))
            C = np.float32(alpha) * C
            upper = np.triu(C)
            self.write("out", out, upper + np.triu(C, 1).transpose(0, 2, 1),
                       dtype)
        self.guarded_call("commuting_product", context, body, type)

    def symmetric_apply(self, context, type, flags, batch, m, n, alpha, beta,
                        factor, s, x, out):
        def body():
            dtype, right = _PRODUCT_STORAGE[type], flags & _RIGHT
            S = rounded(self.symmetric("s", s, (batch, m, m), dtype),
                        _COMPUTE[type])
            X = self.read("x", x, (batch, n, m) if right else (batch, m, n),
                          dtype)
            near = rounded(X, _COMPUTE[type])
            product = near @ S if right else S @ near
            f = self.factors(flags, factor, batch)
            Y = f * (np.float32(beta) * X + np.float32(alpha) * product)
            self.write("out", out, Y,
                       "F32" if flags & _F32_RESULT else dtype)
        self.guarded_call("symmetric_apply", context, body, type)

    def parallel_for(self, context, count, body, data, num_sums, group, sums):
        def run():
            if count < 1 or group < 1 or count % group or num_sums < 0:
                raise ValueError(f"{count} iterations in groups of {group}")
            partial = np.zeros((count, max(num_sums, 1)), np.float64)
            order = list(range(count))
            self.order.shuffle(order)
            for i in order:
                body(data, i, partial[i].ctypes.data)
            for number in range(num_sums):
                total = np.zeros(count // group)
                for i in range(count):
                    total[i // group] += partial[i, number]
                self.write("sums", sums[number], total, "F64")
        self.guarded_call("parallel_for", context, run)

    def table(self, arena: Guarded) -> HostApi:
        return HostApi(4, ctypes.sizeof(HostApi), self.context, arena.address,
                       SYMMETRIC_PRODUCT(self.symmetric_product),
                       COMMUTING_PRODUCT(self.commuting_product),
                       SYMMETRIC_APPLY(self.symmetric_apply),
                       PARALLEL_FOR(self.parallel_for), None, None, None)


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
        # Both iterations, every arithmetic, and matrices of several chunks of a
        # parallel loop.
        for compute in ("f32", "tf32", "bf16", "f16"):
            name = f"products.{compute}"
            keep[name] = Tensor.of(np.linspace(-1, 1, 12 * 40).reshape(12, 40),
                                   "F32")
            rules["rules"].append({"match": f"^{name}$", "optimizer": "muon",
                                   "compute": compute})
        keep["chunks"] = Tensor.of(
            np.linspace(-1, 1, 8 * 9000).reshape(8, 9000), "F32")
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
                         ("muon-artifact", 1, 4, "cpu"))
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
            host.memory = [arena, *buffers.values(),
                           *(memory for _, memory in reports)]
            table = host.table(arena)
            done = step(ctypes.byref(table), (_pointer * len(slots))(*slots),
                        None)
            self.assertEqual(done, 0)
            self.assertEqual(host.errors[:5], [])
            self.assertTrue(all(host.calls.values()), host.calls)
            self.assertEqual(host.types, {0, 1, 2, 3})

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
