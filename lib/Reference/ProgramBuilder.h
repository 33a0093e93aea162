// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the program of a region or a value: every value gets a register, every op an instruction.

#ifndef ATTN_LIB_REFERENCE_PROGRAMBUILDER_H
#define ATTN_LIB_REFERENCE_PROGRAMBUILDER_H

#include "FunctionArguments.h"
#include "attn/Reference/RegionProgram.h"
#include "llvm/ADT/DenseMap.h"

namespace attn::reference {

class ProgramBuilder {
public:
  ProgramBuilder(RegionProgram &program, const Problem &problem, bool roundToFloat)
      : program(program), problem(problem), arguments(problem), roundToFloat(roundToFloat) {}

  void build(mlir::Region &region);
  void build(mlir::Value value);

private:
  using Step = RegionProgram::Step;
  /// The arguments that regions end with.
  enum Place { Batch, Head, Query, Key };

  /// A row of numbers that an instruction picks: entries `stride` apart.
  struct Row {
    const float *entries;
    int64_t stride;
    float operator[](int64_t c) const { return entries[c * stride]; }
  };
  using PickRow = std::function<Row(const Scalar *registers)>;
  /// Where an index finds its entry along an axis: at its register's number minus `first`, held in [0, extent).
  struct Axis {
    unsigned slot;
    int64_t first, extent, stride;
  };

  // Values (Regions.cpp).
  void addArgument(Format format);
  unsigned addRegister(Format format, double initial);
  unsigned addConstant(mlir::arith::ConstantOp op);
  unsigned addOp(mlir::Operation *op);
  unsigned slotOf(mlir::Value value);
  Format formatOf(mlir::Value value);
  Step scalarStep(mlir::Operation *op);

  // The ops that read the call (CallOps.cpp). A step that is null has been reported.
  Step step(ExtentOp op);
  Step step(ScaleOp op);
  Step step(OfHeadOp op);
  Step step(OfBatchOp op);
  Step step(LoadOp op);
  Step step(QueryDotOp op);
  Step step(KeyDotOp op);
  Step step(RowDotOp op);
  Step step(MixedDotOp op);
  Step entryOf(mlir::Operation *op, mlir::Value values);
  Step productOf(mlir::Operation *op, PickRow left, PickRow right);
  bool hasPlaces(mlir::Operation *op, Place last);
  unsigned slotOf(Place place) const { return firstPlace + place; }
  unsigned scaleSlot(mlir::Operation *op);
  Axis axisOf(int64_t kind, int64_t extent, int64_t stride, mlir::Value index);
  PickRow arrayRow(mlir::Operation *op, mlir::Value array, mlir::OperandRange indices);
  PickRow queryRow() const;
  PickRow keyRow() const;

  RegionProgram &program;
  const Problem &problem;
  FunctionArguments arguments;
  bool roundToFloat;
  unsigned firstPlace = 0, numPlaces = 0; // the registers of the arguments that regions end with
  llvm::DenseMap<mlir::Value, unsigned> slots;
};

} // namespace attn::reference

#endif // ATTN_LIB_REFERENCE_PROGRAMBUILDER_H
