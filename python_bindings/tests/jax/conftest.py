# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fixtures of the tests of muon_mlir.jax."""
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """A cache that all of these tests share: they compile the same steps."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(autouse=True)
def cache_folder(compiled, monkeypatch):
    monkeypatch.setenv("MUON_CACHE_DIR", str(compiled))
    return compiled


@pytest.fixture
def params():
    rng = np.random.default_rng(3)
    return {"dense": {"kernel": normal(rng, (12, 8)),
                      "bias": normal(rng, (8,))},
            "out": normal(rng, (8, 20))}


@pytest.fixture
def grads(params):
    """A function from the number of a step to its gradients."""
    def gradients(number):
        rng = np.random.default_rng(100 + number)
        return {"dense": {"kernel": normal(rng, (12, 8)),
                          "bias": normal(rng, (8,))},
                "out": normal(rng, (8, 20))}
    return gradients


def normal(rng, shape):
    return jnp.asarray(rng.standard_normal(shape), jnp.float32)
