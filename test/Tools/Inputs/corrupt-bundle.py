# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Changes one expected weight of a bundle, and one number that is counted."""
import json
import pathlib
import struct
import sys

bundle = pathlib.Path(sys.argv[1])
path = bundle / "tests" / "bf16-direct" / "expected1.safetensors"
data = bytearray(path.read_bytes())
(length,) = struct.unpack_from("<Q", data)
begin = json.loads(data[8:8 + length])["batch"]["data_offsets"][0]
place = 8 + length + begin
(value,) = struct.unpack_from("<f", data, place)
struct.pack_into("<f", data, place, value + 0.5)
path.write_bytes(data)

path = bundle / "bundle.json"
manifest = json.loads(path.read_text())
for test in manifest["tests"]:
    if test["name"] == "bf16-direct":
        test["tensor_flops"]["bf16"] += 1
path.write_text(json.dumps(manifest))
