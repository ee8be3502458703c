# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""muon_mlir.jax where there is no JAX; tests/jax has the rest."""
import importlib.util
import subprocess
import sys

import pytest


@pytest.mark.skipif(importlib.util.find_spec("jaxlib") is not None,
                    reason="there is a jaxlib")
def test_import_says_what_to_do(tmp_path):
    script = """
import muon_mlir
try:
    import muon_mlir.jax
except ImportError as error:
    print(error.name, error)
"""
    done = subprocess.run([sys.executable, "-c", script], text=True,
                          capture_output=True, check=True, cwd=tmp_path)
    assert done.stdout.startswith("jax muon_mlir.jax needs jax, which is not "
                                  "installed: pip install jax jaxlib")
