// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random numbers that are the same everywhere: splitmix64 (Steele, Lea, Flood, OOPSLA 2014) and Box-Muller. The
// standard library's generators are portable, its distributions are not.
#ifndef ATTN_TOOLS_COMMON_RANDOM_H
#define ATTN_TOOLS_COMMON_RANDOM_H

#include <cmath>
#include <cstdint>

namespace attn_tools {

class Random {
public:
  /// Streams of one seed are independent of each other, so that one more argument leaves the others as they were.
  Random(uint64_t seed, uint64_t stream) : state(mix(seed + kStep) + stream * kStep) { state = mix(state); }

  uint64_t next() { return mix(state += kStep); }

  /// In [least, most].
  int64_t uniform(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(next() % static_cast<uint64_t>(most - least + 1));
  }

  /// Normally distributed, mean 0, variance 1.
  float normal() {
    if (hasSpare) {
      hasSpare = false;
      return spare;
    }
    const double turn = 6.283185307179586;
    double radius = std::sqrt(-2 * std::log(unit())), angle = turn * unit();
    spare = static_cast<float>(radius * std::sin(angle));
    hasSpare = true;
    return static_cast<float>(radius * std::cos(angle));
  }

private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

  static uint64_t mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  /// In (0, 1].
  double unit() { return static_cast<double>((next() >> 11) + 1) * 0x1p-53; }

  uint64_t state;
  float spare = 0;
  bool hasSpare = false;
};

} // namespace attn_tools

#endif // ATTN_TOOLS_COMMON_RANDOM_H
