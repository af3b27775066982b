// winograd_plan.hpp - tables of a Winograd convolution for one shape.
//
// F(4, 3) along height and width (6 products for 4 outputs, where the definition takes 12), at the points 0,
// +-1/sqrt 2, +-sqrt 2 and infinity. A kernel longer than three taps is a sum of pieces of three, the last
// one filled up with zeros, each of which meets the source a little further on; all pieces are added at the
// points. Depth, where there is one, is summed directly. A dilated axis falls apart into `dilation`
// interleaved axes; a "super tile" is one tile of each, side by side. Lavin & Gray 2015, arXiv:1509.09308;
// the points: Alam et al. 2022, arXiv:2201.10369.
#pragma once

#include "direct_plan.hpp"
#include "weight_plan.hpp"

namespace convgrad {

/// One of the axes height and width. Axes of kernel size 1 take part with one point and one output per tile.
struct WinogradAxis {
  Index source, target;
  Index origin;  // source coordinate of output 0 and tap 0
  Index dilation;
  Index points, outputs, taps, pieces;
  Index supers;  // super tiles in all
  Index span;    // super tiles per block
  Index blocks;

  Index reach(Index supers) const { return supers * outputs * dilation; }  // outputs
  Index extent(Index supers) const {
    return reach(supers) + (points == 6 ? (3 * pieces - 1) * dilation : 0);
  }  // inputs
  Index tiles(Index supers) const { return supers * dilation; }
  /// Inputs that one piece of a row of tiles reads.
  Index window(Index supers) const { return reach(supers) + (points == 6 ? 2 * dilation : 0); }
  /// Where in a block tile t starts.
  Index start(Index t) const { return t / dilation * outputs * dilation + t % dilation; }
};

struct WinogradCut {
  Index images, slabs, rows,
      columns;       // per block: images, outputs along depth, super tiles along height and width
  Index channels;    // contracted channels at a time (stationary weights)
  Index vectors;     // per panel of produced channels
  Index chunk;       // weight gradient: blocks whose points are held at a time
  Index stationary;  // 0: filters are transformed once, blocks pass; 1: the other way round
  Index shares;      // weight gradient: parts of the blocks with sums of their own; 0: all sums are shared
};

struct WinogradView {
  Index batch, groups, contracted, produced;
  Border border;
  Index depth_source, depth_target, depth_origin, depth_dilation, depth_taps;
  WinogradAxis height, width;
  Index images, slabs, channels, vectors;
  bool stationary;
  bool flipped;  // the kernel is read backwards: the adjoint in x
  Index w_group, w_lane, w_channel, w_size;
  const std::int32_t* counting;     // 0, 1, 2, ... as steps along the contracted channels
  const DirectView* direct;         // for images with values out of range ...
  const WeightView* direct_weight;  // ... or, of a weight gradient, for all of it
  Index chunk;                      // weight gradient: blocks whose points are held at a time
  Index shares;                     // weight gradient: parts of the blocks with sums of their own, or 0

  Index points() const { return height.points * width.points; }
  Index pieces() const { return height.pieces * width.pieces; }
  Index taps() const { return depth_taps * height.taps * width.taps; }
  /// Parts of the kernel that meet the points of y one by one.
  Index parts() const { return pieces() * depth_taps; }
  Index tiles() const { return images * height.tiles(height.span) * width.tiles(width.span); }
  Index depth_blocks() const { return ceil_div(depth_target, slabs); }
  Index depth_extent() const { return slabs + (depth_taps - 1) * depth_dilation; }
  Index blocks() const { return ceil_div(batch, images) * depth_blocks() * height.blocks * width.blocks; }
};

class WinogradPlan {
 public:
  /// `direct` serves images, or calls, with huge or non-finite values.
  WinogradPlan(const Problem& problem, Primitive primitive, const WinogradCut& cut, DirectPlan direct);
  WinogradPlan(const Problem& problem, const WinogradCut& cut, WeightPlan direct);
  const WinogradView& view() const { return view_; }
  static bool fits(const Problem& problem);

 private:
  void lay_out(const Problem& problem, Primitive primitive, const WinogradCut& cut);

  std::unique_ptr<DirectPlan> direct_;
  std::unique_ptr<WeightPlan> direct_weight_;
  std::vector<std::int32_t> counting_;
  WinogradView view_;
};

/// Values beyond this could overflow on the way; a block that holds one is computed directly.
inline constexpr double kWinogradLimit = 0x1p50;
inline constexpr double kWinogradScale = 0x1p78, kWinogradScaleOfDoubles = 0x1p974;  // 2^128, 2^1024 over it

}  // namespace convgrad
