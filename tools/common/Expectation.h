// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A call and what it should give, as a folder of .npy files: attn-run writes it where the reference is, attn-call reads
// it where the kernel runs.
//
//   q, k, v                    as the kernel takes them
//   arg_NAME                   each argument: run-time data as --arg takes them, other numbers of rank 0
//   query_offset, key_offset   of rank 0; the former where the call gives one
//   expected, expected_lse     in float64
//   eager, eager_lse           what eager attention gives, whose error says how much error is allowed
#ifndef ATTN_TOOLS_COMMON_EXPECTATION_H
#define ATTN_TOOLS_COMMON_EXPECTATION_H

#include "attn/Reference/Judge.h"
#include "common/CallArguments.h"

namespace attn_tools {

using attn::reference::Verdict;

/// The tolerance rule's name of an attn_element.
attn::reference::Element referenceElementOf(int32_t element);

/// "right: error 1.0e-06, 0.200 of what is allowed (lse 0.100)".
std::string describe(const Verdict &verdict);

/// Writes the folder, which is made if it is not there. What an earlier call left in it is replaced or removed.
Outcome writeExpectation(const std::string &folder, const CallArguments &arguments,
                         const attn::reference::Expected &expected);

/// Makes `flags` take inputs, arguments and offsets from the folder; they may not say any of them themselves.
Outcome takeInputs(const std::string &folder, const attn_kernel_info &info, CallFlags &flags);

/// Judges the outputs in `arguments` by the folder.
Result<Verdict> judgeOutputs(const std::string &folder, const CallArguments &arguments);

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_EXPECTATION_H
