"""Prints the manifest of a module, or of an artifact, one entry a line.

  print-manifest.py FILE
"""

import json
import re
import sys


def read(path):
    data = open(path, "rb").read()
    if data.startswith(b"\x7fELF"):
        # The only object in an artifact; where it ends, the parser knows.
        start = data.index(b'{"arch":')
        return json.JSONDecoder().raw_decode(
            data[start:].decode("utf-8", "replace")
        )[0]
    text = re.search(rb'muon\.manifest = "((?:[^"\\]|\\.)*)"', data).group(1)
    # MLIR writes bytes that are not printable as \ and two hex digits.
    text = re.sub(
        rb"\\([0-9A-F]{2}|.)",
        lambda m: bytes.fromhex(m[1].decode()) if len(m[1]) == 2 else m[1],
        text,
    )
    return json.loads(text)


def main():
    manifest = read(sys.argv[1])
    for key in sorted(manifest):
        value = manifest[key]
        if key in ("arguments", "params"):
            entries = [(f"{key}[{i}]", entry) for i, entry in enumerate(value)]
        else:
            entries = [(key, value)]
        for name, entry in entries:
            text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
            print(f"{name} = {text}")


if __name__ == "__main__":
    main()
