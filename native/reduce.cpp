// reduce.cpp - sums, sums of squares, extremes, means and variances along the middle of (outer, length,
// inner).
#include "parallel.hpp"
#include "row_folds.hpp"
#include "rows.hpp"

namespace convgrad::CONVGRAD_ISA {
namespace {

constexpr Index kTask = 16384;     // elements: a fraction of the second-level cache
constexpr Index kMostPieces = 64;  // of one reduction, where there are few

/// How the work is cut: `together` of the outer dimension, `width` columns and `piece` of the length make a
/// task.
struct Cut {
  Index together, width, slabs, piece, pieces;

  static Cut of(const RowShape& s) {
    if (s.inner == 1) {
      if (s.length > 2 * kTask) return {1, 1, 1, kTask, ceil_div(s.length, kTask)};
      return {max(1, kTask / s.length), 1, 1, s.length, 1};
    }
    const Index slabs = ceil_div(s.inner, 2048), width = round_up(ceil_div(s.inner, slabs), 64);
    const Index taken = min(width, s.inner);
    if (s.outer * slabs >= 16 || s.length * taken <= 4 * kTask) {
      const Index together = slabs == 1 ? max(1, kTask / (s.length * s.inner)) : 1;
      return {together, width, slabs, s.length, 1};
    }
    const Index piece = round_up(max(kTask / taken, ceil_div(s.length, kMostPieces)), 8);
    return {1, width, slabs, piece, ceil_div(s.length, piece)};
  }
  Index tasks(const RowShape& s) const { return ceil_div(s.outer, together) * slabs * pieces; }
};

template <typename T>
CONVGRAD_INLINE void divide(Index count, T by, T* out) {
  for (Index i = 0; by != T(1) && i < count; i++) out[i] /= by;
}

template <typename R, typename T>
struct Reduce {
  const RowShape& s;
  const Cut& cut;
  const T* x;
  const T* centre;
  T* out;         // (outer, pieces, inner)
  T divisor = 1;  // of what is not in pieces

  void operator()(Index task) const {
    const Index p = task % cut.pieces, slab = task / cut.pieces % cut.slabs;
    const Index first = task / cut.pieces / cut.slabs * cut.together;
    const Index last = min(s.outer, first + cut.together);
    const Index from = p * cut.piece, rows = min(cut.piece, s.length - from);
    const Index column = slab * cut.width, width = min(cut.width, s.inner - column);
    const Part<T> rest = rest_of<T>(rows);
    for (Index o = first; o < last; o++) {
      const T* at = x + (o * s.length + from) * s.inner + column;
      T* to = out + (o * cut.pieces + p) * s.inner + column;
      if (s.inner == 1) *to = fold_row<R, T>(at, rows, rest, centre ? centre[o] : T(0))[0];
      else fold_columns<R, T>(at, rows, s.inner, width, centre ? centre + o * s.inner + column : nullptr, to);
      if (cut.pieces == 1) divide<T>(width, divisor, to);
    }
  }
};

/// Roughly what one thread takes.
template <typename T>
Index nanoseconds(const RowShape& s) {
  return s.elements() * Index(sizeof(T)) / 24 + s.lines() * (s.inner == 1 ? 8 : 1);
}

template <typename R, typename T>
void reduce_by(const RowShape& s, const T* x, const T* centre, T* out, T divisor = 1) {
  using Later = typename R::Later;
  const Cut cut = Cut::of(s);
  Reduce<R, T> run{s, cut, x, centre, out, divisor};
  if (cut.pieces > 1)
    run.out = static_cast<T*>(scratch(Scratch::Shared, sizeof(T) * std::size_t(s.lines() * cut.pieces)));
  parallel_for(
      cut.tasks(s), [](void* r, Index i) { (*static_cast<Reduce<R, T>*>(r))(i); }, &run, nanoseconds<T>(s));
  if (cut.pieces == 1) return;
  const Part<T> rest = rest_of<T>(cut.pieces);
  for (Index o = 0; o < s.outer; o++) {
    const T* parts = run.out + o * cut.pieces * s.inner;
    if (s.inner == 1) out[o] = fold_row<Later, T>(parts, cut.pieces, rest)[0];
    else fold_columns<Later, T>(parts, cut.pieces, s.inner, s.inner, nullptr, out + o * s.inner);
  }
  divide<T>(s.lines(), divisor, out);
}

}  // namespace

template <typename T>
void reduce(Reduction kind, const RowShape& s, const T* x, T* out) {
  switch (kind) {
    case Reduction::Sum:
      return reduce_by<Sum, T>(s, x, nullptr, out);
    case Reduction::Squares:
      return reduce_by<Squares, T>(s, x, nullptr, out);
    case Reduction::Most:
      return reduce_by<Most, T>(s, x, nullptr, out);
    case Reduction::Least:
      return reduce_by<Least, T>(s, x, nullptr, out);
    case Reduction::Mean:
      return reduce_by<Sum, T>(s, x, nullptr, out, T(s.length));
    case Reduction::Product:
      return reduce_by<Product, T>(s, x, nullptr, out);
  }
}

template <typename T>
void moments(const RowShape& s, const T* x, T* mean, T* squares, T divisor) {
  const Cut cut = Cut::of(s);
  const T count = T(s.length);
  if (cut.pieces > 1) {
    reduce_by<Sum, T>(s, x, nullptr, mean, count);
    return reduce_by<Centred, T>(s, x, mean, squares, divisor);
  }
  struct Both {
    Reduce<Sum, T> sums;
    Reduce<Centred, T> spread;
  } both{{s, cut, x, nullptr, mean, count}, {s, cut, x, mean, squares, divisor}};
  parallel_for(
      cut.tasks(s),
      [](void* context, Index task) {
        const Both& b = *static_cast<Both*>(context);
        b.sums(task);
        b.spread(task);
      },
      &both, 2 * nanoseconds<T>(s));
}

template void reduce(Reduction, const RowShape&, const float*, float*);
template void reduce(Reduction, const RowShape&, const double*, double*);
template void moments(const RowShape&, const float*, float*, float*, float);
template void moments(const RowShape&, const double*, double*, double*, double);

}  // namespace convgrad::CONVGRAD_ISA
