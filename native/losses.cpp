// losses.cpp - losses of pairs of numbers, their sum and their derivative, in one pass each.
#include "logarithm.hpp"
#include "parallel.hpp"
#include "row_folds.hpp"
#include "rows.hpp"

namespace convgrad::CONVGRAD_ISA {
namespace {

constexpr Index kTask = 16384;  // elements

template <typename T>
CONVGRAD_INLINE Vec<T> size_of(Vec<T> d) {
  return d < T(0) ? -d : d;
}
template <typename T>
CONVGRAD_INLINE Vec<T> sign_of(Vec<T> d) {
  // NaN has none, as in PyTorch's l1_loss
  return d > T(0) ? splat(T(1)) : (d < T(0) ? splat(T(-1)) : Vec<T>{});
}

/// The logarithm, cut at -100: of 0 it would be minus infinity.
template <typename T>
CONVGRAD_INLINE Vec<T> cut_log(Vec<T> x) {
  return at_least<T>(vector_log<T>(x), T(-100));
}
/// log(1 - x), precise where x is small.
template <typename T>
CONVGRAD_INLINE Vec<T> cut_log_of_rest(Vec<T> x) {
  const Vec<T> u = T(1) - x, lost = (T(1) - u) - x;
  const Vec<T> more = u > T(0) ? lost / u : Vec<T>{};
  return at_least<T>(vector_log<T>(u) + more, T(-100));
}

template <Loss K, typename T>
CONVGRAD_INLINE Vec<T> loss(Vec<T> x, Vec<T> y, T width) {
  if constexpr (K == Loss::CrossEntropy) {
    return (y - T(1)) * cut_log_of_rest<T>(x) - y * cut_log<T>(x);
  } else if constexpr (K == Loss::CrossEntropyOfLogits) {
    const Vec<T> soft = vector_log1p<T>(vector_exp<T>(-size_of<T>(x)));
    return (x < T(0) ? Vec<T>{} : x) - x * y + soft;
  }
  const Vec<T> d = x - y, a = size_of<T>(d);
  if constexpr (K == Loss::Square) return d * d;
  else if constexpr (K == Loss::Absolute) return a;
  else if constexpr (K == Loss::Smooth) return a < width ? (T(0.5) / width) * a * a : a - T(0.5) * width;
  else return a <= width ? T(0.5) * a * a : width * (a - T(0.5) * width);
}

template <Loss K, typename T>
CONVGRAD_INLINE Vec<T> slope(Vec<T> x, Vec<T> y, T width) {
  if constexpr (K == Loss::CrossEntropy) {
    const Vec<T> spread = x * (T(1) - x), least = splat(T(1e-12));
    return (x - y) / (spread > least ? spread : least);
  } else if constexpr (K == Loss::CrossEntropyOfLogits) {
    return vector_sigmoid<T>(x) - y;
  }
  const Vec<T> d = x - y;
  if constexpr (K == Loss::Square) return d + d;
  else if constexpr (K == Loss::Absolute) return sign_of<T>(d);
  else if constexpr (K == Loss::Smooth) return (d < width) & (d > -width) ? d / width : sign_of<T>(d);
  else return (d <= width) & (d >= -width) ? d : sign_of<T>(d) * width;
}

template <typename T>
struct Run {
  Index count;
  const T* x;
  const T* y;
  T width;
  const T* g;
  bool each;
  T factor;
  T* out;

  /// at(i) for whole vectors of a task, at(i, part) for what is left at the end.
  template <typename F>
  CONVGRAD_INLINE void along(Index from, Index to, const F& at) {
    Index i = from;
    for (; i + kLanes<T> <= to; i += kLanes<T>) at(i);
    if (i < to) at(i, Part<T>(to - i));
  }

  template <Loss K>
  void values(Index from, Index to) const {
    along(from, to, [&](Index i, auto... part) {
      store(out + i, loss<K, T>(load(x + i, part...), load(y + i, part...), width), part...);
    });
  }

  template <Loss K>
  void grads(Index from, Index to) const {
    const Vec<T> common = splat(each ? factor : g[0] * factor);
    along(from, to, [&](Index i, auto... part) {
      const Vec<T> by = each ? load(g + i, part...) * common : common;
      store(out + i, by * slope<K, T>(load(x + i, part...), load(y + i, part...), width), part...);
    });
  }

  template <Loss K>
  void sum(Index from, Index to) const {
    constexpr int L = kLanes<T>;
    Pairs<Sum, T> pairs;
    Index i = from;
    for (; i + 32 * L <= to; i += 32 * L) {
      Vec<T> a[4] = {};
      for (Index j = i; j < i + 32 * L; j += 4 * L) {
        CONVGRAD_UNROLL
        for (int k = 0; k < 4; k++) a[k] += loss<K, T>(load(x + j + k * L), load(y + j + k * L), width);
      }
      pairs.push(joined<T, Sum, 4>(a));
    }
    Vec<T> last{};
    for (; i + L <= to; i += L) last += loss<K, T>(load(x + i), load(y + i), width);
    if (i < to) {
      const Part<T> part(to - i);
      last += completed(loss<K, T>(load(x + i, part), load(y + i, part), width), part, T(0));
    }
    out[from / kTask] = lanes_joined<Sum, T>(pairs.total(last))[0];
  }
};

enum class Wanted { Values, Sum, Grads };

template <Wanted W, Loss K, typename T>
void run_loss(Run<T>& run, Index nanoseconds_each) {
  parallel_for(
      ceil_div(run.count, kTask),
      [](void* context, Index task) {
        const auto& r = *static_cast<Run<T>*>(context);
        const Index from = task * kTask, to = min(r.count, from + kTask);
        if constexpr (W == Wanted::Values) r.template values<K>(from, to);
        else if constexpr (W == Wanted::Sum) r.template sum<K>(from, to);
        else r.template grads<K>(from, to);
      },
      &run, run.count * nanoseconds_each / 4);
}

template <Wanted W, typename T>
void run_kind(Loss kind, Run<T> run) {
  switch (kind) {
    case Loss::Square:
      return run_loss<W, Loss::Square>(run, 1);
    case Loss::Absolute:
      return run_loss<W, Loss::Absolute>(run, 1);
    case Loss::Smooth:
      return run_loss<W, Loss::Smooth>(run, 1);
    case Loss::Huber:
      return run_loss<W, Loss::Huber>(run, 1);
    case Loss::CrossEntropy:
      return run_loss<W, Loss::CrossEntropy>(run, 4);
    case Loss::CrossEntropyOfLogits:
      return run_loss<W, Loss::CrossEntropyOfLogits>(run, 4);
  }
}

}  // namespace

template <typename T>
void losses(Loss kind, Index count, const T* x, const T* y, T width, T* out) {
  run_kind<Wanted::Values>(kind, Run<T>{count, x, y, width, nullptr, false, 1, out});
}

template <typename T>
T loss_sum(Loss kind, Index count, const T* x, const T* y, T width) {
  const Index tasks = ceil_div(count, kTask);
  T* parts = static_cast<T*>(scratch(Scratch::Shared, sizeof(T) * std::size_t(tasks)));
  run_kind<Wanted::Sum>(kind, Run<T>{count, x, y, width, nullptr, false, 1, parts});
  return tasks == 1 ? parts[0] : fold_row<Sum, T>(parts, tasks, rest_of<T>(tasks))[0];
}

template <typename T>
void loss_grad(Loss kind, Index count, const T* x, const T* y, T width, const T* g, bool each, T factor,
               T* out) {
  run_kind<Wanted::Grads>(kind, Run<T>{count, x, y, width, g, each, factor, out});
}

template void losses(Loss, Index, const float*, const float*, float, float*);
template void losses(Loss, Index, const double*, const double*, double, double*);
template float loss_sum(Loss, Index, const float*, const float*, float);
template double loss_sum(Loss, Index, const double*, const double*, double);
template void loss_grad(Loss, Index, const float*, const float*, float, const float*, bool, float, float*);
template void loss_grad(Loss, Index, const double*, const double*, double, const double*, bool, double,
                        double*);

}  // namespace convgrad::CONVGRAD_ISA
