// attention.cpp - a task takes a head: its scores, their softmax and the mixture stay in the cache, some
// queries at a time.
//
// Backward computes the weights anew from the scores and the logarithm of their sum (Rabe & Staats 2021,
// arXiv:2112.05682): no array of all scores is ever written. Work is cut by the shape alone.
#include "attention.hpp"

#include "lanes.hpp"
#include "logarithm.hpp"
#include "panels.hpp"
#include "row_folds.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

constexpr Index kDepth = 512;          // products in one chain of additions
constexpr Index kBlockScores = 16384;  // of some queries, that are worked at together
constexpr Index kLeastRows = 8, kMostRows = 48;
constexpr Index kTaskQueries = 192;

/// Pieces of one stretch of memory; without one, only their size is found.
template <typename T>
struct Room {
  T* memory;
  Index taken = 0;

  T* take(Index count) {
    T* piece = memory ? memory + taken : nullptr;
    taken += round_up(count, kLanes<T>);
    return piece;
  }
};

/// 0, step, 2 step, ...: where the entries of a row of the first factor lie.
struct Places {
  Index step;
  std::int32_t at[kDepth];
  explicit Places(Index step, Index count) : step(step) {
    for (Index k = 0; k < min(kDepth, count); k++) at[k] = std::int32_t(k * step);
  }
};

/// A second factor (depth, columns), packed in panels.
template <typename T>
struct Packed {
  static constexpr int L = kLanes<T>;
  Index depth, columns;
  Panels panels;
  T* packed;

  Packed(Index depth, Index columns, Room<T>& room)
      : depth(depth),
        columns(columns),
        panels(Panels::of(ceil_div(columns, L))),
        packed(room.take(depth * width())) {}

  /// Entries of a row of results.
  Index width() const { return panels.vectors * L; }

  /// b[k][j] = from[j * row + k], of `columns` rows.
  void pack_turned(const T* from, Index row) const {
    const T* end = from + (columns - 1) * row + depth;
    each_vector([&](Index lane, T* to, Index step) {
      pack_lanes(to, step, from + lane * row, row, min(L, columns - lane), depth, end);
    });
  }
  /// b[k][j] = from[k * row + j], of `rows` rows.
  void pack(const T* from, Index row, Index rows) const {
    each_vector([&](Index lane, T* to, Index step) {
      const Part<T> part(min(L, columns - lane));
      for (Index k = 0; k < rows; k++) store(to + k * step, load(from + k * row + lane, part));
    });
  }

  /// out (+)= a times the first `rows_of_b` rows of this.
  void times(const T* a, Index a_row, Index rows, const Places& places, Index rows_of_b, T* out,
             bool add) const {
    for (Index p = 0; p < panels.count; p++) {
      const Index column = panels.start(p) * L, step = panels.width(p) * L;
      for (Index k = 0; k < rows_of_b; k += kDepth)
        multiply_rows(a + k * places.step, a_row, rows, places.at, min(kDepth, rows_of_b - k),
                      packed + column * depth + k * step, panels.width(p), out + column, width(),
                      add || k > 0);
    }
  }

 private:
  /// each(first lane, where the vector's first entry goes, the step to the next)
  template <typename F>
  void each_vector(const F& each) const {
    for (Index p = 0; p < panels.count; p++) {
      const Index start = panels.start(p) * L, step = panels.width(p) * L;
      for (int v = 0; v < panels.width(p); v++) each(start + v * L, packed + start * depth + v * L, step);
    }
  }
};

template <typename P>
CONVGRAD_INLINE P* from(P* p, Index i) {
  return p ? p + i : p;
}

/// One head of one batch.
struct Head {
  const AttentionView& v;
  Index batch, head;

  Index of(const Stack& s) const { return batch * s.batch + head * s.head; }
  Index queries() const { return (batch * v.heads + head) * v.queries; }
};

Index rows_together(const AttentionView& v) { return max(kLeastRows, min(kMostRows, kBlockScores / v.keys)); }

/// each(first, count) for all vectors of a row that has `keys` entries.
template <typename T, typename F>
CONVGRAD_INLINE void for_vectors(Index keys, const F& each) {
  constexpr Index L = kLanes<T>;
  Index j = 0;
  for (; j + L <= keys; j += L) each(j, L);
  if (j < keys) each(j, keys - j);
}

/// A vector of scaled scores with the mask added; minus infinity beyond the last key.
template <typename T>
CONVGRAD_INLINE Vec<T> score(const T* row, const T* mask, T scale, Index j, Index count) {
  Vec<T> s = load(row + j) * scale;
  if (mask) s += load_some(mask + j, count);
  return count == kLanes<T> ? s : completed(s, Part<T>(count), T(-__builtin_inf()));
}

// ---- forward

template <typename T>
struct Forward {
  const AttentionView& v;
  const Attention<T>& data;
  Index parts;  // tasks of a head

  Forward(const AttentionView& v, const Attention<T>& data)
      : v(v), data(data), parts(ceil_div(v.queries, kTaskQueries)) {}

  struct Memory {
    Packed<T> keys, values;
    T *scores, *mixture;
    Memory(const AttentionView& v, Room<T>& room)
        : keys(v.width, v.keys, room),
          values(v.keys, v.features, room),
          scores(room.take(rows_together(v) * keys.width())),
          mixture(room.take(rows_together(v) * values.width())) {}
  };

  void run(Index task) const {
    const Head head{v, task / parts / v.heads, task / parts % v.heads};
    Room<T> counted{nullptr};
    Memory{v, counted};
    Room<T> room{static_cast<T*>(scratch(Scratch::Task, counted.taken * sizeof(T)))};
    const Memory memory(v, room);
    memory.keys.pack_turned(data.k + head.of(v.k), v.k.row);
    memory.values.pack(data.v + head.of(v.v), v.v.row, v.keys);
    const Places places(1, max(v.width, v.keys));
    const Index part = task % parts, last = (part + 1) * v.queries / parts, most = rows_together(v);
    for (Index first = part * v.queries / parts; first < last; first += most)
      mix(head, memory, places, first, min(most, last - first));
  }

  void mix(const Head& head, const Memory& memory, const Places& places, Index first, Index rows) const {
    const Index width = memory.keys.width(), mixed = memory.values.width();
    T sums[kMostRows];
    memory.keys.times(data.q + head.of(v.q) + first * v.q.row, v.q.row, rows, places, v.width, memory.scores,
                      false);
    for (Index i = 0; i < rows; i++)
      sums[i] =
          exponentials(memory.scores + i * width, from(data.mask, head.of(v.mask) + (first + i) * v.mask.row),
                       from(data.noise, (head.queries() + first + i) * v.keys),
                       from(data.norm, head.queries() + first + i));
    memory.values.times(memory.scores, width, rows, places, v.keys, memory.mixture, false);
    for (Index i = 0; i < rows; i++) {
      T* to = data.out + head.of(v.out) + (first + i) * v.out.row;
      const T by = sums[i] == T(0) ? T(0) : T(1) / sums[i];
      for_vectors<T>(v.features, [&](Index j, Index count) __attribute__((always_inline)) {
        store_some(to + j, load(memory.mixture + i * mixed + j) * by, count);
      });
    }
  }

  /// Scores to e^(score - the largest), times noise; returns the sum without noise.
  T exponentials(T* row, const T* mask, const T* noise, T* norm) const {
    const T scale = T(v.scale), lowest = T(-__builtin_inf());
    Vec<T> most = splat(T(0)) + lowest;
    for_vectors<T>(v.keys, [&](Index j, Index count) __attribute__((always_inline)) {
      const Vec<T> s = score<T>(row, mask, scale, j, count);
      store(row + j, s);
      most = Most::join(most, s);
    });
    most = lanes_joined<Most, T>(most);
    const Vec<T> top = most == lowest ? Vec<T>{} : most;
    Vec<T> sum{}, some{};
    for_vectors<T>(v.keys, [&](Index j, Index count) __attribute__((always_inline)) {
      const Vec<T> e = vector_exp<T>(load(row + j) - top);
      some += e;
      store(row + j, noise ? e * load_some(noise + j, count) : e);
      if (j / kLanes<T> % 64 == 63) sum += some, some = Vec<T>{};  // long chains of additions round more
    });
    sum = lanes_joined<Sum, T>(sum + some);
    if (norm) *norm = sum[0] == T(0) ? -lowest : (top + vector_log<T>(sum))[0];
    return sum[0];
  }
};

// ---- backward

template <typename T>
struct Backward {
  const AttentionView& v;
  const AttentionGrad<T>& data;

  struct Memory {
    Packed<T> keys_turned, values_turned, keys, queries, gradients;
    T *weights, *slopes, *gq, *gk, *gv;
    Memory(const AttentionView& v, Room<T>& room)
        : keys_turned(v.width, v.keys, room),
          values_turned(v.features, v.keys, room),
          keys(v.keys, v.width, room),
          queries(rows_together(v), v.width, room),
          gradients(rows_together(v), v.features, room),
          weights(room.take(rows_together(v) * keys_turned.width())),
          slopes(room.take(rows_together(v) * keys_turned.width())),
          gq(room.take(rows_together(v) * keys.width())),
          gk(room.take(v.keys * queries.width())),
          gv(room.take(v.keys * gradients.width())) {}
  };

  void run(Index task) const {
    const Head head{v, task / v.heads, task % v.heads};
    Room<T> counted{nullptr};
    Memory{v, counted};
    Room<T> room{static_cast<T*>(scratch(Scratch::Task, counted.taken * sizeof(T)))};
    const Memory memory(v, room);
    const T* keys = data.k + head.of(v.k);
    memory.keys_turned.pack_turned(keys, v.k.row);
    memory.values_turned.pack_turned(data.v + head.of(v.v), v.v.row);
    memory.keys.pack(keys, v.k.row, v.keys);
    const Places along(1, max(v.keys, max(v.width, v.features)));
    const Places down(memory.keys_turned.width(), kMostRows);
    const Index most = rows_together(v);
    for (Index first = 0; first < v.queries; first += most)
      pull(head, memory, along, down, first, min(most, v.queries - first));
    if (data.gk) put(memory.gk, memory.queries.width(), v.keys, v.width, data.gk, data.gk_steps, head, 0);
    if (data.gv)
      put(memory.gv, memory.gradients.width(), v.keys, v.features, data.gv, data.gv_steps, head, 0);
  }

  void pull(const Head& head, const Memory& memory, const Places& along, const Places& down, Index first,
            Index rows) const {
    const Index width = memory.keys_turned.width(), g_row = data.g_steps.row;
    const T* q = data.q + head.of(v.q) + first * v.q.row;
    const T* g = data.g + head.of(data.g_steps) + first * g_row;
    memory.keys_turned.times(q, v.q.row, rows, along, v.width, memory.weights, false);
    memory.values_turned.times(g, g_row, rows, along, v.features, memory.slopes, false);
    for (Index i = 0; i < rows; i++) {
      const Index query = head.queries() + first + i;
      slope_row(memory.weights + i * width, memory.slopes + i * width,
                from(data.mask, head.of(v.mask) + (first + i) * v.mask.row), from(data.noise, query * v.keys),
                data.norm[query],
                product(g + i * g_row, data.out + head.of(v.out) + (first + i) * v.out.row));
    }
    if (data.gq) {
      memory.keys.times(memory.slopes, width, rows, along, v.keys, memory.gq, false);
      put(memory.gq, memory.keys.width(), rows, v.width, data.gq, data.gq_steps, head, first);
    }
    if (data.gk) {
      memory.queries.pack(q, v.q.row, rows);
      memory.queries.times(memory.slopes, 1, v.keys, down, rows, memory.gk, first > 0);
    }
    if (data.gv) {
      memory.gradients.pack(g, g_row, rows);
      memory.gradients.times(memory.weights, 1, v.keys, down, rows, memory.gv, first > 0);
    }
  }

  /// The sum over a query's features of the products of its result and that result's gradient.
  T product(const T* g, const T* out) const {
    Vec<T> sum{};
    for_vectors<T>(v.features, [&](Index j, Index count) __attribute__((always_inline)) {
      sum += load_some(g + j, count) * load_some(out + j, count);
    });
    return sum_of_lanes<T>(sum);
  }

  /// Scores to weights (times noise), and the gradients of weights to those of products of q and k.
  void slope_row(T* weights, T* slopes, const T* mask, const T* noise, T norm, T mean) const {
    const T scale = T(v.scale);
    for_vectors<T>(v.keys, [&](Index j, Index count) __attribute__((always_inline)) {
      const Vec<T> p = vector_exp<T>(score<T>(weights, mask, scale, j, count) - norm);
      Vec<T> slope = load(slopes + j), kept = p;
      if (noise) {
        const Vec<T> factor = load_some(noise + j, count);
        slope *= factor;
        kept *= factor;
      }
      store(weights + j, kept);
      store(slopes + j, p * (slope - mean) * scale);
    });
  }

  /// Rows from scratch to where they belong.
  void put(const T* rows, Index step, Index count, Index columns, T* to, const Stack& steps, const Head& head,
           Index first) const {
    for (Index i = 0; i < count; i++) {
      T* row = to + head.of(steps) + (first + i) * steps.row;
      for_vectors<T>(columns, [&](Index j, Index n) __attribute__((always_inline)) {
        store_some(row + j, load(rows + i * step + j), n);
      });
    }
  }
};

template <typename Job>
void run_all(Job& job, Index tasks, Index nanoseconds) {
  parallel_for(
      tasks, [](void* context, Index task) { static_cast<const Job*>(context)->run(task); }, &job,
      nanoseconds);
}

template <typename T>
void forward(const AttentionView& v, const Attention<T>& data) {
  Forward<T> job(v, data);
  run_all(job, v.batch * v.heads * job.parts, v.nanoseconds(1));
}
template <typename T>
void backward(const AttentionView& v, const AttentionGrad<T>& data) {
  Backward<T> job{v, data};
  run_all(job, v.batch * v.heads, v.nanoseconds(3));
}

}  // namespace

template <typename T>
Attentions<T> attention_functions() {
  return {forward<T>, backward<T>};
}

template Attentions<float> attention_functions<float>();
template Attentions<double> attention_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
