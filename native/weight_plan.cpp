#include "weight_plan.hpp"

namespace convgrad {

WeightPlan::WeightPlan(const Problem& p, const WeightCut& cut, bool split) {
  WeightView& v = view_;
  v.batch = p.batch;
  v.groups = p.groups;
  v.in_channels = p.in_channels;
  v.out_channels = p.out_channels;
  v.border = p.border;
  v.taps = p.taps();
  v.pointwise = p.pointwise();
  v.images = min(cut.images, v.batch);
  v.nanoseconds = p.nanoseconds();
  v.weight_nanoseconds = p.weight_nanoseconds();
  v.channels = min(cut.channels, v.in_channels);
  v.outs = cut.outs;
  v.blocks = ceil_div(v.batch, v.images);
  for (int i = 0; i < 3; i++) {
    axes_[i] = forward_axis(p, i);
    windows_[i] = window_of(axes_[i], min(cut.span[i], axes_[i].target), split || i < 2);
    v.axis[i] = view_of(axes_[i], windows_[i]);
    v.blocks *= v.axis[i].blocks;
  }
  v.chunks = min(cut.chunks, v.blocks);
  set_pitch(v.pitch, windows_);
  for (const Index d : windows_[0].at)
    for (const Index h : windows_[1].at)
      for (const Index w : windows_[2].at)
        tap_at_.push_back(std::int32_t(d * v.pitch[1] + h * v.pitch[2] + w));
  v.tap_at = tap_at_.data();
}

}  // namespace convgrad
