#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# sanitize.sh ATTN_CALL FOLDER [OBJECT...]: compute-sanitizer's memcheck and racecheck over small calls of the kernels
# in a folder of objects (bench/gpu/objects.py makes them): those named (causal_d64_bf16 ...), or all for bf16.
# attn-call starts them, dense; worker.py starts some with rows at odd addresses, which need another loader. JOBS: how
# many at a time (4).

set -uo pipefail
if [ $# -lt 2 ]; then
  echo "error: usage: sanitize.sh ATTN_CALL FOLDER [OBJECT...]" >&2
  exit 2
fi
call=$1 folder=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$folder" && ls *_bf16.so | sed 's/\.so$//')
export PATH=$PATH:/usr/local/cuda/bin
export PYTORCH_NO_CUDA_MEMORY_CACHING=1 # an allocation each, or what is read beside one is another's
logs=$(mktemp -d)

# sanitize TOOL NAME COMMAND...: a line that says whether the tool is content; its log's end where it is not.
sanitize() {
  local tool=$1 name=$2 log=$logs/$1-$2
  shift 2
  if timeout 300 compute-sanitizer --tool "$tool" --error-exitcode 99 "$@" >"$log" 2>&1; then
    echo "clean $tool $name"
  else
    echo "FAIL $tool $name (exit code $?)"
    grep -E '^=========|error' "$log" | head -12
  fi
}
export -f sanitize
export logs

worker="python3 $(dirname "$0")/worker.py $folder --target=sm_90a --most-seconds=300 --select"
{
  for tool in memcheck racecheck; do
    for object in "$@"; do
      run="$call $folder/$object.so --heads=4"
      case $object in # a grid has at least the rows and columns of its window
      neighborhood*) run+=" --arg width=16 --arg rows=5 --arg columns=5" shortest=65 ;;
      *) shortest=1 ;;
      esac
      echo "$tool $object $run --batch=2 --kv-heads=2 --length=300"
      echo "$tool $object-short $run --length=$shortest"
    done
    echo "$tool odd-rows $worker layout=rows-gap-1"
    echo "$tool odd-bases $worker layout=base-1"
  done
} | xargs -P "${JOBS:-4}" -L 1 bash -c 'sanitize "$@"' sanitize | tee "$logs/summary"
echo "$(grep -c ^clean "$logs/summary") clean, $(grep -c ^FAIL "$logs/summary") failed; logs are in $logs"
! grep -q ^FAIL "$logs/summary"
