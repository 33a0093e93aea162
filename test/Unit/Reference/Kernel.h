// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel of which a test writes the pattern, the score and the parameters only, and its problems.

#ifndef ATTN_TEST_UNIT_REFERENCE_KERNEL_H
#define ATTN_TEST_UNIT_REFERENCE_KERNEL_H

#include "attn/Reference/Reference.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <random>

namespace attn::reference {

class Kernel {
public:
  /// `parameters` follow query, key and value: ", %w: index". `pattern` is the body of the pattern region, `score` the
  /// body of the score region over (%s, %b, %h, %i, %j), `before` stands before the attention, `sink` is the body of
  /// the sink region over (%b, %h, %i), and `scale` is a value.
  explicit Kernel(const std::string &pattern, const std::string &score = "", const std::string &parameters = "",
                  const std::string &before = "", const std::string &sink = "", const std::string &scale = "")
      : context(mlir::MLIRContext::Threading::DISABLED),
        handler(&context, [this](mlir::Diagnostic &diagnostic) { errors += diagnostic.str() + "\n"; }) {
    context.loadDialect<AttnDialect, mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::math::MathDialect>();
    std::string tensor = "tensor<?x?x?x?xf32>", lse = "tensor<?x?x?xf32>";
    std::string source = "func.func @kernel(%q: " + tensor + ", %k: " + tensor + ", %v: " + tensor + parameters +
                         ") -> (" + tensor + ", " + lse + ") {\n" + before + "\n%o, %lse = attn.attention %q, %k, %v " +
                         (scale.empty() ? "" : "scale(" + scale + ") ") + "pattern {\n" + pattern + "\n}\n" +
                         (score.empty() ? "" : "score (%s, %b, %h, %i, %j) {\n" + score + "\n}\n") +
                         (sink.empty() ? "" : "sink (%b, %h, %i) {\n" + sink + "\n}\n") + ": " + tensor + ", " +
                         tensor + ", " + tensor + " -> " + tensor + ", " + lse + "\nreturn %o, %lse : " + tensor +
                         ", " + lse + "\n}";
    module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
    if (module)
      module->walk([this](AttentionOp found) { op = found; });
    EXPECT_TRUE(op) << source << "\n" << errors;
  }

  AttentionOp op;
  std::string errors; // what has been reported

private:
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler handler;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// A problem of these lengths, aligned at the bottom right, with the values of the kernel's own parameters.
inline Problem makeProblem(int64_t length, int64_t kvLength, std::vector<Argument> parameters = {}) {
  Problem problem;
  problem.length = length;
  problem.kvLength = kvLength;
  problem.queryOffset = kvLength - length;
  problem.arguments.resize(3);
  problem.arguments.insert(problem.arguments.end(), parameters.begin(), parameters.end());
  return problem;
}

/// The mask of a batch and head as text: a line for each query row, '#' where a pair is admitted and '.' where it is
/// not. What has been reported, where there is no mask.
inline std::string maskOf(Kernel &kernel, const Problem &problem, int64_t batch = 0, int64_t head = 0) {
  mlir::FailureOr<Mask> mask = buildMask(kernel.op, problem);
  if (mlir::failed(mask))
    return kernel.errors;
  std::string text;
  for (int64_t i = 0; i < problem.length; ++i, text += '\n')
    for (int64_t j = 0; j < problem.kvLength; ++j)
      text += (*mask)(batch, head, i, j) ? '#' : '.';
  return text;
}

/// Fills query, key and value with normally distributed numbers of the element type.
inline void fillTensors(Problem &problem, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  auto fill = [&](std::vector<float> &tensor, int64_t size) {
    tensor.resize(size);
    for (float &value : tensor)
      value = normal(generator);
    roundTo(problem.element, tensor);
  };
  fill(problem.query, problem.batch * problem.heads * problem.length * problem.headSize);
  fill(problem.key, problem.batch * problem.kvHeads * problem.kvLength * problem.headSize);
  fill(problem.value, problem.batch * problem.kvHeads * problem.kvLength * problem.valueHeadSize);
}

} // namespace attn::reference

#endif // ATTN_TEST_UNIT_REFERENCE_KERNEL_H
