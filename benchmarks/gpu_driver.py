# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The CUDA driver, cuBLASLt and the Muon runtime through ctypes.

Nothing is installed for this, and nothing else allocates or launches what is
compared: all contestants get the same memory, streams and events.

    gpu_driver.py DEVICE

As a program it prints what it can tell of a GPU, as JSON.
"""
from __future__ import annotations

import ctypes
import json
import os
import pathlib
import sys
from ctypes import byref, c_char_p, c_double, c_float, c_int, c_int32, \
    c_int64, c_size_t, c_ubyte, c_uint, c_uint64, c_void_p
from typing import Callable, Optional, Sequence


class GpuError(Exception):
    """A library is missing, or a call failed."""


def split_device(device: str) -> tuple[str, dict[str, str]]:
    """('cuda', {'': '1', 'driver': PATH}) of 'cuda:1,driver=PATH'."""
    kind, _, options = device.partition(":")
    found = {}
    for option in filter(None, options.split(",")):
        key, equals, value = option.partition("=")
        found.update({key: value} if equals else {"": key})
    return kind, found


def with_option(device: str, option: str) -> str:
    return f"{device}{',' if ':' in device else ':'}{option}"


# -- The driver ---------------------------------------------------------------

class Driver:
    """A GPU in its primary context, which is current from here on."""

    def __init__(self, device: str = "cuda"):
        _, options = split_device(device)
        path = options.get("driver", "libcuda.so.1")
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise GpuError(f"no CUDA driver: {error}") from error
        self.call("cuInit", c_uint(0))
        self.number = int(options.get("", "0"))
        self._device = c_int()
        self.call("cuDeviceGet", byref(self._device), c_int(self.number))
        context = c_void_p()
        self.call("cuDevicePrimaryCtxRetain", byref(context), self._device)
        self.call("cuCtxPushCurrent_v2", context)
        # The stand-in for the driver that tests use has no clock.
        self.timed = hasattr(self._library, "cuEventElapsedTime")

    def call(self, name: str, *arguments) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            text = c_char_p()
            self._library.cuGetErrorName(c_int(status), byref(text))
            found = (text.value or b"unknown error").decode()
            raise GpuError(f"{name} failed: {found} ({status})")

    def attribute(self, number: int) -> int:
        value = c_int()
        self.call("cuDeviceGetAttribute", byref(value), c_int(number),
                  self._device)
        return value.value

    def describe(self) -> dict:
        name = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", name, c_int(256), self._device)
        version = c_int()
        self.call("cuDriverGetVersion", byref(version))
        about = {
            "name": name.value.decode(),
            "cuda": f"{version.value // 1000}.{version.value % 1000 // 10}",
            "compute_capability": f"{self.attribute(75)}.{self.attribute(76)}"}
        if self.timed:  # the stand-in knows no compute mode
            about["exclusive"] = self.attribute(20) == 3
        return about

    def allocate(self, size: int) -> int:
        address = c_uint64()
        self.call("cuMemAlloc_v2", byref(address), c_size_t(size))
        return address.value

    def free(self, address: int) -> None:
        self.call("cuMemFree_v2", c_uint64(address))

    def upload(self, data: bytes, address: Optional[int] = None) -> int:
        if address is None:
            address = self.allocate(len(data))
        self.call("cuMemcpyHtoDAsync_v2", c_uint64(address), c_char_p(data),
                  c_size_t(len(data)), None)
        self.call("cuStreamSynchronize", None)
        return address

    def download(self, address: int, size: int) -> bytes:
        host = ctypes.create_string_buffer(size)
        self.call("cuMemcpyDtoHAsync_v2", host, c_uint64(address),
                  c_size_t(size), None)
        self.call("cuStreamSynchronize", None)
        return host.raw

    def fill(self, address: int, size: int, byte: int) -> None:
        self.call("cuMemsetD8Async", c_uint64(address), c_ubyte(byte),
                  c_size_t(size), None)
        self.call("cuStreamSynchronize", None)

    def copy(self, to: int, source: int, size: int, stream: c_void_p) -> None:
        self.call("cuMemcpyDtoDAsync_v2", c_uint64(to), c_uint64(source),
                  c_size_t(size), stream)

    def stream(self) -> c_void_p:
        stream = c_void_p()
        self.call("cuStreamCreate", byref(stream), c_uint(1))  # non-blocking
        return stream

    def wait(self, stream: Optional[c_void_p]) -> None:
        self.call("cuStreamSynchronize", stream)

    def event(self) -> c_void_p:
        event = c_void_p()
        self.call("cuEventCreate", byref(event), c_uint(0))
        return event

    def record(self, event: c_void_p, stream: c_void_p) -> None:
        self.call("cuEventRecord", event, stream)

    def elapsed(self, start: c_void_p, end: c_void_p) -> float:
        """Seconds between two events, after waiting for the second."""
        self.call("cuEventSynchronize", end)
        milliseconds = c_float()
        self.call("cuEventElapsedTime", byref(milliseconds), start, end)
        return milliseconds.value / 1e3

    def capture(self, stream: c_void_p, enqueue: Callable[[], None]
                ) -> Callable[[], None]:
        """A call that launches what `enqueue` puts on the stream as a graph."""
        self.call("cuStreamBeginCapture_v2", stream, c_uint(1))
        try:
            enqueue()
        finally:
            graph = c_void_p()
            self.call("cuStreamEndCapture", stream, byref(graph))
        launchable = c_void_p()
        self.call("cuGraphInstantiateWithFlags", byref(launchable), graph,
                  c_uint64(0))
        return lambda: self.call("cuGraphLaunch", launchable, stream)


# -- The runtime --------------------------------------------------------------

ROLES = ("weight", "gradient", "momentum", "exp_avg", "exp_avg_sq", "master",
         "step", "lr", "weight_decay", "beta", "clip_limit")
TYPES = ("F32", "BF16", "F16", "F64", "I64")


class _TensorInfo(ctypes.Structure):
    _fields_ = [("role", c_int), ("type", c_int), ("name", c_char_p),
                ("key", c_char_p), ("rank", c_size_t),
                ("shape", ctypes.POINTER(c_int64)), ("elements", c_uint64),
                ("bytes", c_uint64), ("part", c_int), ("tensor", c_char_p),
                ("logical_key", c_char_p), ("logical_rank", c_size_t),
                ("logical_shape", ctypes.POINTER(c_int64)),
                ("offset", ctypes.POINTER(c_int64)), ("from", c_int64),
                ("block", ctypes.POINTER(c_int64))]


class _Buffer(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("type", c_int), ("rank", c_size_t),
                ("shape", ctypes.POINTER(c_int64)), ("bytes", c_uint64)]


class _Result(ctypes.Structure):
    _fields_ = [("taken", c_int32), ("clip", c_float),
                ("non_finite", c_size_t), ("statistics", c_size_t)]


class Argument:
    def __init__(self, info: _TensorInfo):
        self.role, self.type = ROLES[info.role], TYPES[info.type]
        self.name, self.key = info.name.decode(), info.key.decode()
        self.shape = tuple(info.shape[:info.rank])
        self.bytes = info.bytes


class Runtime:
    def __init__(self, folder: pathlib.Path):
        """What the runtime needs is this machine's where it has it, and that of
        the bundle elsewhere: other libraries of the process may use it."""
        manifest = folder.parent / "bundle.json"
        try:
            for soname in (json.loads(manifest.read_text())["libraries"]
                           if manifest.exists() else ()):
                try:
                    ctypes.CDLL(soname, ctypes.RTLD_GLOBAL)
                except OSError:
                    ctypes.CDLL(str(folder / soname), ctypes.RTLD_GLOBAL)
            self._library = ctypes.CDLL(str(folder / "libmuon_runtime.so.0"))
        except OSError as error:
            raise GpuError(f"cannot load the runtime: {error}") from error
        self._library.muonLastError.restype = c_char_p
        self._library.muonArtifactTensorCount.restype = c_size_t

    def call(self, name: str, *arguments) -> None:
        if getattr(self._library, name)(*arguments):
            raise GpuError(self._library.muonLastError().decode())

    def load(self, path: pathlib.Path, device: str) -> "Step":
        return Step(self, path, device)


class Step:
    """One step of one artifact."""

    def __init__(self, runtime: Runtime, path: pathlib.Path, device: str):
        self._runtime, self._memory = runtime, []
        self._artifact, self._step = c_void_p(), c_void_p()
        self.call = runtime.call
        self.call("muonArtifactLoad", os.fsencode(path), device.encode(),
                  byref(self._artifact))
        self.call("muonStepCreate", self._artifact, byref(self._step))
        self.arguments = []
        count = runtime._library.muonArtifactTensorCount(self._artifact)
        for index in range(count):
            info = _TensorInfo()
            self.call("muonArtifactTensor", self._artifact, c_size_t(index),
                      byref(info))
            self.arguments.append(Argument(info))

    def bind(self, argument: Argument, address: int) -> None:
        shape = (c_int64 * max(len(argument.shape), 1))(*argument.shape)
        buffer = _Buffer(address, TYPES.index(argument.type),
                         len(argument.shape), shape, argument.bytes)
        self.call("muonStepBind", self._step, c_int(ROLES.index(argument.role)),
                  argument.name.encode(), byref(buffer))

    def upload(self, address: int, data: bytes) -> None:
        self.call("muonDeviceUpload", self._artifact, c_void_p(address),
                  c_char_p(data), c_uint64(len(data)), None)

    def bind_data(self, argument: Argument, data: bytes) -> int:
        """Memory of the device's own with these bytes."""
        memory = c_void_p()
        self.call("muonDeviceAllocate", self._artifact,
                  c_uint64(argument.bytes), byref(memory))
        self._memory.append(memory)
        self.upload(memory.value, data)
        self.bind(argument, memory.value)
        return memory.value

    def download(self, argument: Argument, address: int) -> bytes:
        host = ctypes.create_string_buffer(argument.bytes)
        self.call("muonDeviceDownload", self._artifact, host,
                  c_void_p(address), c_uint64(argument.bytes), None)
        return host.raw

    def set(self, role: str, value: float, group: str = "") -> None:
        self.call("muonStepSetScalar", self._step, c_int(ROLES.index(role)),
                  group.encode() or None, c_double(value))

    def enqueue(self, stream: Optional[c_void_p]) -> None:
        self.call("muonStepRun", self._step, stream, None)

    def run(self, stream: Optional[c_void_p] = None) -> bool:
        """False if a value that is not finite made it skip."""
        result = _Result()
        self.call("muonStepRun", self._step, stream, byref(result))
        return bool(result.taken)

    def wait(self) -> None:
        self.call("muonStepWait", self._step, None)

    def close(self) -> None:
        self._runtime._library.muonStepDestroy(self._step)
        for memory in self._memory:
            self._runtime._library.muonDeviceFree(self._artifact, memory)
        self._runtime._library.muonArtifactRelease(self._artifact)
        self._memory = []


# -- cuBLASLt -----------------------------------------------------------------

class _Heuristic(ctypes.Structure):
    _fields_ = [("algorithm", c_uint64 * 8), ("workspace", c_size_t),
                ("state", c_int), ("waves", c_float), ("reserved", c_int * 4)]


_COMPUTE_32F, _R_32F = 68, 0
_TYPES = {"F16": 2, "BF16": 14}
_TRANSA, _TRANSB, _BATCH, _STRIDE, _WORKSPACE = 3, 4, 5, 6, 1
_CANDIDATES = 8


class Blas:
    """Products by cuBLASLt, each with the fastest of what it proposes."""

    SONAMES = ("libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so")
    workspace_bytes = 64 << 20

    def __init__(self, driver: Driver):
        self._driver = driver
        self._library = self.find()
        self._handle = c_void_p()
        self.call("cublasLtCreate", byref(self._handle))
        self._library.cublasLtGetVersion.restype = c_size_t
        self.version = self._library.cublasLtGetVersion()
        self._workspace = driver.allocate(self.workspace_bytes)
        self._best: dict = {}

    @classmethod
    def find(cls) -> ctypes.CDLL:
        folders = ["", "/usr/local/cuda/lib64/"]
        try:  # PyTorch and JAX bring it as a package
            import nvidia
            folders[1:1] = [f"{f}/lib/" for p in nvidia.__path__
                            for f in sorted(map(str, pathlib.Path(p).iterdir()))
                            if f.endswith(("cublas", "cu13", "cu12"))]
        except ImportError:
            pass
        for folder in folders:
            for soname in cls.SONAMES:
                try:
                    return ctypes.CDLL(folder + soname)
                except OSError:
                    pass
        raise GpuError(f"no cuBLASLt: {', '.join(cls.SONAMES)} in the search "
                       f"path or in {', '.join(folders[1:])}")

    def call(self, name: str, *arguments) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            raise GpuError(f"{name} failed: status {status}")

    def _layout(self, type_: int, rows: int, cols: int, batch: int) -> c_void_p:
        layout = c_void_p()
        self.call("cublasLtMatrixLayoutCreate", byref(layout), c_int(type_),
                  c_uint64(rows), c_uint64(cols), c_int64(rows))
        count, stride = c_int32(batch), c_int64(rows * cols)
        for attribute, value in ((_BATCH, count), (_STRIDE, stride)):
            self.call("cublasLtMatrixLayoutSetAttribute", layout,
                      c_int(attribute), byref(value),
                      c_size_t(ctypes.sizeof(value)))
        return layout

    def product(self, stream: c_void_p, dtype: str, batch: int,
                shape: tuple[int, int, int], lhs: int, rhs: int, out: int,
                alpha: float = 1.0, beta: float = 0.0,
                addend: Optional[int] = None, rhs_transposed: bool = False
                ) -> Callable[[], None]:
        """out <- alpha L R + beta addend, with `out` where there is no addend;
        row-major: L (m x k), R (k x n) or
        transposed; a call that enqueues it. cuBLASLt stores by columns and so
        computes the transposed of everything."""
        m, n, k = shape
        description = c_void_p()
        self.call("cublasLtMatmulDescCreate", byref(description),
                  c_int(_COMPUTE_32F), c_int(_R_32F))
        for attribute, transposed in ((_TRANSA, rhs_transposed),
                                      (_TRANSB, False)):
            value = c_int32(transposed)
            self.call("cublasLtMatmulDescSetAttribute", description,
                      c_int(attribute), byref(value), c_size_t(4))
        type_ = _TYPES[dtype]
        a = self._layout(type_, *((k, n) if rhs_transposed else (n, k)), batch)
        b = self._layout(type_, k, m, batch)
        d = self._layout(type_, n, m, batch)
        preference = c_void_p()
        self.call("cublasLtMatmulPreferenceCreate", byref(preference))
        limit = c_size_t(self.workspace_bytes)
        self.call("cublasLtMatmulPreferenceSetAttribute", preference,
                  c_int(_WORKSPACE), byref(limit), c_size_t(8))
        found = (_Heuristic * _CANDIDATES)()
        count = c_int()
        self.call("cublasLtMatmulAlgoGetHeuristic", self._handle, description,
                  a, b, d, d, preference, c_int(_CANDIDATES), found,
                  byref(count))
        candidates = [h for h in found[:count.value] if h.state == 0]
        if not candidates:
            raise GpuError(f"cuBLASLt proposes nothing for {m}x{n}x{k}")
        addend = out if addend is None else addend
        alpha_, beta_ = c_float(alpha), c_float(beta)

        def enqueue(heuristic: _Heuristic) -> None:
            self.call("cublasLtMatmul", self._handle, description,
                      byref(alpha_), c_void_p(rhs), a, c_void_p(lhs), b,
                      byref(beta_), c_void_p(addend), d, c_void_p(out), d,
                      byref(heuristic), c_void_p(self._workspace),
                      c_size_t(self.workspace_bytes), stream)

        # The same product of other operands is not timed again.
        key = (dtype, batch, shape, rhs_transposed, beta == 0, addend == out)
        if key not in self._best:
            self._best[key] = self._fastest(stream, candidates, enqueue)
        return lambda: enqueue(self._best[key])

    def _fastest(self, stream: c_void_p, candidates: Sequence[_Heuristic],
                 enqueue: Callable[[_Heuristic], None]) -> _Heuristic:
        start, end = self._driver.event(), self._driver.event()
        times = []
        for heuristic in candidates:
            try:
                enqueue(heuristic)
                rounds = []
                for _ in range(3):
                    self._driver.record(start, stream)
                    enqueue(heuristic)
                    self._driver.record(end, stream)
                    rounds.append(self._driver.elapsed(start, end))
                times.append(min(rounds))
            except GpuError:
                times.append(float("inf"))
        best = min(range(len(times)), key=times.__getitem__)
        if times[best] == float("inf"):
            raise GpuError("nothing that cuBLASLt proposes runs")
        return candidates[best]


def device_code(path: pathlib.Path) -> tuple[dict, bytes]:
    """An artifact's manifest and what it exports for the GPU."""
    library = ctypes.CDLL(str(path.resolve()))

    def text(name: str) -> bytes:
        size = c_uint64.in_dll(library, name + "_size").value
        return (ctypes.c_char * size).in_dll(library, name).raw

    return json.loads(text("muon_manifest")), text("muon_device_code")


if __name__ == "__main__":
    try:
        print(json.dumps(Driver(*sys.argv[1:]).describe()))
    except GpuError as error:
        sys.exit(str(error))
