// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A set of pairs with the values of one call put in, for those who ask about many pairs row by row. What a half-space
// or a relation says of a key row is computed once for all query rows, and what it says of a query row once for all
// keys.

#ifndef ATTN_PATTERN_BOUNDSET_H
#define ATTN_PATTERN_BOUNDSET_H

#include "attn/Pattern/PairSet.h"

namespace attn {

/// Says what PairSet::contains says. The values have to outlive it.
class BoundSet {
public:
  BoundSet(const PairSet &set, const CallValues &values) : values(values), root(bind(set)) {}

  /// Chooses the query row that contains() speaks of.
  void moveTo(int64_t queryRow);
  bool contains(int64_t keyRow) const { return contains(root, keyRow); }

private:
  struct Node {
    explicit Node(const PairSet &set) : set(set) {}

    PairSet set;
    /// Of half-spaces and relations: a number for each key row. Those in [begin, end) are in the set.
    std::vector<int64_t> numbers;
    int64_t begin = 0, end = 0;
    std::vector<Node> members;
  };

  Node bind(const PairSet &set) const;
  std::optional<int64_t> rowFor(const Relation &relation, Side side, int64_t row) const;
  void moveTo(Node &node) const;
  bool contains(const Node &node, int64_t keyRow) const;

  const CallValues &values;
  Node root;
  int64_t query = -1;
};

} // namespace attn

#endif // ATTN_PATTERN_BOUNDSET_H
