# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The wheel, in an environment that has nothing else; and what is missing."""
import importlib.metadata
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import muon_mlir
import pytest
from muon_mlir import _native

ROOT = Path(__file__).resolve().parents[2]

USE = """
import muon_mlir
from array import array
module = muon_mlir.Module.from_params({"w": ((2, 2), "float32")})
step = muon_mlir.compile(module, cache=False)
def matrix(*values):
    return memoryview(array("f", values)).cast("B").cast("f", (2, 2))
def empty(argument):
    kind = {"float32": "f", "int64": "q"}[argument.dtype]
    return memoryview(array(kind, [7] * (1 if not argument.shape else 4))
                      ).cast("B").cast(kind, argument.shape)
params, grads = {"w": matrix(1, 2, 3, 4)}, {"w": matrix(1, 0, 0, 1)}
state = step.init_state(params, empty)
assert step(params, grads, state, lr=0.1, weight_decay=0.0).taken
step.save("step.so")
assert muon_mlir.Step.load("step.so").arguments == step.arguments
print(params["w"].tolist(), state["step"].tolist())
print(muon_mlir.__file__)
"""


@pytest.mark.slow
def test_wheel_in_an_empty_environment(tmp_path):
    define = os.environ.get("MUON_CMAKE_DIR")
    options = ([f"--config-settings=cmake.define.MuonMLIR_DIR={define}"]
               if define else [])
    environment = {k: v for k, v in os.environ.items()
                   if not k.startswith(("PYTHON", "LD_LIBRARY"))}

    def call(*command):
        return subprocess.run(command, check=True, capture_output=True,
                              text=True, cwd=tmp_path, env=environment).stdout
    call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps",
         "--no-build-isolation", "-w", tmp_path, *options,
         ROOT / "python_bindings")
    (wheel,) = tmp_path.glob("muon_mlir-*.whl")
    names = {Path(n).name for n in zipfile.ZipFile(wheel).namelist()}
    assert {"py.typed", "libmuon_compiler.so.0",
            "libmuon_runtime.so.0"} <= names
    call(sys.executable, "-m", "venv", tmp_path / "empty")
    python = tmp_path / "empty/bin/python"
    call(python, "-m", "pip", "install", "-q", "--no-index", wheel)
    values, place = call(python, "-c", USE).splitlines()
    assert place.startswith(str(tmp_path))
    # The direction of a multiple of I: X = I/sqrt(2) in f32, then five steps
    # of the polynomial with Keller Jordan's coefficients; 0.2 sqrt(2) of it.
    x = 2 ** -0.5
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x ** 3 + 2.0315 * x ** 5
    update = 0.1 * 0.2 * 2 ** 0.5 * x
    found = [float(n) for n in re.findall(r"-?[\d.e-]+", values)]
    assert found == pytest.approx([1 - update, 2, 3, 4 - update, 1], rel=1e-6)
    libraries = call("ldd", *sorted(
        (tmp_path / "empty/lib").glob("python*/site-packages/muon_mlir/*.so*")))
    ours = [line for line in libraries.splitlines() if "libmuon" in line]
    assert len(ours) >= 2
    assert all(str(tmp_path) in line for line in ours), ours


@pytest.mark.parametrize("missing, package", [
    ("libMLIR.so.22.1", "libmlir-22"), ("libLLVM.so.22.1", "libllvm22"),
    ("libopenblas.so.0", "libopenblas0-pthread"), ("libdnnl.so.2", "libdnnl2"),
])
def test_missing_library(missing, package):
    error = _native.explain(ImportError(
        f"{missing}: cannot open shared object file: No such file or "
        "directory", name="muon_mlir._compiler"))
    assert str(error) == (
        f"muon_mlir needs the library {missing}, which is not there; on Debian "
        f"and Ubuntu it comes with: apt-get install {package}")
    assert error.name == "muon_mlir._compiler"


def test_missing_library_of_the_compiler(tmp_path):
    """For real: a copy of the package whose loader finds no libMLIR."""
    package = Path(muon_mlir.__file__).parent
    copy = tmp_path / "muon_mlir"
    copy.mkdir()
    for file in package.iterdir():
        if file.is_file():
            data = file.read_bytes()
            if file.name.startswith("libmuon_compiler.so"):
                assert b"libMLIR.so.22.1\0" in data
                data = data.replace(b"libMLIR.so.22.1\0",
                                    b"libNONE.so.22.1\0")
            (copy / file.name).write_bytes(data)
    script = """
import muon_mlir
print(muon_mlir.devices())
try:
    muon_mlir.Module.parse("module {}")
except ImportError as error:
    print(error)
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], text=True,
                          capture_output=True, env=environment, cwd=tmp_path)
    first, second = done.stdout.splitlines()
    assert "'cpu'" in first  # steps run without a compiler
    assert second == ("muon_mlir needs the library libNONE.so.22.1, which is "
                      "not there")


def test_version():
    assert importlib.metadata.version("muon-mlir") == _native.runtime(
    ).version()


def test_the_core_imports_no_framework():
    script = ("import sys, muon_mlir; print([m for m in ('numpy', 'torch', "
              "'jax', 'muon_mlir._compiler') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", script], text=True,
                          capture_output=True, check=True, cwd="/")
    assert done.stdout.strip() == "[]"
