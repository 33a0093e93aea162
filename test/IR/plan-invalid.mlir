// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// RUN: attn-opt %s --split-input-file --verify-diagnostics

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @tile_sizes(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op tile has 2 sizes; it takes 4: query rows, keys, rows of a sub-tile, keys of a sub-tile}}
  attn.plan %q, %q, %q tile [64, 64] {
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @tile_rows(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op a sub-tile of 48 rows does not divide a tile of 64}}
  attn.plan %q, %q, %q tile [64, 64, 48, 32] {
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @tile_keys(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op a sub-tile of 0 keys does not divide a tile of 64}}
  attn.plan %q, %q, %q tile [64, 64, 8, 0] {
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @compact_tile(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op a sub-tile of 48 keys does not divide a tile of 64}}
  attn.plan %q, %q, %q tile [64, 96, 64, 96] anchored compact [64, 64, 64, 48] to 1024 {
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @compact_keys(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op compact tiles and the most keys that they are for come together: compact [...] to KEYS}}
  "attn.plan"(%q, %q, %q) <{tile = array<i64: 64, 64, 64, 64>, compact = array<i64: 64, 64, 64, 64>, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0>}> ({
  ^bb0:
  }, {}, {}) : (!rows, !rows, !rows) -> (!rows, !lse)
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
func.func @lse_rank(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op lse has rank 2; it has to be 3: [batch, heads, rows]}}
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
  } : !rows, !rows, !rows -> !rows, tensor<?x?xf32>
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @phases(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{'arith.constant' op is not a phase; a plan holds attn.phase ops only}}
    %c = arith.constant 1 : index
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @boxes(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'arith.constant' op is not a box; a phase holds attn.box ops only}}
      %c = arith.constant 1 : index
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @score(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op a score region has to yield one 'f32'}}
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
  } score (%s, %b, %h, %i, %j) {
    attn.yield %j : index
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @missing_table(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op order of table 0, but the plan has 0 tables}}
    attn.phase queries(listed(0)) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @listed_table(%q: !rows, %ids: !attn.segments) {
  attn.plan %q, %q, %q tables(%ids : !attn.segments) tile [64, 64, 8, 32] {
    // expected-error@+1 {{'attn.phase' op order listed needs a table of type !attn.tokens, table 0 has type '!attn.segments'}}
    attn.phase queries(all) except(listed(0)) {
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @sorted_table(%q: !rows, %global: !attn.tokens) {
  attn.plan %q, %q, %q tables(%global : !attn.tokens) tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op order sorted needs a table of type !attn.segments, table 0 has type '!attn.tokens'}}
      attn.box keys(sorted(0)) rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @same_segment(%q: !rows, %ids: !attn.segments) {
  attn.plan %q, %q, %q tables(%ids : !attn.segments) tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op same_segment needs queries and keys sorted by the same table}}
      attn.box keys(sorted(0)) same_segment rows [0, kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @missing_symbol(%q: !rows, %left: index) {
  attn.plan %q, %q, %q symbols(%left : index) tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op names the symbol s1, but the plan has 1 symbols}}
      attn.box keys(all) rows [max(0, i - s1), kv_length) columns [0, length)
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @missing_symbol_of_test(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length) test (%b, %h, %i, %j) {
        // expected-error@+1 {{'attn.apply' op names the symbol s0, but the plan has 0 symbols}}
        %bound = attn.apply i + s0 at %i
        %is = arith.cmpi slt, %j, %bound : index
        attn.yield %is : i1
      }
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @member_table(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length) test (%b, %h, %i, %j) {
        // expected-error@+1 {{'attn.member' op order of table 2, but the plan has 0 tables}}
        %is = attn.member %i of listed(2)
        attn.yield %is : i1
      }
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @test_yield(%q: !rows) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      // expected-error@+1 {{'attn.box' op a test region has to yield one 'i1'}}
      attn.box keys(all) rows [0, kv_length) columns [0, length) test (%b, %h, %i, %j) {
        attn.yield %j : index
      }
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

// expected-error@+1 {{'attn.phase' op expects parent op 'attn.plan'}}
attn.phase queries(all) {
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @sink(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op a sink region has to yield one 'f32'}}
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
  } sink (%b, %h, %i) {
    attn.yield %i : index
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @requirement_symbol(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op names the symbol s0, but the plan has 0 symbols}}
  attn.plan %q, %q, %q tile [64, 64, 8, 32] requires "rows of the grid" kv_length >= "rows of the neighborhood" s0 {
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @requirement_row(%q: !rows) {
  // expected-error@+1 {{'attn.plan' op requires "rows of the grid" to be at least "rows of the neighborhood", but these depend on a row; use symbols only}}
  attn.plan %q, %q, %q tile [64, 64, 8, 32] requires "rows of the grid" i >= "rows of the neighborhood" 7 {
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @score_read(%q: !rows, %bias: !attn.array<[4]>) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
  } score (%s, %b, %h, %i, %j) {
    // expected-error@+1 {{'attn.load' op extent 0 of the array is 4, and index 0 has no upper bound; bound it with minsi, or write clamped}}
    %entry = attn.load %bias[%j] : !attn.array<[4]>
    attn.yield %entry : f32
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @test_read(%q: !rows, %allowed: !attn.array<[keys]>) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length) test (%b, %h, %i, %j) {
        // expected-error@+1 {{'attn.load' op extent 0 of the array is keys, which nothing in this region counts; write clamped}}
        %entry = attn.load %allowed[%j] : !attn.array<[keys]>
        %zero = arith.constant 0.0 : f32
        %is = arith.cmpf ogt, %entry, %zero : f32
        attn.yield %is : i1
      }
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}

// -----

!rows = tensor<?x?x?x64xf32>
!lse = tensor<?x?x?xf32>
func.func @test_dot(%q: !rows, %array: !attn.array<[head_size]>) {
  attn.plan %q, %q, %q tile [64, 64, 8, 32] {
    attn.phase queries(all) {
      attn.box keys(all) rows [0, kv_length) columns [0, length) test (%b, %h, %i, %j) {
        // expected-error@+1 {{'attn.query_dot' op is not allowed in a test region; use pure arith and math ops with one scalar result, attn.load, attn.extent, attn.of_head, attn.of_batch, attn.apply, attn.lookup, attn.lists, attn.member}}
        %dot = attn.query_dot %array[] : !attn.array<[head_size]>
        %is = arith.cmpi slt, %i, %j : index
        attn.yield %is : i1
      }
    }
  } : !rows, !rows, !rows -> !rows, !lse
  return
}
