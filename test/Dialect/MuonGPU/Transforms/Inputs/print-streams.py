# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a function with as many streams, on a buffer each, as asked for."""
import sys

count = int(sys.argv[1])
arguments = ", ".join(f"%a{i}: memref<4xf32>" for i in range(count))
print(f"func.func @streams({arguments}) {{")
for i in range(count):
    print(f"muon_gpu.stream ins(%a{i} : memref<4xf32>) outs(%a{i} : memref<4xf32>) {{")
    print("^bb0(%x: f32):")
    print("muon_gpu.yield %x : f32")
    print("}")
print("return")
print("}")
