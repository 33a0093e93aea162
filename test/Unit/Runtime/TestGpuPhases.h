// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels that tests write by hand, of phases over computed orders, and calls of them on a driver without a GPU.
#ifndef ATTN_TEST_UNIT_RUNTIME_TESTGPUPHASES_H
#define ATTN_TEST_UNIT_RUNTIME_TESTGPUPHASES_H

#include "TestGpuCall.h"

/// query, key, value, output and lse in 16 bits, and these numbers.
template <size_t scalarCount> attn_kernel_info infoOf(const attn_scalar_info (&scalars)[scalarCount]) {
  attn_kernel_info info = gpuInfo(fake_longformer_info);
  info.tensor_count = ATTN_LSE + 1;
  info.scalar_count = scalarCount;
  info.scalars = scalars;
  return info;
}

/// The order with this number, of a kernel with so many named symbols, behind which the orders' counts follow.
inline attn_order orderOf(attn_order_kind kind, attn_side side, int32_t number, int32_t namedCount) {
  attn_order order = {};
  order.kind = kind, order.side = side, order.count_symbol = ATTN_FIXED_SYMBOLS + namedCount + number;
  order.tensor = order.rows_view = order.flags_view = order.key_view = order.value_view = -1;
  return order;
}

template <size_t namedCount, size_t orderCount, size_t phaseCount>
attn_kernel kernelOf(const attn_kernel_info &info, const attn_symbol (&symbols)[namedCount],
                     const attn_order (&orders)[orderCount], const attn_phase (&phases)[phaseCount],
                     const attn_gpu_code &code) {
  attn_kernel kernel = {};
  kernel.info = &info;
  kernel.view_count = ATTN_LSE + 1;
  kernel.symbol_count = ATTN_FIXED_SYMBOLS + namedCount + orderCount;
  kernel.named_symbol_count = namedCount;
  kernel.order_count = orderCount;
  kernel.phase_count = phaseCount;
  kernel.symbols = symbols;
  kernel.orders = orders;
  kernel.phases = phases;
  kernel.gpu = &code;
  return kernel;
}

class GpuPhases : public GpuEntry {
protected:
  void run(const attn_kernel &kernel, Sizes sizes, std::vector<int64_t> numbers, int64_t keyOffset, size_t launches,
           int64_t rowStride = 8) {
    call.reset();
    call = std::make_unique<GpuCall>(kernel, sizes, rowStride);
    for (int64_t number : numbers)
      call->scalars.push_back(attn_scalar{number});
    call->call.key_offset = keyOffset;
    call->prepare();
    ASSERT_EQ(call->run(), ATTN_OK);
    ASSERT_EQ(phaseLaunches.size(), launches);
  }
  void TearDown() override {
    call.reset();
    GpuEntry::TearDown();
  }

  using Numbers = std::vector<uint64_t>;
  static Numbers extentsOf(const fake_map &map) { return Numbers(map.extents, map.extents + map.rank); }
  static Numbers stridesOf(const fake_map &map) { return Numbers(map.strides, map.strides + (map.rank - 1)); }
  static Numbers boxOf(const fake_map &map) { return Numbers(map.box, map.box + map.rank); }

  std::unique_ptr<GpuCall> call;
};

#endif // ATTN_TEST_UNIT_RUNTIME_TESTGPUPHASES_H
