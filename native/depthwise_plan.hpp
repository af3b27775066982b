// depthwise_plan.hpp - tables of a convolution with one input channel per group, for one shape.
//
// Every plane is convolved by itself, a block of outputs at a time; what a block reads is copied into
// scratch. Two layouts fill the vectors: neighbouring pixels, or the same block of neighbouring planes, which
// suits narrow planes and all strides and dilations alike.
#pragma once

#include <vector>

#include "direct_plan.hpp"

namespace convgrad {

enum class DepthwiseLanes { Channels, Pixels };

/// Most taps in a run: their weights stay in registers, of which wide vectors come with twice as many.
constexpr int most_run(int vector_bytes) { return vector_bytes >= 64 ? 7 : 4; }

/// Taps that meet the same entries for different outputs: tap i of output r reads position source + (r + i)
/// run_move of the view. Offsets and steps are positions in the scratch, and numbers of weights.
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

/// Planes are taken in sets: a vector's worth of neighbouring channels of a sample, or a single plane.
struct DepthwiseView {
  Index batch, channels, lanes;  // lanes: planes of a set
  Index sets, blocks, jobs;      // sets of a sample, blocks of a plane, and both for all samples
  Index contracted, produced;    // planes read and written per block: one of the two is the multiplier
  AxisView axis[3];
  Border border;
  Index pitch[3];               // scratch positions between sources, slabs, lines
  Index parts[3];               // phases along each axis
  const DepthwisePhase* phase;  // numbered by axis: (d * parts[1] + h) * parts[2] + w
  Index taps, multiplier;
  Index jobs_per_task;
  // Weight gradient: sets of a task, and into how many parts samples and blocks are cut.
  Index sets_per_task, sample_parts, block_parts;
  Index source_room, weight_room;  // positions of a block's sources, and weights of a channel
  Index source_plane, target_plane;
  // Planes as lanes: where entry x of row y of what a block reads goes, at y * width + x, in elements; null
  // where lines are better packed one by one. `turned_rows` rows, of which the first is `turned_begin`.
  const std::int32_t* turned;
  Index turned_rows, turned_begin;
  Index source_size, weight_size;  // elements of the array read, and of the weights
  // Pixels as lanes. Outputs that share entries stand in one column, `line_step` lines apart, or (not tall)
  // a vector apart in one line.
  bool tall;
  Index line_step;
  Index run_move;
  Index nanoseconds, weight_nanoseconds;  // see Problem
};

class DepthwisePlan {
 public:
  /// `lanes` counts the elements of a vector, `most_run` the taps of a run, `span` t per block and axis
  /// (windows.hpp). The weight gradient reads x as the forward pass does.
  DepthwisePlan(const Problem& problem, Primitive primitive, DepthwiseLanes layout, int lanes, Index most_run,
                const Index* span);
  const DepthwiseView& view() const { return view_; }
  /// Positions of scratch that one block's sources take.
  Index source_entries() const { return view_.source_room; }

 private:
  /// A tap in the scratch, and the source coordinates it reads for t = 0.
  struct PlacedTap {
    Index position, weight, offset[3];
  };

  void make_moves(const Problem& problem, DepthwiseLanes layout, int lanes);
  void make_tasks();
  void make_turned(int lanes);
  void make_phases(const Index* kernel, Index most_run);
  void add_phase(const Index* kernel, Index source, Index phase, Index most_run);
  void add_runs(std::vector<PlacedTap>& taps, Index most_run);
  TapRun run_of(const PlacedTap& first, Index weight_step, Index length) const;

  Axis axes_[3];
  Window windows_[3];
  std::vector<std::int32_t> turned_;
  std::vector<DepthwisePhase> phases_;
  std::vector<TapRun> runs_;
  Index run_reach_;  // source coordinates from one tap of a run to the next
  DepthwiseView view_;
};

}  // namespace convgrad
