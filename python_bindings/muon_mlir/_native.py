# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The extension modules, and what it means if one cannot be loaded."""
from __future__ import annotations

import importlib
import importlib.util
import re
from types import ModuleType

# Debian's packages of what the libraries of the wheel need.
_PACKAGES = {
    "libMLIR": "libmlir-22",
    "libLLVM": "libllvm22",
    "libopenblas": "libopenblas0-pthread",
    "libdnnl": "libdnnl2",
    "libstdc++": "libstdc++6",
}


def explain(error: ImportError) -> ImportError:
    """`error`, with the package that has the missing library."""
    missing = re.match(r"(lib[^:]+?\.so[^:]*): cannot open shared object",
                       str(error))
    if not missing:
        return error
    library = missing.group(1)
    package = _PACKAGES.get(library.partition(".so")[0])
    if package is None:
        return ImportError(f"muon_mlir needs the library {library}, which is "
                           "not there", name=error.name)
    return ImportError(
        f"muon_mlir needs the library {library}, which is not there; on Debian "
        f"and Ubuntu it comes with: apt-get install {package}",
        name=error.name)


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"muon_mlir.{name}")
    except ImportError as error:
        raise explain(error) from error


def compiler() -> ModuleType:
    """Loaded when first asked for: a step that is compiled runs without."""
    return _load("_compiler")


def runtime() -> ModuleType:
    return _load("_runtime")


def xla() -> ModuleType:
    """Raises ImportError, with what to do, where the package has no part for
    JAX, or JAX is not there."""
    for name in ("jax", "jaxlib"):
        if importlib.util.find_spec(name) is None:
            raise ImportError(
                f"muon_mlir.jax needs {name}, which is not installed: pip "
                "install jax jaxlib, and then muon_mlir again as docs/jax.md "
                "says", name=name)
    try:
        return _load("_xla")
    except ModuleNotFoundError as error:
        raise ImportError(
            "muon_mlir was built without jaxlib's headers, and so without "
            "muon_mlir.jax: install it again where jaxlib is, with pip install "
            "--no-build-isolation ./python_bindings (docs/jax.md)",
            name=error.name) from error
