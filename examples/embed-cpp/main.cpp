// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles a pattern file in process, calls the kernel on small random data, and compares it with a naive loop in
// double precision.

#include "attn/Compiler/Compiler.h"
#include "attn/Runtime/pool.h"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

static constexpr int64_t heads = 4, kvHeads = 2, length = 300, headSize = 32;
static constexpr int64_t first = 3, left = 20; // the arguments of streaming.mlir

//===-- A call ----------------------------------------------------------------------------------------------------===//

namespace {

/// f32 [1, heads, rows, columns] in C order.
struct Tensor {
  Tensor(int64_t heads, int64_t rows, int64_t columns)
      : rows(rows), columns(columns), heads(heads), data(heads * rows * columns) {}

  float *row(int64_t head, int64_t row) { return data.data() + (head * rows + row) * columns; }
  attn_tensor describe(int32_t rank = 4) {
    return {
        data.data(), ATTN_F32, rank, {1, heads, rows, columns}, {heads * rows * columns, rows * columns, columns, 1}};
  }

  int64_t rows, columns, heads;
  std::vector<float> data;
};

struct Problem {
  Tensor query{heads, length, headSize}, key{kvHeads, length, headSize}, value{kvHeads, length, headSize};
  Tensor output{heads, length, headSize}, lse{heads, length, 1};

  void draw() {
    std::mt19937 bits(1);
    for (Tensor *tensor : {&query, &key, &value})
      for (float &number : tensor->data)
        number = static_cast<float>(bits()) / 0x1p31f - 1;
  }
};

} // namespace

static std::unique_ptr<llvm::MemoryBuffer> compile(const char *file) {
  attn::CompileOptions options;
  options.headSize = headSize;
  llvm::ExitOnError exitOnError;
  auto compilation = exitOnError(attn::Compilation::create(file, options));
  return exitOnError(compilation->emitObject());
}

/// Tensors and scalars stand in the order of the pattern's arguments; `kernel` names them, too.
static int run(const attn_kernel_info &kernel, Problem &problem, const attn_executor *executor) {
  attn_tensor tensors[] = {problem.query.describe(), problem.key.describe(), problem.value.describe(),
                           problem.output.describe(), problem.lse.describe(/*rank=*/3)};
  attn_scalar scalars[] = {{first}, {left}};
  attn_call call = ATTN_CALL_INIT;
  call.tensors = tensors, call.tensor_count = 5;
  call.scalars = scalars, call.scalar_count = 2;
  call.executor = executor;
  call.workspace_bytes = (kernel.workspace_bytes(&call) + 63) / 64 * 64;
  call.workspace = std::aligned_alloc(64, call.workspace_bytes);
  int status = kernel.run(&call);
  std::free(call.workspace);
  return status;
}

//===-- What the kernel should compute ----------------------------------------------------------------------------===//

static bool admits(int64_t i, int64_t j) { return j <= i && (j >= i - left || j < first); }

/// The larger error; one that is not a number stays.
static double worse(double a, double b) { return std::isnan(a) || b <= a ? a : b; }

/// Row i attends the admitted keys j: w_j = exp(q_i . k_j / sqrt(d)), o_i = sum_j w_j v_j / sum_j w_j.
static double errorOfRow(Problem &problem, int64_t head, int64_t i) {
  int64_t kvHead = head / (heads / kvHeads);
  double sum = 0, expected[headSize] = {};
  for (int64_t j = 0; j < length; ++j) {
    if (!admits(i, j))
      continue;
    double score = 0;
    for (int64_t c = 0; c < headSize; ++c)
      score += double(problem.query.row(head, i)[c]) * problem.key.row(kvHead, j)[c];
    double weight = std::exp(score / std::sqrt(double(headSize)));
    sum += weight;
    for (int64_t c = 0; c < headSize; ++c)
      expected[c] += weight * problem.value.row(kvHead, j)[c];
  }
  double error = std::fabs(*problem.lse.row(head, i) - std::log(sum));
  for (int64_t c = 0; c < headSize; ++c)
    error = worse(error, std::fabs(problem.output.row(head, i)[c] - expected[c] / sum));
  return error;
}

static double maxError(Problem &problem) {
  double error = 0;
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t i = 0; i < length; ++i)
      error = worse(error, errorOfRow(problem, head, i));
  return error;
}

//===--------------------------------------------------------------------------------------------------------------===//

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "error: %d arguments; give one, the path of streaming.mlir\n", argc - 1);
    return 2;
  }
  attn::LoadedKernels kernels = llvm::ExitOnError()(attn::LoadedKernels::load(compile(argv[1])));
  const attn_kernel_info &kernel = *kernels.all().front();

  Problem problem;
  problem.draw();
  attn_pool *pool = attn_pool_create(2);
  int status = run(kernel, problem, attn_pool_executor(pool));
  attn_pool_destroy(pool);
  if (status != ATTN_OK) {
    std::fprintf(stderr, "error: %s: %s\n", kernel.name, attn_error_string(status));
    return 2;
  }
  double error = maxError(problem);
  bool isRight = error < 1e-5;
  std::printf("%s: %d x %d rows, max error %.2g: %s\n", kernel.name, int(heads), int(length), error,
              isRight ? "ok" : "WRONG");
  return isRight ? 0 : 1;
}
