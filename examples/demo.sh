#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# A pattern file becomes a fused kernel that runs on a real model's data. Called by `make demo`, which sets ATTN_BIN (the
# tools), ATTN_PYTHON and ATTN_OUT (where files go); run it from the project's root.
set -euo pipefail

model=(--q examples/minilm/q.npy --k examples/minilm/k.npy --v examples/minilm/v.npy --head-size=32)
window=(--arg left=32 --arg right=32 --arg global=0,1)
mkdir -p "$ATTN_OUT"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
  printf '  $ %s\n' "$*"
  "$ATTN_BIN/$1" "${@:2}" | sed 's/^/    /'
}

say "1. The pattern: Longformer, 32 tokens to each side and two global tokens, over 384 tokens"
grep -v '^//' patterns/longformer.mlir | sed '/^$/d; s/^/    /'
run attn-compile patterns/longformer.mlir --emit=mask --length=384 "${window[@]}"

say "2. What it will cost, before anything runs"
run attn-compile patterns/longformer.mlir --emit=report --length=384 --head-size=32 "${window[@]}"

say "3. Compiled, run and checked on one layer of all-MiniLM-L6-v2 (12 heads x 32) reading Moby-Dick"
run attn-run patterns/longformer.mlir "${model[@]}" "${window[@]}" --check --repeat=20 --out "$ATTN_OUT/longformer.npy"

say "4. Full attention on the same data; the layer's output projection of it is the model's next activation"
run attn-run patterns/full.mlir "${model[@]}" --check --repeat=20 --out "$ATTN_OUT/full.npy"
"$ATTN_PYTHON" examples/minilm/check_projection.py "$ATTN_OUT/full.npy" | sed 's/^/    /'

say "5. The same kernel for your own program: an object and a C header, nothing else to link"
run attn-compile patterns/longformer.mlir --emit=obj -o "$ATTN_OUT/longformer.o"
run attn-compile patterns/longformer.mlir --emit=header -o "$ATTN_OUT/longformer.h"
run attn-compile patterns/longformer.mlir --emit=mask --length=384 "${window[@]}" -o "$ATTN_OUT/longformer.svg"

say "Files"
(cd "$ATTN_OUT" && wc -c ./*) | sed "s|\./|$ATTN_OUT/|; s/^/    /"

say "What to type next"
cat <<TXT
    export PATH="$ATTN_BIN:\$PATH"
    attn-run patterns/causal.mlir --length=4096 --check          another pattern, compiled, run and checked
    attn-compile patterns/longformer.mlir --emit=plan            the plan: phases, orders, boxes
    attn-run patterns/sliding_window.mlir --arg left=64 --arg right=0 --length=65536
    make check                                                   every test
    README.md                                                    ten minutes from a pattern file to object code
TXT
