#!/usr/bin/env python3
# ===- set-dialect-version.py - Change the version of a dialect -----------=== #
#
# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------=== #
"""set-dialect-version.py DIALECT VERSION < old.mlirbc > new.mlirbc

Replaces the version of a dialect in an MLIR bytecode file. The layout is that
of mlir.llvm.org/docs/BytecodeFormat; old and new version must fit in 7 bits.
"""

import sys

STRING_SECTION, DIALECT_SECTION = 0, 1


class Reader:
    def __init__(self, data, at, end):
        self.data, self.at, self.end = data, at, end

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def number(self):
        """A number whose first byte ends in as many zeros as bytes follow."""
        first = self.byte()
        extra = 8 if first == 0 else (first & -first).bit_length() - 1
        rest = bytes(self.byte() for _ in range(extra))
        value = int.from_bytes(bytes([first]) + rest, "little")
        return value >> (8 if first == 0 else extra + 1)

    def section(self):
        """The next section, as its kind and a reader of its contents."""
        kind = self.byte()
        length = self.number()
        if kind & 0x80:
            alignment = self.number()
            self.at += -self.at % alignment
        self.at += length
        return kind & 0x7F, Reader(self.data, self.at - length, self.at)


def main(dialect, version):
    data = bytearray(sys.stdin.buffer.read())
    file = Reader(data, data.index(b"\0") + 1, len(data))
    sections = {}
    while file.at < file.end:
        kind, contents = file.section()
        sections[kind] = contents

    strings = sections[STRING_SECTION]
    lengths = [strings.number() for _ in range(strings.number())][::-1]
    names = []
    for length in lengths:
        names.append(bytes(data[strings.at : strings.at + length - 1]).decode())
        strings.at += length

    dialects = sections[DIALECT_SECTION]
    for _ in range(dialects.number()):
        name = dialects.number()
        if name & 1 == 0:
            continue
        _, contents = dialects.section()
        if names[name >> 1] == dialect:
            if data[contents.at] & 1 == 0 or contents.end - contents.at != 1:
                sys.exit(f"the version of {dialect} has more than 7 bits")
            data[contents.at] = version << 1 | 1
            sys.stdout.buffer.write(data)
            return
    sys.exit(f"the file has no version of {dialect}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
