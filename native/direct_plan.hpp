// direct_plan.hpp - everything a direct convolution can know before it sees data: tables for one shape.
//
// One plan serves the forward convolution and its adjoint in x: both read a source at fixed offsets per tap
// (windows.hpp), sum over the contracted channels, and write produced channels.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "problem.hpp"
#include "windows.hpp"

namespace convgrad {

/// How the work is cut. Spans count t (see windows.hpp) per block and axis.
struct Cut {
  Index span[3];
  Index images;  // per block; more than one where an image is a single block
  Index chunk;   // contracted channels that are packed at a time
  Index depth;   // products per pass of the register tile
  Index panels;  // panels of produced channels per task
};

/// Plain views of the tables, for the kernels: no library types there (simd.hpp).
struct AxisView {
  Index source, target, step, every, span, extent, entry, advance, blocks;
  int segments;
  const Segment* segment;
  const Index* first;
};

AxisView view_of(const Axis& axis, const Window& window);

/// Scratch distances between channels, slabs and rows for windows of a depth, height and width.
void set_pitch(Index* pitch, const Window* windows);

struct PhaseView {
  Index first[3];            // the output that t = 0 computes
  Index taps;                // taps that reach these outputs
  const std::int32_t* koff;  // scratch offset per (channel of a chunk, tap)
  Index taps_before;         // taps of the phases before, to find its packed weights
};

/// `products` cut into passes of at most `depth`, as even as possible; one pass even if there are none.
struct Passes {
  Index products, count;

  Passes(Index products, Index depth) : products(products), count(max(1, ceil_div(products, depth))) {}
  Index start(Index pass) const { return pass * products / count; }
};

struct DirectView {
  Index batch, groups, contracted, produced;  // channels per group
  AxisView axis[3];
  Border border;
  Index pitch[3];  // scratch distance between channels, slabs, rows
  int phases;
  const PhaseView* phase;
  Index taps;            // of the whole kernel
  const int* tap_phase;  // by number; -1 for taps that reach no output
  const int* tap_rank;
  // weight(group, lane, channel, tap) = w[group * w_group + lane * w_lane + channel * w_channel + tap]
  Index w_group, w_lane, w_channel, w_size;
  Index images;  // per block, chunk * pitch[0] apart in the scratch
  // Where outputs meet the entries at their own place: offsets per channel of a chunk in the source itself.
  const std::int32_t* in_place;  // or null
  Index chunk, depth, panels;
  Index nanoseconds, weight_nanoseconds;  // see Problem
};

class DirectPlan {
 public:
  /// `split`: entries of different residues modulo the stride lie apart along the last axis too
  /// (windows.hpp).
  DirectPlan(const Problem& problem, Primitive primitive, const Cut& cut, bool split);
  const DirectView& view() const { return view_; }
  /// Entries of scratch that one block's source takes.
  Index source_entries() const { return view_.images * view_.chunk * view_.pitch[0]; }

 private:
  void lay_out_phases(const Index* kernel);

  Axis axes_[3];
  Window windows_[3];
  std::vector<PhaseView> phases_;
  std::vector<std::vector<std::int32_t>> koff_;
  std::vector<int> tap_phase_, tap_rank_;
  std::vector<std::int32_t> in_place_;
  DirectView view_;
};

}  // namespace convgrad
