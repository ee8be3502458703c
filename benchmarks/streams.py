#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bandwidth of the elementwise parts of a step against that of a copy.

    benchmarks/streams.py [benchmark flags]

Compiles each part, with the sums that muon-import asks for, as a step of its
own on one f32 parameter of 128 MiB and runs streams_bench on them. `ratio` is
bytes per second over those of memcpy with the same threads; higher is better.
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "release" / "bin"
MATRIX = "tensor<8192x4096xf32>"
BATCH = "tensor<1x8192x4096xf32>"


def argument(name, type_, role, tensor="w"):
    return (f"%{name}: {type_} {{muon.role = #muon.role<{role}>,"
            f' muon.names = ["{tensor}"]}}')


def scalar(name, role, value):
    return (f"%{name}: tensor<f32> {{muon.role = #muon.role<{role}>,"
            f' muon.group = "g", muon.default = {value} : f32}}')


def sums(name):
    return argument(name, "tensor<1xf64>", f"{name}_sums")


G = argument("g", MATRIX, "gradient")
W = argument("w", MATRIX, "weight")
RATES = [scalar("lr", "lr", 1e-3), scalar("wd", "weight_decay", 0.1)]
REPORTS = [sums("update"), sums("weight")]

# Arguments, results and body of each.
STREAMS = {
    "look": ([G, sums("gradient")], "tensor<1xf64>", f"""
  %0 = muon.sum_squares value(%g : {MATRIX}) sums(%gradient : tensor<1xf64>)
  return %0 : tensor<1xf64>"""),
    # The look only chooses a power of two here, so one element will do for it.
    "momentum": ([G, argument("m", MATRIX, "momentum"),
                  argument("x", BATCH, "weight", "x"),
                  argument("one", "tensor<1x1xf32>", "gradient", "one"),
                  sums("gradient"), scalar("beta", "beta", 0.95)],
                 f"tensor<1xf64>, {MATRIX}, {BATCH}", f"""
  %sums = tensor.empty() : tensor<1xf64>
  %unit = tensor.empty() : tensor<1xf64>
  %look = muon.sum_squares value(%one : tensor<1x1xf32>) sums(%gradient : tensor<1xf64>)
  %0:4 = muon.momentum gradient(%g : {MATRIX})
      gradient_sums(%look : tensor<1xf64>) momentum_sums(%look : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : {MATRIX})
      x(%x : {BATCH}) sums(%sums : tensor<1xf64>) unit(%unit : tensor<1xf64>)
      {{momentum_form = #muon.momentum_form<heavy_ball>, nesterov = true}}
  return %look, %0#0, %0#1 : tensor<1xf64>, {MATRIX}, {BATCH}"""),
    "apply": ([argument("x", BATCH, "gradient", "x"), W, *RATES, *REPORTS],
              f"{MATRIX}, tensor<1xf64>, tensor<1xf64>", f"""
  %0:3 = muon.apply x(%x : {BATCH}) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : {MATRIX})
      update_sums(%update : tensor<1xf64>) weight_sums(%weight : tensor<1xf64>)
      {{scale = 1.5 : f64}}
  return %0#0, %0#1, %0#2 : {MATRIX}, tensor<1xf64>, tensor<1xf64>"""),
    "adamw": ([G, W, argument("m", MATRIX, "exp_avg"),
               argument("v", MATRIX, "exp_avg_sq"), *RATES, *REPORTS,
               "%t: tensor<i64> {muon.role = #muon.role<step>}"],
              f"tensor<i64>, {MATRIX}, {MATRIX}, {MATRIX}, tensor<1xf64>, tensor<1xf64>", f"""
  %t1 = muon.advance step(%t : tensor<i64>)
  %0:5 = muon.adamw_update gradient(%g : {MATRIX}) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t1 : tensor<i64>) weight(%w : {MATRIX})
      exp_avg(%m : {MATRIX}) exp_avg_sq(%v : {MATRIX})
      update_sums(%update : tensor<1xf64>) weight_sums(%weight : tensor<1xf64>)
      {{beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64}}
  return %t1, %0#0, %0#1, %0#2, %0#3, %0#4
      : tensor<i64>, {MATRIX}, {MATRIX}, {MATRIX}, tensor<1xf64>, tensor<1xf64>"""),
}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        for name, (arguments, results, body) in STREAMS.items():
            source = pathlib.Path(folder) / f"{name}.mlir"
            source.write_text(f"func.func @step({', '.join(arguments)}) -> ({results}) {{"
                              f"{body}\n}}\n")
            subprocess.run([BIN / "muon-compile", source, "-o", source.with_suffix(".so")],
                           check=True)
        return subprocess.run([BIN / "streams_bench", folder, *sys.argv[1:]]).returncode


if __name__ == "__main__":
    sys.exit(main())
