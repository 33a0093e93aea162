// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics --attn-emit-gpu

!rows = tensor<?x?x?x64x!attn.element>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'element' has no element type; run attn-specialize first}}
func.func @element(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 64, 64, 64] anchored {
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x257xbf16>
!values = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'head_size' has head size 257; sm_90a kernels are written for 1 to 256}}
func.func @head_size(%q: !rows, %k: !rows, %v: !values) -> (!values, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 64, 64, 64] anchored {
  } : !rows, !rows, !values -> !values, !lse
  return %o, %lse : !values, !lse
}

// -----

!rows = tensor<?x?x?x64xbf16>
!values = tensor<?x?x?x320xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'value_head_size' has head size 320; sm_90a kernels are written for 1 to 256}}
func.func @value_head_size(%q: !rows, %k: !rows, %v: !values) -> (!values, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 64, 64, 64] anchored {
  } : !rows, !rows, !values -> !values, !lse
  return %o, %lse : !values, !lse
}

// -----

!rows = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'target' is planned for another target; plan it with target=sm_90a}}
func.func @target(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 64, 8, 32] {
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'odd_rows': a tile of 48 rows and 16 keys cannot be multiplied; use multiples of 64 rows and 16 keys}}
func.func @odd_rows(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [48, 16, 48, 16] anchored {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'odd_keys': a tile of 64 rows and 24 keys cannot be multiplied; use multiples of 64 rows and 16 keys}}
func.func @odd_keys(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 24, 64, 24] anchored {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'many_rows': a tile of 256 rows takes too many warpgroups; use --tile-rows=192 or less}}
func.func @many_rows(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [256, 64, 256, 64] anchored {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x16xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'many_keys': a tile of 272 keys is wider than an instruction takes; use --tile-keys=256 or less}}
func.func @many_keys(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 272, 64, 272] anchored {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x16xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'many_tested_keys': a tile of 144 keys is wider than a tile whose pairs are tested; use --tile-keys=128 or less}}
func.func @many_tested_keys(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 144, 64, 144] anchored {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length) test (%b, %h, %i, %j) {
        %same = arith.cmpi eq, %i, %j : index
        attn.yield %same : i1
      }
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x256xf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'shared_memory': a tile of 128 rows and 128 keys at head sizes 256 and 256 takes 327800 bytes of shared memory of 232448; use smaller --tile-rows or --tile-keys}}
func.func @shared_memory(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [128, 128, 128, 128] anchored {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'listed_keys': a tile of 24 listed keys cannot be multiplied; use sub-tiles of a multiple of 16 keys}}
func.func @listed_keys(%q: !rows, %k: !rows, %v: !rows) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v tile [64, 96, 64, 24] anchored {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}

// -----

!rows = tensor<?x?x?x64xbf16>
!lse = tensor<?x?x?xf32>
// expected-error@+1 {{kernel 'by_data' has classes by numbers that only run-time data tell, and tensor maps are made before those are read; plan it with target=sm_90a}}
func.func @by_data(%q: !rows, %k: !rows, %v: !rows, %strides: !attn.per_head {attn.minimum = 1 : index}) -> (!rows, !lse) {
  %o, %lse = attn.plan %q, %k, %v symbols(%strides : !attn.per_head) tile [64, 64, 64, 64] anchored {
    attn.phase queries(classes(s0)) {
      attn.box keys(classes(s0)) class (mod(i, s0), mod(i, s0)) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return %o, %lse : !rows, !lse
}
