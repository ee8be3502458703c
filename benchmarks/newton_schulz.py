#!/usr/bin/python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Five compiled Newton-Schulz steps against the textbook sequence.

    benchmarks/newton_schulz.py [benchmark flags]

Compiles artifacts of the direct and of the Gram iteration in f32 and runs
newton_schulz_bench on them. `ratio` is compiled time over textbook time on the
same BLAS and threads; lower is better.
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "release" / "bin"
# Gram where the compiler would choose it.
CASES = [(256, 256, "direct"), (512, 2048, "direct"), (512, 2048, "gram"),
         (1024, 1024, "direct"), (2048, 2048, "direct")]

STEP = """
func.func @step(
    %x: tensor<1x{r}x{c}xf32> {{muon.role = #muon.role<gradient>, muon.names = ["x"]}},
    %o: tensor<1x{r}x{c}xf32> {{muon.role = #muon.role<weight>, muon.names = ["x"]}})
    -> tensor<1x{r}x{c}xf32> {{
  %0 = muon.orthogonalize x(%x : tensor<1x{r}x{c}xf32>) out(%o : tensor<1x{r}x{c}xf32>)
      {{schedule = #muon.schedule<keller_jordan>, steps = 5 : i64,
        iteration = #muon.iteration<{iteration}>}}
  return %0 : tensor<1x{r}x{c}xf32>
}}
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        for rows, cols, iteration in CASES:
            source = pathlib.Path(folder) / f"{rows}x{cols}-{iteration}.mlir"
            source.write_text(STEP.format(r=rows, c=cols, iteration=iteration))
            subprocess.run(
                [BIN / "muon-compile", source, "-o", source.with_suffix(".so")],
                check=True,
            )
        return subprocess.run([BIN / "newton_schulz_bench", folder, *sys.argv[1:]]).returncode


if __name__ == "__main__":
    sys.exit(main())
