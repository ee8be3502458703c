#!/bin/sh
# Stands in for ptxas: says of each kernel what FAKE_PTXAS asks for (spill,
# advice, fail or nothing), and writes a text for a cubin.
#
#   fake-ptxas.sh -v -arch=sm_80 IN.ptx -o OUT
set -eu
if [ "$#" -ne 5 ] || [ "$1" != -v ] || [ "$4" != -o ]; then
  echo "ptxas fatal   : unexpected arguments: $*" >&2
  exit 1
fi
case ${FAKE_PTXAS:-} in
fail)
  echo "ptxas fatal   : Value 'sm_80' is not defined for option 'gpu-name'" >&2
  exit 1
  ;;
spill) spill=8 ;;
*) spill=0 ;;
esac
echo "ptxas info    : 0 bytes gmem" >&2
[ "${FAKE_PTXAS:-}" != advice ] ||
  echo "ptxas info    : (C7510) Potential Performance Loss: serialized" >&2
sed -nE 's/^\.visible \.entry ([A-Za-z0-9_]+)\(.*/\1/p' "$3" |
  while read -r name; do
    echo "ptxas info    : Compiling entry function '$name' for '${2#-arch=}'"
    echo "ptxas info    : Function properties for $name"
    echo "    0 bytes stack frame, $spill bytes spill stores, $spill bytes spill loads"
    echo "ptxas info    : Used 40 registers, used 1 barriers, 384 bytes cmem[0]"
  done >&2
echo "cubin for ${2#-arch=}" >"$5"
