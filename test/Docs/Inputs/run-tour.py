# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the tour of README.md, stopping at the first command that fails.

    run-tour.py SOURCE_ROOT SCRATCH_DIR
"""
import pathlib
import re
import subprocess
import sys


def main():
    root, scratch = map(pathlib.Path, sys.argv[1:])
    scratch.mkdir(parents=True, exist_ok=True)
    text = (root / "README.md").read_text()
    tour = re.search(r"<!-- tour -->\n```sh\n(.*?)\n```", text, re.S).group(1)
    # The one path in it is relative to the sources.
    commands = tour.replace("examples/", f"{root}/examples/")
    done = subprocess.run(["bash", "-euxc", commands], cwd=scratch)
    for name in re.findall(r"^scripts/\S+", text, re.M):
        if not (root / name).exists():
            print(f"README.md names {name}, which does not exist")
            return 1
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if not (root / link).exists():
            print(f"README.md links to {link}, which does not exist")
            return 1
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
