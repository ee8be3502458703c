# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What takes a process of its own: devices, executables on disk, and packages
that are not there."""
import os
import subprocess
import sys

import pytest

SETUP = """
import jax, jax.numpy as jnp, numpy as np, muon_mlir.jax
params = {"w": jnp.full((4, 6), 0.5)}
tx = muon_mlir.jax.muon(0.1)
"""


@pytest.fixture
def python(compiled, tmp_path):
    def run(script, **environment):
        done = subprocess.run(
            [sys.executable, "-c", script], text=True, capture_output=True,
            cwd=tmp_path, timeout=300,
            env={**os.environ, "MUON_CACHE_DIR": str(compiled), **environment})
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.strip()
    return run


def test_devices(python):
    """The second device is as good as the first; two at a time are an error."""
    output = python(SETUP + """
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
first, second = jax.devices()
state = tx.init(params)
expected, _ = tx.apply(params, params, state)
one = jax.device_put((params, params, state), second)
found, _ = jax.jit(tx.apply)(*one)
print(found["w"].devices() == {second},
      np.array_equal(found["w"], expected["w"]))

mesh = Mesh([first, second], ("x",))
def attempt(function, *arguments):
    try:
        jax.block_until_ready(function(*arguments))
    except muon_mlir.ArgumentError as error:
        print(str(error).split(":")[0])
split = {"w": jax.device_put(params["w"], NamedSharding(mesh, P("x")))}
attempt(jax.jit(tx.apply), split, split, state)
attempt(tx.apply, split, split, state)
everywhere = jax.device_put((params, params, state), NamedSharding(mesh, P()))
attempt(jax.jit(tx.apply), *everywhere)
attempt(jax.shard_map(tx.apply, mesh=mesh, in_specs=P(), out_specs=P(),
                      check_vma=False), params, params, state)
""", XLA_FLAGS="--xla_force_host_platform_device_count=2")
    two = ("a step of muon_mlir.jax is compiled for 2 devices, expected one")
    assert output.splitlines() == ["True True", two, two, two, two]


def test_persistent_cache_of_jax(python, tmp_path):
    """An executable that another process compiled finds its step."""
    script = SETUP + """
state, apply, hits = tx.init(params), jax.jit(tx.apply), []
jax.monitoring.register_event_listener(
    lambda event, **_: hits.append(event.endswith("/cache_hits")))
after, _ = apply(params, params, state)
print(np.asarray(after["w"]).tobytes().hex(), any(hits))
"""
    settings = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "xla"),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    first, second = (python(script, **settings).split() for _ in range(2))
    assert (first[1], second[1]) == ("False", "True")
    assert first[0] == second[0]
    assert any(tmp_path.glob("xla/jit_apply*-cache"))


def test_executable_without_its_step(python):
    output = python(SETUP + """
from jax.experimental.serialize_executable import serialize
import pickle
compiled = jax.jit(tx.apply).lower(params, params, tx.init(params)).compile()
pickle.dump(serialize(compiled), open("apply.pickle", "wb"))
""")
    assert output == ""
    output = python(SETUP + """
from jax.experimental.serialize_executable import deserialize_and_load
import pickle
from muon_mlir import _jax_call
_jax_call._register()
try:
    deserialize_and_load(*pickle.load(open("apply.pickle", "rb")))
except jax.errors.JaxRuntimeError as error:
    print(error)
state = tx.init(params)
load = deserialize_and_load(*pickle.load(open("apply.pickle", "rb")))
after, _ = load(params, params, state)
expected, _ = tx.apply(params, params, state)
print(np.array_equal(after["w"], expected["w"]))
""")
    first, second = output.splitlines()
    assert "muon_mlir: this process has no step" in first
    assert second == "True"


def test_without_optax(python):
    assert python("import sys; sys.modules['optax'] = None" + SETUP + """
after, state = tx.apply(params, params, tx.init(params))
print(int(state.count), "flax" in sys.modules)
""") == "1 False"


def test_without_the_extension(python):
    output = python("""
import sys
sys.modules["muon_mlir._xla"] = None
import muon_mlir
try:
    import muon_mlir.jax
except ImportError as error:
    print(error)
""")
    assert "muon_mlir was built without jaxlib's headers" in output
    assert "--no-build-isolation" in output


def test_core_without_jax(python):
    """The extension does not make the package need JAX."""
    assert python("import sys, muon_mlir; print('jax' in sys.modules)"
                  ) == "False"
