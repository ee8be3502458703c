# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of muon_mlir.torch, for whatever PyTorch the interpreter has."""
import sys
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# Without it there is nothing to collect; scripts/test-python.sh runs this
# folder with an interpreter that has it. (This folder can be imported by the
# name, too.)
try:
    from torch import set_num_threads
except ImportError:
    collect_ignore_glob = ["test_*.py"]
else:
    set_num_threads(1)


@pytest.fixture(scope="session")
def artifact_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def shared_cache(artifact_cache, monkeypatch):
    """Tests share what they compile, with nobody else."""
    monkeypatch.setenv("MUON_CACHE_DIR", str(artifact_cache))


@pytest.fixture(autouse=True)
def no_warning_but_expected():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        # Of PyTorch itself, about parts that the tests do not use.
        warnings.filterwarnings("ignore", message=".*NumPy.*")
        warnings.filterwarnings("ignore", message=".*CUDA.*")
        yield


@pytest.fixture
def compiles(no_warning_but_expected):
    """For tests in which steps are compiled again, whatever is said."""
    warnings.simplefilter("ignore", sys.modules["muon_mlir.torch"
                                                ].RecompileWarning)


@pytest.fixture
def params():
    from common import parameters
    return parameters()


@pytest.fixture
def optimizer(params):
    """Of Muon and AdamW; it has made one step."""
    from common import give_gradients
    from muon_mlir.torch import Muon
    optimizer = Muon(params.items(), lr=0.02, adamw={"lr": 0.01})
    give_gradients(params)
    optimizer.step()
    return optimizer
