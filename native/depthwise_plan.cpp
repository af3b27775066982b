#include "depthwise_plan.hpp"

#include <algorithm>
#include <numeric>

namespace convgrad {

namespace {

/// Up to this stride a line is read whole: what no output needs costs less than picking entries one by one.
constexpr Index kMostDenseStep = 8;

/// Fewer outputs in a column than this are not worth a column.
constexpr Index kFewLines = 4;

/// Rows longer than this many vectors are packed one by one.
constexpr Index kLongRow = 8;

/// Most entries whose places are kept: larger planes gain little.
constexpr Index kMostTurned = Index(1) << 18;

/// Tasks that suffice to keep any number of threads busy, and elements of a task that is worth a thread's
/// while.
constexpr Index kManyTasks = 32, kTaskElements = 65536, kMostSets = 8;

}  // namespace

DepthwisePlan::DepthwisePlan(const Problem& p, Primitive primitive, DepthwiseLanes layout, int lanes,
                             Index most_run, const Index* span) {
  const bool adjoint = primitive == Primitive::InputGrad, pixels = layout == DepthwiseLanes::Pixels;
  DepthwiseView& v = view_;
  v = {};
  v.batch = p.batch;
  v.channels = p.groups;
  v.multiplier = p.out_channels;
  v.contracted = adjoint ? p.out_channels : 1;
  v.produced = adjoint ? 1 : p.out_channels;
  v.border = adjoint ? Border::Zeros : p.border;
  v.taps = p.taps();
  v.source_plane = adjoint ? p.out_pixels() : p.in_pixels();
  v.target_plane = adjoint ? p.in_pixels() : p.out_pixels();
  v.source_size = v.batch * v.channels * v.contracted * v.source_plane;
  v.weight_room = v.multiplier * v.taps;
  v.weight_size = v.channels * v.weight_room;
  v.nanoseconds = p.nanoseconds();
  v.weight_nanoseconds = p.weight_nanoseconds();
  for (int i = 0; i < 3; i++) {
    axes_[i] = adjoint ? input_grad_axis(p, i) : forward_axis(p, i);
    const Index count = ceil_div(axes_[i].target, axes_[i].every);
    windows_[i] = window_of(axes_[i], min(span[i], count), i < 2 || pixels || axes_[i].step > kMostDenseStep);
    v.axis[i] = view_of(axes_[i], windows_[i]);
    v.parts[i] = Index(axes_[i].first.size());
  }
  v.lanes = pixels ? 1 : lanes;
  v.sets = ceil_div(v.channels, v.lanes);
  v.blocks = v.axis[0].blocks * v.axis[1].blocks * v.axis[2].blocks;
  v.jobs = v.batch * v.sets * v.blocks;
  make_moves(p, layout, lanes);
  make_tasks();
  if (!pixels) make_turned(lanes);
  make_phases(p.kernel, most_run);
}

/// Distances in the scratch.
void DepthwisePlan::make_moves(const Problem& p, DepthwiseLanes layout, int lanes) {
  const bool pixels = layout == DepthwiseLanes::Pixels;
  DepthwiseView& v = view_;
  v.line_step = p.dilation[1] / std::gcd(p.dilation[1], p.stride[1]);
  v.tall = pixels && p.kernel[1] > 1 && v.axis[1].span >= kFewLines * v.line_step;
  // An odd number of vectors: lines a power of two apart would meet in a few sets of the first-level cache.
  const Index extent = v.axis[2].extent;
  v.pitch[2] = pixels ? (ceil_div(extent, lanes) | 1) * lanes : extent | 1;
  v.pitch[1] = v.pitch[2] * v.axis[1].extent + (pixels ? 0 : 1);  // takes what no output reads
  v.pitch[0] = v.pitch[1] * v.axis[0].extent;
  v.source_room = v.contracted * v.pitch[0];
  // In t, outputs that share entries are as far apart as:
  const Index apart = v.tall ? v.line_step : pixels ? lanes : 1;
  v.run_move = apart * (v.tall ? v.pitch[2] : v.axis[2].advance);
  run_reach_ = apart * v.axis[v.tall ? 1 : 2].step;
}

void DepthwisePlan::make_tasks() {
  DepthwiseView& v = view_;
  const Index block = v.lanes * (v.source_room + v.axis[0].span * v.axis[1].span * v.axis[2].span);
  v.jobs_per_task = max(1, min(kTaskElements / block, v.jobs / kManyTasks));
  v.sets_per_task = v.lanes > 1 ? 1 : min(kMostSets, v.sets);
  const Index parts = ceil_div(kManyTasks, ceil_div(v.sets, v.sets_per_task));
  v.sample_parts = max(1, min(v.batch, parts));
  v.block_parts = min(v.blocks, ceil_div(parts, v.sample_parts));
}

/// Rows that follow each other in memory are turned together, so that narrow ones fill the vectors too.
void DepthwisePlan::make_turned(int lanes) {
  DepthwiseView& v = view_;
  const AxisView &h = v.axis[1], &w = v.axis[2];
  const Index width = w.source;
  if (w.blocks > 1 || w.segments != 1 || h.segments == 0 || w.entry > 1 || width > kLongRow * lanes) return;
  Index first = h.segment[0].begin, last = first;  // rows that a block reads
  for (int s = 0; s < h.segments; s++) {
    first = min(first, h.segment[s].begin);
    last = max(last, h.segment[s].begin + (h.segment[s].length - 1) * h.entry);
  }
  if (last - first + 1 != h.extent || h.extent * width > kMostTurned) return;  // not all of those between
  v.turned_rows = h.extent;
  v.turned_begin = first;
  turned_.assign(v.turned_rows * width, std::int32_t((v.pitch[1] - 1) * lanes));
  for (int s = 0; s < h.segments; s++)
    for (Index j = 0; j < h.segment[s].length; j++)
      for (Index x = 0; x < width; x++) {
        const Index at = x - w.segment[0].begin;
        if (at < 0 || at >= w.segment[0].length) continue;
        const Index row = h.segment[s].begin + j * h.entry - first, line = h.segment[s].at + j;
        turned_[row * width + x] = std::int32_t((line * v.pitch[2] + at) * lanes);
      }
  v.turned = turned_.data();
}

void DepthwisePlan::make_phases(const Index* kernel, Index most_run) {
  const DepthwiseView& v = view_;
  std::vector<Index> begin;
  for (Index f = 0; f < v.parts[0] * v.parts[1] * v.parts[2]; f++) {
    begin.push_back(Index(runs_.size()));
    for (Index c = 0; c < v.contracted; c++) add_phase(kernel, c, f, most_run);
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
void DepthwisePlan::add_phase(const Index* kernel, Index source, Index phase, Index most_run) {
  const DepthwiseView& v = view_;
  const Index size[3] = {Index(axes_[0].taps.size()), Index(axes_[1].taps.size()),
                         Index(axes_[2].taps.size())};
  const Index pitch[3] = {v.pitch[1], v.pitch[2], 1}, weights[3] = {kernel[1] * kernel[2], kernel[2], 1};
  const Index part[3] = {phase / (v.parts[1] * v.parts[2]), phase / v.parts[2] % v.parts[1],
                         phase % v.parts[2]};
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
          const Tap& one = axes_[axis].taps[number[axis]];
          tap.weight += one.number * weights[axis];
          tap.offset[axis] = one.offset;
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
  TapRun run{std::int32_t(first.position),
             std::int32_t(first.weight),
             std::int32_t(weight_step),
             std::int32_t(length),
             {},
             {}};
  for (int i = 0; i < 3; i++) {
    const Index step = axes_[i].step, offset = first.offset[i], ahead = axes_[i].source - offset;
    run.inside[i] = std::int32_t(offset < 0 ? ceil_div(-offset, step) : 0);
    run.outside[i] = std::int32_t(ahead > 0 ? ceil_div(ahead, step) : 0);
  }
  return run;
}

}  // namespace convgrad
