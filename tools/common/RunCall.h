// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a call of a kernel, times it, and writes what it computed.
//
//   CallFlags flags;                                        // filled in by the tool's command line
//   Result<CallArguments> arguments = CallArguments::create(info, flags);
//   Result<RunReport> report = runCall(*arguments, flags);  // output and lse are in the arguments' tensors now
//   Outcome written = writeOutputs(*arguments, flags);
#ifndef ATTN_TOOLS_COMMON_RUNCALL_H
#define ATTN_TOOLS_COMMON_RUNCALL_H

#include "common/CallArguments.h"

namespace attn_tools {

struct RunReport {
  size_t workspaceBytes = 0;
  int32_t isa = 0;           // attn_isa
  std::vector<double> times; // milliseconds of each timed run

  /// The median.
  double milliseconds() const;
};

/// Runs the call flags.repeat times, with flags.threads workers or on the GPU flags.device, and times them.
/// More than one run is preceded by one that is not timed. On a GPU, runs follow each other without a pause.
Result<RunReport> runCall(const CallArguments &arguments, const CallFlags &flags);

/// Writes output, lse and state to the files that the flags name, if any.
Outcome writeOutputs(const CallArguments &arguments, const CallFlags &flags);

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_RUNCALL_H
