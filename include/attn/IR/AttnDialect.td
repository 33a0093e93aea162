// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attn dialect and its vocabulary.

#ifndef ATTN_IR_ATTNDIALECT_TD
#define ATTN_IR_ATTNDIALECT_TD

include "mlir/IR/OpBase.td"

def Attn_Dialect : Dialect {
  let name = "attn";
  let cppNamespace = "::attn";
  let summary = "attention patterns, attention, and the plans that order them";
  let description = [{
    A pattern says which pairs of rows attend; attention applies it; a plan puts the pairs into an order of dense tiles.
    Words, used the same way everywhere:

    - **query row**, **key row**: a row of the query, or of the key and value; **row** i of the query stands at
      **position** `query_offset + i`, row j of the key at `key_offset + j`. Patterns speak of positions.
    - **pair** (i, j): a query row and a key row. **pattern**: a set of pairs, in full of (b, h, i, j).
    - **score**: scale times q.k, then what the score region makes of it; **normaliser**: softmax, or, of linear
      attention, the features of the query times those of all its keys.
    - **tile**: query rows times key rows; **full** if the pattern admits all its pairs, **boundary** if some, **empty**
      if none. A **sub-tile** is the part of a tile that is multiplied or skipped as one.
    - **order**: a renumbering of rows. **box**: the key rows of a query row, as bounds. **phase**: one loop nest over
      query tiles and their boxes. **plan**: the phases. **rows owned**: the query rows whose output a phase writes.
    - **waste**: pairs multiplied, padding included, over pairs admitted.
    - **state**: running maximum, running sum and accumulator of a query row; of linear attention, the sum of what keys
      add to the output and to the normaliser.

    Semantics that every target keeps: a pair that several members of a union admit counts once. A pair that is not
    admitted has the score -inf, exactly. A query row that admits no key has output 0 and lse -inf. `lse` is the natural
    logarithm of the sum of exp of the admitted scores. Query head h reads key head `h floordiv (heads / kv_heads)`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif // ATTN_IR_ATTNDIALECT_TD
