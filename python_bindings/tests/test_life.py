# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory over many steps, and several threads."""
import gc
import os
import sys
import threading
import tracemalloc

import models
import muon_mlir
import numpy as np
import pytest

STEPS, WINDOWS = 10_000, 4


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("way", ["bound", "rebound", "refused"])
def test_no_leak(artifacts, mixed, tensors, way):
    step = muon_mlir.Step.load(artifacts(mixed))
    params, grads, state = tensors
    bound = step.bind(params, grads, state)
    bad = {**params, "scale": params["scale"].astype("f8")}

    def once():
        if way == "bound":
            bound(lr=0.01)
            bound.stats()
        elif way == "rebound":
            step(params, grads, state, lr=0.01)
        else:
            try:
                step(bad, grads, state, lr=0.01)
            except muon_mlir.ArgumentError:
                pass
    arrays = [v for m in tensors for v in m.values()]
    # Tables of the interpreter are made anew now and then, which looks like a
    # leak, but of one window only.
    traced, sizes, counts = [], [], []
    tracemalloc.start()
    for _ in range(WINDOWS + 1):
        for _ in range(STEPS // WINDOWS):
            once()
        gc.collect()
        traced.append(tracemalloc.get_traced_memory()[0])
        sizes.append(resident())
        counts.append([sys.getrefcount(v) for v in arrays])
    tracemalloc.stop()
    assert all(c == counts[0] for c in counts)
    assert min(b - a for a, b in zip(traced, traced[1:])) < 32 << 10
    assert min(b - a for a, b in zip(sizes, sizes[1:])) < 256 << 10


def test_steps_come_and_go(artifacts, mixed, tensors):
    path = artifacts(mixed)
    sizes = []
    for turn in range(300):
        muon_mlir.Step.load(path).bind(*tensors)(lr=0.01)
        if turn % 100 == 99:
            gc.collect()
            sizes.append(resident())
        if turn == 99:
            descriptors = len(os.listdir("/proc/self/fd"))
    assert sizes[-1] - sizes[0] < 4 << 20
    assert len(os.listdir("/proc/self/fd")) == descriptors


BIG = models.Model("big", {f"w{i}": ((256, 256), "F32") for i in range(2)})


def test_two_threads_on_one_step(artifacts):
    """The second call is refused; no step is lost or torn by that."""
    step = muon_mlir.Step.load(artifacts(BIG))
    params, grads, state = BIG.tensors()
    bound = step.bind(params, grads, state)
    taken, refused, other = [], [], []
    stop = threading.Event()

    def work():
        while not stop.is_set():
            try:
                taken.append(bound(lr=0.001).taken)
            except muon_mlir.StepError as error:
                refused.append(str(error))
            except Exception as error:  # fails the test below
                other.append(error)
            if len(taken) >= 30 and refused or len(taken) >= 3000:
                stop.set()
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other == []
    assert refused and set(refused) == {"the step is in use by another thread"}
    assert int(state["step"]) == len(taken)
    assert all(np.isfinite(v).all() for v in params.values())


def test_threads_on_steps_of_their_own(artifacts):
    """Bound steps of one artifact run at the same time, and right."""
    step = muon_mlir.Step.load(artifacts(BIG))
    expected = BIG.tensors()
    step(*expected, lr=0.5)
    step(lr=0.25)
    sets = [BIG.tensors() for _ in range(4)]
    bound = [step.bind(*s) for s in sets]
    errors = []

    def work(one):
        try:
            one(lr=0.5)
            one(lr=0.25)
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=work, args=(b,)) for b in bound]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for found in sets:
        for mapping, wanted in zip(found, expected):
            for name, values in wanted.items():
                assert np.allclose(mapping[name], values, rtol=1e-5,
                                   atol=1e-6), name


def test_other_threads_run_meanwhile(artifacts):
    """The GIL is released: this thread counts while the step runs."""
    step = muon_mlir.Step.load(artifacts(BIG))
    bound = step.bind(*BIG.tensors())
    counted, done = [], threading.Event()
    interval = sys.getswitchinterval()

    def work():
        for _ in range(20):
            bound(lr=0.01)
        done.set()
    # Without a release, nothing takes the GIL from the other thread in time.
    sys.setswitchinterval(60)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        while not done.is_set():
            counted.append(1)
            done.wait(0.0005)
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(counted) >= 5
