// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the random tests share. Case n of a test is made of the dice Dice(n) alone, so that a failure names one number:
// ATTN_FUZZ_SEED=n ATTN_FUZZ_COUNT=1 runs that case again. Otherwise ATTN_FUZZ_COUNT says how many cases run.

#ifndef ATTN_TEST_UNIT_FUZZ_H
#define ATTN_TEST_UNIT_FUZZ_H

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <random>
#include <vector>

/// Falls the same on every machine: the standard library's engines are portable, its distributions are not.
class Dice {
public:
  explicit Dice(uint64_t seed) : engine(seed) {}

  /// In [least, most].
  int64_t in(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(engine() % static_cast<uint64_t>(most - least + 1));
  }
  bool chance(int64_t percent) { return in(1, 100) <= percent; }
  template <typename T> T pick(std::initializer_list<T> choices) { return choices.begin()[in(0, choices.size() - 1)]; }
  /// A divisor of `number`.
  int64_t divisorOf(int64_t number) {
    std::vector<int64_t> divisors;
    for (int64_t d = 1; d <= number; ++d)
      if (number % d == 0)
        divisors.push_back(d);
    return divisors[in(0, divisors.size() - 1)];
  }
  uint64_t bits() { return engine(); }

private:
  std::mt19937_64 engine;
};

inline uint64_t numberFromEnvironment(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

inline uint64_t firstFuzzSeed() { return numberFromEnvironment("ATTN_FUZZ_SEED", 1); }

/// Whether all tests are asked for, however long they take: make check-all.
inline bool isFullCheck() { return numberFromEnvironment("ATTN_CHECK_ALL", 0) != 0; }

/// How many cases of the planner run; other tests take a part of this number. Sanitized code is slow.
inline uint64_t fuzzCount() {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  return numberFromEnvironment("ATTN_FUZZ_COUNT", 2000);
#endif
#endif
  return numberFromEnvironment("ATTN_FUZZ_COUNT", 100000);
}

#endif // ATTN_TEST_UNIT_FUZZ_H
