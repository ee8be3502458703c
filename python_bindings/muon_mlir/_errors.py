# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes wrong, as exceptions."""
from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Iterable, Optional


@dataclass(frozen=True)
class Diagnostic:
    """What the compiler said about a place of the input.

    `severity` is 'note', 'remark', 'warning' or 'error'. `file`, `line` and
    `column` are None where the place is not known; lines and columns begin
    with 1. `notes` belong to this one.
    """

    severity: str
    message: str
    file: Optional[str] = None
    line: Optional[int] = None
    column: Optional[int] = None
    notes: tuple["Diagnostic", ...] = ()

    def __str__(self) -> str:
        place = ":".join(str(part) for part in
                         (self.file, self.line, self.column)
                         if part is not None)
        head = f"{place}: " if place else ""
        return "\n".join([f"{head}{self.severity}: {self.message}",
                          *map(str, self.notes)])


class Error(Exception):
    """The base of this package's exceptions.

    `diagnostics` are those of the compiler, in their order; empty for what
    other parts found.
    """

    diagnostics: tuple[Diagnostic, ...]

    def __init__(self, message: str,
                 diagnostics: Iterable[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.diagnostics = tuple(diagnostics)


class CompileError(Error):
    """IR or rules are wrong, or a pass or the code generation failed."""


class ArgumentError(Error, ValueError):
    """An argument is missing, or does not fit; nothing has changed."""


class StepError(Error):
    """An artifact cannot be loaded, or a step failed while it ran."""


class CompileWarning(UserWarning):
    """A warning of the compiler."""


def warn(diagnostics: Iterable[Diagnostic]) -> None:
    """Warnings of a call that succeeded; remarks are for those who ask."""
    for one in diagnostics:
        if one.severity == "warning":
            warnings.warn(str(one), CompileWarning, stacklevel=3)
