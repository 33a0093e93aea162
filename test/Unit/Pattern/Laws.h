// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls without run-time data, and the comparison of a set with a law on positions.

#ifndef ATTN_TEST_UNIT_PATTERN_LAWS_H
#define ATTN_TEST_UNIT_PATTERN_LAWS_H

#include "RandomPatterns.h"
#include "gtest/gtest.h"

namespace attn {

/// A call of these lengths and offsets without run-time data.
inline CallValues callOf(int64_t length, int64_t kvLength, int64_t queryOffset, int64_t keyOffset) {
  CallValues values;
  values.symbols.assign(SymbolCount, 0);
  values.symbols[Length] = length, values.symbols[KvLength] = kvLength;
  values.symbols[QueryOffset] = queryOffset, values.symbols[KeyOffset] = keyOffset;
  values.tables.resize(TableCount), values.tableColumns.resize(TableCount);
  return values;
}

using Law = std::function<bool(int64_t p, int64_t k)>;

/// Compares a set with a law on positions.
inline void expectLaw(const PairSet &set, const CallValues &values, const Law &law) {
  for (int64_t i = 0; i < values.length(); ++i)
    for (int64_t j = 0; j < values.kvLength(); ++j) {
      int64_t p = i + values.offset(Side::Queries), k = j + values.offset(Side::Keys);
      ASSERT_EQ(set.contains(values, i, j), law(p, k))
          << "query position " << p << ", key position " << k << ", " << textOf(values);
    }
}

/// Lengths and offsets that are awkward: nothing, one row, more keys than queries and the reverse, positions below 0.
inline void forEachCall(const std::function<void(CallValues)> &body) {
  const int64_t sizes[][2] = {{0, 5}, {5, 0}, {1, 1}, {13, 13}, {7, 20}, {20, 7}};
  for (auto [length, kvLength] : sizes)
    for (int64_t keyOffset : {-9, 0, 4})
      for (int64_t queryOffset : {-11, -1, 0, 3, 16})
        body(callOf(length, kvLength, queryOffset, keyOffset));
}

} // namespace attn

#endif // ATTN_TEST_UNIT_PATTERN_LAWS_H
