// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Puts statuses into words with the values at hand.
#include "common/Explain.h"

#include "common/Element.h"

#include <algorithm>

namespace attn_tools {

static std::string number(int64_t value) { return std::to_string(value); }

namespace {

/// Looks for the value that a status is about. An empty string: none was found, the general words have to do.
class Explanation {
public:
  Explanation(const CallArguments &arguments, int32_t maxIsa)
      : a(arguments), info(arguments.info()), maxIsa(maxIsa),
        positions(std::max(a.queryOffset + a.length, a.keyOffset + a.kvLength)),
        isShard(a.givenQueryOffset || a.keyOffset != 0) {}

  std::string of(int status) const {
    switch (status) {
    case ATTN_ERROR_HEADS:
      return number(a.kvHeads) + " key heads do not divide " + number(a.heads) +
             " query heads; give a --kv-heads that divides --heads";
    case ATTN_ERROR_KV_LENGTH:
      return std::string(info.name) + " is over one sequence: kv length " + number(a.kvLength) +
             " has to equal length " + number(a.length) + "; drop --kv-length";
    case ATTN_ERROR_ISA:
      return std::string("no version of ") + info.name + " runs on this processor" +
             (maxIsa == ATTN_ISA_BEST ? "; compile it for this machine"
                                      : std::string(" within --max-isa=") + nameOfIsa(maxIsa) + "; raise --max-isa");
    case ATTN_ERROR_SCALAR:
      return ofScalar();
    case ATTN_ERROR_SHAPE:
      return ofCounts();
    case ATTN_ERROR_REQUIREMENT:
      return ofRequirement();
    case ATTN_ERROR_TOKEN:
      return ofTokens();
    case ATTN_ERROR_SEGMENTS:
      return ofSegments();
    case ATTN_ERROR_LENGTH:
      return ofLengths();
    case ATTN_ERROR_PER_HEAD:
      return ofPerHead();
    case ATTN_ERROR_BLOCKS:
      return ofBlocks();
    default:
      return "";
    }
  }

private:
  std::string ofScalar() const {
    for (int32_t i = 0; i < info.scalar_count; ++i) {
      const attn_scalar_info &scalar = info.scalars[i];
      int64_t index = a.scalars[i].index;
      if (!scalar.is_number && (index < scalar.minimum || index > int64_t(1) << 40))
        return std::string("argument '") + scalar.name + "' is " + number(index) + "; it is at least " +
               number(scalar.minimum) + " and at most 2^40";
    }
    return "";
  }

  /// Run-time data for another number of batches or heads.
  std::string ofCounts() const {
    for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i) {
      const attn_tensor &tensor = a.tensors[i];
      const int32_t role = info.tensors[i].role, ofHeads = role == ATTN_PER_HEAD ? 1 : role == ATTN_BLOCKS ? 3 : 0;
      const int32_t withoutBatch = role == ATTN_LENGTHS ? 0 : std::max(ofHeads, 1);
      if (role != ATTN_ARRAY && tensor.rank > withoutBatch && tensor.shape[0] != a.batch)
        return nameOf(i) + " has " + number(tensor.shape[0]) + " rows for a batch of " + number(a.batch) +
               "; give one for each batch";
      int64_t headCount = role == ATTN_PER_HEAD ? int64_t(a.valuesOf(i, 0).size())
                          : role == ATTN_BLOCKS ? tensor.shape[tensor.rank - ofHeads]
                                                : a.heads;
      if (headCount != a.heads)
        return nameOf(i) + " has " + number(headCount) + (role == ATTN_BLOCKS ? " tables for " : " numbers for ") +
               number(a.heads) + " heads; give one for each head";
    }
    return "";
  }

  std::string ofRequirement() const {
    int64_t numbers[2];
    attn_call call = a.makeCall();
    int broken = info.requirement ? info.requirement(&call, numbers) : -1;
    return broken < 0 ? "" : explainRequirement(info.requirements[broken], numbers[0], numbers[1]);
  }

  std::string ofTokens() const {
    return ofValues(ATTN_TOKENS, -1, isShard ? INT32_MAX : positions - 1,
                    " stands outside the sequence; tokens lie in [0, " + number(positions) + "), -1 pads");
  }

  std::string ofSegments() const {
    for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i)
      if (info.tensors[i].role == ATTN_SEGMENTS && int64_t(a.valuesOf(i, 0).size()) < positions)
        return nameOf(i) + " has " + number(a.valuesOf(i, 0).size()) + " ids for " + number(positions) +
               " positions; give one id for each position from 0";
    return "";
  }

  std::string ofLengths() const {
    return ofValues(ATTN_LENGTHS, 0, a.keyPositions(),
                    " is no length of this sequence; lengths lie in [0, " + number(a.keyPositions()) + "]");
  }

  std::string ofPerHead() const {
    for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i)
      if (std::string fault = ofTensor(i, ATTN_PER_HEAD, info.tensors[i].minimum, INT32_MAX,
                                       " is too small; it is at least " + number(info.tensors[i].minimum));
          !fault.empty())
        return fault;
    return "";
  }

  std::string ofBlocks() const {
    for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i) {
      if (info.tensors[i].role != ATTN_BLOCKS || !a.blockOf(i))
        continue;
      int64_t block = *a.blockOf(i), blocks = (a.keyPositions() + block - 1) / block;
      for (int64_t value : a.blocksOf(i).values)
        if (value < -1 || (value >= blocks && !isShard))
          return "value " + number(value) + " of " + nameOf(i) + " is no block of this sequence; blocks lie in [0, " +
                 number(blocks) + "), -1 pads";
    }
    return "";
  }

  /// The first value of a tensor with this role that lies outside [least, most].
  std::string ofValues(int32_t role, int64_t least, int64_t most, const std::string &fault) const {
    for (int32_t i = ATTN_LSE + 1; i < info.tensor_count; ++i)
      if (std::string found = ofTensor(i, role, least, most, fault); !found.empty())
        return found;
    return "";
  }

  std::string ofTensor(int32_t i, int32_t role, int64_t least, int64_t most, const std::string &fault) const {
    for (int64_t b = 0; info.tensors[i].role == role && b < a.batch; ++b)
      for (int64_t value : a.valuesOf(i, b))
        if ((value < least || value > most) && (role != ATTN_TOKENS || a.tensors[i].rank > 0))
          return "value " + number(value) + " of " + nameOf(i) + fault;
    return "";
  }

  std::string nameOf(int32_t tensor) const { return std::string("argument '") + info.tensors[tensor].name + "'"; }

  const CallArguments &a;
  const attn_kernel_info &info;
  int32_t maxIsa;
  int64_t positions;
  bool isShard;
};

} // namespace

std::string explainStatus(const CallArguments &arguments, int status, int32_t maxIsa) {
  std::string explanation = Explanation(arguments, maxIsa).of(status);
  return explanation.empty() ? arguments.info().name + std::string(": ") + attn_error_string(status) : explanation;
}

std::string explainArguments(const CallArguments &arguments) {
  Explanation explanation(arguments, ATTN_ISA_BEST);
  if (arguments.kvHeads ? arguments.heads % arguments.kvHeads != 0 : arguments.heads != 0)
    return explanation.of(ATTN_ERROR_HEADS);
  if (arguments.info().same_length && arguments.kvLength != arguments.length)
    return explanation.of(ATTN_ERROR_KV_LENGTH);
  for (int status : {ATTN_ERROR_SCALAR, ATTN_ERROR_SHAPE, ATTN_ERROR_TOKEN, ATTN_ERROR_SEGMENTS, ATTN_ERROR_LENGTH,
                     ATTN_ERROR_PER_HEAD, ATTN_ERROR_BLOCKS, ATTN_ERROR_REQUIREMENT})
    if (std::string fault = explanation.of(status); !fault.empty())
      return fault;
  return "";
}

std::string explainRequirement(const attn_requirement_info &requirement, int64_t value, int64_t least) {
  return std::string(requirement.name) + " are " + number(value) + "; they have to be at least " + number(least) +
         ", " + requirement.least_name;
}

} // namespace attn_tools
