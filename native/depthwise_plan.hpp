// depthwise_plan.hpp - tables of a convolution with one input channel per group, for one shape.
//
// Blocks of outputs lie side by side in the lanes of a vector: the same block of neighbouring planes, or, where
// planes are few, several blocks of one plane. So any width, stride and dilation fills the vectors, and what a
// lane does never depends on its neighbours.
#pragma once

#include <vector>

#include "problem.hpp"
#include "windows.hpp"

namespace convgrad {

/// One axis of a block and of what it reads, see Window. Neighbouring t read scratch positions `move` apart;
/// neighbouring entries of a segment come from source coordinates `read` apart.
struct BlockAxis {
  Index source, target, step, every, span, blocks, extent, move, read;
  int segments;
  const Segment* segment;
  const Index* first;
};

/// Most taps in a run.
inline constexpr int kMostRun = 4;

/// Taps side by side in a line: tap i reads i times `move` further, so that one entry serves several outputs.
/// Offsets and steps are numbers of vectors in the scratch.
struct TapRun {
  std::int32_t source, weight, weight_step, length;
};

/// Outputs that meet the same taps.
struct DepthwisePhase {
  const TapRun* run;
  Index runs;
};

struct DepthwiseView {
  Index planes, channels;      // batch * groups, and groups
  Index contracted, produced;  // planes read and written per lane: one of the two is the multiplier
  BlockAxis axis[3];
  Border border;
  Index pitch[3];                // scratch distance in vectors between sources, slabs, lines
  const DepthwisePhase* phase;   // numbered by axis: (d * every[1] + h) * every[2] + w
  Index taps, multiplier;
  Index jobs;                            // planes times blocks of a plane
  Index source_vectors, weight_vectors;  // of one group of lanes
  Index source_size, weight_size;        // elements of the array read, and of the weights
};

class DepthwisePlan {
 public:
  /// `span` counts t per block and axis (windows.hpp). The weight gradient reads x as the forward pass does.
  DepthwisePlan(const Problem& problem, Primitive primitive, const Index* span);
  const DepthwiseView& view() const { return view_; }

 private:
  void make_axis(int i, Index span);
  void make_phases();
  void add_runs(Index phase_w, Index source, Index weight);

  Axis axes_[3];
  Window windows_[3];
  std::vector<DepthwisePhase> phases_;
  std::vector<TapRun> runs_;
  DepthwiseView view_;
};

}  // namespace convgrad
