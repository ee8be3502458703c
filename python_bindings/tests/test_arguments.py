# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors and numbers that steps take, and those that they refuse."""
import array
import ctypes
import gc

import exporter
import ml_dtypes
import models
import muon_mlir
import numpy as np
import pytest
from exporter import Exporter, read_only
from muon_mlir import ArgumentError, StepError


def address(values):
    return values.__array_interface__["data"][0]


def transposed(values):
    return np.asfortranarray(values)


def unaligned(values):
    raw = np.zeros(values.nbytes + 1, np.uint8)
    view = raw[1:].view(values.dtype).reshape(values.shape)
    view[...] = values
    return view


def released(values):
    view = memoryview(values)
    view.release()
    return view


# (where, what is wrong with the tensor there, what the message says)
BAD = {
    "no tensor": ("w", lambda v: 3, "weight 'w': expected a tensor .* int"),
    "text": ("w", lambda v: "w", "weight 'w': expected a tensor .* str"),
    "list": ("w", lambda v: v.tolist(), "expected a tensor .* list"),
    "dtype": ("w", lambda v: v.astype("f8"),
              "dtype is float64, expected float32"),
    "integers": ("w", lambda v: v.view("i4"), "dtype is int32"),
    "complex": ("w", lambda v: v.astype("c8"), "buffer format 'Zf'"),
    "byte order": ("w", lambda v: v.astype(">f4"), "buffer format '>f'"),
    "bytes": ("w", lambda v: v.tobytes(), "dtype is uint8"),
    "unmarked bits": ("low", lambda v: v.view("u2"),
                      r"uint16, expected bfloat16; muon_mlir.bfloat16\(\)"),
    "marked floats": ("low", lambda v: muon_mlir.bfloat16(
        v.astype("f4")), "dtype is float32 for the bits of bfloat16"),
    "f16 for bf16": ("low", lambda v: v.astype("f2"), "dtype is float16"),
    "shape": ("w", lambda v: v[:-1].copy(),
              r"shape is \(23, 16\), expected \(24, 16\)"),
    "swapped": ("w", lambda v: v.T.copy(), r"shape is \(16, 24\)"),
    "rank": ("b", lambda v: v.reshape(3, 11),
             r"shape is \(3, 11\), expected \(33,\)"),
    "scalar": ("scale", lambda v: v.reshape(1),
               r"shape is \(1,\), expected \(\)"),
    "Fortran": ("w", transposed,
                r"not contiguous .* strides are \(1, 24\) elements"),
    "strided": ("b", lambda v: np.repeat(v, 2)[::2],
                r"strides are \(2,\) elements"),
    "backwards": ("b", lambda v: v[::-1], r"strides are \(-1,\)"),
    "broadcast": ("w", lambda v: np.lib.stride_tricks.as_strided(
        v, v.shape, (0, 4)), r"strides are \(0, 1\)"),
    "read-only": ("w", read_only, "weight 'w': read-only"),
    "read-only bf16": ("low", read_only, "read-only"),
    "unaligned": ("w", unaligned, "not a multiple of 4"),
    "released": ("w", released, "cannot be exported: .*released"),
    "on a GPU": ("w", lambda v: Exporter(v, device=(exporter.CUDA, 1)),
                 "device is cuda:1, expected cpu"),
    "elsewhere": ("w", lambda v: Exporter(v, device=(exporter.ROCM, 0)),
                  "device is of DLPack type 10"),
    "DLPack dtype": ("w", lambda v: Exporter(v, code=exporter.UINT),
                     "dtype is uint32"),
    "DLPack lanes": ("w", lambda v: Exporter(v, lanes=2), "2 lanes"),
    "DLPack strides": ("w", lambda v: Exporter(transposed(v)),
                       "not contiguous"),
    "DLPack version": ("w", lambda v: Exporter(v, version=(2, 0)),
                       r"DLPack version is 2\.0, expected 1"),
    "DLPack read-only": ("w", lambda v: Exporter(v, flags=1), "read-only"),
}


@pytest.fixture(params=["unbound", "bound"])
def ready(request, artifacts, mixed, tensors):
    """A step before its first call, and one that has all tensors."""
    step = muon_mlir.Step.load(artifacts(mixed))
    if request.param == "bound":
        step(*tensors, lr=0.1)
    return step


def unchanged(before, tensors):
    return all(models.tensor(v).same_bits(before[i][n])
               for i, m in enumerate(tensors) for n, v in m.items())


@pytest.mark.parametrize("case", BAD)
def test_bad_tensor(ready, tensors, case):
    name, spoil, message = BAD[case]
    before = [models.snapshot(m) for m in tensors]
    params, grads, state = tensors
    bad = spoil(params[name])
    with pytest.raises(ArgumentError, match=message) as caught:
        ready({**params, name: bad}, grads, state, lr=0.1)
    assert caught.value.diagnostics == ()
    assert unchanged(before, tensors)
    with pytest.raises(ArgumentError, match=message):
        ready.bind({**params, name: bad}, grads, state)
    # Nothing of the call that failed is left: this one needs all tensors.
    other = [{n: v.copy() for n, v in m.items()} for m in tensors]
    assert ready(*other, lr=0.1).taken
    assert unchanged(before, tensors)


@pytest.mark.parametrize("case", BAD)
def test_bad_tensor_leaves_what_was_bound(artifacts, mixed, tensors, case):
    name, spoil, message = BAD[case]
    step = muon_mlir.Step.load(artifacts(mixed))
    step(*tensors, lr=0.1)
    count = int(tensors[2]["step"])
    others = {n: v.copy() for n, v in tensors[0].items()}
    with pytest.raises(ArgumentError, match=message):
        step({**others, name: spoil(others[name])}, lr=0.1)
    before = tensors[0]["w"].copy()
    step(lr=0.1)
    assert int(tensors[2]["step"]) == count + 1
    assert not np.array_equal(before, tensors[0]["w"])


@pytest.mark.parametrize("arguments, message", [
    (({"nothing": np.zeros(3)},), "the step has no weight 'nothing'"),
    (({3: np.zeros(3)},), "the step has no weight 3"),
    (({"mask": np.zeros(3, "i8")},), "the step has no weight 'mask'"),
    ((None, {"w.momentum": np.zeros(3)}), "has no gradient 'w.momentum'"),
    ((None, None, {"w": np.zeros(3)}), "the step has no state 'w'"),
    ((7,), "params is a int, expected a mapping"),
    ((None, [np.zeros(3)]), "grads is a list, expected a mapping"),
    ((None, None, {"step": 3}), "step 'step': expected a tensor"),
])
def test_bad_mapping(step, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        step(*arguments, lr=0.1)


def test_missing_tensors(step, tensors):
    params, grads, state = tensors
    with pytest.raises(ArgumentError,
                       match=r"23 of 23 tensors are not bound: .*, …"):
        step(lr=0.1)
    del grads["b"], state["w.momentum"]
    for call in (lambda: step(params, grads, state, lr=0.1),
                 lambda: step.bind(params, grads, state)):
        with pytest.raises(ArgumentError,
                           match="2 of 23 tensors are not bound: gradient 'b'"
                                 ", momentum 'w'$"):
            call()


@pytest.mark.parametrize("numbers, message", [
    ({}, "lr of group '.*' is not given, and has no default"),
    ({"lr": "much"}, "lr is 'much', expected a number"),
    ({"lr": -0.1}, "lr is -0.1"),
    ({"lr": float("nan")}, "lr is nan"),
    ({"lr": 1e300}, "lr is 1e\\+300"),
    ({"lr": {"muon": 0.1}}, "lr of group 'adamw' is not given"),
    ({"lr": {"muon": 0.1, "adamw": "x", "slow": 1}},
     "lr of group 'adamw' is 'x', expected a number"),
    ({"lr": {"muon": 0.1, "adamw": 0.1, "slow": 1, "fast": 1}},
     "no lr of group 'fast'; groups: '"),
    ({"lr": 0.1, "momentum": 1.0}, "beta is 1"),
    ({"lr": 0.1, "momentum": {"adamw": 0.5}}, "no momentum of group 'adamw'"),
    ({"lr": 0.1, "weight_decay": -1}, "weight_decay is -1"),
    ({"lr": 0.1, "clip": 0.0}, "clip_limit is 0"),
    ({"lr": 0.1, "clip": {"muon": 1.0}}, "clip has no groups"),
    ({"lr": 0.1, "stream": "s"}, "stream is 's', expected None"),
    ({"lr": 0.1, "stream": 16}, "stream must be null on device 'cpu'"),
])
def test_bad_numbers(step, tensors, numbers, message):
    step(*tensors, lr=0.1)
    before = [models.snapshot(m) for m in tensors]
    others = [{n: v.copy() for n, v in m.items()} for m in tensors]
    with pytest.raises(ArgumentError, match=message):
        step(*others, **numbers)
    assert unchanged(before, others)
    step(lr=0.1)  # what the call above gave is not bound
    assert unchanged(before, others) and not unchanged(before, tensors)


def test_no_clip_limit(artifacts):
    step = muon_mlir.Step.load(artifacts(models.MUON))
    with pytest.raises(ArgumentError, match="the step has no clip"):
        step(*models.MUON.tensors(), lr=0.1, clip=1.0)


def test_overlap(step, tensors):
    params, grads, state = tensors
    step(params, grads, state, lr=0.1)
    before = [models.snapshot(m) for m in tensors]
    with pytest.raises(ArgumentError,
                       match="buffers of weight '.' and weight '.' overlap"):
        step({"b": params["w"].reshape(-1)[:33]}, lr=0.1)
    assert unchanged(before, tensors)
    assert step(lr=0.1).taken


def test_in_place(step, tensors):
    """By address, and by what the arrays hold afterwards."""
    everything = {}
    for mapping in tensors:
        everything.update({id(v): v for v in mapping.values()})
    before = {k: v.copy() for k, v in everything.items()}
    bound = step.bind(*tensors)
    bound(lr=0.1)
    found = {bound._instance.address(i) for i in range(len(step.arguments))}
    assert found == {address(v) for v in everything.values()}
    params, grads, state = tensors
    for mapping, changes in ((params, True), (grads, False), (state, True)):
        for name, values in mapping.items():
            same = models.tensor(values).same_bits(
                models.tensor(before[id(values)]))
            assert same != changes, name


@pytest.mark.parametrize("version", [None, (1, 0), (1, 3)])
@pytest.mark.parametrize("strides", ["array", None])
def test_dlpack(step, tensors, version, strides):
    """Exporters old and new; released once, and not before they may be."""
    params, grads, state = tensors
    one, other = (Exporter(params["w"].copy(), version=version,
                           strides=strides, offset=offset)
                  for offset in (0, 64))
    step({**params, "w": one}, grads, state, lr=0.1)
    assert (one.exports, one.deleted) == (1, 0)
    assert one.asked[0] == {"max_version": (1, 0)}
    assert not np.array_equal(one.array, params["w"])
    before = one.array.copy()
    step({"w": other}, lr=0.1)
    assert (one.deleted, other.deleted) == (1, 0)
    assert np.array_equal(one.array, before)
    assert not np.array_equal(other.array, params["w"])
    del step
    gc.collect()
    assert other.exports == 1


def test_dlpack_is_released_with_the_step(artifacts, mixed, tensors):
    params, grads, state = tensors
    exported = Exporter(params["w"])
    step = muon_mlir.Step.load(artifacts(mixed))
    bound = step.bind({**params, "w": exported}, grads, state)
    del step
    gc.collect()
    assert bound(lr=0.1).taken and exported.deleted == 0
    del bound
    gc.collect()
    assert exported.deleted == 1


def test_refused_dlpack_is_released(step, tensors):
    exported = Exporter(tensors[0]["w"], flags=1)
    with pytest.raises(ArgumentError):
        step({"w": exported}, lr=0.1)
    assert (exported.exports, exported.deleted) == (1, 1)


def test_pinned_memory_is_memory_of_the_host(step, tensors):
    params, grads, state = tensors
    pinned = Exporter(params["w"], device=(exporter.CUDA_HOST, 0))
    assert step({**params, "w": pinned}, grads, state, lr=0.1).taken


def test_exporter_that_raises(step, tensors):
    class Broken:
        def __dlpack_device__(self):
            return exporter.CPU, 0

        def __dlpack__(self, **_):
            raise RuntimeError("array has been deleted")
    with pytest.raises(ArgumentError,
                       match="weight 'w': cannot be exported: array has been"):
        step({**tensors[0], "w": Broken()}, lr=0.1)


def test_views_stay_alive_and_in_place(artifacts, mixed, tensors):
    """A buffer cannot be resized while it is bound, and can be afterwards."""
    params, grads, state = tensors
    step = muon_mlir.Step.load(artifacts(mixed))
    memory = bytearray(params["b"].tobytes())
    step({**params, "b": memoryview(memory).cast("f")}, grads, state, lr=0.1)
    with pytest.raises(BufferError):
        memory.append(0)
    assert bytes(memory) != params["b"].tobytes()
    step({"b": params["b"]}, lr=0.1)
    memory.append(0)


def test_only_the_step_refers_to_it(artifacts, mixed, tensors):
    params, grads, state = tensors
    step = muon_mlir.Step.load(artifacts(mixed))
    expected = {n: v.copy() for n, v in params.items()}
    step(expected, {n: v.copy() for n, v in grads.items()},
         {n: v.copy() for n, v in state.items()}, lr=0.1)
    del expected
    gc.collect()
    other = [np.ones(1 << 16, "f4") for _ in range(32)]
    assert step(lr=0.1).taken and step.stats()["w"].weight_norm > 0
    assert all((o == 1).all() for o in other)


def test_buffers_without_numpy(artifacts):
    model = models.ADAMW
    step = muon_mlir.Step.load(artifacts(model))
    given = model.tensors()
    plain = []
    for mapping in given:
        plain.append({})
        for name, values in mapping.items():
            kind = "q" if values.dtype == "int64" else "f"
            flat = array.array(kind, values.tobytes())
            view = memoryview(flat).cast("B").cast(kind, values.shape)
            plain[-1][name] = view
    step(*plain, lr=0.1)
    step(*given, lr=0.1)
    for found, expected in zip(plain, given):
        for name, values in expected.items():
            assert bytes(found[name]) == values.tobytes(), name


def test_bfloat16_by_its_bits(artifacts, mixed, tensors):
    params, grads, state = tensors
    bits = params["low"].view("u2").copy()
    bytes_of = (ctypes.c_uint16 * bits.size).from_buffer(bits)
    steps = [muon_mlir.Step.load(artifacts(mixed)) for _ in range(2)]
    copies = [{n: v.copy() for n, v in m.items()} for m in tensors]
    steps[0]({**params, "low": muon_mlir.bfloat16(bits)}, grads, state, lr=0.1)
    steps[1](*copies, lr=0.1)
    assert copies[0]["low"].dtype == ml_dtypes.bfloat16
    assert bits.tobytes() == copies[0]["low"].tobytes() == bytes(bytes_of)


def test_bfloat16_by_dlpack(step, tensors):
    params, grads, state = tensors
    exported = Exporter(params["low"].view("u2"), code=exporter.BFLOAT)
    assert step({**params, "low": exported}, grads, state, lr=0.1).taken


def test_read_only_gradients(step, tensors):
    params, grads, state = tensors
    assert step(params, {n: read_only(v) for n, v in grads.items()}, state,
                lr=0.1).taken


def test_init_state(step, mixed, tensors):
    params, _, expected = tensors
    state = step.init_state(params)
    assert {n: (v.dtype, v.shape) for n, v in state.items()} == {
        n: (v.dtype, v.shape) for n, v in expected.items()}
    for name, values in expected.items():
        assert state[name].tobytes() == values.tobytes(), name
    special = np.array([0.0, -0.0, 6e-8, -3e-6, 1.5, 65504, np.inf, -np.inf,
                        np.nan] + [0.1] * 15, "f2").reshape(4, 6)
    state = step.init_state({**params, "half": special})
    assert np.array_equal(state["half.master"].view("u4")[special == special],
                          special.astype("f4").view("u4")[special == special])
    assert np.isnan(state["half.master"][special != special]).all()


def test_init_state_by_an_allocator(step, tensors):
    asked = []

    def allocate(argument):
        asked.append(argument)
        return np.full(argument.shape, 7, argument.dtype)
    state = step.init_state(tensors[0], allocate)
    assert asked == [a for a in step.arguments
                     if a.role not in ("weight", "gradient")]
    assert all(state[n].tobytes() == v.tobytes()
               for n, v in tensors[2].items())
    with pytest.raises(ArgumentError, match="step 'step': dtype is float64"):
        step.init_state(tensors[0], lambda a: np.zeros(a.shape))
    with pytest.raises(ArgumentError, match="params has no 'low'"):
        step.init_state({n: v for n, v in tensors[0].items() if n != "low"})


def test_descriptions(step, mixed, artifacts):
    plan = mixed.plan()
    by_key = {(a.role in ("gradient",), a.key): a for a in step.arguments}
    assert len(by_key) == len(step.arguments) == 23
    for parameter in plan.trained():
        weight = by_key[False, parameter.name]
        assert weight.shape == tuple(mixed.shapes[parameter.name][0])
        assert models.DTYPES[parameter.weight_type].name == weight.dtype
        assert weight.written and not by_key[True, parameter.name].written
    assert by_key[False, "step"].dtype == "int64"
    assert step.frozen == ("mask",)
    scalars = {(s.role, s.group): s.default for s in step.scalars}
    assert scalars["lr", "slow"] is None and scalars["clip", None] == 1.0
    assert scalars["momentum", "muon"] == pytest.approx(0.95)
    assert set(scalars) == {
        *((r, g) for r in ("lr", "weight_decay")
          for g in ("muon", "slow", "adamw")),
        ("momentum", "muon"), ("momentum", "slow"), ("clip", None)}
    with pytest.raises(TypeError):
        muon_mlir.Step()


def test_load_errors(artifacts, mixed, tmp_path):
    load = muon_mlir.Step.load
    with pytest.raises(StepError, match="nowhere.so"):
        load(tmp_path / "nowhere.so")
    (tmp_path / "text.so").write_text("no artifact")
    with pytest.raises(StepError, match="text.so"):
        load(tmp_path / "text.so")
    with pytest.raises((StepError, ArgumentError), match="abacus"):
        load(artifacts(mixed), "abacus")
    with pytest.raises(StepError, match="compiled for target"):
        load(artifacts(models.MUON, "sm_80"), "cpu")
    with pytest.raises(ArgumentError, match="device is 3"):
        load(artifacts(mixed), 3)


def test_stats_before_the_first_call(step):
    for early in (step.stats, step.wait):
        with pytest.raises(ArgumentError, match="has not run"):
            early()


def test_save(step, artifacts, mixed, tmp_path, tensors):
    path = tmp_path / "copy.so"
    step.save(path)
    assert path.read_bytes() == artifacts(mixed).read_bytes()
    assert muon_mlir.Step.load(path)(*tensors, lr=0.1).taken
    step.save(path)  # replaces
    assert [p.name for p in tmp_path.iterdir()] == ["copy.so"]
    with pytest.raises(muon_mlir.Error, match="No such file"):
        step.save(tmp_path / "no" / "folder.so")
    with pytest.raises(StepError, match="has no report"):
        step.report()
