# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Steps on a GPU, without one.

PyTorch's tensors are stand-ins: they are in memory of the driver that the
runtime's tests use, which simulates a GPU, and nothing of PyTorch reads them.
What is not tested is PyTorch with CUDA itself.
"""
import ctypes
import functools
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from reference import Reference, error, gradient

import muon_mlir
import muon_mlir.torch
from muon_mlir import _torch_steps as steps

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("MUON_BIN", ROOT / "build/release/bin"))
DRIVER = BIN.parent / "lib" / "libMuonFakeCuda.so"
SHAPES = {"w": (24, 16), "b": (33,)}
KINDS = {"w": "muon", "b": "adamw"}


class Gpu:
    """Memory and streams of the driver."""

    def __init__(self):
        self.cuda = ctypes.CDLL(str(DRIVER))
        self.kept = []
        context = ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
        self.call("cuCtxPushCurrent_v2", context)
        self.stream = ctypes.c_void_p()
        self.call("cuStreamCreate", ctypes.byref(self.stream), 1)

    def call(self, name, *arguments):
        status = getattr(self.cuda, name)(*arguments)
        assert status == 0, (name, status)

    def tensor(self, values):
        """A tensor whose address is one of the GPU, with these values there."""
        address = ctypes.c_uint64()
        size = ctypes.c_size_t(values.numel() * values.element_size())
        self.call("cuMemAlloc_v2", ctypes.byref(address), size)
        self.call("cuMemcpyHtoDAsync_v2", address,
                  ctypes.c_void_p(values.data_ptr()), size, self.stream)
        self.call("cuStreamSynchronize", self.stream)
        memory = (ctypes.c_char * size.value).from_address(address.value)
        self.kept.append((values, memory))
        return torch.frombuffer(memory, dtype=values.dtype).view(values.shape)

    def values(self, tensor):
        host = torch.empty(tensor.shape, dtype=tensor.dtype)
        self.call("cuMemcpyDtoHAsync_v2", ctypes.c_void_p(host.data_ptr()),
                  ctypes.c_uint64(tensor.data_ptr()),
                  ctypes.c_size_t(host.numel() * host.element_size()),
                  self.stream)
        self.call("cuStreamSynchronize", self.stream)
        return host


    def on_default_stream(self):
        """How much was put on the default stream: the last of FakeCudaStats."""
        stats = (ctypes.c_uint64 * 21)()
        self.cuda.fakeCudaStats(stats)
        return stats[20]


@pytest.fixture
def gpu(monkeypatch):
    if not DRIVER.exists():
        pytest.skip(f"{DRIVER} is not built")
    monkeypatch.setenv("MUON_FAKE_CUDA", "cc=80")
    gpu = Gpu()
    monkeypatch.setattr(steps, "place_of", lambda device: steps.Place(
        "sm_80", f"cuda:driver={DRIVER}", False))
    monkeypatch.setattr(steps, "stream_of",
                        lambda device: gpu.stream.value)
    monkeypatch.setattr(steps, "new_state", lambda like: gpu.tensor(
        torch.zeros(like.shape)))
    monkeypatch.setattr(steps, "new_count", lambda value, device: gpu.tensor(
        torch.tensor(value)))
    # The stand-in takes PTX alone.
    monkeypatch.setattr(steps, "compile",
                        functools.partial(muon_mlir.compile, ptxas="none"))
    return gpu


def test_steps_of_a_simulated_gpu(gpu):
    start = {n: gradient("w " + n, s, 0, "gaussian")
             for n, s in SHAPES.items()}
    exact = Reference(start, KINDS)
    params = {n: torch.nn.Parameter(gpu.tensor(v)) for n, v in start.items()}
    optimizer = muon_mlir.torch.Muon(params.items(), lr=0.02, compute="f32",
                                     adamw={"lr": 0.01})
    for number in range(2):
        grads = {n: gradient(n, s, number, "gaussian")
                 for n, s in SHAPES.items()}
        for name, p in params.items():
            p.grad = gpu.tensor(grads[name])
        optimizer.step()
        assert optimizer._result is None  # nothing waited
        exact.step(grads, {"lr": 0.02, "weight_decay": 0.1},
                   {"lr": 0.01, "weight_decay": 0.1})
    assert optimizer.result.taken
    assert gpu.on_default_stream() == 0
    for name, p in params.items():
        assert error(gpu.values(p), exact.weights[name]) < 1e-6, name
    assert int(gpu.values(optimizer.state[params["b"]]["step"])) == 2
    assert optimizer.stats()["w"].gradient_norm > 0
    p = params["w"]
    p.grad = gpu.tensor(torch.full(SHAPES["w"], float("nan")))
    optimizer.step()
    assert optimizer.result.nonfinite == (("gradient", "w"),)
    assert error(gpu.values(p), exact.weights["w"]) < 1e-6


def test_memory_of_the_host_is_refused(gpu):
    w = torch.nn.Parameter(torch.ones(8, 8))
    optimizer = muon_mlir.torch.Muon([w])
    w.grad = torch.ones(8, 8)
    with pytest.raises(muon_mlir.ArgumentError, match="memory"):
        optimizer.step()


def test_the_place_of_a_tensor_on_a_gpu(monkeypatch):
    device = torch.device("cuda:1")
    monkeypatch.setattr(torch.cuda, "get_device_capability",
                        lambda asked: (9, 0) if asked == device else None)
    monkeypatch.setattr(
        torch.cuda, "current_stream",
        lambda asked: SimpleNamespace(cuda_stream=77 if asked == device
                                      else None))
    assert steps.place_of(device) == steps.Place("sm_90", "cuda:1", False)
    assert steps.stream_of(device) == 77
    cpu = torch.device("cpu")
    assert steps.place_of(cpu) == steps.Place("cpu", "cpu", True)
    assert steps.stream_of(cpu) is None
