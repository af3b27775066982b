#include "windows.hpp"

#include <algorithm>
#include <numeric>

namespace convgrad {

namespace {

void rank_taps(Axis& axis) {
  axis.count.assign(axis.first.size(), 0);
  for (Tap& tap : axis.taps) tap.rank = axis.count[tap.phase]++;
}

Index floor_mod(Index a, Index b) {
  const Index r = a % b;
  return r < 0 ? r + b : r;
}

}  // namespace

Axis forward_axis(const Problem& p, int i) {
  Axis axis{p.in[i], p.out[i], p.stride[i], 1, {0}, {}, {}};
  for (Index k = 0; k < p.kernel[i]; k++) axis.taps.push_back({k * p.dilation[i] - p.low[i], k, 0, 0});
  rank_taps(axis);
  return axis;
}

Axis input_grad_axis(const Problem& p, int i) {
  const Index stride = p.stride[i], low = p.low[i];
  Axis axis{p.out[i], p.in[i], 1, stride, {}, {}, {}};
  // Phase f holds the inputs f, f + stride, ...; output (q + low - k dilation) / stride exists for one
  // residue of k.
  for (Index f = 0; f < min(stride, p.in[i]); f++) axis.first.push_back(f);
  for (Index k = 0; k < p.kernel[i]; k++) {
    const Index phase = floor_mod(k * p.dilation[i] - low, stride);
    if (phase < Index(axis.first.size()))
      axis.taps.push_back({(phase + low - k * p.dilation[i]) / stride, k, int(phase), 0});
  }
  rank_taps(axis);
  return axis;
}

Window window_of(const Axis& axis, Index span, bool split) {
  const Index entry = split ? axis.step : 1, advance = split ? 1 : axis.step;
  const int taps = int(axis.taps.size());
  Window window{span, 0, entry, advance, {}, std::vector<Index>(taps)};
  std::vector<int> order(taps);
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&](int k) {
    const Index offset = axis.taps[k].offset, residue = floor_mod(offset, entry);
    return std::pair<Index, Index>(residue, (offset - residue) / entry);
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return key(a) < key(b); });
  const Index reach = (span - 1) * advance + 1;
  std::pair<Index, Index> last{-1, 0};  // residue and quotient of the segment's first tap
  for (int k : order) {
    const auto here = key(k);
    Segment* segment = window.segments.empty() ? nullptr : &window.segments.back();
    if (!segment || here.first != last.first || here.second - last.second > segment->length) {
      window.segments.push_back({axis.taps[k].offset, 0, window.extent});
      segment = &window.segments.back();
      last = here;
    }
    const Index ahead = here.second - last.second;
    const Index length = std::max(segment->length, ahead + reach);
    window.extent += length - segment->length;
    segment->length = length;
    window.at[k] = segment->at + ahead;
  }
  return window;
}

}  // namespace convgrad
