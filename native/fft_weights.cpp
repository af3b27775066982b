// fft_weights.cpp - the gradient of a convolution's weights as sums of products of spectra: x's frames times
// the conjugates of the cotangent's, added up over samples and blocks, and transformed back once per filter.
#include "fft_frames.hpp"
#include "kernels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// Rows are cut into parts, by the shape alone; a task sums one part for some of the filters.
Index parts_of(const FftView& v) { return ceil_div(v.row_units, v.rows_per_task); }
/// A task that sees all rows of its filters keeps the sums to itself, and needs none if they fit one tile.
bool keeps_sums(const FftView& v) { return parts_of(v) == 1 && v.tile < v.row_units; }
Index filter_parts(const FftView& v) { return ceil_div(v.filter_units, v.filters_per_task); }
Index tasks_of(const FftView& v) { return v.groups * filter_parts(v) * parts_of(v); }
/// Bytes of a task's marks for units left out: x's [channel][row unit], y's [filter unit][row unit], any.
Index marks_of(const FftView& v) { return v.rows_per_task * (v.contracted + v.filters_per_task) + 1; }

/// Scratch of a task.
template <typename T>
struct Memory {
  T *stage[2], *work[4];
  T *rows, *cotangents;  // spectra of a tile
  T *sums, *places;
  Index elements;

  Memory(const FftView& v, T* base) {
    Pieces<T> pieces{base};
    const Index n = v.tables.points;
    const bool alone = keeps_sums(v) || parts_of(v) > 1 || v.contracted * v.filters_per_task == 1;
    for (T*& plane : stage) plane = pieces.take_frame(n);
    for (int i = 0; i < 4; i++) work[i] = i == 0 || !alone ? pieces.take(2 * n) : work[0];
    rows = pieces.take(v.tile * v.contracted * 2 * n);
    cotangents = pieces.take(v.tile * v.filters_per_task * 2 * n);
    sums = pieces.take(keeps_sums(v) ? v.filters_per_task * v.contracted * 2 * n : 0);
    places = alone && v.window + kLanes<T> <= 2 * n ? work[0] : pieces.take_frame(v.window);
    elements = pieces.taken;
  }
};

template <typename T>
struct Weights : Units<T> {
  using Units<T>::v;
  using Units<T>::data;
  using Units<T>::L;
  T* sums;  // where there are several parts: [part][group][filter unit][channel]
  unsigned char* marks;

  Index unit() const { return 2 * this->points(); }
  T* sum_of(Index part, Index group, Index m, Index c) const {
    return sums + (((part * v.groups + group) * v.filter_units + m) * v.contracted + c) * unit();
  }

  Memory<T> task_memory() const {
    return {v, static_cast<T*>(scratch(Scratch::Task, sizeof(T) * Memory<T>(v, nullptr).elements))};
  }

  const unsigned char* marks_at(Index group, Index m, Index part) const {
    const Index task = (group * filter_parts(v) + m / v.filters_per_task) * parts_of(v) + part;
    return marks + task * marks_of(v);
  }
  bool is_left_out(Index group, Index m, Index c, Index u) const {
    const unsigned char* here = marks_at(group, m, u / v.rows_per_task) + u % v.rows_per_task;
    return here[c * v.rows_per_task] || here[(v.contracted + m % v.filters_per_task) * v.rows_per_task];
  }

  bool spectrum_of_cotangents(Index group, Index u, Index m, const Memory<T>& memory, T* out,
                              Index stride) const {
    const T* parts[2] = {this->zeros(), this->zeros()};
    for (int part = 0; part < 2; part++) {
      if (!this->exists(u, m, part)) continue;
      const Index r = this->row(u, part);
      const T* plane = this->target(data.second, r, group, this->channel(m, part));
      T* to = memory.stage[part];
      zero_run(to, this->points());
      for_runs(v, this->place(r), [&](Index first, Index at, Index count) {
        if (v.stride[2] == 1) return pack_run(to + at, plane + first, 0, count, count);
        for (Index i = 0; i < count; i++) to[at + i * v.stride[2]] = plane[first + i];
      });
      parts[part] = to;
    }
    return this->spectrum(parts, memory.work[0], out, stride);
  }

  void operator()(Index task) const {
    const Memory<T> memory = task_memory();
    const Index part = task % parts_of(v), group = task / parts_of(v) / filter_parts(v);
    const Index first_filter = task / parts_of(v) % filter_parts(v) * v.filters_per_task;
    const Index filters = min(v.filters_per_task, v.filter_units - first_filter);
    const Index first_row = part * v.rows_per_task, last_row = min(first_row + v.rows_per_task, v.row_units);
    unsigned char* mark = marks + task * marks_of(v);
    unsigned char& any = mark[marks_of(v) - 1] = 0;
    for (Index u = first_row; u < last_row; u += v.tile) {
      const Index count = min(v.tile, last_row - u);
      for (Index i = 0; i < count; i++) {
        const Slot<T> to(i, count, this->points());
        unsigned char* here = mark + u + i - first_row;
        for (Index c = 0; c < v.contracted; c++)
          any |= here[c * v.rows_per_task] =
              !this->spectrum_of_rows(group, u + i, c, memory.stage, memory.work[0],
                                      memory.rows + c * count * unit() + to.at, to.stride);
        for (Index f = 0; f < filters; f++)
          any |= here[(v.contracted + f) * v.rows_per_task] =
              !spectrum_of_cotangents(group, u + i, first_filter + f, memory,
                                      memory.cotangents + f * count * unit() + to.at, to.stride);
      }
      add_products(group, first_filter, filters, part, count, u == first_row, u + count == last_row, memory);
    }
  }

  /// Add a tile of `depth` row units to the sums of every filter unit and channel. Sums that saw all rows are
  /// finished at once.
  void add_products(Index group, Index first_filter, Index filters, Index part, Index depth, bool first,
                    bool last, const Memory<T>& memory) const {
    const bool shared = parts_of(v) > 1;
    for (Index f = 0; f < filters; f += 2)
      for (Index c = 0; c < v.contracted; c += 2) {
        const int here = int(min(2, v.contracted - c)), beside = int(min(2, filters - f));
        const T *a[2], *b[2];
        T* out[4];
        for (int p = 0; p < here; p++) a[p] = memory.rows + (c + p) * depth * unit();
        for (int q = 0; q < beside; q++) b[q] = memory.cotangents + (f + q) * depth * unit();
        for (int i = 0; i < here * beside; i++) {
          const Index channel = c + i / beside, at = f + i % beside;
          out[i] = shared          ? sum_of(part, group, first_filter + at, channel)
                   : keeps_sums(v) ? memory.sums + (at * v.contracted + channel) * unit()
                                   : memory.work[i];
        }
        multiply<true>(here, beside, a, b, out, this->vectors(), depth, !first);
        if (shared || !last) continue;
        for (int i = 0; i < here * beside; i++)
          finish(out[i], group, first_filter + f + i % beside, c + i / beside, memory);
      }
  }

  Index sum_count() const { return v.groups * v.filter_units * v.contracted; }

  /// Add up the parts of one sum, always in the same order.
  void combine(Index number) const {
    const Index c = number % v.contracted, m = number / v.contracted % v.filter_units,
                group = number / v.contracted / v.filter_units;
    const Memory<T> memory = task_memory();
    T* total = sum_of(0, group, m, c);
    for (Index part = 1; part < parts_of(v); part++) {
      const T* next = sum_of(part, group, m, c);
      for (Index j = 0; j < unit(); j += L) store(total + j, load(total + j) + load(next + j));
    }
    finish(total, group, m, c, memory);
  }

  void finish(T* sum, Index group, Index m, Index c, const Memory<T>& memory) const {
    this->transform().inverse(sum, memory.stage[0], memory.stage[1]);
    const T scale = T(1) / T(this->points());
    for (int part = 0; part < 1 + v.channel_pairs; part++) {
      const Index channel = this->channel(m, part);
      if (channel >= v.produced) break;
      const T* z = memory.stage[part];
      T* out = data.out + ((group * v.produced + channel) * v.contracted + c) * v.taps;
      const T by = part ? -scale : scale;  // conj(g + i h) = conj(g) - i conj(h)
      if (v.tap_to[v.taps - 1] - v.tap_to[0] == v.taps - 1)
        store_run(out, z + v.tap_to[0], Index(1), v.taps, by, T(0), Activation::None);
      else
        for (Index t = 0; t < v.taps; t++) out[t] = z[v.tap_to[t]] * by;
      for (Index u = 0; u < v.row_units; u++) {
        const unsigned char any = marks_at(group, m, u / v.rows_per_task)[marks_of(v) - 1];
        if (any && is_left_out(group, m, c, u)) add_left_out(out, group, channel, c, u, memory);
      }
    }
  }

  /// What a row unit that was left out contributes, by the definition.
  void add_left_out(T* out, Index group, Index channel, Index c, Index u, const Memory<T>& memory) const {
    for (int part = 0; part < 2 - v.channel_pairs; part++) {
      const Index r = this->row(u, part);
      if (r >= this->rows()) continue;
      load_frame(memory.places, this->source(r, group, c), v.line, this->place(r), v.window);
      const T* plane = this->target(data.second, r, group, channel);
      add_weight_definition(out, memory.places, plane, v, this->place(r));
    }
  }
};

template <typename T>
std::size_t sums_bytes(const FftView& v) {
  const Index parts = parts_of(v) > 1 ? parts_of(v) : 0;
  return sizeof(T) * parts * v.groups * v.filter_units * v.contracted * 2 * v.tables.points;
}

template <typename T>
std::size_t shared_bytes(const FftView& v) {
  return sums_bytes<T>(v) + std::size_t(tasks_of(v) * marks_of(v));
}

template <typename T>
std::size_t scratch_bytes(const FftView& v) {
  return sizeof(T) * Memory<T>(v, nullptr).elements;
}

template <typename T>
void fft_weights(const FftView& v, const Operands<T>& data) {
  char* shared = static_cast<char*>(scratch(Scratch::Shared, shared_bytes<T>(v)));
  Weights<T> run{
      {v, data}, reinterpret_cast<T*>(shared), reinterpret_cast<unsigned char*>(shared + sums_bytes<T>(v))};
  parallel_for(tasks_of(v), [](void* r, Index i) { (*static_cast<Weights<T>*>(r))(i); }, &run);
  if (parts_of(v) > 1)
    parallel_for(run.sum_count(), [](void* r, Index i) { static_cast<Weights<T>*>(r)->combine(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, FftView> fft_weights_family() {
  return {shared_bytes<T>, scratch_bytes<T>, fft_weights<T>};
}
template Family<float, FftView> fft_weights_family();
template Family<double, FftView> fft_weights_family();

}  // namespace convgrad::CONVGRAD_ISA
