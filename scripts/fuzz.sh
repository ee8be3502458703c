#!/usr/bin/env bash
# Builds the fuzz targets and runs each for some time on a copy of its seeds,
# two at a time. A finding is a failure, with the path of its input.
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]     default: 60 seconds, all targets
#   scripts/fuzz.sh 600 rules                 one of them for longer
#   build/asan/bin/muon-fuzz-rules FILE       runs one input again
set -euo pipefail
cd "$(dirname "$0")/.."

all=(safetensors manifest rules ptx text bytecode)
seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
[ $# -gt 0 ] || set -- "${all[@]}"
for target in "$@"; do
  if [[ " ${all[*]} " != *" $target "* ]]; then
    echo "fuzz: error: unknown target '$target', expected: ${all[*]}" >&2
    exit 1
  fi
done

scripts/build.sh asan --target muon-opt "${@/#/muon-fuzz-}"
bin=build/asan/bin
# Findings stay; the rest of the scratch goes.
findings=build/asan/fuzz
mkdir -p "$findings"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The tests of the operations are seeds of the IR: one for each part of a file.
split_tests() {
  local file
  for file in test/Dialect/*/IR/*.mlir test/Dialect/*/Transforms/*.mlir \
    test/Pipelines/Inputs/*.mlir; do
    sed 's|^ *// .*||; /^$/d' "$file" >"$scratch/test.mlir"
    # Comments are gone, separators with them: parts begin at a function.
    csplit -s -n 4 -z -f "$1/${file//\//-}-" "$scratch/test.mlir" \
      '/^func.func /' '{*}'
  done
}

prepare() {
  local target=$1 corpus=$scratch/$1
  mkdir -p "$corpus"
  if [ -d "test/fuzz/seeds/$target" ]; then
    cp "test/fuzz/seeds/$target"/* "$corpus"
  fi
  if [ "$target" = text ]; then
    split_tests "$corpus"
  elif [ "$target" = bytecode ]; then
    # What the writer of today writes, and a file of the first version.
    mkdir -p "$scratch/parts"
    split_tests "$scratch/parts"
    local file
    for file in test/fuzz/seeds/text/*.mlir "$scratch"/parts/*; do
      ASAN_OPTIONS=detect_leaks=0:allow_user_poisoning=0 \
        "$bin/muon-opt" --emit-bytecode "$file" \
        -o "$corpus/$(basename "$file").bc" 2>/dev/null || continue
      [ "$(find "$corpus" -type f | wc -l)" -lt 60 ] || break
    done
    cp test/Dialect/Muon/IR/Inputs/*.mlirbc "$corpus"
  fi
  # Few mean that the tests moved, or that muon-opt no longer reads them.
  local seeds wanted=20
  [ ! -d "test/fuzz/seeds/$target" ] || wanted=2
  seeds=$(find "$corpus" -type f | wc -l)
  if [ "$seeds" -lt "$wanted" ]; then
    echo "fuzz: error: $target has $seeds seeds, expected at least $wanted" >&2
    exit 1
  fi
}

run() {
  local target=$1 seeds=test/fuzz/seeds/$1
  {
    # A seed that has become invalid would make the rest say nothing.
    [ ! -d "$seeds" ] ||
      MUON_FUZZ_SEEDS=1 "$bin/muon-fuzz-$target" "$seeds"/* || return
    "$bin/muon-fuzz-$target" "$scratch/$target" -seed=1 -max_len=16384 \
      -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 \
      -artifact_prefix="$findings/$target-" -print_final_stats=1
  } >"$scratch/$target.log" 2>&1
}

passed=0 failed=0
report() {
  local target=$1 status=$2 log=$scratch/$1.log
  if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs," \
      "$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)"
  else
    failed=$((failed + 1))
    grep -vE '^(INFO|#[0-9]+[[:space:]]+(INITED|NEW|REDUCE|pulse|RELOAD|DONE))' "$log" | tail -n 60
    echo "$target: FAILED; $(grep -o "written to .*" "$log" | tail -n 1)"
  fi
}

for target in "$@"; do
  prepare "$target"
done
while [ $# -gt 0 ]; do
  first=$1 second=${2:-}
  run "$first" &
  pid=$!
  if [ -n "$second" ]; then
    status=0
    run "$second" || status=$?
    report "$second" "$status"
    shift
  fi
  status=0
  wait "$pid" || status=$?
  report "$first" "$status"
  shift
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
