# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs or checks every fenced block and every link of documents.

    check-blocks.py SOURCE_ROOT BUILD SCRATCH_DIR DOCUMENT...

Blocks of one document run in order in one folder that looks like the root of
the sources with a build in build/release. By language:

    sh, bash      runs and succeeds
    console       lines after `$ ` run; the other lines occur in the output, in
                  this order, where `…` stands for anything. A command may fail
                  only if such a line says error
    python        runs and succeeds
    json          a rules file in docs/rules.md, otherwise JSON
    mlir          parses and verifies
    any other     needs one of the marks below

A mark is an HTML comment in front of a block:

    <!-- file: NAME -->        the block is written to NAME first
    <!-- excerpt: PATH -->     not run: its lines stand in this file, in order;
                               a line `…` stands for any number of lines
    <!-- levels: LEVEL -->     docs/levels.md only; levels.test checks it
    <!-- not run: REASON -->   what no test can run, and why
"""
import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys

# What runs as a part of the whole test suite, or runs it.
WHOLE_TREE = {"scripts/setup.sh", "scripts/build.sh", "scripts/test.sh", "scripts/demo.sh"}
# Made by scripts/update-docs.sh: their blocks are the descriptions' of TableGen
# files, whose examples test/Dialect/*/IR/examples.test runs.
GENERATED = {"docs/ops.md", "docs/passes.md"}
PYTHON = "/usr/bin/python3"

FENCE = re.compile(r"^ *(```+|~~~+)(.*)$")
MARK = re.compile(r"^ *<!-- (file|excerpt|levels|not run)(?:: (.+?))? -->$")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")

Block = collections.namedtuple("Block", "line language text kind value")


class Problem(Exception):
    pass


def read(text):
    """The blocks of a document, and the lines outside of them."""
    blocks, prose, mark, start = [], [], None, None
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if start is None and fence:
            start, language, body = number, fence.group(2).strip(), []
            closing, indent = fence.group(1), len(line) - len(line.lstrip())
        elif start is not None and line.strip() == closing:
            blocks.append(Block(start, language, "".join(body), *(mark or (None, None))))
            start = mark = None
        elif start is not None:
            body.append(line[min(indent, len(line) - len(line.lstrip())) :] + "\n")
        elif line.strip():
            prose.append((number, line))
            mark = MARK.match(line)
            mark = mark.groups() if mark else None
    if start is not None:
        raise Problem(f"{start}: the block is not closed")
    return blocks, prose


def run(command, scratch, check=True):
    sys.stdout.flush()
    done = subprocess.run(command, cwd=scratch, capture_output=not check, text=True, timeout=500)
    if check and done.returncode != 0:
        raise Problem(f"exit status {done.returncode} from\n  {' '.join(map(str, command))}")
    return done


def in_order(wanted, found, matches):
    """The first of `wanted` that is not in `found` behind those before it."""
    position = 0
    for item in wanted:
        while position < len(found) and not matches(item, found[position]):
            position += 1
        if position == len(found):
            return item
        position += 1
    return None


def check_console(text, scratch):
    session = []
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            session.append((line[2:], []))
        elif not session:
            raise Problem("a console block starts with a command, after `$ `")
        else:
            session[-1][1].append(line)
    if not session:
        raise Problem("a console block without a command")
    for command, wanted in session:
        done = run(["bash", "-euo", "pipefail", "-c", command], scratch, check=False)
        output = done.stdout + done.stderr
        if done.returncode != 0 and not any("error" in line for line in wanted):
            raise Problem(f"exit status {done.returncode} from\n  {command}\n{output}")
        missing = in_order(
            [line for line in wanted if line.strip() not in ("", "…")],
            output.splitlines(),
            lambda item, line: re.search(".*".join(map(re.escape, item.strip().split("…"))), line),
        )
        if missing is not None:
            raise Problem(f"no line `{missing}`, in this order, from\n  {command}\n{output}")


def check_excerpt(text, path):
    if not path.is_file():
        raise Problem(f"excerpt of {path}, which does not exist")
    wanted = [line.strip() for line in text.splitlines() if line.strip() not in ("", "…")]
    found = [line.strip() for line in path.read_text().splitlines()]
    missing = in_order(wanted, found, lambda item, line: item == line)
    if not wanted or missing is not None:
        raise Problem(f"no line `{missing}`, in this order, in {path}")


def check_rules(path, scratch):
    checkpoint = scratch / ".model.safetensors"
    if not checkpoint.exists():
        make = scratch / "examples/make-checkpoint.py"
        run([make, checkpoint, scratch / ".grads.safetensors"], scratch)
    run(["muon-import", checkpoint, "--config", path, "-o", os.devnull], scratch)


def check_block(document, block, root, scratch):
    """Returns what was done with the block."""
    if block.kind == "levels" and document == "docs/levels.md":
        return "checked by levels.test"
    if block.kind == "not run":
        if not block.value:
            raise Problem("`not run` without a reason")
        return "not run"
    if block.kind == "excerpt":
        check_excerpt(block.text, root / block.value)
        return "excerpts"
    file = scratch / (block.value if block.kind == "file" else f".block.{block.language}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.text)
    if block.language in ("sh", "bash"):
        commands = [re.sub(r"\s*#.*", "", line) for line in block.text.splitlines()]
        if set(filter(None, commands)) <= WHOLE_TREE:
            return "run by the test suite"
        run(["bash", "-euxo", "pipefail", file], scratch)
    elif block.language == "console":
        check_console(block.text, scratch)
    elif block.language == "python":
        run([PYTHON, file], scratch)
    elif block.language == "json" and document == "docs/rules.md":
        check_rules(file, scratch)
    elif block.language == "json":
        try:
            json.loads(block.text)
        except ValueError as error:
            raise Problem(f"not JSON: {error}") from None
    elif block.language == "mlir":
        run(["muon-opt", file, "-o", os.devnull], scratch)
    elif block.kind == "file":
        return "files"
    else:
        raise Problem(
            f"nothing runs a block of language '{block.language}', and no mark says what"
            " checks it; see check-blocks.py"
        )
    return "run or parsed"


def make_scratch(root, build, scratch):
    """A folder that looks like the root of the sources."""
    scratch.mkdir(parents=True)
    for entry in root.iterdir():
        if entry.name != "build" and not entry.name.startswith("."):
            (scratch / entry.name).symlink_to(entry)
    (scratch / "build").mkdir()
    (scratch / "build/release").symlink_to(build)


def check_document(path, root, build, scratch):
    document = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    problems, counts = [], collections.Counter()
    try:
        blocks, prose = read(path.read_text())
    except Problem as problem:
        return [f"{document}:{problem}"], counts
    for number, line in prose:
        for link in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if "://" not in link and not (path.parent / link).exists():
                problems.append(f"{document}:{number}: link to {link}, which does not exist")
    if document in GENERATED:
        counts["generated"] = len(blocks)
        return problems, counts
    if blocks:
        make_scratch(root, build, scratch)
    for block in blocks:
        try:
            counts[check_block(document, block, root, scratch)] += 1
        except Problem as problem:
            problems.append(f"{document}:{block.line}: {problem}")
    return problems, counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("documents", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    failed = False
    for path in arguments.documents:
        scratch = arguments.scratch / path.stem
        problems, counts = check_document(path, arguments.root, arguments.build, scratch)
        failed = failed or bool(problems)
        print("\n".join(problems), end="\n" if problems else "")
        summary = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        print(f"{path.name}: {summary or 'no blocks'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
