# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What ptxas says about the PTX of each IR of level llvm that is named.

Prints `FILE: N kernels, N with spills` and what ptxas warns of, or
`FILE: no ptxas` where there is none in PATH or the place CUDA is put.
"""
import re
import shutil
import subprocess
import sys
import tempfile

assembler = shutil.which("ptxas") or shutil.which(
    "ptxas", path="/usr/local/cuda/bin")
for name in sys.argv[1:]:
    if not assembler:
        print(f"{name}: no ptxas")
        continue
    with open(name) as file:
        text = re.search(r'assembly = "((?:[^"\\]|\\.)*)"', file.read())[1]
    # MLIR escapes what does not print as two hexadecimal digits.
    text = re.sub(r"\\([0-9A-F]{2}|.)", lambda m: chr(int(m[1], 16))
                  if len(m[1]) == 2 else {"n": "\n", "t": "\t"}.get(m[1], m[1]),
                  text).rstrip("\0")
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as ptx:
        ptx.write(text)
        ptx.flush()
        done = subprocess.run([assembler, "-arch=sm_80", "-v", ptx.name, "-o",
                               "/dev/null"], capture_output=True, text=True)
    told = done.stdout + done.stderr
    if done.returncode != 0:
        sys.exit(f"{name}: ptxas failed\n{told}")
    kernels = len(re.findall(r"^\.visible \.entry ", text, re.M))
    good = len(re.findall(r"\b0 bytes stack frame, 0 bytes spill stores, "
                          r"0 bytes spill loads", told))
    print(f"{name}: {kernels} kernels, {kernels - good} with spills")
    for line in told.splitlines():
        if "C75" in line or not line.startswith(("ptxas info", "    ")):
            print(f"{name}: {line}")
