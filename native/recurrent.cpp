// recurrent.cpp - recurrent layers: a task takes a few sequences and walks through all their steps.
//
// Sequences never meet, so threads wait for nobody on the way. The weights are packed once per call; a step
// is their product with the input and the state, into scratch that stays in the cache, and one pass over the
// gates. Columns lie in blocks of one gate each, padded to whole vectors. A GRU has four blocks, n of the
// input, r, z, n of the state: the input's product falls on the first three, the state's on the last three.
#include "recurrent.hpp"

#include "elementary.hpp"
#include "panels.hpp"
#include "parallel.hpp"

namespace convgrad::CONVGRAD_ISA {

/// Most sequences of a task, and how many rows of input are multiplied at once where the sequences are few.
inline constexpr Index kMostRows = 16, kLeastRows = 4;

template <Cell C>
inline constexpr int kGates = C == Cell::Lstm  ? 4
                              : C == Cell::Gru ? 3
                                               : 1;
template <Cell C>
inline constexpr int kBlocks = C == Cell::Gru ? 4 : kGates<C>;

/// out[i][j] (+)= sum over k of a[i][k] * b[k][j], b packed in panels.
template <typename T>
struct Product {
  const T* packed;
  const std::int32_t* places;  // 0, 1, 2, ...: entries of a row follow each other
  Index depth, vectors;

  static Index elements(Index depth, Index vectors) { return depth * vectors * kLanes<T>; }

  void run(const T* a, Index a_step, Index rows, T* out, Index out_step, bool add) const {
    const Panels panels = Panels::of(vectors);
    for (Index p = 0; p < panels.count; p++) {
      const Index column = panels.start(p) * kLanes<T>;
      multiply_rows(a, a_step, rows, places, depth, packed + column * depth, panels.width(p), out + column,
                    out_step, add);
    }
  }
};

/// Where vector v of all columns lies in packed panels, and the step from one row of b to the next there.
template <typename T>
struct Column {
  Index at, step;
  Column(Index v, Index vectors, Index depth) {
    const Panels panels = Panels::of(vectors);
    Index p = 0;
    while (p + 1 < panels.count && panels.start(p + 1) <= v) p++;
    step = panels.width(p) * kLanes<T>;
    at = panels.start(p) * kLanes<T> * depth + (v - panels.start(p)) * kLanes<T>;
  }
};

/// Pack the transpose of w, (gates * width, depth): gate g goes to block g, or with `turned` (a GRU's input)
/// n, r, z are the order.
template <typename T>
static void pack_transposed(T* packed, const T* w, Index gates, Index width, Index depth, bool turned) {
  constexpr Index L = kLanes<T>;
  const Index block = ceil_div(width, L);
  const T* end = w + gates * width * depth;
  for (Index b = 0; b < gates; b++) {
    const Index gate = turned ? (b + 2) % 3 : b;
    for (Index v = 0; v < block; v++) {
      const Column<T> column(b * block + v, gates * block, depth);
      pack_lanes(packed + column.at, column.step, w + (gate * width + v * L) * depth, depth,
                 min(L, width - v * L), depth, end);
    }
  }
}

/// Pack w, (depth, width), as it is; lanes past the width are zero.
template <typename T>
static void pack_plain(T* packed, const T* w, Index depth, Index width) {
  constexpr Index L = kLanes<T>;
  const Index vectors = ceil_div(width, L);
  for (Index v = 0; v < vectors; v++) {
    const Column<T> column(v, vectors, depth);
    const Part<T> part(min(L, width - v * L));
    for (Index k = 0; k < depth; k++)
      store(packed + column.at + k * column.step, load(w + k * width + v * L, part));
  }
}

/// The sums of both biases by block, zeros where there are none.
template <typename T, Cell C>
static void pack_biases(T* packed, const T* b_ih, const T* b_hh, Index width) {
  const Index padded = round_up(width, kLanes<T>);
  for (Index i = 0; i < kBlocks<C> * padded; i++) packed[i] = 0;
  for (int b = 0; b < kBlocks<C>; b++) {
    // a GRU: n of the input, r and z of both, n of the state
    const int gate = C == Cell::Gru ? (b + 2) % 3 : b;
    const bool input = C != Cell::Gru || b < 3, state = C != Cell::Gru || b > 0;
    for (Index j = 0; j < width; j++) {
      if (input && b_ih) packed[b * padded + j] += b_ih[gate * width + j];
      if (state && b_hh) packed[b * padded + j] += b_hh[gate * width + j];
    }
  }
}

/// How the sequences are cut: by their number alone.
struct Cut {
  Index rows, tasks;
  explicit Cut(Index sequences)
      : rows(max(kLeastRows, min(kMostRows, ceil_div(sequences, 2)))), tasks(ceil_div(sequences, rows)) {}
};

/// The rows of the sequences [first, first + most) through the steps of a walk.
struct Rows {
  const Walk& walk;
  Index first, most, step, start;  // step: of the walk's order; start: of the step's rows among all

  Rows(const Walk& walk, Index first, Index most, bool from_end)
      : walk(walk),
        first(first),
        most(min(most, walk.sequences - first)),
        step(from_end ? walk.steps : -1),
        start(walk.reverse != from_end ? walk.total : 0) {}

  Index time(Index step) const { return walk.reverse ? walk.steps - 1 - step : step; }
  Index count_at(Index step) const { return max(0, min(most, walk.counts[time(step)] - first)); }
  Index count() const { return count_at(step); }
  Index at() const { return start + first; }
  void forward() {
    const bool begun = step++ >= 0;
    if (walk.reverse) start -= walk.counts[time(step)];
    else if (begun) start += walk.counts[time(step - 1)];
  }
  void backward() {
    const bool begun = step-- < walk.steps;
    if (!walk.reverse) start -= walk.counts[time(step)];
    else if (begun) start += walk.counts[time(step + 1)];
  }
  /// Of the step before: the first row of these sequences, and how many there are.
  Index before() const {
    const Index own = walk.counts[time(step)];
    return first + (walk.reverse ? start + own : start - (step > 0 ? walk.counts[time(step - 1)] : 0));
  }
  Index count_before() const { return step > 0 ? count_at(step - 1) : 0; }
};

template <typename T>
static void copy_rows(T* to, Index to_step, const T* from, Index from_step, Index rows, Index width) {
  for (Index i = 0; i < rows; i++)
    __builtin_memcpy(to + i * to_step, from + i * from_step, width * sizeof(T));
}

/// An operand from a place on; null if it is not there.
template <typename T>
CONVGRAD_INLINE T* from(T* operand, Index place) {
  return operand ? operand + place : operand;
}

// ---- forward

/// What a task reads and writes of one row at one step; z: the sums of products, in blocks of `padded`.
template <typename T>
struct ForwardRow {
  const T* z;
  Index padded, width;
  T *gates, *cells, *out, *h, *c;  // h and c: the state, before and after
};

template <typename T, Cell C, typename At>
CONVGRAD_INLINE void activate(const ForwardRow<T>& r, Index u, At at) {
  const T* z = r.z + u;
  Vec<T> h;
  if constexpr (C == Cell::Lstm) {
    const Vec<T> i = vector_sigmoid<T>(load(z)), f = vector_sigmoid<T>(load(z + r.padded));
    const Vec<T> g = vector_tanh<T>(load(z + 2 * r.padded)), o = vector_sigmoid<T>(load(z + 3 * r.padded));
    const Vec<T> c = f * load(r.c + u) + i * g;
    h = o * vector_tanh<T>(c);
    T* gates = r.gates + u;
    at.put(gates, i);
    at.put(gates + r.width, f);
    at.put(gates + 2 * r.width, g);
    at.put(gates + 3 * r.width, o);
    at.put(r.cells + u, c);
    store(r.c + u, c);
  } else if constexpr (C == Cell::Gru) {
    const Vec<T> inner = load(z + 3 * r.padded), reset = vector_sigmoid<T>(load(z + r.padded));
    const Vec<T> update = vector_sigmoid<T>(load(z + 2 * r.padded));
    const Vec<T> n = vector_tanh<T>(load(z) + reset * inner);
    h = n + update * (load(r.h + u) - n);
    T* gates = r.gates + u;
    at.put(gates, reset);
    at.put(gates + r.width, update);
    at.put(gates + 2 * r.width, n);
    at.put(r.cells + u, inner);
  } else {
    h = C == Cell::Tanh ? vector_tanh<T>(load(z)) : activated<T>(load(z), Activation::Relu);
  }
  at.put(r.out + u, h);
  store(r.h + u, h);
}

template <typename T, Cell C>
static void activate_row(const ForwardRow<T>& r) {
  constexpr int L = kLanes<T>;
  Index u = 0;
  for (; u + L <= r.width; u += L) activate<T, C>(r, u, Whole<T>());
  if (u < r.width) activate<T, C>(r, u, First<T>(r.width - u));
}

template <typename T, Cell C>
struct ForwardJob {
  const Walk& walk;
  const Recurrence<T>& data;
  Product<T> of_input, of_state;
  const T* biases;
  Cut cut;
  Index padded, together;  // together: steps whose input is multiplied at once

  static constexpr Index z_width(Index padded) { return kBlocks<C> * padded; }

  /// z of the rows of the steps from the one that `rows` is at: biases, and the input's part.
  void begin(T* z, const Rows& rows, Index steps, Index& lowest) const {
    Index count = 0;
    for (Index s = rows.step; s < rows.step + steps; s++) count += rows.count_at(s);
    // where there are several steps, the task has all sequences, and their rows follow each other
    lowest = walk.reverse ? rows.at() + rows.count() - count : rows.at();
    const Index step = z_width(padded);
    for (Index i = 0; i < count; i++) __builtin_memcpy(z + i * step, biases, step * sizeof(T));
    of_input.run(data.x + lowest * walk.inputs, walk.inputs, count, z, step, true);
  }

  void run(Index task) const {
    const Index H = walk.width, step = z_width(padded), state = C == Cell::Gru ? padded : 0;
    Rows rows(walk, task * cut.rows, cut.rows, false);
    const Index z_rows = rows.most * together;
    T* z = static_cast<T*>(scratch(Scratch::Task, (z_rows * step + 2 * rows.most * padded) * sizeof(T)));
    T *h = z + z_rows * step, *c = h + rows.most * padded;
    for (Index i = 0; i < 2 * rows.most * padded; i++) h[i] = 0;
    copy_rows(h, padded, data.h0 + rows.first * H, H, rows.most, H);
    if (C == Cell::Lstm) copy_rows(c, padded, data.c0 + rows.first * H, H, rows.most, H);
    Index lowest = 0;
    for (Index s = 0; s < walk.steps; s++) {
      rows.forward();
      const Index count = rows.count();
      if (count == 0) continue;
      if (s % together == 0) begin(z, rows, min(together, walk.steps - s), lowest);
      T* own = z + (rows.at() - lowest) * step;
      of_state.run(h, padded, count, own + state, step, true);
      for (Index i = 0; i < count; i++) {
        const Index at = rows.at() + i;
        activate_row<T, C>({own + i * step, padded, H, from(data.gates, at * kGates<C> * H),
                            from(data.cells, at * H), data.out + at * H, h + i * padded, c + i * padded});
      }
    }
    copy_rows(data.last_h + rows.first * H, H, h, padded, rows.most, H);
    if (C == Cell::Lstm) copy_rows(data.last_c + rows.first * H, H, c, padded, rows.most, H);
  }
  static void task(void* context, Index t) { static_cast<const ForwardJob*>(context)->run(t); }
};

/// 0, 1, 2, ... and room for packed weights, in shared scratch.
template <typename T>
struct Shared {
  std::int32_t* places;
  T* packed;
  Shared(Index depth, Index elements) {
    const Index bytes = round_up(depth * Index(sizeof(std::int32_t)), 64);
    char* memory = static_cast<char*>(scratch(Scratch::Shared, bytes + elements * sizeof(T)));
    places = reinterpret_cast<std::int32_t*>(memory);
    packed = reinterpret_cast<T*>(memory + bytes);
    for (Index k = 0; k < depth; k++) places[k] = std::int32_t(k);
  }
};

inline constexpr Index kProductsPerNanosecond = 30, kGatesPerNanosecond = 1;

template <typename T, Cell C>
static void forward(const Walk& walk, const Recurrence<T>& data) {
  constexpr int L = kLanes<T>;
  const Index H = walk.width, I = walk.inputs, block = ceil_div(H, L), vectors = kGates<C> * block;
  const Index of_input = Product<T>::elements(I, vectors), of_state = Product<T>::elements(H, vectors);
  const Shared<T> shared(max(I, H), of_input + of_state + kBlocks<C> * block * L);
  T *state = shared.packed + of_input, *biases = state + of_state;
  pack_transposed(shared.packed, data.w_ih, kGates<C>, H, I, C == Cell::Gru);
  pack_transposed(state, data.w_hh, kGates<C>, H, H, false);
  pack_biases<T, C>(biases, data.b_ih, data.b_hh, H);
  const Cut cut(walk.sequences);
  const Index together = cut.tasks > 1 ? 1 : ceil_div(kMostRows, walk.sequences);
  ForwardJob<T, C> job{walk,
                       data,
                       {shared.packed, shared.places, I, vectors},
                       {state, shared.places, H, vectors},
                       biases,
                       cut,
                       block * L,
                       together};
  const Index gates = walk.total * kGates<C> * H;
  parallel_for(cut.tasks, ForwardJob<T, C>::task, &job,
               gates * (I + H) / kProductsPerNanosecond + gates / kGatesPerNanosecond);
}

// ---- backward

/// One row at one step: h and c are the gradients of the state, g_out that of the result.
template <typename T>
struct BackwardRow {
  Index width;
  const T *g_out, *gates, *cells, *out, *before;
  T *state_grad, *input_grad, *h, *c;
};

/// The gradients of the sums of products; h is left with what of it goes to the state before past the
/// product.
template <typename T, Cell C, typename At>
CONVGRAD_INLINE void pull(const BackwardRow<T>& r, Index u, At at) {
  const Index H = r.width;
  const T* gates = r.gates + u;
  T* to = r.state_grad + u;
  const Vec<T> gh = load(r.h + u) + at.get(r.g_out + u);
  if constexpr (C == Cell::Lstm) {
    const Vec<T> i = at.get(gates), f = at.get(gates + H), g = at.get(gates + 2 * H),
                 o = at.get(gates + 3 * H);
    const Vec<T> top = vector_tanh<T>(at.get(r.cells + u));
    const Vec<T> gc = load(r.c + u) + gh * (o * (T(1) - top * top));
    at.put(to, gc * (i * (T(1) - i) * g));
    at.put(to + H, gc * (f * (T(1) - f) * at.get(r.before + u)));
    at.put(to + 2 * H, gc * (i * (T(1) - g * g)));
    at.put(to + 3 * H, gh * (o * (T(1) - o) * top));
    store(r.c + u, gc * f);
    store(r.h + u, Vec<T>{});
  } else if constexpr (C == Cell::Gru) {
    const Vec<T> reset = at.get(gates), update = at.get(gates + H), n = at.get(gates + 2 * H);
    const Vec<T> rest = T(1) - update, along_n = rest * (T(1) - n * n), gn = gh * along_n;
    const Vec<T> gr = gh * (along_n * at.get(r.cells + u) * reset * (T(1) - reset));
    const Vec<T> gu = gh * ((at.get(r.before + u) - n) * update * rest);
    T* input = r.input_grad + u;
    at.put(input, gr);
    at.put(input + H, gu);
    at.put(input + 2 * H, gn);
    at.put(to, gr);
    at.put(to + H, gu);
    at.put(to + 2 * H, gn * reset);
    store(r.h + u, gh * update);
  } else {
    const Vec<T> out = at.get(r.out + u);
    if constexpr (C == Cell::Tanh) at.put(to, gh * (T(1) - out * out));
    else at.put(to, gh * (out > Vec<T>{} ? splat(T(1)) : Vec<T>{}));
    store(r.h + u, Vec<T>{});
  }
}

template <typename T, Cell C>
static void pull_row(const BackwardRow<T>& r) {
  constexpr int L = kLanes<T>;
  Index u = 0;
  for (; u + L <= r.width; u += L) pull<T, C>(r, u, Whole<T>());
  if (u < r.width) pull<T, C>(r, u, First<T>(r.width - u));
}

template <typename T, Cell C>
struct BackwardJob {
  const Walk& walk;
  const RecurrenceGrad<T>& data;
  Product<T> product;
  Cut cut;
  Index padded;

  void run(Index task) const {
    const Index H = walk.width, wide = kGates<C> * H;
    Rows rows(walk, task * cut.rows, cut.rows, true);
    T* h = static_cast<T*>(scratch(Scratch::Task, 2 * rows.most * padded * sizeof(T)));
    T* c = h + rows.most * padded;
    for (Index i = 0; i < 2 * rows.most * padded; i++) h[i] = 0;
    copy_rows(h, padded, data.g_last_h + rows.first * H, H, rows.most, H);
    if (C == Cell::Lstm) copy_rows(c, padded, data.g_last_c + rows.first * H, H, rows.most, H);
    // the state before: of the step before, or where a sequence starts
    const T* states = C == Cell::Lstm ? data.cells : data.out;
    const T* first = (C == Cell::Lstm ? data.c0 : data.h0) + rows.first * H;
    for (Index s = 0; s < walk.steps; s++) {
      rows.backward();
      const Index count = rows.count();
      if (count == 0) continue;
      const Index known = rows.count_before(), before = rows.before();
      for (Index i = 0; i < count; i++) {
        const Index at = rows.at() + i;
        pull_row<T, C>({H, data.g_out + at * H, from(data.gates, at * wide), from(data.cells, at * H),
                        data.out + at * H, i < known ? states + (before + i) * H : first + i * H,
                        data.state_grad + at * wide, from(data.input_grad, at * wide), h + i * padded,
                        c + i * padded});
      }
      product.run(data.state_grad + rows.at() * wide, wide, count, h, padded, true);
    }
    copy_rows(data.g_h0 + rows.first * H, H, h, padded, rows.most, H);
    if (C == Cell::Lstm) copy_rows(data.g_c0 + rows.first * H, H, c, padded, rows.most, H);
  }
  static void task(void* context, Index t) { static_cast<const BackwardJob*>(context)->run(t); }
};

template <typename T, Cell C>
static void backward(const Walk& walk, const RecurrenceGrad<T>& data) {
  constexpr int L = kLanes<T>;
  const Index H = walk.width, depth = kGates<C> * H, vectors = ceil_div(H, L);
  const Shared<T> shared(depth, Product<T>::elements(depth, vectors));
  pack_plain(shared.packed, data.w_hh, depth, H);
  const Cut cut(walk.sequences);
  BackwardJob<T, C> job{walk, data, {shared.packed, shared.places, depth, vectors}, cut, vectors * L};
  const Index gates = walk.total * depth;
  parallel_for(cut.tasks, BackwardJob<T, C>::task, &job,
               gates * H / kProductsPerNanosecond + gates / kGatesPerNanosecond);
}

// ---- products over all steps

/// How many of `all` a task takes: about eight tasks, each neither tiny nor beyond the cache.
CONVGRAD_INLINE Index share(Index all, Index least) { return max(least, min(64, ceil_div(all, 8))); }

template <typename T>
struct RowProductsJob {
  const RowProducts<T>& data;
  Product<T> product;
  Index share;

  static void task(void* context, Index t) {
    const auto& job = *static_cast<const RowProductsJob*>(context);
    const RowProducts<T>& d = job.data;
    const Index first = t * job.share, rows = min(job.share, d.rows - first);
    const Index padded = job.product.vectors * kLanes<T>;
    T* out = static_cast<T*>(scratch(Scratch::Task, rows * padded * sizeof(T)));
    job.product.run(d.a + first * d.depth, d.depth, rows, out, padded, false);
    copy_rows(d.out + first * d.width, d.width, out, padded, rows, d.width);
  }
};

template <typename T>
static void row_products(const RowProducts<T>& data) {
  const Index vectors = ceil_div(data.width, kLanes<T>);
  const Shared<T> shared(data.depth, Product<T>::elements(data.depth, vectors));
  pack_plain(shared.packed, data.b, data.depth, data.width);
  RowProductsJob<T> job{data, {shared.packed, shared.places, data.depth, vectors}, share(data.rows, 16)};
  parallel_for(ceil_div(data.rows, job.share), RowProductsJob<T>::task, &job,
               data.rows * data.depth * data.width / kProductsPerNanosecond);
}

/// A task has some rows of the result. Rows of both operands are packed a chunk at a time.
template <typename T>
struct WeightGradJob {
  const WeightGrad<T>& data;
  Index share;

  static constexpr Index kChunk = 256;
  static constexpr int L = kLanes<T>;

  /// g of the chunk's rows and this task's columns, evenly spaced; adds to the sums.
  static void pack_columns(T* packed, Index padded, const WeightGrad<T>& d, Index k, Index count, Index at,
                           Index columns, T* sums) {
    for (Index u = 0; u < columns; u += L) {
      const Part<T> part(min(L, columns - u));
      Vec<T> sum{};
      for (Index i = 0; i < count; i++) {
        const Vec<T> v = load(d.g + (k + i) * d.height + at + u, part);
        store(packed + i * padded + u, v);
        sum += v;
      }
      store(sums + u, load<T>(sums + u) + sum);
    }
  }
  static void pack_rows(T* packed, Index vectors, const WeightGrad<T>& d, Index k, Index count) {
    const Panels panels = Panels::of(vectors);
    for (Index i = 0; i < count; i++) {
      const T* row = d.row(k + i);
      for (Index p = 0; p < panels.count; p++) {
        const Index from = panels.start(p) * L, width = panels.width(p) * L;
        T* to = packed + from * count + i * width;
        for (Index u = 0; u < width; u += L)
          store(to + u, from + u + L <= d.width ? load(row + from + u)
                                                : load(row + from + u, Part<T>(d.width - from - u)));
      }
    }
  }
  void run(Index task) const {
    const WeightGrad<T>& d = data;
    const Index at = task * share, columns = min(share, d.height - at), vectors = ceil_div(d.width, L);
    const Index padded = round_up(columns, L), width = vectors * L, most = min(kChunk, d.rows);
    const Index elements = most * padded + most * width + columns * width + padded;
    T* g = static_cast<T*>(scratch(Scratch::Task, elements * sizeof(T) + most * sizeof(std::int32_t)));
    T *x = g + most * padded, *out = x + most * width, *sums = out + columns * width;
    auto* places = reinterpret_cast<std::int32_t*>(sums + padded);
    for (Index k = 0; k < most; k++) places[k] = std::int32_t(k * padded);
    for (Index i = 0; i < padded; i++) sums[i] = 0;
    for (Index k = 0; k < d.rows; k += most) {
      const Index count = min(most, d.rows - k);
      pack_columns(g, padded, d, k, count, at, columns, sums);
      pack_rows(x, vectors, d, k, count);
      Product<T>{x, places, count, vectors}.run(g, 1, columns, out, width, k > 0);
    }
    copy_rows(d.out + at * d.width, d.width, out, width, columns, d.width);
    for (Index i = 0; i < columns; i++) d.sums[at + i] = sums[i];
  }
  static void task(void* context, Index t) { static_cast<const WeightGradJob*>(context)->run(t); }
};

template <typename T>
static void weight_grad(const WeightGrad<T>& data) {
  WeightGradJob<T> job{data, share(data.height, 8)};
  parallel_for(ceil_div(data.height, job.share), WeightGradJob<T>::task, &job,
               data.rows * data.height * data.width / kProductsPerNanosecond);
}

template <typename T>
Recurrent<T> recurrent_functions() {
  return {{forward<T, Cell::Tanh>, forward<T, Cell::Relu>, forward<T, Cell::Lstm>, forward<T, Cell::Gru>},
          {backward<T, Cell::Tanh>, backward<T, Cell::Relu>, backward<T, Cell::Lstm>, backward<T, Cell::Gru>},
          row_products<T>,
          weight_grad<T>};
}

template Recurrent<float> recurrent_functions<float>();
template Recurrent<double> recurrent_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
