# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a module to a step in memory."""
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Mapping, Optional, Union

from . import _cache, _native
from ._errors import ArgumentError, Error
from ._module import Module
from ._step import Step

PathLike = Union[str, "os.PathLike[str]"]


def _found_ptxas(request: Optional[str]) -> Optional[str]:
    """What the compiler would take, for the key."""
    if request not in (None, "auto"):
        return request
    folders = [os.environ[name] for name in
               ("CUDA_ROOT", "CUDA_HOME", "CUDA_PATH") if name in os.environ]
    candidates = [os.path.join(f, "bin", "ptxas")
                  for f in [*folders, "/usr/local/cuda"]]
    return shutil.which("ptxas") or next(
        (c for c in candidates if os.access(c, os.X_OK)), None)


def _grid_text(grid: Union[str, Mapping[str, int], None]) -> Optional[str]:
    if grid is None or isinstance(grid, str):
        return grid
    return ",".join(f"{axis}={size}" for axis, size in grid.items())


def compile(module: Module, target: str = "cpu", *,
            cpu: Optional[str] = None, scratch_limit: int = 0,
            grid: Union[str, Mapping[str, int], None] = None,
            rank: Optional[int] = None, topology: Optional[PathLike] = None,
            ptxas: Optional[PathLike] = None, device: Optional[str] = None,
            cache: bool = True) -> Step:
    """Compiles a module, which stays as it is, and loads the step.

    target         'cpu', or a GPU as 'sm_80'
    cpu            'native' (the default), 'x86-64-v3', …; for a GPU the host's
    scratch_limit  bytes of scratch memory that one stack may use; 0: no limit
    grid, rank     the axes of a grid of ranks and their sizes, 'dp=4,tp=2' or
                   a mapping, and the rank to compile for
    topology       path of a topology file
    ptxas          path of the ptxas that adds machine code, 'auto' or 'none'
    device         where to load it: by default 'cpu', or 'cuda' for a GPU
    cache          look for the step on disk, and keep it there

    Raises CompileError, or ArgumentError for an option that is wrong; Error if
    the cache folder is not to be trusted.
    """
    if not isinstance(module, Module):
        raise ArgumentError(f"module is a {type(module).__name__}, expected a "
                            "muon_mlir.Module")
    options: dict[str, Any] = {
        "target": target,
        "cpu": cpu,
        "scratch_limit": scratch_limit,
        "grid": _grid_text(grid),
        "rank": -1 if rank is None else rank,
        "topology": None if topology is None else os.fspath(topology),
        "ptxas": None if ptxas is None else os.fspath(ptxas),
    }
    if device is None:
        device = "cpu" if target == "cpu" else "cuda"

    for name, value in {**options, "device": device}.items():
        kinds = ((int,) if name in ("scratch_limit", "rank") else
                 (str,) if name in ("target", "device") else (str, type(None)))
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ArgumentError(f"{name} is {value!r}, expected "
                                f"{'an integer' if int in kinds else 'text'}")

    def compile_to(path: str) -> str:
        return module._handle.compile(path, chip=None, **options)

    if not cache:
        with tempfile.TemporaryDirectory(prefix="muon-mlir-") as scratch:
            path = os.path.join(scratch, "step.so")
            report = compile_to(path)
            return Step._open(path, device, report)

    parts = dict(options)
    parts["ir"] = module.print(locations=False)
    parts["build"] = _native.compiler().build()
    if cpu in (None, "native"):
        parts["host"] = _cache.host_cpu()
    if target != "cpu":
        parts["ptxas"] = _cache.file_identity(_found_ptxas(options["ptxas"]))
    if topology is not None:
        try:
            parts["topology"] = Path(topology).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ArgumentError(f"topology: {error}") from None
    key = _cache.key_of(parts)
    for _ in range(2):
        artifact, report = _cache.get(key, compile_to)
        try:
            return _load(artifact, device, report)
        except Error:
            # Damaged between the check and the loading: made anew.
            if _cache.is_intact(artifact):
                raise
    artifact, report = _cache.get(key, compile_to)
    return _load(artifact, device, report)


def _load(artifact: Path, device: str, report: str) -> Step:
    try:
        return Step._open(os.fspath(artifact), device, report)
    except Error as first:
        # An entry that was replaced while a step of it lives cannot be loaded
        # by the same name.
        with tempfile.TemporaryDirectory(prefix="muon-mlir-") as scratch:
            copy = os.path.join(scratch, "step.so")
            try:
                shutil.copyfile(artifact, copy)
                return Step._open(copy, device, report)
            except (OSError, Error):
                raise first from None
