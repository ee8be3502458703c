# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled steps on disk.

`<key>.json` has the report and the hash of the artifact `<hash>.so`: names of
artifacts are their contents, and an entry is there once its JSON is. All files
are made elsewhere and renamed, so that processes see old or new, never half.
"""
from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from ._errors import Error

FORMAT = 1


def folder() -> Path:
    """$MUON_CACHE_DIR, else muon-mlir in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("MUON_CACHE_DIR")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "muon-mlir"


def checked_folder() -> Path:
    """The folder, made if it is not there, and nobody else's.

    Artifacts are code: who may write here could run code as this user.
    """
    try:
        path = folder().absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            pass
        about = path.stat()
    except (OSError, RuntimeError) as error:
        raise Error(f"cannot make the cache folder: {error}; set "
                    "MUON_CACHE_DIR, or compile with cache=False") from error
    if not stat.S_ISDIR(about.st_mode):
        raise Error(f"cache folder {path}: is no folder")
    if about.st_uid != os.geteuid():
        raise Error(f"cache folder {path}: belongs to user {about.st_uid}, "
                    f"expected {os.geteuid()}")
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Error(f"cache folder {path}: others may write to it (mode "
                    f"{stat.S_IMODE(about.st_mode):04o}), expected 0700")
    return path


def key_of(parts: Mapping[str, Any]) -> str:
    text = json.dumps({"format": FORMAT, **parts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.lru_cache(maxsize=None)
def host_cpu() -> str:
    """What code for the 'native' processor depends on."""
    wanted = ("vendor_id", "cpu family", "model", "model name", "stepping",
              "flags", "Features", "CPU part")
    lines = [os.uname().machine]
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if not line.strip():  # the others are alike
                    break
                if line.partition(":")[0].strip() in wanted:
                    lines.append(line.strip())
    except OSError as error:
        raise Error(f"cannot tell this processor: {error}; compile with "
                    "cache=False") from error
    return "\n".join(lines)


def file_identity(path: Optional[str]) -> Optional[list[Any]]:
    """Changes when a program is replaced; reading it would take too long."""
    if not path:
        return None
    try:
        about = os.stat(path)
    except OSError:
        return [path]
    return [os.path.realpath(path), about.st_size, about.st_mtime_ns]


def sha256_of(path: Path) -> Optional[str]:
    """None if the file cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def is_intact(artifact: Path) -> bool:
    return sha256_of(artifact) == artifact.stem


def _entry(path: Path) -> Optional[tuple[str, str]]:
    """(hash, report) of an entry; None if it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        artifact, report = found["artifact"], found["report"]
        bytes.fromhex(artifact)
        json.loads(report)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (artifact, report) if len(artifact) == 64 else None


def get(key: str, compile_to: Callable[[str], str]) -> tuple[Path, str]:
    """(artifact, report), from `compile_to` where the entry is missing or
    damaged: it writes an artifact to the path that it gets, and returns the
    report."""
    root = checked_folder()
    entry = _entry(root / f"{key}.json")
    if entry:
        artifact = root / f"{entry[0]}.so"
        if is_intact(artifact):
            return artifact, entry[1]
    try:
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
    except OSError as error:
        raise Error(f"cannot write to the cache folder: {error}; set "
                    "MUON_CACHE_DIR, or compile with cache=False") from error
    try:
        made = scratch / "step.so"
        report = compile_to(str(made))
        digest = sha256_of(made)
        if digest is None:
            raise Error(f"cannot read {made}, which was just written")
        listing = scratch / "entry.json"
        listing.write_text(json.dumps({"artifact": digest, "report": report}),
                           encoding="utf-8")
        artifact = root / f"{digest}.so"
        os.replace(made, artifact)
        os.replace(listing, root / f"{key}.json")
        return artifact, report
    except OSError as error:
        raise Error(f"cannot write to the cache folder: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
