// bind_pools.cpp - what Python sees of pools.hpp.
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>

#include "bindings.hpp"
#include "pool_plan.hpp"

namespace convgrad {

namespace {

using Numbers = std::vector<Index>;

/// Numbers up to this can be added and multiplied by small ones within 64 bits.
constexpr Index kMost = Index(1) << 40;

/// The product of the sizes from `begin` to `end`; refused where numbers derived from it might not fit 64
/// bits.
Index product(const Index* begin, const Index* end) {
  Index all = 1;
  for (; begin != end; begin++) {
    if (*begin < 1) throw std::invalid_argument("sizes of a pooling must be positive");
    if (*begin > kMost / all) throw std::invalid_argument("sizes of a pooling are too large");
    all *= *begin;
  }
  return all;
}

void check(const Buffer& buffer, Index elements) {
  if (buffer.size() != elements)
    throw std::invalid_argument("an operand has not as many elements as this pooling was made for");
}

/// planes, in, out (three each).
void check_sizes(const Numbers& n) {
  product(&n[1], &n[4]), product(&n[4], &n[7]);
  const Index in[] = {n[0], n[1], n[2], n[3]}, out[] = {n[0], n[4], n[5], n[6]};
  product(in, in + 4), product(out, out + 4);
}

/// planes, then in, out, kernel, stride, low, dilation (three each), whether borders count, divisor or 0.
Windows windows_from(const Numbers& n) {
  if (n.size() != 21) throw std::invalid_argument("a pooling has 21 numbers");
  check_sizes(n);
  Windows w{};
  w.view.planes = n[0], w.count_borders = n[19] != 0, w.divisor = n[20];
  Index* parts[6] = {w.view.in, w.view.out, w.view.kernel, w.view.stride, w.view.low, w.view.dilation};
  for (int i = 0; i < 18; i++) parts[i / 3][i % 3] = n[1 + i];
  product(w.view.kernel, w.view.kernel + 3);
  for (int a = 0; a < 3; a++) {
    const Index reach[] = {w.view.out[a], w.view.stride[a]}, span[] = {w.view.kernel[a], w.view.dilation[a]};
    product(reach, reach + 2), product(span, span + 2);
    // each window has a tap inside, and the first one begins less than a window before the input
    const Index last = (w.view.out[a] - 1) * w.view.stride[a] - w.view.low[a];
    if (w.view.low[a] < 0 || w.view.low[a] > w.view.kernel[a] / 2 || w.view.dilation[a] > w.view.in[a] ||
        last >= w.view.in[a])
      throw std::invalid_argument("a window of this pooling lies outside the input");
  }
  return w;
}

/// A pooling of planes of known sizes, and its gradients.
class Pooling {
 public:
  Pooling(const Numbers& numbers, bool wide) : wide_(wide) {
    if (numbers.size() == 7) {  // of shares of each dimension
      check_sizes(numbers);
      spans_of_shares(numbers[0], &numbers[1], &numbers[4], spans_);
    } else {
      windows_ = windows_from(numbers);
      spans_of_windows(*windows_, spans_);
    }
    from_ = spans_.view.planes * spans_.view.from_pixels();
    to_ = spans_.view.planes * spans_.view.to_pixels();
    adjoint_of_spans(spans_, windows_ ? &*windows_ : nullptr, adjoint_);
    join_dimensions(spans_);
  }

  void max(nb::handle x, nb::handle out, nb::handle winner, nb::handle index) const {
    const MaxView& view = windows();
    const Buffer from(x, wide_), to(out, wide_, Access::Write), taps(winner, 'B', Access::Write);
    std::optional<Buffer> places;
    if (!index.is_none()) places.emplace(index, 'q', Access::Write);
    check(from, from_), check(to, to_), check(taps, to_);
    if (places) check(*places, to_);
    Index* const positions = places ? places->data<Index>() : nullptr;
    run([&](auto number) {
      using T = decltype(number);
      kernels_in_use<T>().pools.max(view, from.data<T>(), to.data<T>(), taps.data<unsigned char>(),
                                    positions);
    });
  }

  void max_grad(nb::handle g, nb::handle winner, nb::handle gx) const {
    const MaxView& view = windows();
    const Buffer from(g, wide_), taps(winner, 'B', Access::Read), to(gx, wide_, Access::Write);
    check(from, to_), check(taps, to_), check(to, from_);
    run([&](auto number) {
      using T = decltype(number);
      kernels_in_use<T>().pools.max_grad(view, from.data<T>(), taps.data<unsigned char>(), to.data<T>());
    });
  }

  void max_of_shares(nb::handle x, nb::handle out, nb::handle index) const {
    if (windows_) throw std::invalid_argument("this pooling was made for windows of one size");
    const Buffer from(x, wide_), to(out, wide_, Access::Write), places(index, 'q', Access::Write);
    check(from, from_), check(to, to_), check(places, to_);
    run([&](auto number) {
      using T = decltype(number);
      kernels_in_use<T>().pools.max_of_spans(spans_.view, from.data<T>(), to.data<T>(), places.data<Index>());
    });
  }

  void mean(nb::handle x, nb::handle out) const { sums(spans_.view, x, from_, out, to_); }
  void mean_grad(nb::handle g, nb::handle gx) const { sums(adjoint_.view, g, to_, gx, from_); }

 private:
  void sums(const SpanView& view, nb::handle first, Index elements, nb::handle second, Index results) const {
    const Buffer from(first, wide_), to(second, wide_, Access::Write);
    check(from, elements), check(to, results);
    run([&](auto number) {
      using T = decltype(number);
      kernels_in_use<T>().pools.mean(view, from.data<T>(), to.data<T>());
    });
  }

  const MaxView& windows() const {
    if (!windows_ || windows_->view.taps() > kMostTaps)
      throw std::invalid_argument("this pooling has no windows whose taps fit a byte");
    return windows_->view;
  }

  template <typename Run>
  void run(const Run& with) const {
    run_unlocked([&] {
      if (wide_) with(double());
      else with(float());
    });
  }

  bool wide_;
  std::optional<Windows> windows_;
  Spans spans_, adjoint_;
  Index from_, to_;  // elements of x and of the result
};

/// Whether all positions lie in their planes of `pixels`; if not, gx is spoilt.
bool scatter_to_planes(nb::handle g, nb::handle index, nb::handle gx, Index planes, bool wide) {
  const Buffer from(g, wide), places(index, 'q', Access::Read), to(gx, wide, Access::Write);
  if (planes < 1 || from.size() % planes != 0 || to.size() % planes != 0 || places.size() != from.size())
    throw std::invalid_argument("an operand has not as many elements as its planes have");
  bool inside = true;
  const auto with = [&](auto number) {
    using T = decltype(number);
    inside = kernels_in_use<T>().pools.scatter(planes, from.size() / planes, to.size() / planes,
                                               from.data<T>(), places.data<Index>(), to.data<T>());
  };
  run_unlocked([&] {
    if (wide) with(double());
    else with(float());
  });
  return inside;
}

/// x (outer, n, inner) to out (outer, m, inner) by the tables `at` and `weight` (or None), (m, taps) each.
void sums_along(nb::handle x, nb::handle at, nb::handle weight, nb::handle out, const Numbers& sizes,
                bool wide) {
  if (sizes.size() != 5) throw std::invalid_argument("sums along an axis have 5 sizes");
  const Index outer = sizes[0], n = sizes[1], inner = sizes[2], m = sizes[3], taps = sizes[4];
  const Index source[] = {outer, n, inner}, result[] = {outer, m, inner}, table[] = {m, taps};
  const Buffer from(x, wide), places(at, 'q', Access::Read), to(out, wide, Access::Write);
  std::optional<Buffer> weights;
  if (!weight.is_none()) weights.emplace(weight, wide);
  check(from, product(source, source + 3)), check(to, product(result, result + 3));
  check(places, product(table, table + 2));
  if (n > 0x7fffffff) throw std::invalid_argument("this axis is too long");
  if (weights) check(*weights, m * taps);
  else if (taps != 1) throw std::invalid_argument("sums of several entries need weights");
  for (Index i = 0; i < m * taps; i++)
    if (places.data<Index>()[i] < 0 || places.data<Index>()[i] >= n)
      throw std::invalid_argument("a place lies outside the axis");
  const auto with = [&](auto number) {
    using T = decltype(number);
    kernels_in_use<T>().pools.along(outer, n, inner, m, taps, places.data<Index>(),
                                    weights ? weights->data<T>() : nullptr, from.data<T>(), to.data<T>());
  };
  run_unlocked([&] {
    if (wide) with(double());
    else with(float());
  });
}

/// x (batch, channels, in) at the positions of grid (batch, points, axes) to out (batch, channels, points),
/// or the adjoint, from `first` (batch, channels, points). Sizes: batch, channels, points, axes, in (three);
/// then whether nearest, the padding's number, whether aligned, and three orders.
void grid_samples(nb::handle first, nb::handle grid, nb::handle out, const Numbers& n, bool adjoint,
                  bool wide) {
  if (n.size() != 13) throw std::invalid_argument("samples of a grid have 13 numbers");
  GridView v{n[0], n[1], n[2], int(n[3]), {n[4], n[5], n[6]}, n[7] != 0, n[9] != 0, int(n[8]), {}};
  if (v.axes != 3 && (v.axes != 2 || v.in[0] != 1)) throw std::invalid_argument("a grid has 2 or 3 axes");
  if (n[8] < 0 || n[8] > GridView::Reflection) throw std::invalid_argument("no such padding");
  for (int a = 0; a < 3; a++) {
    v.order[a] = int(n[10 + a]);
    if (v.order[a] < 0 || v.order[a] > 1) throw std::invalid_argument("no such order of a derivative");
  }
  const Index planes[] = {v.batch, v.channels, v.in[0], v.in[1], v.in[2]};
  const Index values[] = {v.batch, v.channels, v.points}, places[] = {v.batch, v.points, v.axes};
  if (product(planes + 2, planes + 5) > 0x7fffffff) throw std::invalid_argument("these planes are too large");
  const Buffer from(first, wide), at(grid, wide), to(out, wide, Access::Write);
  check(adjoint ? to : from, product(planes, planes + 5));
  check(adjoint ? from : to, product(values, values + 3));
  check(at, product(places, places + 3));
  const auto with = [&](auto number) {
    using T = decltype(number);
    const Pools<T>& pools = kernels_in_use<T>().pools;
    (adjoint ? pools.sample_grad : pools.sample)(v, from.data<T>(), at.data<T>(), to.data<T>());
  };
  run_unlocked([&] {
    if (wide) with(double());
    else with(float());
  });
}

/// Sizes of four dimensions of x, those of out, and how much comes before x.
void pad_with_value(nb::handle x, nb::handle out, double value, const Numbers& n, bool wide) {
  if (n.size() != 12) throw std::invalid_argument("padding has 12 numbers");
  PadView v;
  for (int a = 0; a < 4; a++) {
    v.in[a] = n[a], v.out[a] = n[4 + a], v.before[a] = n[8 + a];
    if (v.before[a] < -kMost || v.before[a] > kMost) throw std::invalid_argument("borders are too wide");
  }
  const Buffer from(x, wide), to(out, wide, Access::Write);
  check(from, product(v.in, v.in + 4)), check(to, product(v.out, v.out + 4));
  const auto with = [&](auto number) {
    using T = decltype(number);
    kernels_in_use<T>().pools.pad(v, from.data<T>(), to.data<T>(), T(value));
  };
  run_unlocked([&] {
    if (wide) with(double());
    else with(float());
  });
}

}  // namespace

void bind_pools(nb::module_& m) {
  nb::class_<Pooling>(m, "Pooling")
      .def(nb::init<const Numbers&, bool>(), nb::arg("numbers"), nb::arg("wide"))
      .def("max", &Pooling::max, nb::arg("x"), nb::arg("out"), nb::arg("winner"), nb::arg("index").none())
      .def("max_grad", &Pooling::max_grad, nb::arg("g"), nb::arg("winner"), nb::arg("gx"))
      .def("max_of_shares", &Pooling::max_of_shares, nb::arg("x"), nb::arg("out"), nb::arg("index"))
      .def("mean", &Pooling::mean, nb::arg("x"), nb::arg("out"))
      .def("mean_grad", &Pooling::mean_grad, nb::arg("g"), nb::arg("gx"));
  m.def("scatter_to_planes", &scatter_to_planes, nb::arg("g"), nb::arg("index"), nb::arg("gx"),
        nb::arg("planes"), nb::arg("wide"));
  m.def("sums_along", &sums_along, nb::arg("x"), nb::arg("at"), nb::arg("weight").none(), nb::arg("out"),
        nb::arg("sizes"), nb::arg("wide"));
  m.def("grid_samples", &grid_samples, nb::arg("first"), nb::arg("grid"), nb::arg("out"), nb::arg("numbers"),
        nb::arg("adjoint"), nb::arg("wide"));
  m.def("pad_with_value", &pad_with_value, nb::arg("x"), nb::arg("out"), nb::arg("value"), nb::arg("numbers"),
        nb::arg("wide"));
}

}  // namespace convgrad
