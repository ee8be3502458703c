#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times compiled steps on a GPU against cuBLASLt and PyTorch, in one process.

    benchmarks/gpu_step.py FOLDER --lib FOLDER [--device=cuda] [--json FILE]

FOLDER/bench.json and the artifacts are made by scripts/gpu-bundle.sh;
docs/gpu-suite.md says what is in the times. With --count, or where there is no
GPU, only what follows from the shapes is printed, and no time.
"""
from __future__ import annotations

import argparse
import inspect
import json
import math
import pathlib
import shutil
import statistics
import subprocess
import sys
from typing import Callable, Optional

import gpu_tensors
from gpu_driver import Blas, Driver, GpuError, Runtime, Step
from gpu_work import CHIPS, Operation, Work, dense_flops

STEPS = 5
A, B, C = 3.4445, -4.7750, 2.0315  # keller_jordan
LR, DECAY, MOMENTUM = 0.02, 0.1, 0.95
PEAK = 8192
COPY = 1 << 30
DTYPES = {"bf16": "BF16", "f16": "F16"}
# Two chains that round differently, both of random matrices, whose small
# singular values grow a hundredfold. A wrong chain is of the order of 1 off.
APART = 0.15
# PyTorch compiles each parameter of a list; more would take minutes.
COMPILED_PARAMS = 8
OURS, BLAS, EAGER, COMPILED = ("compiled step", "cuBLASLt", "torch.optim.Muon",
                               "torch.compile")


def work_of(entry: dict) -> Work:
    return Work([Operation(**o) for o in entry["operations"]],
                entry["launches"])


# -- What is counted ----------------------------------------------------------

def counted(entries: list[dict], chip: str) -> list[dict]:
    rows = []
    for entry in entries:
        work = work_of(entry)
        dense = 0 if entry["kind"] == "stream" else dense_flops(
            entry["rows"], entry["cols"], entry["batch"], STEPS)
        rows.append({"name": entry["name"], "launches": work.launches,
                     "dense_flops": dense, "flops": work.total("flops"),
                     "tiles": work.total("tiles"),
                     "bytes": work.total("moved"),
                     "stream_bytes": work.total("moved", "stream"),
                     "floor_seconds": work.floor(CHIPS[chip])})
    return rows


def print_counted(rows: list[dict], chip: str) -> None:
    print(f"counted; floors by the data sheet of the {chip}, not measured")
    print(f"{'':34} {'launches':>8} {'dense':>10} {'ours':>10} {'ratio':>6} "
          f"{'tiles':>8} {'MiB':>9} {'floor ms':>9}")
    for row in rows:
        dense = row["dense_flops"]
        print(f"{row['name']:34} {row['launches']:8} "
              + (f"{dense / 1e9:8.1f} G {row['flops'] / 1e9:8.1f} G "
                 f"{row['flops'] / dense:6.3f} {row['tiles']:8}" if dense else
                 f"{'':10} {'':10} {'':6} {'':8}")
              + f" {row['bytes'] / 2**20:9.1f}"
              f" {row['floor_seconds'] * 1e3:9.4f}")


# -- What is measured ---------------------------------------------------------

class Bench:
    def __init__(self, options):
        self.driver = Driver(options.device)
        self.stream = self.driver.stream()
        self.rounds = options.rounds
        self.folder, self.device = options.folder, options.device
        self.notes: list[str] = []
        self.failures: list[str] = []
        self.rows: list[dict] = []
        self.loaded: list[Step] = []
        self.held: list = []  # what graphs of PyTorch use
        self.torch = self.external = None
        self.muon_options: dict[str, bool] = {}
        if not options.no_torch and self.driver.timed:
            try:
                import torch
                if torch.cuda.is_available():
                    self.torch = torch
                    torch.cuda.set_device(self.driver.number)
                    self.external = torch.cuda.ExternalStream(
                        self.stream.value)
                    self.muon_options = fastest_options(torch)
            except ImportError:
                self.note("no PyTorch: not compared with")
        # After PyTorch, which brings libraries of its own.
        self.runtime = Runtime(options.lib)
        self.blas: Optional[Blas] = None
        if self.driver.timed:
            try:
                self.blas = Blas(self.driver)
            except GpuError as error:
                self.note(str(error))

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(f"note: {text}", flush=True)

    def fail(self, text: str) -> None:
        self.failures.append(text)
        print(f"FAILED: {text}", flush=True)

    def attempt(self, what: str, make: Callable[[], Callable[[], None]]
                ) -> Optional[Callable[[], None]]:
        """What others offer may be missing or refuse; that is no failure."""
        try:
            call = make()
            call()
            self.driver.wait(self.stream)
            return call
        except Exception as error:
            first = (str(error).strip() or "no message").splitlines()[0]
            self.note(f"{what}: not measured: {type(error).__name__}: {first}")
            return None

    def time(self, calls: dict[str, Callable[[], None]]) -> dict[str, dict]:
        """Contestants take turns; each turn lasts a few milliseconds, so that
        what starts it does not count."""
        start, end = self.driver.event(), self.driver.event()

        def once(call, count: int) -> float:
            self.driver.record(start, self.stream)
            for _ in range(count):
                call()
            self.driver.record(end, self.stream)
            return self.driver.elapsed(start, end) / count

        counts = {}
        for label, call in calls.items():
            for _ in range(3):
                once(call, 1)
            counts[label] = max(1, min(100, math.ceil(5e-3 / once(call, 3))))
        times: dict[str, list[float]] = {label: [] for label in calls}
        for _ in range(self.rounds):
            for label, call in calls.items():
                times[label].append(once(call, counts[label]))
        return {label: {"median": statistics.median(t), "min": min(t),
                        "rounds": len(t), "per_round": counts[label]}
                for label, t in times.items()}

    def sample(self, address: int, dtype: str, rows: int, cols: int
               ) -> list[float]:
        """Every so many rows of a matrix."""
        size = cols * gpu_tensors.SIZES[dtype]
        return [v for r in range(0, rows, max(1, rows // 32))
                for v in gpu_tensors.decode(
                    dtype, self.driver.download(address + r * size, size))]

    def apart(self, name: str, expected: list[float], found: list[float]
              ) -> float:
        norm = math.sqrt(math.fsum(e * e for e in expected))
        error = math.sqrt(math.fsum((e - f) ** 2
                                    for e, f in zip(expected, found)))
        difference = error / norm if norm else math.inf
        if not difference <= APART:
            self.fail(f"{name}: results are {difference:.3g} apart, expected "
                      f"at most {APART}")
        return difference

    # -- Chains -----------------------------------------------------------

    def dense_chain(self, entry: dict, x: int, buffers: dict[str, int]
                    ) -> tuple[Callable[[], None], int]:
        """Products of cuBLASLt, with sums where it has them, and where the
        result is. Gram matrices of f16 are scaled, as ours are, to stay
        normal numbers."""
        m, n = entry["rows"], entry["cols"]
        if m > n:
            raise GpuError("the dense chain is for rows <= columns")
        dtype, batch = DTYPES[entry["compute"]], entry["batch"]
        scale = 8192.0 if dtype == "F16" else 1.0
        gram, square = buffers["gram"], buffers["square"]
        source, calls = x, []
        for step in range(STEPS):
            out = buffers["even" if step % 2 == 0 else "odd"]
            make = lambda *a, **k: calls.append(
                self.blas.product(self.stream, dtype, batch, *a, **k))
            make((m, m, n), source, source, gram, scale, rhs_transposed=True)
            make((m, m, m), gram, gram, square, C / scale, B, gram)
            make((m, n, m), square, source, out, 1 / scale, A, source)
            source = out

        def enqueue() -> None:
            for call in calls:
                call()
        return enqueue, source

    def chain_buffers(self, entry: dict) -> dict[str, int]:
        return {name: self.driver.allocate(2 * math.prod(shape))
                for name, shape in chain_shapes(entry).items()}

    def chain(self, entry: dict, keep: list[int]) -> None:
        m, n, b = entry["rows"], entry["cols"], entry["batch"]
        dtype = DTYPES[entry["compute"]]
        data = gpu_tensors.windows(entry["name"], dtype, b * m, n,
                                   1 / math.sqrt(m * n))
        x, out = self.driver.upload(data), self.driver.allocate(len(data))
        keep += [x, out]
        self.driver.fill(out, len(data), 0xFF)  # NaN where nothing is written
        step = self.load(entry)
        for argument in step.arguments:
            step.bind(argument, x if argument.role == "gradient" else out)
        step.run(self.stream)
        found = self.sample(out, dtype, b * m, n)
        row: dict = {"difference": {}}
        if m * m * n <= 1 << 31:
            expected = reference_chain(gpu_tensors.decode(
                dtype, data[:2 * m * n]), m, n)
            if expected is None:
                self.note("no NumPy: not compared with f64")
            else:
                first = gpu_tensors.decode(
                    dtype, self.driver.download(out, 2 * m * n))
                row["difference"]["f64"] = self.apart(
                    f"{entry['name']} and f64", expected, list(first))
        if not self.driver.timed:
            return self.ran(entry, row)
        calls = {OURS: lambda: step.enqueue(self.stream)}
        if self.blas:
            buffers = self.chain_buffers(entry)
            keep += buffers.values()
            where = []

            def dense():
                enqueue, result = self.dense_chain(entry, x, buffers)
                where.append(result)
                return self.driver.capture(self.stream, enqueue)

            call = self.attempt(f"{entry['name']}: cuBLASLt", dense)
            if call:
                calls[BLAS] = call
                row["difference"][BLAS] = self.apart(
                    f"{entry['name']} and cuBLASLt", found,
                    self.sample(where[0], dtype, b * m, n))
        row["times"] = self.time(calls)
        self.ran(entry, row)

    # -- Whole steps ------------------------------------------------------

    def step(self, entry: dict, keep: list[int]) -> None:
        m, n, b = entry["rows"], entry["cols"], entry["batch"]
        size = m * n * 4
        before = gpu_tensors.windows(entry["name"] + " w", "F32", b * m, n,
                                     0.02)
        gradient = gpu_tensors.windows(entry["name"] + " g", "F32", b * m, n,
                                       1.0)
        memory = {"weight": self.driver.upload(before),
                  "gradient": self.driver.upload(gradient),
                  "momentum": self.driver.upload(bytes(b * size)),
                  "step": self.driver.upload(bytes(8))}
        keep += memory.values()
        step = self.load(entry)
        for argument in step.arguments:
            member = int(argument.name[1:]) if argument.role != "step" else 0
            step.bind(argument, memory[argument.role] + member * size)
        step.set("lr", LR)
        start = self.sample(memory["weight"], "F32", b * m, n)
        if not step.run(self.stream):
            self.fail(f"{entry['name']}: the step was skipped")
        after = self.sample(memory["weight"], "F32", b * m, n)
        change = [a - s * (1 - LR * DECAY) for a, s in zip(after, start)]
        row: dict = {"difference": {}}
        if not self.driver.timed:
            return self.ran(entry, row)

        def ours() -> None:
            # As in training: a scalar that changes is uploaded.
            step.set("lr", LR)
            step.enqueue(self.stream)

        calls = {OURS: ours}
        if self.torch:
            self.theirs(entry, before, gradient, change, calls, row)
        row["times"] = self.time(calls)
        self.ran(entry, row)

    def theirs(self, entry, before, gradient, change, calls, row):
        torch = self.torch
        shape = (entry["batch"], entry["rows"], entry["cols"])
        rows = shape[0] * shape[1]

        def tensor(data):
            return torch.frombuffer(bytearray(data), dtype=torch.float32
                                    ).reshape(shape).cuda()

        def compare(label, w):
            self.driver.wait(self.stream)
            found = self.sample(w.data_ptr(), "F32", rows, shape[2])
            start = []
            for r in range(0, rows, max(1, rows // 32)):
                start += memoryview(before).cast("f")[r * shape[2]:
                                                      (r + 1) * shape[2]]
            row["difference"][label] = self.apart(
                f"{entry['name']} and {label}", change,
                [f - s * (1 - LR * DECAY) for f, s in zip(found, start)])

        def on_stream(call):
            def run():
                with torch.cuda.stream(self.external), torch.no_grad():
                    call()
            return run

        def add(label, make):
            first = []

            def made():
                # What a tensor is filled with is not ordered with the stream
                # otherwise.
                with torch.cuda.stream(self.external):
                    call, w = make()
                first.append(w)
                return on_stream(call)

            call = self.attempt(f"{entry['name']}: {label}", made)
            if call:
                compare(label, first[0])
                calls[label] = call

        def unfused():
            w, g = tensor(before), tensor(gradient)
            m, u = torch.zeros_like(w), torch.empty_like(w)
            norm = torch.empty(shape[0], device="cuda")
            dtype = {"bf16": torch.bfloat16,
                     "f16": torch.float16}[entry["compute"]]
            x = torch.empty(shape, device="cuda", dtype=dtype)
            buffers = {name: torch.empty(s, device="cuda", dtype=dtype)
                       for name, s in chain_shapes(entry).items()}
            addresses = {name: t.data_ptr() for name, t in buffers.items()}
            chain, result = self.dense_chain(entry, x.data_ptr(), addresses)
            last = next(n for n, a in addresses.items() if a == result)
            scale = 0.2 * math.sqrt(max(shape[1:]))

            def enqueue():
                m.lerp_(g, 1 - MOMENTUM)
                torch.lerp(g, m, MOMENTUM, out=u)
                torch.linalg.vector_norm(u.view(shape[0], -1), dim=1, out=norm)
                torch.div(u, norm.view(-1, 1, 1), out=u)
                x.copy_(u)
                chain()
                w.mul_(1 - LR * DECAY)
                w.add_(buffers[last], alpha=-LR * scale)

            return enqueue, w

        def eager():
            w, g = tensor(before), tensor(gradient)
            params = [torch.nn.Parameter(w[i]) for i in range(shape[0])]
            for i, p in enumerate(params):
                p.grad = g[i]
            optimizer = torch.optim.Muon(
                params, lr=LR, weight_decay=DECAY, momentum=MOMENTUM,
                nesterov=True, ns_coefficients=(A, B, C), ns_steps=STEPS,
                adjust_lr_fn="match_rms_adamw", **self.muon_options)
            return optimizer.step, w

        def compiled():
            if shape[0] > COMPILED_PARAMS:
                raise GpuError(f"{shape[0]} parameters are more than "
                               f"{COMPILED_PARAMS}: compilation takes minutes")
            step, w = eager()
            return torch.compile(lambda: step()), w

        def graphed(call):
            """PyTorch's own capture: what is allocated in it stays the
            graph's, and is not given to others."""
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.external,
                                  capture_error_mode="thread_local"):
                call()
            self.held.append(call)
            return on_stream(graph.replay)

        if self.blas:
            add(BLAS, unfused)
            if BLAS in calls:  # as one graph, as ours is
                graph = self.attempt(f"{entry['name']}: cuBLASLt as one graph",
                                     lambda: graphed(calls[BLAS]))
                calls[BLAS] = graph or calls[BLAS]
        if entry["iteration"] == "direct":  # the only one that they have
            add(EAGER, eager)
            add(COMPILED, compiled)

    # -- Streams ----------------------------------------------------------

    def streams(self, entry: dict, keep: list[int]) -> None:
        step = self.load(entry)
        memory: dict[str, int] = {}
        for a in step.arguments:
            if a.role == "step":
                data = bytes(8)
            else:
                data = gpu_tensors.windows(
                    a.key, a.type, math.prod(a.shape[:-1]), a.shape[-1], 1.0,
                    positive=a.role == "exp_avg_sq")
            memory[a.role + a.name] = self.driver.upload(data)
            step.bind(a, memory[a.role + a.name])
        keep += memory.values()
        step.run(self.stream)
        row: dict = {"difference": {}}
        if self.driver.timed:
            size = min(COPY, 4 * work_of(entry).total("moved"))
            copies = [self.driver.allocate(size) for _ in range(2)]
            keep += copies
            self.driver.fill(copies[0], size, 0x3C)
            row["times"] = self.time({
                OURS: lambda: step.enqueue(self.stream),
                "copy": lambda: self.driver.copy(copies[1], copies[0], size,
                                                 self.stream)})
            row["copy_bytes"] = 2 * size
        self.ran(entry, row)

    # -- All of it --------------------------------------------------------

    def load(self, entry: dict) -> Step:
        step = self.runtime.load((self.folder / entry["file"]).resolve(),
                                 self.device)
        self.loaded.append(step)
        return step

    def ran(self, entry: dict, row: dict) -> None:
        row.update(name=entry["name"], kind=entry["kind"], entry=entry)
        self.rows.append(row)

    def peaks(self) -> dict[str, float]:
        """FLOP/s of a large product by cuBLASLt."""
        if not self.blas:
            return {}
        found = {}
        for name, dtype in DTYPES.items():
            data = gpu_tensors.windows("peak", dtype, PEAK, PEAK, 1.0)
            lhs, rhs = self.driver.upload(data), self.driver.upload(data)
            out = self.driver.allocate(len(data))
            call = self.attempt(f"{PEAK}^3 in {name}", lambda: self.blas
                                .product(self.stream, dtype, 1, (PEAK,) * 3,
                                         lhs, rhs, out, rhs_transposed=True))
            if call:
                seconds = self.time({"": call})[""]["median"]
                found[name] = 2 * PEAK ** 3 / seconds
            for address in (lhs, rhs, out):
                self.driver.free(address)
        return found

    def run(self, entry: dict) -> None:
        keep: list[int] = []
        kinds = {"chain": self.chain, "step": self.step,
                 "stream": self.streams}
        try:
            kinds[entry["kind"]](entry, keep)
        except Exception as error:
            self.fail(f"{entry['name']}: {type(error).__name__}: {error}")
        try:
            self.driver.wait(self.stream)
            while self.loaded:
                self.loaded.pop().close()
            for address in keep:
                self.driver.free(address)
            self.held.clear()
            if self.torch:
                self.torch.cuda.empty_cache()
        except GpuError as error:
            self.fail(f"{entry['name']}: {error}")


def chain_shapes(entry: dict) -> dict[str, tuple[int, int, int]]:
    """Of what a chain of dense products writes."""
    m, n, b = entry["rows"], entry["cols"], entry["batch"]
    return {"gram": (b, m, m), "square": (b, m, m),
            "even": (b, m, n), "odd": (b, m, n)}


def fastest_options(torch) -> dict[str, bool]:
    """Of torch.optim.Muon, as far as this version has them. Products that add
    are off unless asked for."""
    muon = getattr(torch.optim, "Muon", None)
    known = inspect.signature(muon).parameters if muon else ()
    return {"use_addmm": True} if "use_addmm" in known else {}


def reference_chain(values, m: int, n: int) -> Optional[list[float]]:
    """In f64, from the definition."""
    try:
        import numpy
    except ImportError:
        return None
    x = numpy.array(values, dtype=numpy.float64).reshape(m, n)
    for _ in range(STEPS):
        gram = x @ x.T
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x.ravel().tolist()


def clocks() -> str:
    if not shutil.which("nvidia-smi"):
        return "unknown"
    return subprocess.run(
        ["nvidia-smi", "--query-gpu=clocks.sm,clocks.mem,temperature.gpu,"
         "power.draw", "--format=csv,noheader"], text=True,
        capture_output=True).stdout.strip()


def measured(row: dict, peaks: dict[str, float]) -> list[dict]:
    entry, times, lines = row["entry"], row.get("times", {}), []
    for label, time in times.items():
        seconds = time["median"]
        line = {"case": row["name"], "kind": row["kind"], "contestant": label,
                "seconds": seconds, "fastest_seconds": time["min"],
                "rounds": time["rounds"], "per_round": time["per_round"]}
        if row["kind"] == "stream":
            moved = (row["copy_bytes"] if label == "copy" else
                     work_of(entry).total("moved"))
            copy = row["copy_bytes"] / times["copy"]["median"]
            line["bytes_per_second"] = moved / seconds
            line["of_copy"] = moved / seconds / copy
        else:
            rate = dense_flops(entry["rows"], entry["cols"], entry["batch"],
                               STEPS) / seconds
            line["effective_flops"] = rate
            if entry["compute"] in peaks:
                line["of_peak"] = rate / peaks[entry["compute"]]
            if BLAS in times:
                line["over_cublaslt"] = times[BLAS]["median"] / seconds
            line["difference"] = row["difference"].get(
                "f64" if label == OURS else label)
        lines.append(line)
    return lines


TITLES = {"chain": "the chain alone", "step": "a whole step of f32 weights",
          "stream": "streams, and copies on the device"}


def print_title(kind: str) -> None:
    columns = (f"{'GB/s':>9} {'of copy':>8}" if kind == "stream" else
               f"{'TFLOP/s':>9} {'of peak':>8} {'over Lt':>8} {'apart':>8}")
    print(f"\n{TITLES[kind]}\n{'':34} {'':16} {'ms':>9} {'fastest':>9} "
          f"{columns}")


def print_measured(line: dict) -> None:
    def number(value, form: str) -> str:
        return f" {'' if value is None else format(value, form):>8}"

    text = (f"{line['case']:34} {line['contestant']:16} "
            f"{line['seconds'] * 1e3:9.4f} "
            f"{line['fastest_seconds'] * 1e3:9.4f} ")
    if line["kind"] == "stream":
        text += (f"{line['bytes_per_second'] / 1e9:9.1f}"
                 + number(line["of_copy"], ".3f"))
    else:
        text += (f"{line['effective_flops'] / 1e12:9.1f}"
                 + number(line.get("of_peak"), ".3f")
                 + number(line.get("over_cublaslt"), ".2f")
                 + number(line["difference"], ".1e"))
    print(text, flush=True)


def measure(options, entries: list[dict], found: dict) -> None:
    """Everything that needs a GPU. `found` is written after each case: whoever
    ends the program early keeps what there is."""
    bench = Bench(options)
    found.update(
        gpu=bench.driver.describe(), clocks=[clocks()], measured=[],
        notes=bench.notes, failures=bench.failures, differences={},
        cublaslt=bench.blas.version if bench.blas else None,
        torch=bench.torch.__version__ if bench.torch else None,
        torch_muon=bench.muon_options)
    print(f"\n{found['gpu']['name']}, CUDA {found['gpu']['cuda']}; clocks "
          f"{found['clocks'][0]}")
    if bench.torch:
        print(f"PyTorch {found['torch']}; {EAGER} "
              + ("with use_addmm" if bench.muon_options else
                 "of a version without use_addmm"))
    peaks = found["peaks"] = bench.peaks()
    for name, rate in peaks.items():
        print(f"{PEAK}^3 {name}: {rate / 1e12:.1f} TFLOP/s")
    # While it is warm; at the end it may have been idle.
    found["clocks"].append(clocks())
    for kind in TITLES:
        listed = [e for e in entries if e["kind"] == kind]
        if listed and bench.driver.timed:
            print_title(kind)
        for entry in listed:
            done = len(bench.rows)
            bench.run(entry)
            for row in bench.rows[done:]:
                found["differences"][row["name"]] = row["difference"]
                for line in measured(row, peaks):
                    found["measured"].append(line)
                    print_measured(line)
            save(options, found)
    found["clocks"].append(clocks())
    print("\nclocks then and now: " + "; ".join(found["clocks"][1:]))
    if not bench.driver.timed:
        print(f"{len(bench.rows)} of {len(entries)} ran; the device has no "
              "clock")


def save(options, found: dict) -> None:
    if options.json:
        gpu_tensors.write_replacing(options.json,
                                    json.dumps(found, indent=1).encode())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--lib", type=pathlib.Path,
                        help="folder of the runtime library")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--count", action="store_true",
                        help="run nothing; for machines without a GPU")
    parser.add_argument("--chip", type=str.upper, choices=CHIPS, default="H200",
                        help="whose floors are printed; default H200")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument("-k", dest="word", default="",
                        help="only cases whose name contains it")
    options = parser.parse_args()
    entries = [e for e in
               json.loads((options.folder / "bench.json").read_text())
               if options.word in e["name"]]
    if not entries:
        parser.error(f"no case has '{options.word}' in its name")
    rows = counted(entries, options.chip)
    found: dict = {"chip_of_floors": options.chip, "counted": rows}
    print_counted(rows, options.chip)
    if not options.count:
        if not options.lib:
            parser.error("--lib is needed to run anything")
        try:
            measure(options, entries, found)
        except GpuError as error:
            print(f"gpu_step: error: {error}", file=sys.stderr)
            return 1
    save(options, found)
    return 1 if found.get("failures") else 0


if __name__ == "__main__":
    sys.exit(main())
