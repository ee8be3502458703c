"""Runs a command that may not write files of more than a number of bytes.

  limit-file-size.py BYTES COMMAND ARGUMENT...
"""

import os
import resource
import signal
import sys


def main():
    # Python ignores the signal, and so would the command.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.execvp(sys.argv[2], sys.argv[2:])


main()
