# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be wrong with a step for a GPU, its device and its memory.

There is no GPU: `cuda` runs on the stand-in for the driver of the unit tests,
which says what the driver's manual says. Its GPU is an sm_86, so that the
driver is given the PTX, and not the machine code for sm_80.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import struct
import subprocess
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

import inputs
import safetensors_io
from storage import Tensor
from support import gradients_for, tensors_of
from test_gpu import FORM, GpuTestCase
from toolchain import Artifact, call, tool

SCALARS = {"lr": 0.5}


def library(name: str) -> str:
    path = Path(tool("muon-run")).parent.parent / "lib" / name
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not built")
    return str(path)


def fake(options: str = "") -> str:
    return f"cuda:driver={library('libMuonFakeCuda.so')}{options}"


def model() -> dict:
    return tensors_of({"a.w": inputs.weight("a", (15, 37)),
                       "b.w": inputs.weight("b", (15, 37)),
                       "bias": inputs.weight("bias", (17,))})


class Devices(GpuTestCase):
    """Who runs what, by muon-run."""

    def setUp(self):
        super().setUp()
        self.params = model()

    def gpu(self, *arguments, **how):
        return super().gpu(self.params, {"muon": FORM}, *arguments, **how)

    def run_on(self, artifact, device: str, machine: str = "cc=86", *extra
               ) -> subprocess.CompletedProcess:
        out = artifact.folder / "out.safetensors"
        out.write_bytes(b"precious")
        command = [*Artifact.command(
            artifact, self.params, gradients_for(artifact.plan, self.params, 1),
            None, SCALARS, ["--device", device]), "--out-params", out, *extra]
        with mock.patch.dict(os.environ, MUON_FAKE_CUDA=machine):
            done = call("muon-run", *command, check=False)
        if done.returncode:
            self.assertEqual(out.read_bytes(), b"precious")
        return done

    def assertRefuses(self, message: str, *arguments) -> None:
        done = self.run_on(*arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stderr, message)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_wrong_devices(self):
        gpu = self.gpu()
        cpu = Artifact(gpu.folder / "cpu", self.params)
        for artifact, device, message in (
                (cpu, "sim", "compiled for target 'cpu', device 'sim' runs "
                             "'cuda'"),
                (cpu, fake(), "compiled for target 'cpu', device 'cuda' runs "
                              "'cuda'"),
                (gpu, "cpu", "compiled for target 'cuda', device 'cpu' runs "
                             "'cpu'"),
                (gpu, "gpu", "unknown device 'gpu'; known devices: cpu, sim, "
                             "cuda"),
                (gpu, "", "device"),
                (gpu, "Cuda", "unknown device 'Cuda'"),
                (gpu, "cuda:driver=/none.so", "no NVIDIA driver: cannot load "
                                              "/none.so"),
                (gpu, fake(",3"), "there is no GPU 3; the NVIDIA driver finds "
                                  "1, counted from 0"),
                (gpu, fake(",graph=maybe"), "expected graph=on or graph=off")):
            with self.subTest(device=device):
                self.assertRefuses(message, artifact, device)

    def test_no_driver(self):
        try:
            ctypes.CDLL("libcuda.so.1")
        except OSError:
            self.assertRefuses("no NVIDIA driver: cannot load libcuda.so.1",
                               self.gpu(), "cuda")
        else:
            self.skipTest("there is a driver")

    def test_wrong_machines(self):
        gpu = self.gpu()
        later = self.gpu("later", options=("--target=sm_90",))
        for artifact, machine, message in (
                (gpu, "cc=75", r"compiled for sm_80 \(PTX for sm_80.*\), which "
                               r"GPU 0 \(Fake 0, sm_75\) does not run"),
                (later, "cc=86", "compiled for sm_90 .* sm_86.* does not run"),
                (later, "cc=100,driver=11040",
                 "the NVIDIA driver is too old: PTX ISA 7.8 needs a driver of "
                 "CUDA 11.8 or later, found CUDA 11.4"),
                (gpu, "devices=0", "CUDA_ERROR_NO_DEVICE")):
            with self.subTest(machine=machine):
                self.assertRefuses(message, artifact, fake(), machine)
        self.assertRefuses("device 'sim' runs PTX for up to sm_80, the "
                           "artifact has PTX for sm_90", later, "sim")

    def test_failures(self):
        gpu = self.gpu()
        for machine, message in (
                ("fail-alloc=2", r"cannot allocate \d+ bytes"),
                ("memory=1000", r"cannot allocate \d+ bytes for .* where \d+ "
                                "of 1000 bytes are free"),
                ("fail-launch=2", r"kernel '\w+' of phase '\w+'.* "
                                  "cuLaunchKernel failed"),
                ("fail-kernel=2", "CUDA_ERROR_LAUNCH_FAILED")):
            with self.subTest(machine=machine):
                self.assertRefuses(message, gpu, fake(), f"cc=86,{machine}")
        self.assertRefuses("only device 'sim' counts", gpu, fake(), "cc=86",
                           "--counters", gpu.folder / "counters.json")

    def test_driver_and_sim_give_the_same_bits(self):
        gpu = self.gpu()
        found = {}
        for device in ("sim", "sim:seed=9", fake(), fake(",graph=off")):
            state = gpu.folder / "state.safetensors"
            done = self.run_on(gpu, device, "cc=86,seed=4", "--repeat", 3,
                               "--out-state", state)
            self.assertEqual(done.returncode, 0, done.stderr)
            found[device] = (
                safetensors_io.load(gpu.folder / "out.safetensors"),
                safetensors_io.load(state))
        params, state = found.pop("sim")
        self.assertEqual(int(state["step"].bits), 3)
        for other in found.values():
            self.assertSameBits(params, other[0])
            self.assertSameBits(state, other[1])


class Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("type", ctypes.c_int32),
                ("rank", ctypes.c_size_t),
                ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("bytes", ctypes.c_uint64)]


class TensorInfo(ctypes.Structure):
    _fields_ = [("role", ctypes.c_int32), ("type", ctypes.c_int32),
                ("name", ctypes.c_char_p), ("key", ctypes.c_char_p),
                ("rank", ctypes.c_size_t),
                ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("elements", ctypes.c_uint64), ("bytes", ctypes.c_uint64),
                ("part", ctypes.c_int32), ("tensor", ctypes.c_char_p),
                ("logical_key", ctypes.c_char_p),
                ("logical_rank", ctypes.c_size_t),
                ("logical_shape", ctypes.POINTER(ctypes.c_int64)),
                ("offset", ctypes.POINTER(ctypes.c_int64)),
                ("from", ctypes.c_int64),
                ("block", ctypes.POINTER(ctypes.c_int64))]


ROLE_GRADIENT, ROLE_LR, OUT_OF_MEMORY, INVALID = 1, 7, 5, 1


class Step:
    """A step by the C interface, with memory of the device."""

    def __init__(self, artifact: Artifact, device: str, params, grads):
        self.api = ctypes.CDLL(library("libmuon_runtime.so"))
        self.api.muonLastError.restype = ctypes.c_char_p
        self.api.muonArtifactTensorCount.restype = ctypes.c_size_t
        self.handle, self.step = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.api.muonArtifactLoad(
            str(artifact.library).encode(), device.encode(),
            ctypes.byref(self.handle)))
        self.check(self.api.muonStepCreate(self.handle,
                                           ctypes.byref(self.step)))
        self.infos, self.memory = {}, {}
        for i in range(self.api.muonArtifactTensorCount(self.handle)):
            info = TensorInfo()
            self.check(self.api.muonArtifactTensor(
                self.handle, ctypes.c_size_t(i), ctypes.byref(info)))
            key = info.key.decode()
            values = (grads if info.role == ROLE_GRADIENT else params).get(key)
            content = (values.bits.tobytes() if values is not None
                       else bytes(info.bytes))
            memory = ctypes.c_void_p()
            self.check(self.api.muonDeviceAllocate(
                self.handle, ctypes.c_uint64(info.bytes),
                ctypes.byref(memory)))
            self.check(self.api.muonDeviceUpload(
                self.handle, memory, content, ctypes.c_uint64(info.bytes),
                None))
            self.infos[info.role, key] = info
            self.memory[info.role, key] = memory
            self.check(self.bind(info, memory.value))

    def check(self, status: int) -> None:
        if status:
            raise AssertionError(self.error())

    def error(self) -> str:
        return self.api.muonLastError().decode()

    def bind(self, info: TensorInfo, address: int) -> int:
        buffer = Buffer(address, info.type, info.rank, info.shape, info.bytes)
        return self.api.muonStepBind(self.step, info.role, info.name,
                                     ctypes.byref(buffer))

    def run(self, lr: float) -> int:
        self.check(self.api.muonStepSetScalar(self.step, ROLE_LR, None,
                                              ctypes.c_double(lr)))
        return self.api.muonStepRun(self.step, None, None)

    def contents(self) -> dict:
        result = {}
        for key, memory in self.memory.items():
            size = self.infos[key].bytes
            host = ctypes.create_string_buffer(size)
            self.check(self.api.muonDeviceDownload(
                self.handle, host, memory, ctypes.c_uint64(size), None))
            result[key] = host.raw
        return result

    def close(self) -> None:
        self.api.muonStepDestroy(self.step)
        for memory in self.memory.values():
            self.api.muonDeviceFree(self.handle, memory)
        self.api.muonArtifactRelease(self.handle)


class Stats(ctypes.Structure):
    """FakeCudaStats."""

    _fields_ = [(name, ctypes.c_uint64) for name in (
        "retains", "contexts", "streams", "events", "modules", "graphs",
        "graphExecs", "allocations", "hostAllocations", "bytes", "captures",
        "instantiations", "graphLaunches", "launches", "executed",
        "moduleLoads", "uploads", "syncs", "leaked", "undefinedBytes",
        "onDefaultStream")]


class Interface(GpuTestCase):
    """A compiled step by the C interface."""

    def setUp(self):
        super().setUp()
        self.params = model()
        self.compiled = self.gpu(self.params, {"muon": FORM})
        self.grads = gradients_for(self.compiled.plan, self.params, 1)
        self.fake = ctypes.CDLL(library("libMuonFakeCuda.so"))

    def reset(self, options: str) -> None:
        self.fake.fakeCudaReset.restype = ctypes.c_bool
        self.assertTrue(self.fake.fakeCudaReset(options.encode()))

    def stats(self) -> Stats:
        stats = Stats()
        self.fake.fakeCudaStats(ctypes.byref(stats))
        return stats

    def open(self, device: str) -> Step:
        step = Step(self.compiled, device, self.params, self.grads)
        self.addCleanup(step.close)
        return step

    def test_replay_with_other_scalars(self):
        """A graph that is launched again is what eager launches are."""
        rates = (0.5, 0.125, 0.0, 2.0)
        found = {}
        for device in ("sim", fake(), fake(",graph=off")):
            self.reset("cc=86")
            step = Step(self.compiled, device, self.params, self.grads)
            for rate in rates:
                step.check(step.run(rate))
            found[device] = step.contents()
            stats = self.stats()
            step.close()
            if device == fake():
                self.assertEqual((stats.captures, stats.graphLaunches),
                                 (1, len(rates)))
            elif device != "sim":
                self.assertEqual((stats.captures, stats.graphLaunches), (0, 0))
                self.assertGreater(stats.launches, 0)
            self.assertEqual(stats.undefinedBytes, 0)
        first, *others = found.values()
        for other in others:
            self.assertEqual([k for k in first if first[k] != other[k]], [])
        # Each of the rates counts.
        self.reset("cc=86")
        step = Step(self.compiled, fake(), self.params, self.grads)
        for rate in rates:
            step.check(step.run(rates[0]))
        self.assertNotEqual(step.contents(), first)
        step.close()

    def test_no_memory_for_the_scratch_memory(self):
        self.reset("cc=86")
        step = Step(self.compiled, fake(), self.params, self.grads)
        used = self.stats().bytes
        step.close()
        info = json.loads(re.search(
            rb'"arena": ?(\{[^}]*\})',
            self.compiled.library.read_bytes()).group(1))
        self.reset(f"cc=86,memory={used + info['bytes'] - 1}")
        step = Step(self.compiled, fake(), self.params, self.grads)
        before = step.contents()
        self.assertEqual(step.run(0.5), OUT_OF_MEMORY)
        self.assertRegex(step.error(), rf"cannot allocate {info['bytes']} "
                         r"bytes for scratch memory on GPU 0 .*, where \d+ of "
                         r"\d+ bytes are free")
        self.assertEqual(self.stats().launches, 0)
        self.assertEqual(step.contents(), before)
        step.close()

    def test_wrong_addresses(self):
        for device, message in (("sim", "is not in memory of device 'sim'"),
                                (fake(), "is not memory of a GPU")):
            with self.subTest(device=device):
                self.reset("cc=86")
                step = Step(self.compiled, device, self.params, self.grads)
                for key, info in step.infos.items():
                    if info.rank == 0:
                        continue
                    # Whatever is aligned, and belongs to the host.
                    room = ctypes.create_string_buffer(info.bytes + 256)
                    host = (ctypes.addressof(room) + 255) // 256 * 256
                    self.assertEqual(step.bind(info, host), INVALID)
                    self.assertIn(message, step.error())
                    self.assertIn(f"'{info.name.decode()}'", step.error())
                    memory = step.memory[key].value
                    for off in (4, 8):
                        self.assertEqual(step.bind(info, memory + off),
                                         INVALID)
                        self.assertIn("is not a multiple of 16", step.error())
                # What was bound before still is.
                self.assertEqual(step.run(0.5), 0)
                step.contents()
                step.close()


class Large(GpuTestCase):
    """More than 2^31 elements, and more than 2^32 bytes.

    Nobody has that memory here. A kernel's last block is executed alone, by
    writing its number where the PTX asks for it, on tensors at addresses where
    nothing is: what it reads first is reported, with the address.
    """

    MATRIX = (4096, 8192)
    COUNT = 80
    # Where the tensor of slot i is said to be.
    PLACE = 1 << 40

    def compile(self, tensors: dict) -> tuple[Path, dict, str]:
        """(PTX, manifest, host code) of a step for f32 of these shapes."""
        header, offset = {}, 0
        for name, shape in tensors.items():
            size = 4 * int(np.prod(shape, dtype=object))
            header[name] = {"dtype": "F32", "shape": shape,
                            "data_offsets": [offset, offset + size]}
            offset += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        model = self.folder / "model.safetensors"
        with open(model, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + offset)  # takes no space
        step, so = self.folder / "step.mlir", self.folder / "step.so"
        call("muon-import", model, "-o", step)
        call("muon-compile", step, "--target=sm_80", "-o", so)
        host = call("muon-compile", step, "--target=sm_80",
                    "--compile-to=kernels").stdout
        loaded = ctypes.CDLL(str(so))

        def symbol(name):
            size = ctypes.c_uint64.in_dll(loaded, f"{name}_size").value
            return ctypes.string_at(ctypes.addressof(
                ctypes.c_char.in_dll(loaded, name)), size)
        manifest = json.loads(symbol("muon_manifest"))
        part = next(p for p in manifest["device"]["code"]
                    if p["kind"] == "ptx")
        ptx = self.folder / "step.ptx"
        ptx.write_bytes(symbol("muon_device_code")[
            part["offset"]:part["offset"] + part["bytes"]])
        return ptx, manifest, host

    def first_read(self, ptx: Path, manifest: dict, host: str
                   ) -> tuple[int, int, int]:
        """(blocks, thread, address) of the last block of the first kernel,
        which reads all gradients and momenta."""
        blocks, problems = map(int, re.search(
            r'host_call "launch"\(%c0_i32, %c(\d+)_i64, %c0_i64\w*, '
            r'%c0_i32\w*, %c(\d+)_i32', host).groups())
        kernel = manifest["device"]["kernels"][0]
        text = ptx.read_text()
        self.assertIn("%ctaid.x", text)
        one = self.folder / "last.ptx"
        one.write_text(text.replace("%ctaid.x", str(blocks - 1)))
        slots = self.folder / "slots.safetensors"
        safetensors_io.save(slots, {"slots": Tensor("I64", np.arange(
            1, manifest["slots"] + 1, dtype=np.int64) * self.PLACE)})
        done = call("muon-ptx-sim", one, "--kernel", kernel["name"],
                    "--grid=1", f"--block={kernel['threads']}",
                    "--arg", f"in:{slots}#slots", "--arg", "u64:0",
                    "--arg", "u64:0", "--arg", "u32:0",
                    "--arg", f"u32:{problems}", check=False)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        thread, address = re.search(
            r"thread \((\d+), 0, 0\)\n *global address 0x([0-9a-f]+)",
            done.stdout + done.stderr).groups()
        return blocks, int(thread), int(address, 16)

    def check_last(self, tensors: dict, slots: int = 1) -> None:
        """The last block reads the end of the last of all momenta."""
        ptx, manifest, host = self.compile(tensors)
        blocks, thread, address = self.first_read(ptx, manifest, host)
        momentum = next(a for a in manifest["arguments"]
                        if a["role"] == "momentum")
        # Gradients and momenta have as many blocks.
        elements = int(np.prod(momentum["shape"], dtype=object))
        each = elements * slots // (blocks // 2)
        base = (momentum["slot"] + slots) * self.PLACE
        self.assertGreater(elements * slots, 2 ** 31)
        self.assertEqual(address, base + 4 * (elements - each + 4 * thread))

    def test_matrix(self):
        self.check_last({"w": (65536, 65536)})

    def test_batch(self):
        self.check_last({"w": (self.COUNT, *self.MATRIX)})

    def test_stack(self):
        self.check_last({f"w{i}": self.MATRIX
                         for i in range(self.COUNT)}, self.COUNT)
