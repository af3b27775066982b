// windows.hpp - which source entries a block of outputs reads, along one axis at a time.
//
// Both the forward convolution and its adjoint in x read, for the output number t of a phase, the source at
// offset + step t for every tap of that phase. The forward pass has one phase. The adjoint of a convolution
// with stride s has s of them: outputs first, first + s, first + 2 s, ... meet the same taps.
#pragma once

#include <vector>

#include "problem.hpp"

namespace convgrad {

struct Tap {
  Index offset;  // source coordinate that t = 0 reads; may lie outside
  Index number;  // in the kernel
  int phase;     // the outputs that read it
  int rank;      // its number among the taps of its phase
};

struct Axis {
  Index source, target;  // sizes of the array read and of the array written
  Index step;            // source coordinates from one t to the next
  Index every;  // outputs from one t to the next; so many phases, or fewer where there are not enough
  std::vector<Index> first;  // per phase, the output that t = 0 computes
  std::vector<int> count;    // per phase, its number of taps
  std::vector<Tap> taps;
};

Axis forward_axis(const Problem& p, int axis);
Axis input_grad_axis(const Problem& p, int axis);

/// A run of source entries: begin + step t0 + entry j for j < length, kept at scratch positions at + j.
struct Segment {
  Index begin, length, at;
};

/// What `span` consecutive t read along an axis; output t of a block reads tap k at scratch position
/// at[k] + advance t. Split windows keep only the entries that are read, those of different residues modulo
/// the step apart, so that neighbouring t read neighbouring entries. Others keep runs of the source as they
/// are.
struct Window {
  Index span, extent;
  Index entry;    // source coordinates from one scratch entry to the next
  Index advance;  // scratch entries from one t to the next
  std::vector<Segment> segments;
  std::vector<Index> at;
};

Window window_of(const Axis& axis, Index span, bool split = true);

/// The coordinate that stands at `at` under a border rule, or -1 for a zero.
inline Index border_index(Border border, Index at, Index size) {
  if (at >= 0 && at < size) return at;
  switch (border) {
    case Border::Zeros:
      return -1;
    case Border::Replicate:
      return at < 0 ? 0 : size - 1;
    case Border::Circular: {
      const Index wrapped = at % size;
      return wrapped < 0 ? wrapped + size : wrapped;
    }
    case Border::Reflect: {
      if (size == 1) return 0;
      const Index period = 2 * (size - 1);
      Index wrapped = at % period;
      if (wrapped < 0) wrapped += period;
      return wrapped < size ? wrapped : period - wrapped;
    }
  }
  return -1;
}

}  // namespace convgrad
