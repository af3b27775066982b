// pool_plan.cpp - where the windows of a pooling lie.
#include "pool_plan.hpp"

namespace convgrad {

namespace {

void point_into(Spans& spans) {
  for (int a = 0; a < 3; a++) {
    spans.view.first[a] = spans.first[a].data();
    spans.view.last[a] = spans.last[a].data();
    spans.view.divisor[a] = spans.divisor[a].data();
  }
}

SpanView view_of_sizes(Index planes, const Index* from, const Index* to) {
  SpanView view{};
  view.planes = planes;
  for (int a = 0; a < 3; a++) view.from[a] = from[a], view.to[a] = to[a];
  return view;
}

}  // namespace

void spans_of_windows(const Windows& windows, Spans& spans) {
  const MaxView& w = windows.view;
  spans.view = view_of_sizes(w.planes, w.in, w.out);
  for (int a = 0; a < 3; a++)
    for (Index o = 0; o < w.out[a]; o++) {
      const Index begin = o * w.stride[a] - w.low[a], end = min(begin + w.kernel[a], w.in[a] + w.low[a]);
      const Index first = max(begin, 0), last = min(end, w.in[a]);
      spans.first[a].push_back(min(first, w.in[a]));
      spans.last[a].push_back(max(last, spans.first[a].back()));
      const Index count = windows.count_borders ? end - begin : last - first;
      spans.divisor[a].push_back(windows.divisor == 0 ? count : a == 0 ? windows.divisor : 1);
    }
  spans.view.width = w.kernel[2], spans.view.lead = w.low[2];
  spans.view.step = w.stride[2] <= 2 ? w.stride[2] : 0;
  point_into(spans);
}

void spans_of_shares(Index planes, const Index* in, const Index* out, Spans& spans) {
  spans.view = view_of_sizes(planes, in, out);
  for (int a = 0; a < 3; a++)
    for (Index o = 0; o < out[a]; o++) {
      spans.first[a].push_back(o * in[a] / out[a]);
      spans.last[a].push_back(ceil_div((o + 1) * in[a], out[a]));
      spans.divisor[a].push_back(spans.last[a].back() - spans.first[a].back());
    }
  point_into(spans);
}

void adjoint_of_spans(const Spans& spans, const Windows* windows, Spans& adjoint) {
  const SpanView& v = spans.view;
  adjoint.view = view_of_sizes(v.planes, v.to, v.from);
  adjoint.view.before = true;
  for (int a = 0; a < 3; a++) {
    Index first = 0, last = 0;
    for (Index i = 0; i < v.from[a]; i++) {
      while (first < v.to[a] && v.last[a][first] <= i) first++;
      while (last < v.to[a] && v.first[a][last] <= i) last++;
      adjoint.first[a].push_back(first);
      adjoint.last[a].push_back(max(first, last));
    }
    adjoint.divisor[a] = spans.divisor[a];
  }
  if (windows) {
    const MaxView& w = windows->view;
    if (w.stride[2] == 1)
      adjoint.view.step = 1, adjoint.view.width = w.kernel[2], adjoint.view.lead = w.kernel[2] - 1 - w.low[2];
    adjoint.view.twice = w.stride[2] == 2 && w.kernel[2] == 2 && w.low[2] == 0;
  }
  point_into(adjoint);
}

void join_dimensions(Spans& spans) {
  SpanView& view = spans.view;
  const Index pixels = view.from_pixels();
  for (int a = 0; a < 3; a++)
    if (view.to[a] != 1 || spans.first[a][0] != 0 || spans.last[a][0] != view.from[a]) return;
  for (int a = 0; a < 3; a++) view.from[a] = spans.last[a][0] = a == 2 ? pixels : 1;
  view.step = 0;
}

}  // namespace convgrad
