// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pure region of scalar ops as a flat list of instructions: it is built once and run for every pair.

#ifndef ATTN_REFERENCE_REGIONPROGRAM_H
#define ATTN_REFERENCE_REGIONPROGRAM_H

#include "attn/IR/Attn.h"
#include "llvm/ADT/DenseMap.h"
#include <limits>
#include <utility>
#include <vector>

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

/// Where an instruction finds an operand, and how many bits of it count when it is read as an unsigned number.
struct Operand {
  unsigned slot;
  unsigned width;
};

/// What an op computes, given as a plain function. The types of its parameters say how operands are read: `double`,
/// `int64_t` (signed), `uint64_t` (unsigned, from the operand's own width), `bool`, or `Scalar` (as it is).
class Meaning {
public:
  template <typename Function> Meaning(Function function) : Meaning(+function) {}
  template <typename Result, typename... Parameters>
  Meaning(Result (*function)(Parameters...))
      : erased(reinterpret_cast<Erased>(function)), apply(&Meaning::call<Result (*)(Parameters...), Parameters...>),
        arity(sizeof...(Parameters)) {}

  Scalar operator()(const Operand *operands, const Scalar *registers) const {
    return apply(erased, operands, registers);
  }
  unsigned numOperands() const { return arity; }

private:
  using Erased = void (*)();

  template <typename T> static T read(const Operand &operand, const Scalar *registers);
  static Scalar result(double value);
  static Scalar result(int64_t value);
  static Scalar result(uint64_t value) { return result(static_cast<int64_t>(value)); }
  static Scalar result(bool value) { return result(static_cast<int64_t>(value)); }
  static Scalar result(Scalar value) { return value; }

  template <typename Function, typename... Parameters>
  static Scalar call(Erased erased, const Operand *operands, const Scalar *registers) {
    return expand<Function, Parameters...>(erased, operands, registers, std::index_sequence_for<Parameters...>());
  }
  template <typename Function, typename... Parameters, size_t... Index>
  static Scalar expand(Erased erased, const Operand *operands, const Scalar *registers, std::index_sequence<Index...>) {
    return result(reinterpret_cast<Function>(erased)(read<Parameters>(operands[Index], registers)...));
  }

  Erased erased;
  Scalar (*apply)(Erased, const Operand *, const Scalar *);
  unsigned arity;
};

/// The program of a region, or of a single value. Integers wrap at their width, index at 64 bits. f64 stays double, f16
/// and bf16 are rounded as their type says, and f32 is rounded to float only if `roundToFloat`; else it stays double.
/// What arith leaves undefined (division by zero, shifts past the width) gives 0 for want of a better value.
class RegionProgram {
public:
  using Lookup = llvm::function_ref<double(mlir::Value)>;

  /// `lookup` gives the block arguments of enclosing ops. Ops outside of the region that it uses become part of it.
  RegionProgram(mlir::Region &region, Lookup lookup, bool roundToFloat);
  RegionProgram(mlir::Value value, Lookup lookup);

  /// False if an op is not known: an error has been reported there, and run() gives NaN.
  bool isComplete() const { return complete; }

  /// Evaluates the region for the given arguments. i1 gives 0 or 1.
  double run(llvm::ArrayRef<double> arguments);

private:
  struct Instruction {
    Meaning meaning;
    Operand operands[3];
    unsigned slot;
    Format format;
  };

  Format formatOf(mlir::Value value);
  unsigned slotOf(mlir::Value value, Lookup lookup);
  unsigned addRegister(mlir::Value value, double initial);
  unsigned addConstant(mlir::arith::ConstantOp op);
  unsigned addOp(mlir::Operation *op, Lookup lookup);

  bool roundToFloat;
  bool complete = true;
  std::vector<Format> argumentFormats; // of registers 0, 1, ...
  std::vector<Scalar> registers;
  std::vector<Instruction> instructions;
  llvm::DenseMap<mlir::Value, unsigned> slots;
  unsigned resultSlot = 0;
  Format resultFormat;
};

} // namespace attn::reference

#endif // ATTN_REFERENCE_REGIONPROGRAM_H
