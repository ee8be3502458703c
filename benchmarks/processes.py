# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the benchmarks of the tools share: time and memory of a process."""
import os
import pathlib
import subprocess
import sys
import time

BIN = pathlib.Path(__file__).resolve().parent.parent / "build" / "release" / "bin"


def measure(*command):
    """Seconds and largest resident memory, in bytes, of a process."""
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"error: exit status {process.returncode} from {' '.join(process.args)}")
    return seconds, usage.ru_maxrss * 1024
