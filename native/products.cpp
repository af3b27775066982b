// products.cpp - matrix products: b is packed into panels of a few vectors, a is read where it lies. Where a
// has few rows, packing would take longer than the product: then b is read where it lies, too.
//
// Work is cut and sums are ordered by the shape alone. Source of the loops around the tile: Goto & van de
// Geijn 2008, Anatomy of high-performance matrix multiplication.
#include "products.hpp"

#include "panels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

constexpr Index kDepth = 512;         // products in one chain of additions
constexpr Index kRows = 48;           // rows of a task
constexpr Index kTaskPanels = 8;      // panels of a task
constexpr int kFewRows = 4;           // of a, up to which b is not packed
constexpr Index kColumns = 512;       // of a task, where b is read row by row
constexpr Index kPackShared = 65536;  // elements from which packing is shared out

template <typename T>
struct Product {
  const ProductView& v;
  const Operands<T>& data;
  static constexpr int L = kLanes<T>;

  /// The bias of some columns, zeros where there is none.
  Vec<T> bias(Index column, Index lanes) const {
    if (!data.bias) return Vec<T>{};
    return lanes == L ? load(data.bias + column) : load(data.bias + column, Part<T>(lanes));
  }
};

// ---- many rows: packed panels

template <typename T>
struct Packed : Product<T> {
  using Product<T>::v;
  using Product<T>::data;
  using Product<T>::L;
  Panels panels;
  T* packed;

  Packed(const ProductView& view, const Operands<T>& operands)
      : Product<T>{view, operands}, panels(Panels::of(ceil_div(view.n, L))), packed(nullptr) {}

  T* panel_start(Index panel) const { return packed + panels.start(panel) * L * v.k; }

  static void pack(void* context, Index panel) {
    const auto& self = *static_cast<const Packed*>(context);
    const ProductView& v = self.v;
    const int width = self.panels.width(panel);
    const T* end = self.data.second + (v.k - 1) * v.b_step + (v.n - 1) * v.b_column + 1;
    for (int vector = 0; vector < width; vector++) {
      const Index lane = (self.panels.start(panel) + vector) * L, lanes = min(L, v.n - lane);
      const T* from = self.data.second + lane * v.b_column;
      T* to = self.panel_start(panel) + vector * L;
      if (v.b_step == 1) {
        pack_lanes(to, Index(width) * L, from, v.b_column, lanes, v.k, end);
      } else if (v.b_column == 1) {
        const Part<T> part(lanes);
        for (Index k = 0; k < v.k; k++, to += width * L, from += v.b_step)
          store(to, lanes == L ? load(from) : load(from, part));
      } else {
        for (Index k = 0; k < v.k; k++, to += width * L, from += v.b_step)
          for (Index i = 0; i < L; i++) to[i] = i < lanes ? from[i * v.b_column] : T(0);
      }
    }
  }

  Index row_blocks() const { return ceil_div(v.m, kRows); }
  Index tasks() const { return row_blocks() * ceil_div(panels.count, kTaskPanels); }

  static void multiply(void* context, Index task) {
    const auto& self = *static_cast<const Packed*>(context);
    const ProductView& v = self.v;
    std::int32_t koff[kDepth];
    for (Index k = 0; k < min(kDepth, v.k); k++) koff[k] = std::int32_t(k * v.a_step);
    const Index blocks = self.row_blocks(), first = task % blocks * v.m / blocks,
                rows = (task % blocks + 1) * v.m / blocks - first;
    const Index last = min(self.panels.count, (task / blocks + 1) * kTaskPanels);
    for (Index panel = task / blocks * kTaskPanels; panel < last; panel++)
      self.multiply_panel(panel, first, rows, koff);
  }

  /// Some rows of c in the columns of a panel: straight to their place where whole vectors go there as they
  /// are, else by way of a block of sums.
  void multiply_panel(Index panel, Index first, Index rows, const std::int32_t* koff) const {
    const int width = panels.width(panel);
    const Index column = panels.start(panel) * L, columns = min(Index(width) * L, v.n - column);
    const bool plain = columns == width * L && !data.bias && data.activation == Activation::None;
    T* out = data.out + first * v.n + column;
    T* sums =
        plain ? out : static_cast<T*>(scratch(Scratch::Task, std::size_t(rows) * width * L * sizeof(T)));
    const Index step = plain ? v.n : Index(width) * L;
    const T* b = panel_start(panel);
    for (Index k = 0; k < v.k; k += kDepth)
      multiply_rows(data.first + first * v.a_row + k * v.a_step, v.a_row, rows, koff, min(kDepth, v.k - k),
                    b + k * width * L, width, sums, step, k > 0);
    if (plain) return;
    for (int vector = 0; vector < width; vector++) {
      const Index lanes = min(L, columns - vector * L);
      const Vec<T> add = this->bias(column + vector * L, lanes);
      const Part<T> part(lanes);
      for (Index i = 0; i < rows; i++) {
        const Vec<T> value = activated<T>(load(sums + i * step + vector * L) + add, data.activation);
        T* to = out + i * v.n + vector * L;
        if (lanes == L) store(to, value);
        else store(to, value, part);
      }
    }
  }

  void run() {
    packed = static_cast<T*>(scratch(Scratch::Shared, std::size_t(panels.vectors) * L * v.k * sizeof(T)));
    const Index elements = v.k * v.n;
    if (elements >= kPackShared) {
      parallel_for(panels.count, pack, this, elements / 4);
    } else {
      for (Index panel = 0; panel < panels.count; panel++) pack(this, panel);
    }
    parallel_for(tasks(), multiply, this, v.nanoseconds());
  }
};

// ---- few rows, and b in columns: each result is the product of two lines of memory

template <typename T>
struct Dots : Product<T> {
  using Product<T>::v;
  using Product<T>::data;
  using Product<T>::L;
  static constexpr Index kTask = 64;  // columns

  static void run(void* context, Index task) {
    const auto& self = *static_cast<const Dots*>(context);
    const Index end = min(self.v.n, (task + 1) * kTask);
    for (Index row = 0; row < self.v.m; row++)
      for (Index column = task * kTask; column < end; column += L)
        self.dots(row, column, min(L, end - column));
  }

  /// The results of a row in `count` columns: a vector of sums for each, whose lanes are added across.
  void dots(Index row, Index column, Index count) const {
    const T* a = data.first + row * v.a_row;
    const T* b[L];
    Vec<T> sum[L];
    CONVGRAD_UNROLL
    for (int j = 0; j < L; j++) {  // columns beyond the last are that once more
      b[j] = data.second + (column + min(j, count - 1)) * v.b_column;
      sum[j] = Vec<T>{};
    }
    Index k = 0;
    for (; k + L <= v.k; k += L) {
      const Vec<T> x = load(a + k);
      CONVGRAD_UNROLL
      for (int j = 0; j < L; j++) sum[j] += x * load(b[j] + k);
    }
    if (k < v.k) {
      const Part<T> part(v.k - k);
      const Vec<T> x = load(a + k, part);
      CONVGRAD_UNROLL
      for (int j = 0; j < L; j++) sum[j] += x * load(b[j] + k, part);
    }
    transpose<T>(sum);
    CONVGRAD_UNROLL
    for (int half = L / 2; half > 0; half /= 2) {
      CONVGRAD_UNROLL
      for (int j = 0; j < half; j++) sum[j] += sum[j + half];
    }
    const Vec<T> out = activated<T>(sum[0] + this->bias(column, count), data.activation);
    T* to = data.out + row * v.n + column;
    if (count == L) store(to, out);
    else store(to, out, Part<T>(count));
  }
};

// ---- few rows, and b in rows: each is added to the result, times a number

template <typename T>
struct Additions : Product<T> {
  using Product<T>::v;
  using Product<T>::data;
  using Product<T>::L;

  static void run(void* context, Index task) {
    const auto& self = *static_cast<const Additions*>(context);
    const ProductView& v = self.v;
    const Index first = task * kColumns, columns = min(kColumns, v.n - first);
    for (Index row = 0; row < v.m; row++) self.add_rows(row, first, columns);
  }

  /// One row of c in some columns: four rows of b at a time.
  void add_rows(Index row, Index first, Index columns) const {
    const T* a = data.first + row * v.a_row;
    T* out = data.out + row * v.n + first;
    for (Index k = 0; k < v.k; k += 4) {
      const Index rows = min(4, v.k - k);
      const T* b = data.second + k * v.b_step + first;
      Vec<T> x[4];
      const T* from[4];
      for (Index i = 0; i < 4; i++) {  // beyond the last row it is added again, times zero
        x[i] = splat(i < rows ? a[(k + i) * v.a_step] : T(0));
        from[i] = b + (i < rows ? i : 0) * v.b_step;
      }
      const bool last = k + 4 >= v.k;
      Index j = 0;
      for (; j + L <= columns; j += L) {
        Vec<T> sum = x[0] * load(from[0] + j);
        if (rows > 1) sum += x[1] * load(from[1] + j);
        if (rows > 2) sum += x[2] * load(from[2] + j);
        if (rows > 3) sum += x[3] * load(from[3] + j);
        if (k) sum += load(out + j);
        if (last) sum = activated<T>(sum + this->bias(first + j, L), data.activation);
        store(out + j, sum);
      }
      if (j == columns) continue;
      const Part<T> part(columns - j);
      Vec<T> sum = k ? load(out + j, part) : Vec<T>{};
      for (Index i = 0; i < rows; i++) sum += x[i] * load(from[i] + j, part);
      if (last) sum = activated<T>(sum + this->bias(first + j, columns - j), data.activation);
      store(out + j, sum, part);
    }
  }
};

// ---- two to four rows, and b in rows: sums of all rows stay in registers while b passes by

template <typename T>
struct Few : Product<T> {
  using Product<T>::v;
  using Product<T>::data;
  using Product<T>::L;
  static constexpr int kVectors = kMaxVectors;  // of columns at once
  static constexpr Index kTask = 4 * kVectors * L;

  static void run(void* context, Index task) {
    const auto& self = *static_cast<const Few*>(context);
    const Index end = min(self.v.n, (task + 1) * kTask);
    for (Index column = task * kTask; column < end; column += kVectors * L) {
      const Index columns = min(kVectors * L, end - column);
      if (self.v.m == 2) self.template sums<2>(column, columns);
      else if (self.v.m == 3) self.template sums<3>(column, columns);
      else self.template sums<4>(column, columns);
    }
  }

  template <int ROWS>
  void sums(Index column, Index columns) const {
    const Part<T> part(columns % L ? columns % L : L);
    const int last = int((columns - 1) / L);  // vector, of which that part is there
    Vec<T> total[ROWS][kVectors] = {};
    for (Index start = 0; start < v.k; start += kDepth) {  // long chains of additions round more
      Vec<T> sum[ROWS][kVectors] = {};
      const Index end = min(v.k, start + kDepth);
      for (Index k = start; k < end; k++) {
        const T* b = data.second + k * v.b_step + column;
        Vec<T> line[kVectors];
        CONVGRAD_UNROLL
        for (int j = 0; j < kVectors; j++)
          line[j] = j < last ? load(b + j * L) : j == last ? load(b + j * L, part) : Vec<T>{};
        CONVGRAD_UNROLL
        for (int i = 0; i < ROWS; i++) {
          const Vec<T> x = splat(data.first[i * v.a_row + k * v.a_step]);
          CONVGRAD_UNROLL
          for (int j = 0; j < kVectors; j++) sum[i][j] += x * line[j];
        }
      }
      CONVGRAD_UNROLL
      for (int i = 0; i < ROWS; i++) {
        CONVGRAD_UNROLL
        for (int j = 0; j < kVectors; j++) total[i][j] += sum[i][j];
      }
    }
    CONVGRAD_UNROLL
    for (int i = 0; i < ROWS; i++) {
      CONVGRAD_UNROLL
      for (int j = 0; j < kVectors; j++) {
        if (j > last) continue;
        const Index lanes = j < last ? L : part.to, at = column + j * L;
        const Vec<T> out = activated<T>(total[i][j] + this->bias(at, lanes), data.activation);
        T* to = data.out + i * v.n + at;
        if (lanes == L) store(to, out);
        else store(to, out, part);
      }
    }
  }
};

/// What has few rows, if b lies as one of the ways needs it; false if it does not.
template <typename T>
bool multiply_few_rows(const ProductView& v, const Operands<T>& data) {
  if (v.m > kFewRows) return false;
  if (v.b_step == 1 && v.a_step == 1) {
    Dots<T> dots{{v, data}};
    parallel_for(ceil_div(v.n, Dots<T>::kTask), Dots<T>::run, &dots, v.nanoseconds());
  } else if (v.b_column == 1 && v.m > 1) {
    Few<T> few{{v, data}};
    parallel_for(ceil_div(v.n, Few<T>::kTask), Few<T>::run, &few, v.nanoseconds());
  } else if (v.b_column == 1) {
    Additions<T> additions{{v, data}};
    parallel_for(ceil_div(v.n, kColumns), Additions<T>::run, &additions, v.nanoseconds());
  } else {
    return false;
  }
  return true;
}

/// Few columns: the transposed product has few rows. Its result is turned over.
template <typename T>
bool multiply_few_columns(const ProductView& v, const Operands<T>& data) {
  if (v.n > kFewRows || v.m <= kFewRows) return false;
  const ProductView turned{v.n, v.m, v.k, v.b_column, v.b_step, v.a_step, v.a_row};
  T* sums = static_cast<T*>(scratch(Scratch::Shared, std::size_t(v.n * v.m) * sizeof(T)));
  if (!multiply_few_rows<T>(turned, {data.second, data.first, nullptr, sums, Activation::None})) return false;
  for (Index j = 0; j < v.n; j++) {
    const T bias = data.bias ? data.bias[j] : T(0);
    const bool relu = data.activation == Activation::Relu;
    for (Index i = 0; i < v.m; i++) {
      const T value = sums[j * v.m + i] + bias;
      data.out[i * v.n + j] = relu && value < 0 ? T(0) : value;
    }
  }
  return true;
}

template <typename T>
void multiply(const ProductView& v, const Operands<T>& data) {
  if (!multiply_few_rows(v, data) && !multiply_few_columns(v, data)) Packed<T>(v, data).run();
}

}  // namespace

template <typename T>
Products<T> products_functions() {
  return {multiply<T>};
}

template Products<float> products_functions<float>();
template Products<double> products_functions<double>();

}  // namespace convgrad::CONVGRAD_ISA
