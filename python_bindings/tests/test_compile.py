# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compilation in process, and the cache on disk."""
import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import models
import muon_mlir
import numpy as np
import pytest
from muon_mlir import (ArgumentError, CompileError, Error, Module, _cache,
                       _native)

RULES = {"muon": {"steps": 2}}


def small(rules=None):
    return Module.from_params({"w": ((6, 4), "float32")}, rules or RULES)


class Spy:
    """A module's handle that counts compilations."""

    def __init__(self, module):
        self._handle, self.compiled = module._handle, 0
        module._handle = self

    def __getattr__(self, name):
        return getattr(self._handle, name)

    def compile(self, *arguments, **options):
        self.compiled += 1
        return self._handle.compile(*arguments, **options)


def compilations(module, **options):
    spy = Spy(module)
    step = muon_mlir.compile(module, **options)
    module._handle = spy._handle
    return spy.compiled, step


def run(step):
    params = {"w": np.arange(24, dtype="f4").reshape(6, 4)}
    grads = {"w": np.ones((6, 4), "f4")}
    step(params, grads, step.init_state(params), lr=0.1)
    return params["w"].tobytes()


def files(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("target", ["cpu", "sm_80"])
@pytest.mark.parametrize("cache", [True, False])
def test_as_muon_compile(artifacts, tmp_path, cache_folder, target, cache):
    """The artifact is the tool's, and so does what the tool's does."""
    model = models.MIXED if target == "cpu" else models.MUON
    path = artifacts(model, target)
    module = Module.from_safetensors(path.parent / "model.safetensors",
                                     model.rules)
    before = module.print(locations=True)
    step = muon_mlir.compile(module, target, cache=cache,
                             ptxas=None if target == "cpu" else "none",
                             device="cpu" if target == "cpu" else "sim")
    assert module.print(locations=True) == before
    step.save(tmp_path / "ours.so")
    theirs = muon_mlir.Step.load(path, step.device)
    assert step.arguments == theirs.arguments
    assert step.scalars == theirs.scalars
    assert {**step.info} == {**theirs.info}
    assert step.report()["format"] == "muon-report"
    assert cache_folder.exists() == cache
    if target == "cpu":
        sets = [model.tensors() for _ in range(2)]
        for one, tensors in zip((step, theirs), sets):
            assert one(*tensors, lr=0.3).taken
        for ours, tools in zip(*sets):
            for name, values in ours.items():
                assert values.tobytes() == tools[name].tobytes(), name
    else:
        assert (tmp_path / "ours.so").stat().st_size > 10_000


def test_no_cache_leaves_nothing(cache_folder, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    step = muon_mlir.compile(small(), cache=False)
    assert not cache_folder.exists() and files(scratch) == []
    step.save(tmp_path / "later.so")
    assert run(muon_mlir.Step.load(tmp_path / "later.so")) == run(step)


@pytest.mark.parametrize("target, options, error, message", [
    ("abacus", {}, ArgumentError, "abacus"),
    (None, {}, ArgumentError, "target is None, expected text"),
    ("cpu", {"cpu": "zork"}, (ArgumentError, CompileError), "zork"),
    ("cpu", {"cpu": 3}, ArgumentError, "cpu is 3, expected text"),
    ("cpu", {"scratch_limit": -1}, (ArgumentError, CompileError), "-1"),
    ("cpu", {"scratch_limit": "4K"}, ArgumentError,
     "scratch_limit is '4K', expected an integer"),
    ("cpu", {"grid": "dp="}, (ArgumentError, CompileError), "dp="),
    ("cpu", {"grid": {"dp": 2}, "rank": 7}, (ArgumentError, CompileError),
     "7"),
    ("cpu", {"topology": "/nowhere.json", "grid": "dp=2", "rank": 0},
     (ArgumentError, CompileError), "nowhere"),
    ("sm_80", {"ptxas": "/nowhere/ptxas"}, (ArgumentError, CompileError),
     "nowhere"),
    ("cpu", {"device": "abacus"}, Error, "abacus"),
    ("cpu", {"device": "sim"}, Error, "sim"),
])
@pytest.mark.parametrize("cache", [True, False])
def test_bad_options(cache_folder, target, options, error, message, cache):
    module = small()
    before = str(module)
    with pytest.raises(error, match=message):
        muon_mlir.compile(module, target, cache=cache, **options)
    assert str(module) == before
    if "device" not in options and cache_folder.exists():
        assert files(cache_folder) == []


def test_not_a_module():
    with pytest.raises(ArgumentError, match="module is a str, expected"):
        muon_mlir.compile("module {}")


def test_module_that_is_no_step(cache_folder):
    with pytest.raises(CompileError) as caught:
        muon_mlir.compile(Module.parse("module {}", "empty.mlir"))
    assert caught.value.diagnostics
    assert files(cache_folder) == []


def test_one_rank_of_several():
    step = muon_mlir.compile(Module.from_params(
        {"w": ((8, 8), "f32"), "v": ((8, 8), "f32")}), grid={"dp": 2}, rank=1)
    assert (step.info["rank"], step.info["ranks"]) == (1, 2)
    assert step.info["grid"] == "dp=2"


# -- The cache ----------------------------------------------------------------

def test_hit(cache_folder):
    assert compilations(small())[0] == 1
    before = {n: (cache_folder / n).stat().st_mtime_ns
              for n in files(cache_folder)}
    assert len(before) == 2
    count, step = compilations(small())
    assert count == 0 and run(step) == run(compilations(small())[1])
    assert step.report()["format"] == "muon-report"
    assert before == {n: (cache_folder / n).stat().st_mtime_ns
                      for n in files(cache_folder)}
    (entry,) = cache_folder.glob("*.json")
    (artifact,) = cache_folder.glob("*.so")
    digest = hashlib.sha256(artifact.read_bytes()).hexdigest()
    assert artifact.stem == digest
    assert json.loads(entry.read_text())["artifact"] == digest


def test_key(monkeypatch):
    """What makes another entry, and what does not."""
    module = small()
    assert compilations(module)[0] == 1
    relocated = Module.parse(module.print(), "elsewhere.mlir")
    assert relocated.print(locations=True) != module.print(locations=True)
    assert compilations(relocated)[0] == 0
    for options in ({"cpu": "x86-64-v3"}, {"scratch_limit": 1 << 20},
                    {"target": "sm_80", "device": "sim", "ptxas": "none"}):
        assert compilations(small(), **options)[0] == 1, options
        assert compilations(small(), **options)[0] == 0, options
    assert compilations(small({"muon": {"steps": 3}}))[0] == 1

    monkeypatch.setattr(_cache, "host_cpu", lambda: "another processor")
    assert compilations(small(), cpu="x86-64-v3")[0] == 0
    assert compilations(small())[0] == 1

    class Compiler:
        Module = _native.compiler().Module

        @staticmethod
        def build():
            return "another build"
    monkeypatch.setattr(_native, "compiler", lambda: Compiler)
    assert compilations(small())[0] == 1


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "flipped": ("so", flip),
    "truncated": ("so", lambda p: os.truncate(p, 100)),
    "empty": ("so", lambda p: p.write_bytes(b"")),
    "gone": ("so", Path.unlink),
    "no JSON": ("json", lambda p: p.write_text("{")),
    "other JSON": ("json", lambda p: p.write_text("[1]")),
    "no entry": ("json", Path.unlink),
    "other hash": ("json", lambda p: p.write_text(json.dumps(
        {"artifact": "0" * 64, "report": "{}"}))),
    "path for a hash": ("json", lambda p: p.write_text(json.dumps(
        {"artifact": "../" * 20 + "etc", "report": "{}"}))),
    "half a report": ("json", lambda p: p.write_text(
        p.read_text().replace("}", ""))),
    "no text": ("json", lambda p: p.write_bytes(b"\xff\xfe\xff")),
}


@pytest.mark.parametrize("case", DAMAGE)
@pytest.mark.parametrize("alive", [False, True])
def test_damaged_entry(cache_folder, case, alive):
    expected = run(muon_mlir.compile(small(), cache=False))
    step = muon_mlir.compile(small())
    names = files(cache_folder)
    kind, damage = DAMAGE[case]
    (victim,) = cache_folder.glob(f"*.{kind}")
    if alive:
        # A new file by that name: the step has the old one mapped.
        copy = victim.with_suffix(".copy")
        copy.write_bytes(victim.read_bytes())
        os.replace(copy, victim)
    else:
        del step
    damage(victim)
    count, again = compilations(small())
    assert count == 1 and run(again) == expected
    assert compilations(small())[0] == 0
    assert files(cache_folder) == names
    for artifact in cache_folder.glob("*.so"):
        assert hashlib.sha256(
            artifact.read_bytes()).hexdigest() == artifact.stem


def test_folder_is_the_owners(cache_folder):
    previous = os.umask(0)
    try:
        muon_mlir.compile(small())
    finally:
        os.umask(previous)
    assert stat.S_IMODE(cache_folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702])
def test_folder_that_others_may_write_to(cache_folder, mode):
    cache_folder.mkdir()
    cache_folder.chmod(mode)
    with pytest.raises(Error, match=f"others may write to it .mode 0{mode:o}"):
        muon_mlir.compile(small())
    assert files(cache_folder) == []
    muon_mlir.compile(small(), cache=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root")
def test_folder_of_others(cache_folder):
    cache_folder.mkdir(mode=0o700)
    os.chown(cache_folder, 4242, -1)
    with pytest.raises(Error, match="belongs to user 4242, expected 0"):
        muon_mlir.compile(small())


def test_folder_that_is_none(cache_folder):
    cache_folder.write_text("")
    with pytest.raises(Error, match="is no folder"):
        muon_mlir.compile(small())
    cache_folder.unlink()
    cache_folder.symlink_to("nowhere")
    with pytest.raises(Error, match="cannot make the cache folder"):
        muon_mlir.compile(small())


def test_where_the_folder_is(tmp_path, monkeypatch):
    monkeypatch.delenv("MUON_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    muon_mlir.compile(small())
    assert len(files(tmp_path / "home/.cache/muon-mlir")) == 2
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    muon_mlir.compile(small())
    assert len(files(tmp_path / "xdg/muon-mlir")) == 2


WORKER = """
import sys
import muon_mlir
import array
for turn in range(6):
    for steps in (1, 2):
        module = muon_mlir.Module.from_params(
            {"w": ((6, 4), "float32")}, {"muon": {"steps": steps}})
        step = muon_mlir.compile(module)
        assert [a.key for a in step.arguments if a.role == "weight"] == ["w"]
        del step
print("done")
"""


def test_damaged_after_it_was_checked(cache_folder, monkeypatch):
    """As another process may, between the check of an entry and its use."""
    real, calls = _cache.get, []

    def get(key, compile_to):
        artifact, report = real(key, compile_to)
        calls.append(artifact)
        if len(calls) == 1:
            artifact.write_bytes(artifact.read_bytes()[:999])
        return artifact, report

    monkeypatch.setattr(_cache, "get", get)
    module = small({"muon": {"steps": 3}})
    assert run(muon_mlir.compile(module)) == run(
        muon_mlir.compile(module, cache=False))
    assert len(calls) == 2


def test_processes_at_once(cache_folder):
    """They make the same entries while those are damaged all the time."""
    workers = [subprocess.Popen([sys.executable, "-c", WORKER], text=True,
                                cwd="/", stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE) for _ in range(3)]
    damaged = 0
    while any(w.poll() is None for w in workers):
        for path in (list(cache_folder.glob("*.*"))
                     if cache_folder.exists() else []):
            try:
                # By a rename: who has an artifact mapped keeps the old file.
                bad = cache_folder / ".bad"
                bad.write_bytes(path.read_bytes()[:-7])
                os.replace(bad, path)
                damaged += 1
            except OSError:
                pass
        try:
            workers[0].wait(0.05)
        except subprocess.TimeoutExpired:
            pass
    outputs = [w.communicate(timeout=120) for w in workers]
    assert [o[0].strip() for o in outputs] == ["done"] * 3, outputs
    assert damaged > 0
    assert not [n for n in files(cache_folder) if n.startswith(".new")]
    assert compilations(small())[0] <= 1
    assert compilations(small())[0] == 0
