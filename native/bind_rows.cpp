// bind_rows.cpp - what Python sees of rows.hpp.
#include <optional>
#include <stdexcept>
#include <vector>

#include "bindings.hpp"
#include "parallel.hpp"
#include "rows.hpp"

namespace convgrad {

namespace {

constexpr Index kMost = Index(1) << 40;

/// a * b for sizes; refused where it might not fit 64 bits later on.
Index product(Index a, Index b) {
  if (a < 0 || b < 0 || (b > 0 && a > kMost / b)) throw std::invalid_argument("sizes out of range");
  return a * b;
}

RowShape shape_from(Index outer, Index length, Index inner) {
  product(product(outer, length), inner);
  if (outer < 1 || length < 1 || inner < 1) throw std::invalid_argument("sizes must be positive");
  return {outer, length, inner};
}

void require(std::initializer_list<std::pair<const Buffer*, Index>> operands) {
  for (const auto& [buffer, elements] : operands)
    if (buffer->size() != elements)
      throw std::invalid_argument("an operand has not as many elements as the sizes say");
}

template <typename Kind>
Kind kind_from(int number, Kind last) {
  if (number < 0 || number > int(last)) throw std::invalid_argument("no such kind");
  return Kind(number);
}

/// Call `run` with a value of the precision: float, or double if `wide`.
template <typename Run>
void with_precision(bool wide, const Run& run) {
  run_unlocked([&] {
    if (wide) run(double());
    else run(float());
  });
}

void rows_reduce(int kind, nb::handle x, nb::handle out, Index outer, Index length, Index inner, bool wide) {
  const RowShape s = shape_from(outer, length, inner);
  const auto how = kind_from(kind, Reduction::Product);
  const Buffer a(x, wide), b(out, wide, Access::Write);
  require({{&a, s.elements()}, {&b, s.lines()}});
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    std::optional<KeepSubnormals> as_numpy;  // sums have none that count
    if (how == Reduction::Product) as_numpy.emplace();
    kernels_in_use<T>().rows.reduce(how, s, a.data<T>(), b.data<T>());
  });
}

/// Means, and sums of squared deviations over the divisor.
void rows_moments(nb::handle x, nb::handle mean, nb::handle squares, Index outer, Index length, Index inner,
                  double divisor, bool wide) {
  const RowShape s = shape_from(outer, length, inner);
  const Buffer a(x, wide), b(mean, wide, Access::Write), c(squares, wide, Access::Write);
  require({{&a, s.elements()}, {&b, s.lines()}, {&c, s.lines()}});
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.moments(s, a.data<T>(), b.data<T>(), c.data<T>(), T(divisor));
  });
}

void rows_extreme(int kind, nb::handle x, nb::handle value, nb::handle place, Index outer, Index length,
                  Index inner, bool wide) {
  const RowShape s = shape_from(outer, length, inner);
  if (length >= Index(1) << 31) throw std::invalid_argument("sizes out of range");
  const auto how = kind_from(kind, Extreme::Least);
  const Buffer a(x, wide), b(value, wide, Access::Write), c(place, 'q', Access::Write);
  require({{&a, s.elements()}, {&b, s.lines()}, {&c, s.lines()}});
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.extreme(how, s, a.data<T>(), b.data<T>(), c.data<Index>());
  });
}

void rows_softmax(int kind, nb::handle x, nb::handle out, Index outer, Index length, Index inner, bool wide) {
  const RowShape s = shape_from(outer, length, inner);
  const auto how = kind_from(kind, SoftmaxKind::LogSumExp);
  const Buffer a(x, wide), b(out, wide, Access::Write);
  require({{&a, s.elements()}, {&b, how == SoftmaxKind::LogSumExp ? s.lines() : s.elements()}});
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.softmax(how, s, a.data<T>(), b.data<T>());
  });
}

void rows_softmax_grad(int kind, nb::handle g, nb::handle y, nb::handle out, Index outer, Index length,
                       Index inner, bool wide) {
  const RowShape s = shape_from(outer, length, inner);
  const auto how = kind_from(kind, SoftmaxKind::LogSoftmax);
  const Buffer a(g, wide), b(y, wide), c(out, wide, Access::Write);
  require({{&a, s.elements()}, {&b, s.elements()}, {&c, s.elements()}});
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.softmax_grad(how, s, a.data<T>(), b.data<T>(), c.data<T>());
  });
}

bool within(const Buffer& index, Index places) {
  const Index* at = index.data<Index>();
  bool good = true;
  for (Index i = 0; i < index.size(); i++) good &= at[i] >= 0 && at[i] < places;
  return good;
}

/// False, and nothing done, where a position is not within [0, places).
bool rows_add_at(nb::handle g, nb::handle index, nb::handle out, Index outer, Index places, Index count,
                 Index inner, bool each, bool wide) {
  product(product(product(outer, places), count), inner);
  const Positions s{outer, places, count, inner, each};
  const Buffer a(g, wide), i(index, 'q', Access::Read), b(out, wide, Access::Write);
  require({{&a, outer * count * inner}, {&i, s.indices()}, {&b, outer * places * inner}});
  if (b.size() == 0) return true;
  if (!within(i, places)) return false;
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.add_at(s, a.data<T>(), i.data<Index>(), b.data<T>());
  });
  return true;
}

/// False, and nothing done, where a position is not within [0, places).
bool rows_gather(nb::handle x, nb::handle index, nb::handle out, Index outer, Index places, Index count,
                 Index inner, bool wide) {
  product(product(product(outer, places), count), inner);
  const Positions s{outer, places, count, inner, true};
  const Buffer a(x, wide), i(index, 'q', Access::Read), b(out, wide, Access::Write);
  require({{&a, outer * places * inner}, {&i, s.indices()}, {&b, s.indices()}});
  if (b.size() == 0) return true;
  if (!within(i, places)) return false;
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.gather(s, a.data<T>(), i.data<Index>(), b.data<T>());
  });
  return true;
}

/// Rows of x (.., width) weighted and added to those of out; False, and nothing done, where one is not
/// within.
bool rows_move(nb::handle x, nb::handle from, nb::handle to, nb::handle factors, nb::handle out, Index width,
               bool wide) {
  const Buffer a(x, wide), f(from, 'q', Access::Read), t(to, 'q', Access::Read), o(out, wide, Access::Write);
  if (width < 1) throw std::invalid_argument("sizes must be positive");
  std::optional<Buffer> by;
  if (!factors.is_none()) by.emplace(factors, wide);
  const Moves s{f.size(), o.size() / width, width};
  require({{&a, product(a.size() / width, width)}, {&o, product(s.places, width)}, {&t, s.count}});
  if (by) require({{&*by, s.count}});
  if (!within(f, a.size() / width) || !within(t, s.places)) return false;
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.move_rows(s, a.data<T>(), f.data<Index>(), t.data<Index>(),
                                       by ? by->data<T>() : nullptr, o.data<T>());
  });
  return true;
}

void rows_scan(int kind, nb::handle x, nb::handle out, Index outer, Index length, Index inner, bool reverse,
               bool wide) {
  const RowShape s = shape_from(outer, length, inner);
  const auto how = kind_from(kind, Scan::Product);
  const Buffer a(x, wide), b(out, wide, Access::Write);
  require({{&a, s.elements()}, {&b, s.elements()}});
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    const KeepSubnormals as_numpy;
    kernels_in_use<T>().rows.scan(how, s, reverse, a.data<T>(), b.data<T>());
  });
}

/// One loss per pair, or their sum, a single element, if not `each`.
void rows_losses(int kind, nb::handle x, nb::handle y, nb::handle out, double width, bool each, bool wide) {
  const auto how = kind_from(kind, Loss::CrossEntropyOfLogits);
  const Buffer a(x, wide), b(y, wide), c(out, wide, Access::Write);
  require({{&b, a.size()}, {&c, each ? a.size() : 1}});
  if (a.size() == 0) throw std::invalid_argument("sizes must be positive");
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    const Rows<T>& rows = kernels_in_use<T>().rows;
    if (each) rows.losses(how, a.size(), a.data<T>(), b.data<T>(), T(width), c.data<T>());
    else *c.data<T>() = rows.loss_sum(how, a.size(), a.data<T>(), b.data<T>(), T(width));
  });
}

void rows_loss_grad(int kind, nb::handle g, nb::handle x, nb::handle y, nb::handle out, double width,
                    double factor, bool wide) {
  const auto how = kind_from(kind, Loss::CrossEntropyOfLogits);
  const Buffer d(g, wide), a(x, wide), b(y, wide), c(out, wide, Access::Write);
  const bool each = d.size() != 1;
  require({{&b, a.size()}, {&c, a.size()}, {&d, each ? a.size() : 1}});
  if (a.size() == 0) return;
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.loss_grad(how, a.size(), a.data<T>(), b.data<T>(), T(width), d.data<T>(), each,
                                       T(factor), c.data<T>());
  });
}

/// Rows of x (.., width) into out; False, and nothing done, where a place is not within x.
bool rows_taken(nb::handle x, nb::handle places, nb::handle out, Index width, bool wide) {
  const Buffer a(x, wide), p(places, 'q', Access::Read), o(out, wide, Access::Write);
  if (width < 1) throw std::invalid_argument("sizes must be positive");
  require({{&o, product(p.size(), width)}});
  if (!within(p, a.size() / width)) return false;
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.taken(p.size(), width, a.data<T>(), p.data<Index>(), o.data<T>());
  });
  return true;
}

/// How many of the classes count; -1 where one is outside [0, count) and not the one to ignore.
Index counted(const Buffer& classes, Index count, Index ignored) {
  const Index* at = classes.data<Index>();
  Index used = 0;
  bool good = true;
  for (Index r = 0; r < classes.size(); r++) {
    const bool counts = at[r] != ignored;
    used += counts;
    good &= !counts || (at[r] >= 0 && at[r] < count);
  }
  return good ? used : -1;
}

/// What the terms of a mean are divided by: how many classes count, or the sum of their weights.
template <typename T>
T divisor(const Buffer& classes, const T* weights, Index count, Index ignored, Index used) {
  if (weights == nullptr) return T(used);
  std::vector<Index> times(std::size_t(count), 0);  // a long sum would round as often as it is long
  for (Index r = 0; r < classes.size(); r++) {
    const Index at = classes.data<Index>()[r];
    if (at != ignored) times[std::size_t(at)]++;
  }
  double total = 0;
  for (Index c = 0; c < count; c++) total += double(times[std::size_t(c)]) * double(weights[c]);
  return T(total);
}

/// Minus the log-probabilities x (samples, count, ..) of the classes (samples, ..), by their weights unless
/// that is None, those to ignore being 0: each, their sum, or if `mean` their mean. How many count; nothing
/// is done where that is none, or their weights are nothing (0), or a class is wrong (-1). `factors` gets
/// what each was multiplied by, `places` the classes, 0 where ignored.
Index rows_picked(nb::handle x, nb::handle classes, nb::handle weights, nb::handle factors, nb::handle places,
                  nb::handle out, Index samples, Index count, Index ignored, bool each, bool mean,
                  bool wide) {
  const Buffer a(x, wide), t(classes, 'q', Access::Read), f(factors, wide, Access::Write);
  const Buffer p(places, 'q', Access::Write), o(out, wide, Access::Write);
  const Buffer w(weights.is_none() ? factors : weights, wide);
  const Index positions = t.size();
  if (samples < 1 || positions % samples != 0) throw std::invalid_argument("sizes out of range");
  require({{&a, product(positions, count)}, {&f, positions}, {&p, positions}, {&o, each ? positions : 1}});
  if (!weights.is_none()) require({{&w, count}});
  Index used = counted(t, count, ignored);
  if (used <= 0) return used;
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    const T* const by = weights.is_none() ? nullptr : w.data<T>();
    const T all = mean ? divisor<T>(t, by, count, ignored, used) : T(1);
    if (all == T(0)) {
      used = 0;
      return;
    }
    for (Index r = 0; r < positions; r++) {
      const Index at = t.data<Index>()[r];
      f.data<T>()[r] = at == ignored ? T(0) : (by ? -by[at] : T(-1)) / all;
      p.data<Index>()[r] = at == ignored ? 0 : at;
    }
    kernels_in_use<T>().rows.picked({samples, count, positions / samples}, a.data<T>(), p.data<Index>(),
                                    f.data<T>(), each, o.data<T>());
  });
  return used;
}

/// Its adjoint; False, and nothing done, where a class is not within `out` (samples, count, ..).
bool rows_placed(nb::handle g, nb::handle places, nb::handle factors, nb::handle out, Index samples,
                 Index count, bool wide) {
  const Buffer a(g, wide), p(places, 'q', Access::Read), f(factors, wide), o(out, wide, Access::Write);
  const Index positions = p.size();
  const bool each = a.size() != 1;
  if (samples < 1 || positions % samples != 0) throw std::invalid_argument("sizes out of range");
  require({{&f, positions}, {&o, product(positions, count)}, {&a, each ? positions : 1}});
  if (o.size() == 0 || !within(p, count)) return false;
  with_precision(wide, [&](auto zero) {
    using T = decltype(zero);
    kernels_in_use<T>().rows.placed({samples, count, positions / samples}, a.data<T>(), p.data<Index>(),
                                    f.data<T>(), each, o.data<T>());
  });
  return true;
}

}  // namespace

void bind_rows(nb::module_& m) {
  using nb::arg;
  m.def("rows_reduce", rows_reduce, arg("kind"), arg("x"), arg("out"), arg("outer"), arg("length"),
        arg("inner"), arg("wide"));
  m.def("rows_moments", rows_moments, arg("x"), arg("mean"), arg("squares"), arg("outer"), arg("length"),
        arg("inner"), arg("divisor"), arg("wide"));
  m.def("rows_extreme", rows_extreme, arg("kind"), arg("x"), arg("value"), arg("place"), arg("outer"),
        arg("length"), arg("inner"), arg("wide"));
  m.def("rows_softmax", rows_softmax, arg("kind"), arg("x"), arg("out"), arg("outer"), arg("length"),
        arg("inner"), arg("wide"));
  m.def("rows_softmax_grad", rows_softmax_grad, arg("kind"), arg("g"), arg("y"), arg("out"), arg("outer"),
        arg("length"), arg("inner"), arg("wide"));
  m.def("rows_add_at", rows_add_at, arg("g"), arg("index"), arg("out"), arg("outer"), arg("places"),
        arg("count"), arg("inner"), arg("each"), arg("wide"));
  m.def("rows_gather", rows_gather, arg("x"), arg("index"), arg("out"), arg("outer"), arg("places"),
        arg("count"), arg("inner"), arg("wide"));
  m.def("rows_move", rows_move, arg("x"), arg("from_"), arg("to"), arg("factors").none(), arg("out"),
        arg("width"), arg("wide"));
  m.def("rows_scan", rows_scan, arg("kind"), arg("x"), arg("out"), arg("outer"), arg("length"), arg("inner"),
        arg("reverse"), arg("wide"));
  m.def("rows_losses", rows_losses, arg("kind"), arg("x"), arg("y"), arg("out"), arg("width"), arg("each"),
        arg("wide"));
  m.def("rows_loss_grad", rows_loss_grad, arg("kind"), arg("g"), arg("x"), arg("y"), arg("out"), arg("width"),
        arg("factor"), arg("wide"));
  m.def("rows_picked", rows_picked, arg("x"), arg("classes"), arg("weights").none(), arg("factors"),
        arg("places"), arg("out"), arg("samples"), arg("count"), arg("ignored"), arg("each"), arg("mean"),
        arg("wide"));
  m.def("rows_taken", rows_taken, arg("x"), arg("places"), arg("out"), arg("width"), arg("wide"));
  m.def("rows_placed", rows_placed, arg("g"), arg("places"), arg("factors"), arg("out"), arg("samples"),
        arg("count"), arg("wide"));
}

}  // namespace convgrad
