#include "direct_plan.hpp"

#include <limits>

namespace convgrad {

namespace {

/// Channels a whole power of two apart would fall on the same lines of the first-level cache; a line of slack
/// behind each takes what packing a row writes past its end.
Index spread_pitch(Index entries) {
  constexpr Index line = 16;
  return ((ceil_div(entries, line) + 1) | 1) * line;
}

}  // namespace

AxisView view_of(const Axis& axis, const Window& window) {
  return {axis.source,
          axis.target,
          axis.step,
          axis.every,
          window.span,
          window.extent,
          window.entry,
          window.advance,
          ceil_div(ceil_div(axis.target, axis.every), window.span),
          int(window.segments.size()),
          window.segments.data(),
          axis.first.data()};
}

void set_pitch(Index* pitch, const Window* windows) {
  pitch[2] = windows[2].extent;
  pitch[1] = pitch[2] * windows[1].extent;
  pitch[0] = spread_pitch(pitch[1] * windows[0].extent);
}

DirectPlan::DirectPlan(const Problem& p, Primitive primitive, const Cut& cut, bool split) {
  const bool forward = primitive == Primitive::Forward;
  DirectView& v = view_;
  v.batch = p.batch;
  v.groups = p.groups;
  v.contracted = forward ? p.in_channels : p.out_channels;
  v.produced = forward ? p.out_channels : p.in_channels;
  v.border = forward ? p.border : Border::Zeros;
  v.taps = p.taps();
  v.chunk = min(cut.chunk, v.contracted);
  v.depth = cut.depth;
  v.nanoseconds = p.nanoseconds();
  v.weight_nanoseconds = p.weight_nanoseconds();
  v.panels = cut.panels;
  v.images = min(cut.images, v.batch);
  v.w_group = p.out_channels * p.in_channels * v.taps;
  v.w_lane = forward ? p.in_channels * v.taps : v.taps;
  v.w_channel = forward ? v.taps : p.in_channels * v.taps;
  v.w_size = v.w_group * p.groups;
  for (int i = 0; i < 3; i++) {
    axes_[i] = forward ? forward_axis(p, i) : input_grad_axis(p, i);
    const Index count = ceil_div(axes_[i].target, axes_[i].every);
    windows_[i] = window_of(axes_[i], min(cut.span[i], count), split || i < 2);
    v.axis[i] = view_of(axes_[i], windows_[i]);
  }
  set_pitch(v.pitch, windows_);

  lay_out_phases(p.kernel);

  const Index plane = p.in_pixels();
  if (p.pointwise() && plane <= std::numeric_limits<std::int32_t>::max() / v.chunk)
    for (Index c = 0; c < v.chunk; c++) in_place_.push_back(std::int32_t(c * plane));
  v.in_place = in_place_.empty() ? nullptr : in_place_.data();
}

void DirectPlan::lay_out_phases(const Index* kernel) {
  DirectView& v = view_;
  const int parts[3] = {int(axes_[0].first.size()), int(axes_[1].first.size()), int(axes_[2].first.size())};
  v.phases = parts[0] * parts[1] * parts[2];
  koff_.resize(v.phases);
  tap_phase_.assign(v.taps, -1);
  tap_rank_.assign(v.taps, 0);
  Index before = 0;
  for (int f = 0; f < v.phases; f++) {
    const int part[3] = {f / (parts[1] * parts[2]), f / parts[2] % parts[1], f % parts[2]};
    PhaseView phase{};
    phase.taps = 1;
    for (int i = 0; i < 3; i++) {
      phase.first[i] = axes_[i].first[part[i]];
      phase.taps *= axes_[i].count[part[i]];
    }
    phase.taps_before = before;
    before += phase.taps;
    phases_.push_back(phase);
  }
  const auto each_tap = [&](auto&& visit) {
    for (size_t d = 0; d < axes_[0].taps.size(); d++)
      for (size_t h = 0; h < axes_[1].taps.size(); h++)
        for (size_t w = 0; w < axes_[2].taps.size(); w++) visit(d, h, w);
  };
  const auto phase_of = [&](size_t d, size_t h, size_t w) {
    return (axes_[0].taps[d].phase * parts[1] + axes_[1].taps[h].phase) * parts[2] + axes_[2].taps[w].phase;
  };
  each_tap([&](size_t d, size_t h, size_t w) {
    const Tap &x = axes_[0].taps[d], &y = axes_[1].taps[h], &z = axes_[2].taps[w];
    const Index number = (x.number * kernel[1] + y.number) * kernel[2] + z.number;
    tap_phase_[number] = phase_of(d, h, w);
    tap_rank_[number] = (x.rank * axes_[1].count[y.phase] + y.rank) * axes_[2].count[z.phase] + z.rank;
  });
  for (Index c = 0; c < v.chunk; c++)
    each_tap([&](size_t d, size_t h, size_t w) {
      koff_[phase_of(d, h, w)].push_back(std::int32_t(c * v.pitch[0] + windows_[0].at[d] * v.pitch[1] +
                                                      windows_[1].at[h] * v.pitch[2] + windows_[2].at[w]));
    });
  for (int f = 0; f < v.phases; f++) phases_[f].koff = koff_[f].data();
  v.phase = phases_.data();
  v.tap_phase = tap_phase_.data();
  v.tap_rank = tap_rank_.data();
}

}  // namespace convgrad
