# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a checkpoint in memory to a compiled step and its outputs.

    artifact = Artifact(folder, tensors, rules)
    out = artifact.run(params, grads, state, {"lr": 0.02})

drives muon-import, muon-compile and muon-run as a user does. The tools are
looked for in $MUON_BIN, by default build/release/bin of this checkout.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Mapping, Optional, Sequence

import safetensors_io
from rules import Muon, Plan, resolve
from storage import Tensor

ROOT = Path(__file__).resolve().parents[2]
Tensors = Mapping[str, Tensor]


class ToolError(Exception):
    """A tool is missing, or failed."""


def tool(name: str) -> str:
    folder = Path(os.environ.get("MUON_BIN", ROOT / "build/release/bin"))
    path = folder / name
    if not os.access(path, os.X_OK):
        raise ToolError(f"{path} not found; build it, or set MUON_BIN")
    return str(path)


def call(name: str, *arguments, check: bool = True
         ) -> subprocess.CompletedProcess:
    """Run a tool; its outputs are text. Failure raises unless not `check`."""
    command = [tool(name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True,
                          errors="replace", timeout=300)
    if check and done.returncode != 0:
        raise ToolError(f"{' '.join(command)}\nexit code {done.returncode}\n"
                        f"{done.stdout}{done.stderr}")
    return done


def scalar_arguments(scalars: Mapping) -> list[str]:
    """The command line of the run-time scalars, as `step` names them."""
    options = {"lr": "--lr", "weight_decay": "--weight-decay",
               "momentum": "--momentum", "clip": "--clip"}
    arguments = []
    for key, value in scalars.items():
        by_group = value if isinstance(value, Mapping) else {"": value}
        # The value for all groups first: later ones are more particular.
        for group, number in sorted(by_group.items()):
            if number is None:
                continue
            prefix = f"{group}=" if group else ""
            arguments += [options[key], f"{prefix}{number!r}"]
    return arguments


def chosen_forms(step: Path, compute: str) -> dict[str, dict]:
    """What the compiler makes of `auto`: options of the iteration by tensor.
    `compute` is the precision that the target has by itself.

    Read from the IR after the pass that decides, where attributes of
    muon.update say so and those of its weight name the tensors.
    """
    ir = call("muon-opt", f"--muon-select-iteration=compute={compute}",
              step).stdout
    names = {}
    for argument, attributes in re.findall(r"(%arg\d+): [^{}]*?\{([^{}]*)\}",
                                           ir):
        listed = re.search(r"muon\.names = \[(.*?)\], muon", attributes)
        if listed:
            names[argument] = re.findall(r'"([^"]*)"', listed.group(1))
    forms: dict[str, dict] = {}
    for line in ir.splitlines():
        if "muon.update" not in line:
            continue
        weight = re.search(r" weight\((%arg\d+)", line).group(1)
        form = {key: value for key, value in re.findall(
            r"\b(compute|iteration) = #muon\.\w+<(\w+)>", line)}
        if form.get("iteration") == "gram":
            listed = re.search(r"\brestarts = array<i64(.*?)>", line).group(1)
            form["restarts"] = tuple(map(int, re.findall(r"\d+", listed)))
        for name in names[weight]:
            if forms.setdefault(name, form) != form:
                raise ToolError(f"{name}: its blocks have different forms, "
                                "which a Plan cannot say")
    return forms


@dataclass
class Outputs:
    params: dict[str, Tensor]
    state: dict[str, Tensor]
    text: str  # what the tool printed, both streams


def _with_chosen_forms(plan: Plan, step: Path, compute: str) -> Plan:
    """`plan` with the compiler's choices where the rules leave them to it."""
    def open_form(p) -> bool:
        return isinstance(p.optimizer, Muon) and (
            p.optimizer.iteration == "auto"
            or p.optimizer.iteration == "gram" and p.optimizer.restarts is None
            or p.optimizer.compute == "auto")

    if not any(map(open_form, plan.trained())):
        return plan
    forms = chosen_forms(step, compute)
    return replace(plan, parameters={
        n: replace(p, optimizer=replace(p.optimizer, **forms[n]))
        if open_form(p) else p for n, p in plan.parameters.items()})


class Artifact:
    """A compiled step in `folder`, with everything it was made from."""

    default_compute = "f32"
    # Options of muon-run.
    device: Sequence[str] = ()

    def __init__(self, folder: Path, tensors: Tensors,
                 rules: Optional[Mapping] = None,
                 compile_options: Sequence[str] = ("--target=cpu",)):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._rules, self.tensors = rules or {}, dict(tensors)
        self.compile_options = compile_options
        model = self.folder / "model.safetensors"
        safetensors_io.save(model, tensors)
        arguments: list = [model]
        if rules is not None:
            config = self.folder / "rules.json"
            config.write_text(json.dumps(rules, indent=1))
            arguments += ["--config", config]
        self._step = step = self.folder / "step.mlir"
        self.library = self.folder / "step.so"
        call("muon-import", *arguments, "-o", step)
        call("muon-compile", step, "-o", self.library, *compile_options)

    @cached_property
    def plan(self) -> Plan:
        """The rules, read independently, with the compiler's choices."""
        return _with_chosen_forms(resolve(self._rules, self.tensors),
                                  self._step, self.default_compute)

    def command(self, params: Tensors, grads: Tensors,
                state: Optional[Tensors], scalars: Mapping,
                device: Optional[Sequence[str]] = None) -> list:
        """Arguments of muon-run, after writing its input files.

        `device` stands in for the options that are this artifact's own.
        """
        files = {"params": params, "grads": grads, "state": state}
        arguments: list = [self.library]
        for role, tensors in files.items():
            if tensors is None:
                arguments.append("--init-state")
                continue
            path = self.folder / f"{role}.safetensors"
            safetensors_io.save(path, tensors)
            arguments += [f"--{role}", path]
        return [*arguments, *scalar_arguments(scalars),
                *(self.device if device is None else device)]

    def run(self, params: Tensors, grads: Tensors, state: Optional[Tensors],
            scalars: Mapping, extra: Sequence[str] = ()) -> Outputs:
        """One step; `state` None starts from the initial state."""
        out_params = self.folder / "out_params.safetensors"
        out_state = self.folder / "out_state.safetensors"
        for path in (out_params, out_state):
            path.unlink(missing_ok=True)
        done = call("muon-run", *self.command(params, grads, state, scalars),
                    "--out-params", out_params, "--out-state", out_state,
                    *extra)
        return Outputs(safetensors_io.load(out_params),
                       safetensors_io.load(out_state),
                       done.stdout + done.stderr)
