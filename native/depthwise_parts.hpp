// depthwise_parts.hpp - how the depthwise weight gradients cut their sums into parts, and add these.
// A task sums over blocks and samples of a few channels, in an order that depends on the shape alone.
#pragma once

#include "depthwise_lines.hpp"
#include "parallel.hpp"

namespace convgrad::CONVGRAD_ISA {

CONVGRAD_INLINE Index parts_of(const DepthwiseView& v) { return v.sample_parts * v.block_parts; }
CONVGRAD_INLINE Index weight_tasks(const DepthwiseView& v) {
  return ceil_div(v.sets, v.sets_per_task) * parts_of(v);
}

/// The blocks of a task, in the order in which they lie in memory.
struct Walk {
  const DepthwiseView& v;
  Index part;
  Index set[2], sample[2], number[2];  // from the first to before the second
  Index s, n, b;

  Walk(const DepthwiseView& v, Index task) : v(v), part(task % parts_of(v)) {
    const Index i = part / v.block_parts, j = part % v.block_parts;
    for (int end = 0; end < 2; end++) {
      set[end] = min(v.sets, (task / parts_of(v) + end) * v.sets_per_task);
      sample[end] = (i + end) * v.batch / v.sample_parts;
      number[end] = (j + end) * v.blocks / v.block_parts;
    }
    s = set[0], n = sample[0], b = number[0];
  }
  bool done() const { return n == sample[1]; }
  void advance() {
    if (++b < number[1]) return;
    b = number[0];
    if (++s < set[1]) return;
    s = set[0];
    n++;
  }
  PlaneBlock block() const { return PlaneBlock::of(v, n * v.sets + s, b); }
};

/// One part is the whole sum.
template <typename T>
std::size_t parts_bytes(const DepthwiseView& v) {
  return parts_of(v) == 1 ? 0 : sizeof(T) * parts_of(v) * v.weight_size;
}

/// Weight gradients, whose sums a kernel's own Sum<T> makes: first of each part, then of all.
template <typename T, template <typename> class Sum>
void sum_weights(const DepthwiseView& v, const Operands<T>& data) {
  T* partial = parts_of(v) == 1 ? data.out : static_cast<T*>(scratch(Scratch::Shared, parts_bytes<T>(v)));
  Sum<T> sum{v, data, partial};
  parallel_for(weight_tasks(v), [](void* r, Index i) { (*static_cast<Sum<T>*>(r))(i); }, &sum, v.nanoseconds);
  if (partial == data.out) return;
  for (Index k = 0; k < v.weight_size; k++) {
    double total = 0;
    for (Index part = 0; part < parts_of(v); part++) total += double(partial[part * v.weight_size + k]);
    data.out[k] = T(total);
  }
}

}  // namespace convgrad::CONVGRAD_ISA
