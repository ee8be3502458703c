# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from typing import Optional, Sequence

class Module:
    @staticmethod
    def parse(text: bytes, name: str) -> Module: ...
    @staticmethod
    def from_tensors(
        tensors: Sequence[tuple[str, str, Sequence[int]]], rules: Optional[str]
    ) -> Module: ...
    @staticmethod
    def from_safetensors(path: str, rules: Optional[str]) -> Module: ...
    def clone(self) -> Module: ...
    def verify(self) -> None: ...
    def print(self, locations: bool) -> str: ...
    def run_passes(self, pipeline: str) -> None: ...
    def compile(
        self,
        path: str,
        target: Optional[str],
        cpu: Optional[str],
        ptxas: Optional[str],
        chip: Optional[str],
        scratch_limit: int,
        grid: Optional[str],
        rank: int,
        topology: Optional[str],
    ) -> str: ...

def build() -> str: ...
