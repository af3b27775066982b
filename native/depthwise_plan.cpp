#include "depthwise_plan.hpp"

#include <algorithm>
#include <utility>

namespace convgrad {

namespace {

/// Up to this stride a line is read whole: what no output needs costs less than picking entries one by one.
constexpr Index kMostDenseStep = 8;

}  // namespace

DepthwisePlan::DepthwisePlan(const Problem& p, Primitive primitive, const Index* span) {
  const bool adjoint = primitive == Primitive::InputGrad;
  DepthwiseView& v = view_;
  v.planes = p.batch * p.groups;
  v.channels = p.groups;
  v.multiplier = p.out_channels;
  v.contracted = adjoint ? p.out_channels : 1;
  v.produced = adjoint ? 1 : p.out_channels;
  v.border = adjoint ? Border::Zeros : p.border;
  v.taps = p.taps();
  v.source_size = v.planes * (adjoint ? p.out_channels * p.out_pixels() : p.in_pixels());
  v.weight_size = p.groups * p.out_channels * p.taps();
  for (int i = 0; i < 3; i++) {
    axes_[i] = adjoint ? input_grad_axis(p, i) : forward_axis(p, i);
    make_axis(i, span[i]);
  }
  // An odd number of vectors: lines a power of two apart would meet in a few sets of the first-level cache.
  v.pitch[2] = v.axis[2].extent | 1;
  v.pitch[1] = v.pitch[2] * v.axis[1].extent;
  v.pitch[0] = v.pitch[1] * v.axis[0].extent;
  v.jobs = v.planes * v.axis[0].blocks * v.axis[1].blocks * v.axis[2].blocks;
  v.source_vectors = v.contracted * v.pitch[0];
  v.weight_vectors = v.multiplier * v.taps;
  make_phases();
}

void DepthwisePlan::make_axis(int i, Index span) {
  const Axis& axis = axes_[i];
  const Index count = ceil_div(axis.target, axis.every);
  span = min(span, count);
  BlockAxis& b = view_.axis[i];
  b = {axis.source, axis.target, axis.step, axis.every, span, ceil_div(count, span), 0, 1, axis.step, 0, nullptr,
       nullptr};
  if (i == 2 && axis.step <= kMostDenseStep) {
    Axis dense = axis;
    dense.step = 1;
    windows_[i] = window_of(dense, (span - 1) * axis.step + 1);
    b.move = axis.step;
    b.read = 1;
  } else {
    windows_[i] = window_of(axis, span);
  }
  b.extent = windows_[i].extent;
  b.segments = int(windows_[i].segments.size());
  b.segment = windows_[i].segments.data();
  b.first = axis.first.data();
}

void DepthwisePlan::make_phases() {
  const DepthwiseView& v = view_;
  const std::vector<Tap>&d = axes_[0].taps, &h = axes_[1].taps;
  std::vector<Index> begin;
  for (Index f = 0; f < axes_[0].every * axes_[1].every * axes_[2].every; f++) {
    const Index part[3] = {f / (axes_[1].every * axes_[2].every), f / axes_[2].every % axes_[1].every,
                           f % axes_[2].every};
    begin.push_back(Index(runs_.size()));
    for (Index c = 0; c < v.contracted; c++)
      for (std::size_t i = 0; i < d.size(); i++)
        for (std::size_t j = 0; j < h.size(); j++)
          if (d[i].phase == part[0] && h[j].phase == part[1])
            add_runs(part[2], c * v.pitch[0] + windows_[0].at[i] * v.pitch[1] + windows_[1].at[j] * v.pitch[2],
                     c * v.taps + Index(i * h.size() + j) * Index(axes_[2].taps.size()));
  }
  begin.push_back(Index(runs_.size()));
  // Runs of one length stand together: the kernels' code for one length then runs undisturbed.
  for (std::size_t f = 0; f + 1 < begin.size(); f++)
    std::stable_sort(runs_.begin() + begin[f], runs_.begin() + begin[f + 1],
                     [](const TapRun& a, const TapRun& b) { return a.length > b.length; });
  for (std::size_t f = 0; f + 1 < begin.size(); f++)
    phases_.push_back({runs_.data() + begin[f], begin[f + 1] - begin[f]});
  view_.phase = phases_.data();
}

/// The taps of one line of the kernel, cut into runs; `source` and `weight` are where the line begins.
void DepthwisePlan::add_runs(Index phase_w, Index source, Index weight) {
  const Index move = view_.axis[2].move;
  std::vector<std::pair<Index, Index>> left;  // positions and numbers of taps
  for (std::size_t k = 0; k < axes_[2].taps.size(); k++)
    if (axes_[2].taps[k].phase == phase_w) left.emplace_back(windows_[2].at[k], k);
  std::sort(left.begin(), left.end());
  while (!left.empty()) {
    // The longest run from the first tap, then cut evenly.
    std::vector<std::pair<Index, Index>> run, rest;
    Index step = 0;
    for (const auto& tap : left) {
      const bool next = run.empty() || (tap.first == run.back().first + move &&
                                        (run.size() == 1 || tap.second == run.back().second + step));
      if (next && run.size() == 1) step = tap.second - run.back().second;
      (next ? run : rest).push_back(tap);
    }
    const Index length = Index(run.size()), parts = ceil_div(length, kMostRun);
    for (Index i = 0, at = 0; i < parts; i++) {
      const Index here = (length - at) / (parts - i);
      runs_.push_back({std::int32_t(source + run[at].first), std::int32_t(weight + run[at].second),
                       std::int32_t(step), std::int32_t(here)});
      at += here;
    }
    left = rest;
  }
}

}  // namespace convgrad
