# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fixtures: a cache of the test's own, and models that all tests share.

Artifacts of the fixtures come from the command line tools, so that tests of
steps do not depend on the compiler's bindings; $MUON_BIN has the tools, by
default build/release/bin.
"""
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test/reference"), str(Path(__file__).parent)]

import models  # noqa: E402

# scripts/test-jax.sh runs these, where JAX is.
collect_ignore = [] if importlib.util.find_spec("jaxlib") else ["jax"]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    """Nothing in the environment decides what tests find."""
    for name in ("XDG_CACHE_HOME", "CUDA_ROOT", "CUDA_HOME", "CUDA_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MUON_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def tools():
    """A call of a tool of the build; failure raises."""
    folder = Path(os.environ.get("MUON_BIN", ROOT / "build/release/bin"))

    def call(name, *arguments):
        return subprocess.run([folder / name, *map(str, arguments)], check=True,
                              capture_output=True, text=True, timeout=300)
    return call


@pytest.fixture(scope="session")
def artifacts(tools, tmp_path_factory):
    """The path of the artifact of a model for a target, compiled once."""
    made = {}

    def artifact(model, target="cpu"):
        key = model.name, target
        if key not in made:
            folder = tmp_path_factory.mktemp("artifact")
            model.write(folder)
            tools("muon-import", folder / "model.safetensors", "--config",
                  folder / "rules.json", "-o", folder / "step.mlir")
            gpu = [] if target == "cpu" else ["--ptxas=none"]
            tools("muon-compile", f"--target={target}", *gpu,
                  folder / "step.mlir", "-o", folder / "step.so")
            made[key] = folder / "step.so"
        return made[key]
    return artifact


@pytest.fixture
def mixed():
    return models.MIXED


@pytest.fixture
def tensors(mixed):
    """(params, grads, state) of the mixed model, as NumPy arrays."""
    return mixed.tensors()


@pytest.fixture
def step(artifacts, mixed):
    import muon_mlir
    return muon_mlir.Step.load(artifacts(mixed))
