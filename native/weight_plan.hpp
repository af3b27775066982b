// weight_plan.hpp - tables of a weight gradient for one shape: gw[o][c][k] sums y[o] times x[c] moved by tap
// k.
//
// The sum runs over images and output positions. They are cut into blocks, and consecutive blocks into chunks
// whose sums are kept apart and added in the order of the chunks: both by the shape alone, never by the
// threads.
#pragma once

#include "direct_plan.hpp"

namespace convgrad {

struct WeightCut {
  Index span[3];   // outputs per block and axis
  Index images;    // per block; more than one where an image is a single block
  Index channels;  // input channels per task
  Index outs;      // per task: panels of output channels as lanes, or output channels
  Index chunks;
};

struct WeightView {
  Index batch, groups, in_channels, out_channels;  // channels per group
  AxisView axis[3];
  Border border;
  Index pitch[3];
  Index taps;
  const std::int32_t* tap_at;  // where in a channel's scratch a tap of output 0 lies
  Index images, channels, outs, chunks, blocks;
  bool pointwise;                         // see Problem
  Index nanoseconds, weight_nanoseconds;  // see Problem

  Index rows() const { return in_channels * taps; }
  /// The blocks of a chunk: [chunk_start(i), chunk_start(i + 1)).
  Index chunk_start(Index chunk) const { return chunk * blocks / chunks; }
};

class WeightPlan {
 public:
  WeightPlan(const Problem& problem, const WeightCut& cut, bool split);
  const WeightView& view() const { return view_; }
  Index source_entries() const { return view_.images * view_.channels * view_.pitch[0]; }

 private:
  Axis axes_[3];
  Window windows_[3];
  std::vector<std::int32_t> tap_at_;
  WeightView view_;
};

}  // namespace convgrad
