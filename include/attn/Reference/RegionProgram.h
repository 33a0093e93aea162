// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pure region of scalar ops as a flat list of instructions: it is built once and run for every pair.

#ifndef ATTN_REFERENCE_REGIONPROGRAM_H
#define ATTN_REFERENCE_REGIONPROGRAM_H

#include "attn/Reference/Reference.h"

namespace attn::reference {

/// A register. Index and integer values are `whole`, sign-extended from their width (so that true is -1);
/// floating-point values are `real`. The type of the MLIR value says which of the two is meant.
union Scalar {
  int64_t whole;
  double real;
};

/// How a value of some type is kept in a register, and its width in bits. `Real` stays double.
struct Format {
  enum Kind { Whole, Real, F32, BF16, F16 } kind;
  unsigned width;
};

/// The program of a region, or of a single value. Integers wrap at their width, index at 64 bits. f64 stays double, f16
/// and bf16 are rounded as their type says, and f32 is rounded to float only if `roundToFloat`; else it stays double.
/// With `roundToFloat`, dots are rounded to the problem's element type as well (see evaluate). What arith leaves
/// undefined (division by zero, shifts past the width) gives 0 for want of a better value.
///
/// `problem` has what the region reads besides its arguments: those of the kernel's function, the call's sizes, and,
/// for dots, the tensors. The program refers to it.
class RegionProgram {
public:
  /// A region's arguments end with batch, head, query position and key position, as far as it has them. Ops outside of
  /// the region that it uses become part of the program.
  RegionProgram(mlir::Region &region, const Problem &problem, bool roundToFloat);
  /// The arguments of a value's program are batch and head.
  RegionProgram(mlir::Value value, const Problem &problem);

  /// False if an op or an argument cannot be evaluated: an error has been reported there, and run() gives NaN.
  bool isComplete() const { return complete; }

  /// Evaluates the region for the given arguments. i1 gives 0 or 1.
  double run(llvm::ArrayRef<double> arguments);

private:
  friend class ProgramBuilder;

  /// What an instruction computes from the registers.
  using Step = std::function<Scalar(const Scalar *registers)>;
  struct Instruction {
    Step compute;
    unsigned slot;
    Format format;
  };

  bool complete = true;
  std::vector<Format> argumentFormats; // of registers 0, 1, ...
  std::vector<Scalar> registers;
  std::vector<Instruction> instructions;
  unsigned resultSlot = 0;
  Format resultFormat;
};

} // namespace attn::reference

#endif // ATTN_REFERENCE_REGIONPROGRAM_H
