"""Runs a command and succeeds if its exit code is the expected one.

  exit-code.py CODE COMMAND ARGUMENT...

Death by a signal is no exit code; `not` would take it for a failure like any
other.
"""

import subprocess
import sys


def main():
    code = subprocess.run(sys.argv[2:], check=False).returncode
    if code != int(sys.argv[1]):
        sys.exit(f"expected exit code {sys.argv[1]}, found {code}")


if __name__ == "__main__":
    main()
