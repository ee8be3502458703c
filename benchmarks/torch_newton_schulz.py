#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Five compiled Newton-Schulz steps against PyTorch's, in one process.

    benchmarks/torch_newton_schulz.py [--threads N] [--seconds S] [--types f32 bf16]

Needs PyTorch (Debian: python3-torch). PyTorch runs the three products per step
as implementations of Muon write them, in f32 and in bf16; the compiled step
runs in the same precision with the iteration the compiler chooses. The two
alternate, so that a change of the machine's load meets both; `ratio` is that of
the medians, compiled over PyTorch, and lower is better. bf16 is emulated on
processors that cannot multiply it, and then only shown for completeness.

By default OpenMP's threads spin after PyTorch's elementwise work, on the cores
that BLAS has threads of its own for. With OMP_WAIT_POLICY=passive in the
environment they do not, which is PyTorch at its best in f32.
"""
import argparse
import ctypes
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
SHAPES = [(1024, 1024), (512, 2048), (2048, 2048)]
A, B, C = 3.4445, -4.7750, 2.0315

STEP = """
func.func @step(
    %x: tensor<1x{r}x{c}x{t}> {{muon.role = #muon.role<gradient>, muon.names = ["x"]}},
    %o: tensor<1x{r}x{c}xf32> {{muon.role = #muon.role<weight>, muon.names = ["x"]}})
    -> tensor<1x{r}x{c}xf32> {{
  %0 = muon.orthogonalize x(%x : tensor<1x{r}x{c}x{t}>) out(%o : tensor<1x{r}x{c}xf32>)
      {{schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}}
  return %0 : tensor<1x{r}x{c}xf32>
}}
"""


class Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("type", ctypes.c_int),
                ("rank", ctypes.c_size_t),
                ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("bytes", ctypes.c_uint64)]


class Compiled:
    """A compiled step of muon.orthogonalize alone, bound to two tensors."""

    def __init__(self, runtime, path, x, out):
        self.runtime, self.keep = runtime, [x, out]
        artifact = ctypes.c_void_p()
        self.step = ctypes.c_void_p()
        self.check(runtime.muonArtifactLoad(str(path).encode(), b"cpu",
                                            ctypes.byref(artifact)))
        self.check(runtime.muonStepCreate(artifact, ctypes.byref(self.step)))
        types = {torch.float32: 0, torch.bfloat16: 1}
        for role, tensor in ((1, x), (0, out)):
            shape = (ctypes.c_int64 * 3)(1, *tensor.shape)
            buffer = Buffer(tensor.data_ptr(), types[tensor.dtype], 3, shape,
                            tensor.numel() * tensor.element_size())
            self.check(runtime.muonStepBind(self.step, role, b"x",
                                            ctypes.byref(buffer)))

    def check(self, status):
        if status != 0:
            self.runtime.muonLastError.restype = ctypes.c_char_p
            sys.exit("torch_newton_schulz: error: "
                     + self.runtime.muonLastError().decode())

    def __call__(self):
        result = (ctypes.c_char * 256)()
        self.check(self.runtime.muonStepRun(self.step, None, result))


def newton_schulz(x):
    for _ in range(5):
        gram = x @ x.mT
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x


def alternate(first, second, seconds):
    """Median times of two calls that take turns."""
    first(), second()
    times = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 6:
        for call, list_ in zip((first, second), times):
            # Threads of the one still spin for a while (OpenBLAS: 2²⁶ cycles),
            # on cores that the other is to have.
            settled = time.perf_counter() + 0.05
            while time.perf_counter() < settled:
                call()
            for _ in range(3):
                start = time.perf_counter()
                call()
                list_.append(time.perf_counter() - start)
    return [statistics.median(list_) for list_ in times]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--types", nargs="+", default=["f32", "bf16"],
                        choices=["f32", "bf16"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runtime = ctypes.CDLL(str(BUILD / "lib" / "libmuon_runtime.so"))
    runtime.muonSetCpuThreads(options.threads)

    print(f"torch {torch.__version__}, {options.threads} threads")
    print(f"{'shape':>10} {'type':>5} {'torch':>9} {'compiled':>9} {'ratio':>6}"
          " {:>11}".format("difference"))
    with tempfile.TemporaryDirectory() as folder:
        for name in options.types:
            dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[name]
            for rows, cols in SHAPES:
                source = pathlib.Path(folder) / f"{rows}x{cols}-{name}.mlir"
                source.write_text(STEP.format(r=rows, c=cols, t=name))
                subprocess.run([BUILD / "bin" / "muon-compile", source, "-o",
                                source.with_suffix(".so")], check=True)
                torch.manual_seed(7)
                x = torch.randn(rows, cols)
                x = (x / x.norm()).to(dtype)
                out = torch.zeros(rows, cols)
                step = Compiled(runtime, source.with_suffix(".so"), x, out)
                theirs, ours = alternate(lambda: newton_schulz(x), step,
                                         options.seconds)
                want = newton_schulz(x.double())
                difference = ((out - want).norm() / want.norm()).item()
                print(f"{rows}x{cols:<5} {name:>5} {theirs * 1e3:7.1f}ms "
                      f"{ours * 1e3:7.1f}ms {ours / theirs:6.2f} "
                      f"{difference:11.1e}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
