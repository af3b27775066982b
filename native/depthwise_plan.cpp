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
constexpr Index kManyTasks = 32, kTaskElements = 65536, kMostChannels = 8;

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
  v.groups_per_task = max(1, v.jobs / lanes / kManyTasks);
  const Index samples = v.planes / v.channels, blocks = v.jobs / v.planes;
  v.channels_per_task = min(kMostChannels, v.channels);
  const Index parts = ceil_div(kManyTasks, ceil_div(v.channels, v.channels_per_task));
  v.sample_parts = min(samples, parts);
  v.block_parts = min(blocks, ceil_div(parts, v.sample_parts));
  // In t, outputs that share entries are as far apart as:
  const Index apart = v.tall ? v.line_step : layout == DepthwiseLanes::Blocks ? 1 : lanes;
  v.run_move = apart * (v.tall ? v.pitch[2] : v.axis[2].move);
  run_reach_ = apart * v.axis[v.tall ? 1 : 2].step;
}

void DepthwisePlan::make_phases(Index most_run) {
  const DepthwiseView& v = view_;
  std::vector<Index> begin;
  for (Index f = 0; f < axes_[0].every * axes_[1].every * axes_[2].every; f++) {
    begin.push_back(Index(runs_.size()));
    for (Index c = 0; c < v.contracted; c++) add_phase(c, f, most_run);
    // Runs of one length stand together: the kernels' code for one length then runs undisturbed.
    std::stable_sort(runs_.begin() + begin.back(), runs_.end(),
                     [](const TapRun& a, const TapRun& b) { return a.length > b.length; });
  }
  begin.push_back(Index(runs_.size()));
  for (std::size_t f = 0; f + 1 < begin.size(); f++) {
    DepthwisePhase phase{runs_.data() + begin[f], begin[f + 1] - begin[f], {0, 0, 0}, {0, 0, 0}};
    for (int i = 0; i < 3; i++) {
      phase.outside[i] = axes_[i].target;
      for (Index k = 0; k < phase.runs; k++) {
        phase.inside[i] = max(phase.inside[i], phase.run[k].inside[i]);
        phase.outside[i] = min(phase.outside[i], phase.run[k].outside[i]);
      }
    }
    phases_.push_back(phase);
  }
  view_.phase = phases_.data();
}

/// The runs of one source and phase.
void DepthwisePlan::add_phase(Index source, Index phase, Index most_run) {
  const DepthwiseView& v = view_;
  const Index size[3] = {Index(axes_[0].taps.size()), Index(axes_[1].taps.size()), Index(axes_[2].taps.size())};
  const Index pitch[3] = {v.pitch[1], v.pitch[2], 1}, weights[3] = {size[1] * size[2], size[2], 1};
  const Index part[3] = {phase / (axes_[1].every * axes_[2].every), phase / axes_[2].every % axes_[1].every,
                         phase % axes_[2].every};
  const int along = v.tall ? 1 : 2, across = v.tall ? 2 : 1;  // the axes of runs
  const auto meets = [&](int i, Index k) { return axes_[i].taps[k].phase == part[i]; };
  for (Index i = 0; i < size[0]; i++)
    for (Index j = 0; j < size[across]; j++) {
      std::vector<PlacedTap> taps;
      for (Index k = 0; k < size[along]; k++) {
        if (!meets(0, i) || !meets(across, j) || !meets(along, k)) continue;
        Index number[3];
        number[0] = i, number[across] = j, number[along] = k;
        PlacedTap tap{source * v.pitch[0], source * v.taps, {}};
        for (int axis = 0; axis < 3; axis++) {
          tap.position += windows_[axis].at[number[axis]] * pitch[axis];
          tap.weight += number[axis] * weights[axis];
          tap.offset[axis] = axes_[axis].taps[number[axis]].offset;
        }
        taps.push_back(tap);
      }
      add_runs(taps, most_run);
    }
}

/// Cut taps along one line into runs.
void DepthwisePlan::add_runs(std::vector<PlacedTap>& taps, Index most_run) {
  const int along = view_.tall ? 1 : 2;
  const auto before = [](const PlacedTap& a, const PlacedTap& b) { return a.position < b.position; };
  std::sort(taps.begin(), taps.end(), before);
  std::vector<bool> taken(taps.size());
  for (std::size_t i = 0; i < taps.size(); i++) {
    if (taken[i]) continue;
    std::vector<PlacedTap> run{taps[i]};  // the longest from this tap
    Index step = 0;
    for (;;) {
      PlacedTap wanted = run.back();
      wanted.position += view_.run_move;
      const auto next = std::lower_bound(taps.begin(), taps.end(), wanted, before);
      if (next == taps.end() || next->position != wanted.position || taken[next - taps.begin()]) break;
      if (next->offset[along] != wanted.offset[along] + run_reach_) break;
      if (run.size() == 1) step = next->weight - run.back().weight;
      else if (next->weight != run.back().weight + step) break;
      taken[next - taps.begin()] = true;
      run.push_back(*next);
    }
    const Index length = Index(run.size()), parts = ceil_div(length, most_run);
    for (Index part = 0, at = 0; part < parts; part++) {
      const Index here = (length - at) / (parts - part);
      runs_.push_back(run_of(run[at], step, here));
      at += here;
    }
  }
}

TapRun DepthwisePlan::run_of(const PlacedTap& first, Index weight_step, Index length) const {
  TapRun run{std::int32_t(first.position), std::int32_t(first.weight), std::int32_t(weight_step),
             std::int32_t(length),         {},                         {}};
  for (int i = 0; i < 3; i++) {
    const Index step = axes_[i].step, offset = first.offset[i], ahead = axes_[i].source - offset;
    run.inside[i] = std::int32_t(offset < 0 ? ceil_div(-offset, step) : 0);
    run.outside[i] = std::int32_t(ahead > 0 ? ceil_div(ahead, step) : 0);
  }
  return run;
}

}  // namespace convgrad
