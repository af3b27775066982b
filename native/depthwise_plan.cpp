#include "depthwise_plan.hpp"

#include <algorithm>
#include <numeric>

namespace convgrad {

namespace {

/// Up to this stride a line is read whole: what no output needs costs less than picking entries one by one.
constexpr Index kMostDenseStep = 8;

/// Fewer outputs in a column than this are not worth a column.
constexpr Index kFewLines = 4;

/// Tasks that suffice to keep any number of threads busy, and elements of a task that is worth a thread's while.
constexpr Index kManyTasks = 32, kTaskElements = 16384;

}  // namespace

DepthwisePlan::DepthwisePlan(const Problem& p, Primitive primitive, DepthwiseLanes layout, int lanes,
                             Index most_run, const Index* span) {
  const bool adjoint = primitive == Primitive::InputGrad, pixels = layout == DepthwiseLanes::Pixels;
  DepthwiseView& v = view_;
  v.planes = p.batch * p.groups;
  v.channels = p.groups;
  v.multiplier = p.out_channels;
  v.contracted = adjoint ? p.out_channels : 1;
  v.produced = adjoint ? 1 : p.out_channels;
  v.border = adjoint ? Border::Zeros : p.border;
  v.taps = p.taps();
  v.source_size = v.planes * (adjoint ? p.out_channels * p.out_pixels() : p.in_pixels());
  v.weight_room = v.multiplier * v.taps;
  v.weight_size = v.channels * v.weight_room;
  for (int i = 0; i < 3; i++) {
    axes_[i] = adjoint ? input_grad_axis(p, i) : forward_axis(p, i);
    make_axis(i, span[i], i == 2 && !pixels && axes_[i].step <= kMostDenseStep);
  }
  v.jobs = v.planes * v.axis[0].blocks * v.axis[1].blocks * v.axis[2].blocks;
  make_moves(p, layout, lanes);
  make_phases(most_run);
}

/// `dense`: a line is kept as it is, and neighbouring t read `step` apart.
void DepthwisePlan::make_axis(int i, Index span, bool dense) {
  Axis axis = axes_[i];
  const Index count = ceil_div(axis.target, axis.every);
  span = min(span, count);
  BlockAxis& b = view_.axis[i];
  b = {axis.source, axis.target, axis.step, axis.every, span, ceil_div(count, span), 0, 1, axis.step, 0, nullptr,
       nullptr};
  if (dense) {
    b.move = axis.step;
    b.read = 1;
    axis.step = 1;
  }
  windows_[i] = window_of(axis, (span - 1) * b.move + 1);
  b.extent = windows_[i].extent;
  b.segments = int(windows_[i].segments.size());
  b.segment = windows_[i].segments.data();
  b.first = axes_[i].first.data();
}

/// Distances in the scratch.
void DepthwisePlan::make_moves(const Problem& p, DepthwiseLanes layout, int lanes) {
  DepthwiseView& v = view_;
  v.line_step = p.dilation[1] / std::gcd(p.dilation[1], p.stride[1]);
  v.tall = layout == DepthwiseLanes::Pixels && p.kernel[1] > 1 && v.axis[1].span >= kFewLines * v.line_step;
  // An odd number of vectors: lines a power of two apart would meet in a few sets of the first-level cache.
  const Index extent = v.axis[2].extent;
  v.pitch[2] = layout == DepthwiseLanes::Blocks ? extent | 1 : (ceil_div(extent, lanes) | 1) * lanes;
  v.pitch[1] = v.pitch[2] * v.axis[1].extent;
  v.pitch[0] = v.pitch[1] * v.axis[0].extent;
  v.source_room = v.contracted * v.pitch[0];
  const Index block = v.source_room + v.axis[0].span * v.axis[1].span * v.axis[2].span;
  v.jobs_per_task = max(1, min(kTaskElements / block, v.jobs / kManyTasks));
  v.parts = min(v.jobs / v.channels, ceil_div(kManyTasks, v.channels));
  v.run_move = layout == DepthwiseLanes::Blocks ? v.axis[2].move : v.tall ? v.line_step * v.pitch[2] : lanes;
}

void DepthwisePlan::make_phases(Index most_run) {
  const DepthwiseView& v = view_;
  const Index size[3] = {Index(axes_[0].taps.size()), Index(axes_[1].taps.size()), Index(axes_[2].taps.size())};
  const Index pitch[3] = {v.pitch[1], v.pitch[2], 1}, weights[3] = {size[1] * size[2], size[2], 1};
  const int along = v.tall ? 1 : 2, across = v.tall ? 2 : 1;  // the axes of runs
  std::vector<Index> begin;
  for (Index f = 0; f < axes_[0].every * axes_[1].every * axes_[2].every; f++) {
    const Index part[3] = {f / (axes_[1].every * axes_[2].every), f / axes_[2].every % axes_[1].every,
                           f % axes_[2].every};
    begin.push_back(Index(runs_.size()));
    const auto meets = [&](int i, Index k) { return axes_[i].taps[k].phase == part[i]; };
    const auto at = [&](int i, Index k) { return windows_[i].at[k] * pitch[i]; };
    for (Index c = 0; c < v.contracted; c++)
      for (Index i = 0; i < size[0]; i++)
        for (Index j = 0; j < size[across]; j++) {
          Taps taps;
          for (Index k = 0; k < size[along]; k++)
            if (meets(0, i) && meets(across, j) && meets(along, k))
              taps.emplace_back(c * v.pitch[0] + at(0, i) + at(across, j) + at(along, k),
                                c * v.taps + i * weights[0] + j * weights[across] + k * weights[along]);
          add_runs(taps, most_run);
        }
    // Runs of one length stand together: the kernels' code for one length then runs undisturbed.
    std::stable_sort(runs_.begin() + begin.back(), runs_.end(),
                     [](const TapRun& a, const TapRun& b) { return a.length > b.length; });
  }
  begin.push_back(Index(runs_.size()));
  for (std::size_t f = 0; f + 1 < begin.size(); f++)
    phases_.push_back({runs_.data() + begin[f], begin[f + 1] - begin[f]});
  view_.phase = phases_.data();
}

/// Cut taps along one line into runs.
void DepthwisePlan::add_runs(Taps taps, Index most_run) {
  std::sort(taps.begin(), taps.end());
  std::vector<bool> taken(taps.size());
  for (std::size_t i = 0; i < taps.size(); i++) {
    if (taken[i]) continue;
    Taps run{taps[i]};  // the longest from this tap
    Index step = 0;
    for (;;) {
      const Index position = run.back().first + view_.run_move;
      const auto next = std::lower_bound(taps.begin(), taps.end(), std::make_pair(position, Index(0)));
      if (next == taps.end() || next->first != position || taken[next - taps.begin()]) break;
      if (run.size() == 1) step = next->second - run.back().second;
      else if (next->second != run.back().second + step) break;
      taken[next - taps.begin()] = true;
      run.push_back(*next);
    }
    const Index length = Index(run.size()), parts = ceil_div(length, most_run);
    for (Index part = 0, at = 0; part < parts; part++) {
      const Index here = (length - at) / (parts - part);
      runs_.push_back({std::int32_t(run[at].first), std::int32_t(run[at].second), std::int32_t(step),
                       std::int32_t(here)});
      at += here;
    }
  }
}

}  // namespace convgrad
