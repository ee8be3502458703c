# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules, and what is wrong with them."""
import threading
import warnings

import ml_dtypes
import models
import muon_mlir
import numpy as np
import pytest
import safetensors_io
from muon_mlir import ArgumentError, CompileError, Module

MODELS = [models.MUON, models.ADAMW, models.MIXED]


def described(model):
    return {name: (shape, models.DTYPES[kind])
            for name, (shape, kind) in model.shapes.items()}


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_as_muon_import(model, tools, tmp_path):
    """Three ways to the same module, one of them the tool's."""
    model.write(tmp_path)
    path = tmp_path / "model.safetensors"
    imported = tools("muon-import", path, "--config",
                     tmp_path / "rules.json").stdout
    text = Module.parse(imported).print()
    assert str(Module.from_safetensors(path, model.rules)) == text
    params = described(model)
    ours = Module.from_params(
        {name: params[name] for name in safetensors_io.load(path)}, model.rules)
    ours.verify()
    assert str(ours) == text


@pytest.mark.parametrize("rules", [None, {}, "{}"])
def test_default_rules(rules):
    assert str(Module.from_params(described(models.MUON), rules)) == str(
        Module.from_params(described(models.MUON)))


@pytest.mark.parametrize("dtype, element", [
    ("float32", "f32"), ("f32", "f32"), ("F32", "f32"), (np.float32, "f32"),
    (np.dtype("float16"), "f16"), ("torch.bfloat16", "bf16"),
    (ml_dtypes.bfloat16, "bf16"), ("BF16", "bf16"), ("half", "f16")])
def test_dtypes(dtype, element):
    text = str(Module.from_params({"w": ((6, 4), dtype)}))
    assert f"tensor<6x4x{element}>" in text


def test_round_trip():
    module = Module.from_params(described(models.MIXED), models.MIXED.rules)
    text = module.print()
    assert Module.parse(text).print() == text
    assert Module.parse(text.encode()).print() == text
    located = module.print(locations=True)
    assert "loc(" in located and "loc(" not in text
    assert Module.parse(located).print() == text


def test_passes_and_clones():
    module = Module.from_params(described(models.MUON))
    before = str(module)
    clone = module.clone()
    clone.run_passes("builtin.module(muon-cpu-pipeline{to=math})")
    assert "muon.update" in before
    assert "muon.update" not in str(clone)
    assert str(module) == before
    clone.verify()


def test_passes_that_fail_change_nothing():
    # Valid, but nothing that the pipeline takes.
    module = Module.parse("module { func.func private @step() }", "bad.mlir")
    before = str(module)
    with pytest.raises(CompileError) as caught:
        module.run_passes("builtin.module(canonicalize,muon-cpu-pipeline)")
    assert caught.value.diagnostics[0].severity == "error"
    assert str(module) == before
    module.verify()


@pytest.mark.parametrize("pipeline", ["builtin.module(nothing)", "", "((",
                                      "builtin.module(canonicalize{x=1})"])
def test_bad_pipeline(pipeline):
    module = Module.from_params(described(models.MUON))
    before = str(module)
    with pytest.raises((ArgumentError, CompileError)):
        module.run_passes(pipeline)
    assert str(module) == before


def test_diagnostics_have_places():
    text = """module {
  func.func @f(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
    %y = arith.addf %x, %z : tensor<4x4xf32>
    return %y : tensor<4x4xf32>
  }
}
"""
    with pytest.raises(CompileError) as caught:
        Module.parse(text, "made_up.mlir")
    (one,) = caught.value.diagnostics
    assert (one.severity, one.file, one.line, one.column) == (
        "error", "made_up.mlir", 3, 25)
    assert "undeclared SSA value" in one.message
    assert "made_up.mlir:3:25: error:" in str(caught.value)
    assert str(one).startswith("made_up.mlir:3:25: error: ")


def test_notes_belong_to_their_error():
    text = """module {
  func.func private @f()
  func.func private @f()
}
"""
    with pytest.raises(CompileError) as caught:
        Module.parse(text, "twice.mlir")
    (one,) = caught.value.diagnostics
    assert (one.line, len(one.notes)) == (3, 1)
    assert (one.notes[0].severity, one.notes[0].line) == ("note", 2)


@pytest.mark.parametrize("make, error, message", [
    (lambda: Module.parse("text"), CompileError, "error: "),
    (lambda: Module.parse(b"ML\xefR\x00\xff"), CompileError, "error: "),
    (lambda: Module.from_params({"w": ((4, 4), "f32")},
                                {"muon": {"steps": -3}}), CompileError,
     "muon.steps: expected an integer from 1 to 100, found -3"),
    (lambda: Module.from_params({"w": ((4, 4), "f32")}, "{"), CompileError,
     "rules"),
    (lambda: Module.from_params({"w": ((4, 4), "f32")}, {"muon": {1j}}),
     ArgumentError, "rules are no JSON"),
    (lambda: Module.from_params({"w": ((4, 4), "f33")}), (CompileError,
     ArgumentError), "F33"),
    (lambda: Module.from_params({"w": ((4, -4), "f32")}), (CompileError,
     ArgumentError), "w"),
    (lambda: Module.from_params({"w": ((1, 1, 1, 1), "f32")}), CompileError,
     "w"),
    (lambda: Module.from_params({"w": 3}), ArgumentError,
     "parameter 'w' is 3, expected a shape and a dtype"),
    (lambda: Module.from_params({"w": ((2 ** 70, 1), "f32")}), ArgumentError,
     "integers of 64 bits"),
    (lambda: Module.from_params({4: ((2, 1), "f32")}), ArgumentError,
     "names that are strings"),
    (lambda: Module.from_safetensors("/nowhere/x.safetensors"), CompileError,
     "/nowhere/x.safetensors"),
])
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message) as caught:
        make()
    assert isinstance(caught.value, muon_mlir.Error)
    if isinstance(caught.value, CompileError):
        assert any(d.severity == "error" for d in caught.value.diagnostics)


def test_warnings_of_the_compiler():
    with pytest.warns(muon_mlir.CompileWarning, match="polar_express") as found:
        Module.from_params({"w": ((4, 4), "f32")},
                           {"muon": {"schedule": "polar_express"}})
    assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Module.from_params({"w": ((4, 4), "f32")})


def test_threads():
    """On modules of their own, and on clones that share a context."""
    shared = Module.from_params(described(models.MUON))
    expected, errors, lowered = str(shared), [], set()

    def work(number):
        try:
            for _ in range(3):
                module = (shared.clone() if number % 2
                          else Module.from_params(described(models.MUON)))
                assert str(module) == expected
                module.run_passes("builtin.module(muon-cpu-pipeline{to=math})")
                lowered.add(str(module))
                try:
                    module.run_passes("builtin.module(nothing)")
                    raise AssertionError("no error")
                except ArgumentError as error:
                    assert "nothing" in str(error)
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and len(lowered) == 1
