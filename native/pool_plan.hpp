// pool_plan.hpp - where the windows of a pooling lie.
#pragma once

#include <vector>

#include "pools.hpp"

namespace convgrad {

/// The tables behind a SpanView.
struct Spans {
  std::vector<Index> first[3], last[3], divisor[3];
  SpanView view;

  Spans() = default;
  Spans(const Spans&) = delete;  // the view points into the tables
  Spans& operator=(const Spans&) = delete;
};

/// Windows of one size and step, and by what their sums are divided: by `divisor`, or where that is 0 by the
/// number of their entries, borders included if `count_borders`.
struct Windows {
  MaxView view;
  bool count_borders;
  Index divisor;
};

/// The means over windows; over windows that divide each dimension as evenly as whole numbers allow.
void spans_of_windows(const Windows& windows, Spans& spans);
void spans_of_shares(Index planes, const Index* in, const Index* out, Spans& spans);

/// The adjoint of those means: what an entry of x gets from the windows that hold it. `windows` may be null.
void adjoint_of_spans(const Spans& spans, const Windows* windows, Spans& adjoint);

/// The same sums as of one row, if there is one window per plane that holds all of it.
void join_dimensions(Spans& spans);

}  // namespace convgrad
