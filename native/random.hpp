// random.hpp - numbers from the Mersenne Twister MT19937, in bulk.
//
// Source: Matsumoto & Nishimura 1998, Mersenne twister: a 623-dimensionally equidistributed uniform
// pseudo-random number generator, ACM TOMACS 8.
#pragma once

#include "problem.hpp"

namespace convgrad {

/// The generator: its last 624 words, of which those from `next` on are still to be given out.
struct Twister {
  static constexpr int kWords = 624;
  std::uint32_t key[kWords];
  int next;
};

/// What an instruction set offers for one element type.
template <typename T>
struct Random {
  /// The next n words of 32 bits.
  void (*words)(Twister&, std::uint32_t* out, Index n);
  /// The numbers 0 to n - 1 in random order (Fisher & Yates), of a word for each but the last.
  void (*permutation)(Twister&, Index* out, Index n);
  /// Numbers in [low, high): `unit scale + low`, where unit in [0, 1) is made of the low 24 bits of a word
  /// for float, of the low 53 of a long word for double; what rounding lifts to `high` becomes `low`.
  void (*uniform)(Twister&, T* out, Index n, T low, T scale, T high);
  /// `one` where the low 53 bits of a long word are less than `below`, else zero.
  void (*trials)(Twister&, T* out, Index n, std::int64_t below, T one);
  /// Blocks of 16 uniform numbers, 8 for radii and 8 for angles, made normal in place (Box & Muller 1958).
  void (*normal)(T* data, Index blocks, T mean, T std);
};

}  // namespace convgrad

#ifdef CONVGRAD_ISA
namespace convgrad::CONVGRAD_ISA {

template <typename T>
Random<T> random_functions();

}  // namespace convgrad::CONVGRAD_ISA
#endif
