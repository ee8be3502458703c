#!/usr/bin/env python3
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests a bundle on this machine's GPU, or on what stands in for one.

    gpu-suite.sh [--device=cuda] [--out FOLDER] [--parts PART,...]

See docs/gpu-suite.md. The last line is `N passed, N failed, N skipped`; the
exit code is 0 only if nothing failed.
"""
from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, NamedTuple, Optional

import gpu_tensors
from gpu_driver import device_code, split_device, with_option
from gpu_work import CHIPS

PARTS = ("run", "sanitize", "ptxas", "bench")
TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
# "ptxas warning : ...", "ptxas FILE, line N; error : ...", "... (C7508)".
WARNED = r"\bC75\d\d\b|\bwarning\s*:|\berror\s*:"
FOUND = 99  # exit code of compute-sanitizer if it found something
HERE = pathlib.Path(__file__).resolve().parent
OPTIONS = {"lr": "--lr", "weight_decay": "--weight-decay",
           "momentum": "--momentum", "clip": "--clip"}


class Failure(Exception):
    """A test failed, and this is why."""


class Skipped(Exception):
    """A test cannot run here, and this is why."""


class Check(NamedTuple):
    name: str
    run: Callable[[], Optional[str]]  # returns a remark


class Suite:
    def __init__(self, bundle: pathlib.Path, options):
        self.bundle, self.device = bundle, options.device
        self.kind, self.options = split_device(options.device)
        self.timeout = options.timeout
        try:
            self.manifest = json.loads((bundle / "bundle.json").read_text())
        except OSError as error:
            sys.exit(f"gpu-suite: error: no bundle: {error}")
        self.real = self.kind == "cuda" and "driver" not in self.options
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="gpu-suite."))
        self.environment = dict(os.environ, LD_LIBRARY_PATH=":".join(
            filter(None, (str(bundle / "lib"),
                          os.environ.get("LD_LIBRARY_PATH")))))

    # -- Running ----------------------------------------------------------

    def execute(self, command: list) -> subprocess.CompletedProcess:
        # What Python loads must not be replaced by what muon-run needs.
        environment = (os.environ if command[0] == sys.executable else
                       self.environment)
        try:
            return subprocess.run(
                list(map(str, command)), env=environment, text=True,
                errors="replace", stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=self.timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"still running after {self.timeout} s: "
                          + " ".join(map(str, command)))

    def expect_success(self, command: list) -> str:
        done = self.execute(command)
        if done.returncode != 0:
            raise Failure(f"exit code {done.returncode} of "
                          f"{' '.join(map(str, command))}\n{done.stdout}")
        return done.stdout

    def files(self, test: dict) -> pathlib.Path:
        """The folder of the test's inputs; made where they are needed."""
        folder = self.scratch / test["name"]
        if not folder.exists():
            making = self.scratch / f"{test['name']}.making"
            making.mkdir()
            params, gradients = gpu_tensors.test_inputs(test)
            gpu_tensors.save(making / "params", params)
            for number, tensors in enumerate(gradients):
                gpu_tensors.save(making / f"grads{number}", tensors)
            making.rename(folder)
        return folder

    def one_step(self, test: dict, number: int, run: str, device: str,
                 extra: tuple = ()) -> list:
        """Arguments of muon-run; `run` names a series of steps."""
        folder = self.files(test)
        before = folder / f"{run}{number - 1}"
        command = [self.bundle / "bin" / "muon-run",
                   self.bundle / "tests" / test["name"] / "step.so",
                   "--device", device, "--grads", folder / f"grads{number}"]
        command += (["--params", folder / "params", "--init-state"]
                    if number == 0 else
                    ["--params", f"{before}.params", "--state",
                     f"{before}.state"])
        for name, value in test["steps"][number]["scalars"].items():
            command += [OPTIONS[name], repr(value)]
        out = folder / f"{run}{number}"
        return command + ["--out-params", f"{out}.params",
                          "--out-state", f"{out}.state", *extra]

    def series(self, test: dict, run: str, device: str,
               compare: bool = False) -> None:
        for number in range(len(test["steps"])):
            extra: tuple = ()
            if compare:
                expected = (self.bundle / "tests" / test["name"]
                            / f"expected{number}.safetensors")
                extra = ("--expect", expected, "--rtol", repr(test["rtol"]),
                         "--atol", repr(test["atol"] * (number + 1)))
            try:
                self.expect_success(self.one_step(test, number, run, device,
                                                  extra))
            except Failure as failure:
                raise Failure(f"step {number + 1}: {failure}")

    def same_bits(self, test: dict, first: str, second: str) -> None:
        folder = self.files(test)
        for number in range(len(test["steps"])):
            for what in ("params", "state"):
                paths = [folder / f"{run}{number}.{what}"
                         for run in (first, second)]
                if not paths[0].exists():
                    raise Skipped("nothing to compare with")
                self.compare(*map(gpu_tensors.load, paths),
                             f"step {number + 1}: ")

    @staticmethod
    def compare(expected: dict, found: dict, where: str = "") -> None:
        if expected.keys() != found.keys():
            raise Failure(f"{where}tensors differ: "
                          f"{sorted(expected.keys() ^ found.keys())}")
        for name, tensor in expected.items():
            if tensor == found[name]:
                continue
            pairs = zip(tensor.values(), found[name].values())
            index, pair = next(((i, p) for i, p in enumerate(pairs)
                                if p[0] != p[1]), (None, None))
            raise Failure(f"{where}tensor '{name}': other bits, first at "
                          f"element {index}: {pair}")

    # -- Tests of results -------------------------------------------------

    def run_checks(self, test: dict) -> list[Check]:
        name = test["name"]
        if self.kind == "cuda":
            others = {"graph=off": with_option(self.device, "graph=off"),
                      "again": self.device}
        else:
            others = {"seed=1": with_option(self.device, "seed=1"),
                      "seed=2": with_option(self.device, "seed=2")}

        def expected():
            self.series(test, "a.", self.device, compare=True)

        def same(label: str):
            run = f"{label}."
            self.series(test, run, others[label])
            self.same_bits(test, "a.", run)

        def one_process():
            folder = self.files(test)
            steps = range(len(test["steps"]))
            out = folder / "one-process"
            self.expect_success(
                [sys.executable, HERE / "gpu_replay.py",
                 self.bundle / "tests" / name / "step.so",
                 f"--device={self.device}", "--lib", self.bundle / "lib",
                 "--params", folder / "params",
                 "--grads", *(folder / f"grads{i}" for i in steps),
                 "--scalars", *(json.dumps(s["scalars"])
                                for s in test["steps"]),
                 "--out", out])
            last = folder / f"a.{steps[-1]}"
            if not pathlib.Path(f"{last}.params").exists():
                raise Skipped("nothing to compare with")
            self.compare({**gpu_tensors.load(f"{last}.params"),
                          **gpu_tensors.load(f"{last}.state")},
                         gpu_tensors.load(out))

        def work():
            if self.kind != "sim":
                raise Skipped("only device sim counts")
            path = self.files(test) / "counters"
            self.expect_success(self.one_step(test, 0, "counted.", self.device,
                                              ("--counters", path)))
            found = json.loads(path.read_text())["total"]["tensor_flops"]
            found = {k: v for k, v in found.items() if v}
            if found != test["tensor_flops"]:
                raise Failure(f"FLOPs of matrix units: expected "
                              f"{test['tensor_flops']}, found {found}")

        checks = [Check(f"{name}: expected values", expected)]
        checks += [Check(f"{name}: same bits with {label}",
                         lambda label=label: same(label)) for label in others]
        checks += [Check(f"{name}: same bits in one process", one_process),
                   Check(f"{name}: counted work", work)]
        if self.kind == "sim" and not test["sim"]:
            return [self.skipped(c.name, "too slow on device sim")
                    for c in checks]
        return checks

    @staticmethod
    def skipped(name: str, why: str) -> Check:
        def skip():
            raise Skipped(why)
        return Check(name, skip)

    # -- Tools of CUDA ----------------------------------------------------

    @staticmethod
    def cuda_tool(name: str) -> Optional[str]:
        return shutil.which(name, path=os.environ.get("PATH", "")
                            + ":/usr/local/cuda/bin")

    def sanitize_checks(self, test: dict) -> list[Check]:
        tool = self.cuda_tool("compute-sanitizer")
        why = ("no GPU" if not self.real else
               "no compute-sanitizer" if not tool else "")

        def check(which: str) -> Optional[str]:
            if why:
                raise Skipped(why)
            command = [tool, "--tool", which, "--error-exitcode", FOUND]
            if which == "memcheck":
                command += ["--leak-check", "no"]
            done = self.execute(command + self.one_step(
                test, 0, f"{which}.", with_option(self.device, "graph=off")))
            if re.search("Device not supported|LibraryNotLoaded",
                         done.stdout):
                raise Skipped("compute-sanitizer cannot use this device: "
                              + done.stdout.strip().splitlines()[-1])
            summary = re.findall(r"ERROR SUMMARY: (\d+) error|RACECHECK "
                                 r"SUMMARY: (\d+) hazard", done.stdout)
            if done.returncode != 0 or not summary or \
                    any(n not in ("", "0") for pair in summary for n in pair):
                raise Failure(f"exit code {done.returncode}\n{done.stdout}")
            return None

        return [Check(f"{test['name']}: {which}",
                      lambda which=which: check(which)) for which in TOOLS]

    def ptxas_checks(self, path: pathlib.Path, machines: list[str]
                     ) -> list[Check]:
        tool = self.cuda_tool("ptxas")
        label = path.relative_to(self.bundle)

        def check(machine: str) -> Optional[str]:
            if not tool:
                raise Skipped("no ptxas")
            manifest, code = device_code(path)
            parts = [p for p in manifest["device"]["code"]
                     if p["kind"] == "ptx"]
            if not parts:
                raise Skipped("no PTX in the artifact")
            registers = []
            for number, part in enumerate(parts):
                source = self.scratch / (str(label).replace("/", ".")
                                         + f".{machine}.{number}.ptx")
                source.write_bytes(
                    code[part["offset"]:part["offset"] + part["bytes"]]
                    .rstrip(b"\0"))
                text = self.expect_success(
                    [tool, "-v", f"-arch={machine or part['arch']}", source,
                     "-o", f"{source}.cubin"])
                registers += map(int, re.findall(r"Used (\d+) registers",
                                                 text))
                bad = [line for line in text.splitlines()
                       if re.search(WARNED, line)
                       or any(int(n) for n in re.findall(
                           r"(\d+) bytes spill", line))]
                if bad:
                    raise Failure("\n".join(bad))
            if not registers:
                raise Failure("ptxas reports no kernel")
            return f"{len(registers)} kernels, at most {max(registers)} " \
                   "registers"

        return [Check(f"{label}: ptxas {machine}".rstrip(),
                      lambda machine=machine: check(machine))
                for machine in machines]

    # -- The benchmark ----------------------------------------------------

    def bench_check(self, options, results: dict) -> Check:
        def check() -> Optional[str]:
            out = options.out / f"{results['name']}.benchmark.json"
            command = [sys.executable, HERE / "gpu_step.py",
                       self.bundle / "bench", "--lib", self.bundle / "lib",
                       "--json", out]
            command += ([f"--device={self.device}"] if self.kind == "cuda"
                        else ["--count"])
            if options.rounds:
                command += ["--rounds", options.rounds]
            if options.cases:
                command += ["-k", options.cases]
            if options.chip:
                command += ["--chip", options.chip]
            # Straight to the terminal: it takes minutes.
            status = subprocess.run(list(map(str, command))).returncode
            if out.exists():
                results["benchmark"] = json.loads(out.read_text())
            if status != 0:
                raise Failure(f"exit code {status}")
            return None if self.real else "counted work only"

        return Check("benchmark", check)

    def describe(self) -> dict:
        """The GPU, as far as it can be told."""
        about: dict = {"device": self.device}
        if self.kind == "cuda":
            # In a process of its own: a context that lives on would keep the
            # tests out where a GPU is for one process at a time.
            try:
                done = self.execute([sys.executable, HERE / "gpu_driver.py",
                                     self.device])
                if done.returncode == 0:
                    about.update(json.loads(done.stdout.splitlines()[-1]))
                else:
                    about["error"] = done.stdout.strip()
            except Failure as failure:
                about["error"] = str(failure)
        if self.real and shutil.which("nvidia-smi"):
            about["nvidia-smi"] = subprocess.run(
                ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,"
                 "clocks.sm,clocks.max.sm,clocks.mem", "--format=csv,noheader"],
                text=True, capture_output=True).stdout.strip()
        return about


def perform(check: Check) -> dict:
    start = time.monotonic()
    outcome, detail = "passed", None
    try:
        detail = check.run()
    except Skipped as reason:
        outcome, detail = "skipped", str(reason)
    except Failure as failure:
        outcome, detail = "failed", str(failure)
    except Exception as error:  # whatever it is, the other tests still run
        outcome, detail = "failed", f"{type(error).__name__}: {error}"
    return {"name": check.name, "outcome": outcome, "detail": detail,
            "seconds": round(time.monotonic() - start, 3)}


def report(result: dict) -> None:
    first = (result["detail"] or "").strip()
    if result["outcome"] != "failed":
        first = first.splitlines()[0] if first else ""
    print(f"{result['outcome'].upper():7} {result['seconds']:6.1f} s  "
          f"{result['name']}{'  ' if first else ''}{first}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="gpu-suite.sh",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=pathlib.Path, required=True,
                        help="folder of an unpacked bundle")
    parser.add_argument("--device", default="cuda",
                        help="cuda, cuda:OPTIONS, or sim; default cuda")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER",
                        default=pathlib.Path("gpu-results"),
                        help="results go there; default gpu-results")
    parser.add_argument("--parts", default=",".join(PARTS),
                        help=f"of {','.join(PARTS)}; default all")
    parser.add_argument("-k", dest="word", default="",
                        help="only tests whose name contains it")
    parser.add_argument("-j", dest="jobs", type=int,
                        default=min(4, os.cpu_count() or 1),
                        help="at a time; the benchmark always runs alone")
    parser.add_argument("--rounds", type=int, help="of the benchmark")
    parser.add_argument("--cases", metavar="WORD",
                        help="of the benchmark: those whose name contains it")
    parser.add_argument("--chip", type=str.upper, choices=CHIPS,
                        help="whose floors the benchmark prints")
    parser.add_argument("--timeout", type=int, default=300, metavar="SECONDS",
                        help="of each command; default 300")
    options = parser.parse_args()
    parts = options.parts.split(",")
    unknown = [p for p in parts if p not in PARTS]
    if unknown:
        parser.error(f"unknown part '{unknown[0]}', expected some of "
                     f"{','.join(PARTS)}")
    kind = split_device(options.device)[0]
    if kind not in ("cuda", "sim"):
        parser.error(f"unknown device '{options.device}', expected cuda or "
                     "sim, with options")

    suite = Suite(options.bundle.resolve(), options)
    now = datetime.datetime.now(datetime.timezone.utc)
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict = {
        "name": now.strftime("%Y%m%dT%H%M%SZ"),
        "date": now.isoformat(timespec="seconds"),
        "machine": platform.machine(), "system": platform.platform(),
        "bundle": {k: suite.manifest[k] for k in ("commit", "date", "target")},
        "gpu": suite.describe(), "tests": []}
    print(f"bundle of {suite.manifest['commit']}, "
          f"{results['gpu'].get('name', options.device)}")

    def performed(checks: list[Check]) -> list[dict]:
        wanted = [c for c in checks if options.word in c.name]
        found = [perform(c) for c in wanted]
        for result in found:
            report(result)
        return found

    # Checks of one test build on each other; tests do not.
    groups: list[list[Check]] = []
    for test in suite.manifest["tests"]:
        group = suite.run_checks(test) if "run" in parts else []
        if "sanitize" in parts and test["sanitize"]:
            group += suite.sanitize_checks(test)
        groups.append(group)
    if "ptxas" in parts:
        machines = [""]
        capability = results["gpu"].get("compute_capability")
        if suite.real and capability:
            machines.append("sm_" + capability.replace(".", ""))
        groups += [suite.ptxas_checks(path, machines) for path in
                   sorted(suite.bundle.glob("tests/*/step.so"))
                   + sorted(suite.bundle.glob("bench/*.so"))]
    # Of a GPU that one process at a time may use.
    jobs = 1 if results["gpu"].get("exclusive") else max(1, options.jobs)
    try:
        with ThreadPoolExecutor(jobs) as pool:
            for found in pool.map(performed, groups):
                results["tests"] += found
        if "bench" in parts:
            results["tests"] += performed([suite.bench_check(options,
                                                             results)])
    finally:
        shutil.rmtree(suite.scratch, ignore_errors=True)

    counts = {outcome: sum(t["outcome"] == outcome for t in results["tests"])
              for outcome in ("passed", "failed", "skipped")}
    if not counts["passed"] and not counts["failed"]:
        print("nothing was tested")
        counts["failed"] = 1
    results["total"] = counts
    name = results["name"] + ".json"
    gpu_tensors.write_replacing(options.out / name,
                                json.dumps(results, indent=1).encode() + b"\n")
    for test in results["tests"]:
        if test["outcome"] == "failed":
            print(f"failed: {test['name']}")
    print(f"results: {options.out / name}")
    print("{passed} passed, {failed} failed, {skipped} skipped"
          .format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
