// fft_plan.hpp - everything a convolution by Fourier transforms can know before it sees data.
//
// Space of any dimension is laid out as one line: rows end to end, each with the borders that its windows
// need, so that a correlation in space is a correlation of two lines. Its outputs are computed in blocks,
// each from one frame of the line (overlap-save; Oppenheim & Schafer, Discrete-Time Signal
// Processing, 8.7.3).
//
// A transform takes two real signals at once, as real and imaginary part. Either both are rows (frames) of
// one channel, which meet the same weights; or both are filters (or cotangents) of two channels, which meet
// the same frame. In both cases the two results come out as real and imaginary part and nothing needs to be
// taken apart in between. Such a pair, or a single one beside zeros, is called a unit.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "problem.hpp"

namespace convgrad {

/// Tables of one transform length: `passes` outer passes, then a leaf of `leaf` vectors.
struct FftTables {
  Index points;
  int passes, leaf;
  int radix[12];
  Index at[14];          // where the factors of a pass begin; then those of the leaf and of the lanes
  const void* twiddles;  // numbers of the element type
  const void* zeros;     // `points` of them
};

/// A line, and the array that stands in it. Place f is column f % pitch of row f / pitch; slabs have `rows`
/// rows.
struct FftLine {
  Index size[3];   // of the array it is made from
  Index low[3];    // where the first entry of the array stands
  Index every[3];  // places from one entry to the next; those between hold nothing
  Index rows;      // rows of a slab
  Index pitch;     // length of a row
  Index length;    // of the line
  Border border;
};

struct FftView {
  bool weights;                               // the weight gradient
  Index batch, groups, contracted, produced;  // channels per group; of x and of y for the weight gradient
  bool swapped;                               // weights lie (contracted, produced, taps)
  FftLine line;                               // what frames are cut from
  Index target[3], stride[3];                 // outputs of a plane, places from one to the next
  const Index* row_start;                     // place of each row of outputs
  Index taps;
  const std::int32_t* tap_at;  // what a tap adds to an output's place
  const std::int32_t* tap_to;  // where a tap stands in a frame: that of the filter, or of its gradient
  FftTables tables;
  Index step, blocks;   // outputs of a frame, frames of a plane
  Index lead;           // zeros at the head of the line that the only frame leaves out
  Index origin;         // where the first output of a frame stands in the results; below 0: from their end
  Index window;         // places that the outputs of a frame meet
  bool channel_pairs;   // units pair channels, not rows
  Index row_units;      // units of rows, over all samples
  Index filter_units;   // units of produced channels, per group
  Index tile;           // row units transformed at a time
  Index rows_per_task;  // row units of a task
  Index filters_per_task;
  bool own_filters;  // a task transforms the weights it needs
};

/// How the work is cut; see FftView.
struct FftCut {
  Index points, step;
  bool channel_pairs;
  Index tile, rows_per_task, filters_per_task;
  bool own_filters;
};

/// Numbers shared by all plans of one length, vector length and element type.
struct FftFactors;

class FftPlan {
 public:
  /// Throws std::invalid_argument where the cut does not serve the problem.
  FftPlan(const Problem& problem, Primitive primitive, const FftCut& cut, int lanes, bool wide);
  const FftView& view() const { return view_; }

 private:
  void lay_out(const Problem& problem, Primitive primitive);
  void cut_up(const FftCut& cut);

  std::vector<Index> row_start_;
  std::vector<std::int32_t> tap_at_, tap_to_;
  std::shared_ptr<const FftFactors> factors_;
  FftView view_{};
};

}  // namespace convgrad
