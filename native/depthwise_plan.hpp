// depthwise_plan.hpp - tables of a convolution with one input channel per group, for one shape.
//
// Every plane is convolved by itself, a block of outputs at a time; what a block reads is copied into scratch. Two
// layouts fill the vectors: neighbouring pixels, or one block beside the other (lanes are then planes or, where
// planes are few, places in a plane), which suits narrow planes and all strides and dilations alike.
#pragma once

#include <vector>

#include "problem.hpp"
#include "windows.hpp"

namespace convgrad {

enum class DepthwiseLanes { Blocks, Pixels };

/// One axis of a block and of what it reads, see Window. Neighbouring t read scratch positions `move` apart;
/// neighbouring entries of a segment come from source coordinates `read` apart.
struct BlockAxis {
  Index source, target, step, every, span, blocks, extent, move, read;
  int segments;
  const Segment* segment;
  const Index* first;
};

/// Most taps in a run: their weights stay in registers, of which wide vectors come with twice as many.
constexpr int most_run(int vector_bytes) { return vector_bytes >= 64 ? 7 : 4; }

/// Taps that meet the same entries for different outputs: tap i of output r reads position source + (r + i) run_move
/// of the view. Offsets and steps are positions in the scratch, and numbers of weights.
struct TapRun {
  std::int32_t source, weight, weight_step, length;
  std::int32_t inside[3], outside[3];  // per axis, the t for which the first tap reads an entry of the source
};

/// Outputs that meet the same taps.
struct DepthwisePhase {
  const TapRun* run;
  Index runs;
  Index inside[3], outside[3];  // the t for which all runs do
};

struct DepthwiseView {
  Index planes, channels;      // batch * groups, and groups
  Index contracted, produced;  // planes read and written per block: one of the two is the multiplier
  BlockAxis axis[3];
  Border border;
  Index pitch[3];                // scratch positions between sources, slabs, lines
  const DepthwisePhase* phase;   // numbered by axis: (d * every[1] + h) * every[2] + w
  Index taps, multiplier;
  Index jobs;                      // planes times blocks of a plane
  Index jobs_per_task;             // with pixels as lanes
  Index groups_per_task;           // with blocks as lanes
  // Weight gradient with pixels as lanes: channels of a task, and into how many tasks samples and blocks are parted.
  Index channels_per_task, sample_parts, block_parts;
  Index source_room, weight_room;  // positions of a block's sources, and weights of a channel
  Index source_size, weight_size;  // elements of the array read, and of the weights
  // Pixels as lanes. Outputs that share entries stand in one column, `line_step` lines apart, or (not tall) a
  // vector apart in one line.
  bool tall;
  Index line_step;
  Index run_move;
};

class DepthwisePlan {
 public:
  /// `lanes` counts the elements of a vector, `most_run` the taps of a run, `span` t per block and axis
  /// (windows.hpp). The weight gradient reads x as the forward pass does.
  DepthwisePlan(const Problem& problem, Primitive primitive, DepthwiseLanes layout, int lanes, Index most_run,
                const Index* span);
  const DepthwiseView& view() const { return view_; }

 private:
  /// A tap in the scratch, and the source coordinates it reads for t = 0.
  struct PlacedTap {
    Index position, weight, offset[3];
  };

  void make_axis(int i, Index span, bool dense);
  void make_moves(const Problem& problem, DepthwiseLanes layout, int lanes);
  void make_phases(Index most_run);
  void add_phase(Index source, Index phase, Index most_run);
  void add_runs(std::vector<PlacedTap>& taps, Index most_run);
  TapRun run_of(const PlacedTap& first, Index weight_step, Index length) const;

  Axis axes_[3];
  Window windows_[3];
  std::vector<DepthwisePhase> phases_;
  std::vector<TapRun> runs_;
  Index run_reach_;  // source coordinates from one tap of a run to the next
  DepthwiseView view_;
};

}  // namespace convgrad
