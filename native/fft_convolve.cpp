// fft_convolve.cpp - convolution, and its adjoint in x, as products of spectra: frames of the source and the
// filters are transformed, multiplied and summed over channels, and transformed back.
#include "fft_frames.hpp"
#include "kernels.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// Whether the source has places that hold nothing, between the entries of a strided convolution's cotangent.
bool has_gaps(const FftView& v) { return v.line.every[0] * v.line.every[1] * v.line.every[2] > 1; }

/// Scratch of a task.
template <typename T>
struct Memory {
  T *stage[2], *work[4];
  T *rows, *own;     // spectra of a tile's row units, of two filter units
  T *places, *mask;  // a frame as the definition wants it
  unsigned char *bad_rows, *bad_own;
  Index elements;

  Memory(const FftView& v, T* base) {
    Pieces<T> pieces{base};
    const Index n = v.tables.points, depth = v.contracted;
    for (T*& plane : stage) plane = pieces.take_frame(n);
    for (int i = 0; i < 4; i++) work[i] = i == 0 || depth > 1 ? pieces.take(2 * n) : work[0];
    rows = pieces.take(v.tile * depth * 2 * n);
    own = pieces.take(v.own_filters ? min(2, v.filters_per_task) * depth * 2 * n : 0);
    places = depth == 1 && v.window + kLanes<T> <= 2 * n ? work[0] : pieces.take_frame(v.window);
    mask = has_gaps(v) ? pieces.take_frame(v.window) : nullptr;
    bad_rows = reinterpret_cast<unsigned char*>(pieces.take(v.tile * depth));
    bad_own = reinterpret_cast<unsigned char*>(pieces.take(2 * depth));
    elements = pieces.taken;
  }
};

template <typename T>
struct Convolve : Units<T> {
  using Units<T>::v;
  using Units<T>::data;
  using Units<T>::L;
  T* spectra;  // of all filters, [group][filter unit][contracted channel]
  unsigned char* bad;

  static constexpr Index kChannels = 16;  // filters of a unit transformed by one task

  Index unit() const { return v.contracted * 2 * this->points(); }
  Slot<T> slot(Index c) const { return {c, v.contracted, this->points()}; }

  Memory<T> task_memory() const {
    return {v, static_cast<T*>(scratch(Scratch::Task, sizeof(T) * Memory<T>(v, nullptr).elements))};
  }

  const T* filter(Index group, Index channel, Index c) const {
    const Index number = v.swapped ? (group * v.contracted + c) * v.produced + channel
                                   : (group * v.produced + channel) * v.contracted + c;
    return data.second + number * v.taps;
  }

  /// The spectrum of filter unit m for channel c; `stage` holds zeros wherever no tap stands.
  bool spectrum_of_filters(Index group, Index m, Index c, T* const* stage, T* work, T* out) const {
    const T* parts[2] = {stage[0], this->zeros()};
    for (int part = 0; part < 1 + v.channel_pairs; part++) {
      if (this->channel(m, part) >= v.produced) continue;
      const T* w = filter(group, this->channel(m, part), c);
      if (c + 1 < v.contracted) prefetch(filter(group, this->channel(m, part), c + 1), v.taps);
      // As a correlation, the forward pass takes the conjugate of the spectrum: conj(v) + i conj(w) is that
      // of v - i w.
      const T sign = part && !v.swapped ? T(-1) : T(1);
      T* to = stage[part];
      if (v.tap_to[v.taps - 1] - v.tap_to[0] == v.taps - 1)
        store_run(to + v.tap_to[0], w, Index(1), v.taps, sign, T(0), Activation::None);
      else
        for (Index t = 0; t < v.taps; t++) to[v.tap_to[t]] = w[t] * sign;
      parts[part] = to;
    }
    const Slot<T> to = slot(c);
    return this->spectrum(parts, work, out + to.at, to.stride);
  }

  Index filter_tasks() const { return v.groups * v.filter_units * ceil_div(v.contracted, kChannels); }

  void transform_filters(Index task) const {
    const Memory<T> memory = task_memory();
    const Index parts = ceil_div(v.contracted, kChannels), number = task / parts;
    const Index group = number / v.filter_units, m = number % v.filter_units;
    const Index first = task % parts * kChannels, last = min(first + kChannels, v.contracted);
    for (T* plane : memory.stage) zero_run(plane, this->points());
    for (Index c = first; c < last; c++)
      bad[number * v.contracted + c] =
          !spectrum_of_filters(group, m, c, memory.stage, memory.work[0], spectra + number * unit());
  }

  void transform_own(Index group, Index m, int filters, const Memory<T>& memory) const {
    for (T* plane : memory.stage) zero_run(plane, this->points());
    for (int k = 0; k < filters; k++)
      for (Index c = 0; c < v.contracted; c++)
        memory.bad_own[k * v.contracted + c] =
            !spectrum_of_filters(group, m + k, c, memory.stage, memory.work[0], memory.own + k * unit());
  }

  Index tasks() const {
    return v.groups * ceil_div(v.filter_units, v.filters_per_task) * ceil_div(v.row_units, v.rows_per_task);
  }

  void operator()(Index task) const {
    const Memory<T> memory = task_memory();
    const Index row_tasks = ceil_div(v.row_units, v.rows_per_task);
    const Index filter_tasks = ceil_div(v.filter_units, v.filters_per_task);
    const Index first_row = task % row_tasks * v.rows_per_task;
    const Index last_row = min(first_row + v.rows_per_task, v.row_units);
    const Index first_filter = task / row_tasks % filter_tasks * v.filters_per_task;
    const Index last_filter = min(first_filter + v.filters_per_task, v.filter_units);
    const Index group = task / row_tasks / filter_tasks;
    for (Index u = first_row; u < last_row; u += v.tile) {
      const Index rows = min(v.tile, last_row - u);
      for (Index i = 0; i < rows; i++)
        for (Index c = 0; c < v.contracted; c++) {
          const Slot<T> to = slot(c);
          T* out = memory.rows + i * unit() + to.at;
          T* work = v.contracted == 1 ? out : memory.work[0];
          memory.bad_rows[i * v.contracted + c] =
              !this->spectrum_of_rows(group, u + i, c, memory.stage, work, out, to.stride);
        }
      for (Index m = first_filter; m < last_filter; m += 2) {
        const int filters = int(min(2, last_filter - m));
        const Index number = group * v.filter_units + m;
        if (!v.own_filters) {
          multiply_rows(group, u, rows, m, filters, spectra + number * unit(), bad + number * v.contracted,
                        memory);
        } else {
          if (u == first_row || v.filters_per_task > 2) transform_own(group, m, filters, memory);
          multiply_rows(group, u, rows, m, filters, memory.own, memory.bad_own, memory);
        }
      }
    }
  }

  /// The outputs of filter units m, m + 1 for the row units of a tile.
  void multiply_rows(Index group, Index u, Index rows, Index m, int filters, const T* filter_spectra,
                     const unsigned char* bad_filters, const Memory<T>& memory) const {
    const int most = v.contracted > 1 ? 2 : 1;  // a single product has nothing to keep in registers
    for (Index i = 0; i < rows; i += most)
      for (int k = 0; k < filters; k += most) {
        const int here = int(min(most, rows - i)), beside = int(min(most, filters - k));
        const T* a[2] = {memory.rows + i * unit(), memory.rows + (i + here - 1) * unit()};
        const T* b[2] = {filter_spectra + k * unit(), filter_spectra + (k + beside - 1) * unit()};
        if (v.swapped) multiply<false>(here, beside, a, b, memory.work, this->vectors(), v.contracted);
        else multiply<true>(here, beside, a, b, memory.work, this->vectors(), v.contracted);
        for (int p = 0; p < here; p++)
          for (int q = 0; q < beside; q++) {
            this->transform().inverse(memory.work[p * beside + q], memory.stage[0], memory.stage[1]);
            for (int part = 0; part < 2; part++)
              if (this->exists(u + i + p, m + k + q, part))
                finish(memory.stage[part], group, this->row(u + i + p, part), this->channel(m + k + q, part),
                       memory.bad_rows + (i + p) * v.contracted, bad_filters + (k + q) * v.contracted,
                       memory);
          }
      }
  }

  /// Store a row of outputs from the sums z, to which the definition adds what was left out of them.
  void finish(T* z, Index group, Index r, Index channel, const unsigned char* bad_row,
              const unsigned char* bad_filter, const Memory<T>& memory) const {
    T scale = T(1) / T(this->points());
    for (Index c = 0; c < v.contracted; c++) {
      if (!bad_row[c] && !bad_filter[c]) continue;
      for (Index j = 0; j < this->points(); j++) z[j] *= scale;
      scale = 1;
      load_frame(memory.places, this->source(r, group, c), v.line, this->place(r), v.window, memory.mask);
      const T* w = filter(group, channel, c);
      const Index wrapped = max(0, min(-v.origin, v.step));
      add_definition(z + (wrapped ? this->points() + v.origin : 0), memory.places, memory.mask, w, v,
                     wrapped);
      add_definition(z + v.origin + wrapped, memory.places + wrapped,
                     memory.mask ? memory.mask + wrapped : nullptr, w, v, v.step - wrapped);
    }
    const Index number = group * v.produced + channel, step = v.stride[2];
    const T bias = data.bias ? data.bias[number] : T(0);
    T* out = this->target(data.out, r, group, channel);
    for_runs(v, this->place(r), [&](Index first, Index at, Index count) {
      const Index begin = at + v.origin, wrapped = begin < 0 ? min(count, ceil_div(-begin, step)) : 0;
      const T* from = z + begin;
      store_run(out + first, from + this->points(), step, wrapped, scale, bias, data.activation);
      store_run(out + first + wrapped, from + wrapped * step, step, count - wrapped, scale, bias,
                data.activation);
    });
  }
};

template <typename T>
std::size_t shared_bytes(const FftView& v) {
  const Index filters = v.own_filters ? 0 : v.groups * v.filter_units * v.contracted;
  return std::size_t(filters) * (sizeof(T) * 2 * v.tables.points + 1);
}

template <typename T>
std::size_t scratch_bytes(const FftView& v) {
  return sizeof(T) * Memory<T>(v, nullptr).elements;
}

template <typename T>
void fft_convolve(const FftView& v, const Operands<T>& data) {
  Convolve<T> run{{v, data}, nullptr, nullptr};
  if (!v.own_filters) {
    run.spectra = static_cast<T*>(scratch(Scratch::Shared, shared_bytes<T>(v)));
    run.bad = reinterpret_cast<unsigned char*>(run.spectra + v.groups * v.filter_units * run.unit());
    parallel_for(
        run.filter_tasks(), [](void* r, Index i) { static_cast<Convolve<T>*>(r)->transform_filters(i); },
        &run);
  }
  parallel_for(run.tasks(), [](void* r, Index i) { (*static_cast<Convolve<T>*>(r))(i); }, &run);
}

}  // namespace

template <typename T>
Family<T, FftView> fft_convolve_family() {
  return {shared_bytes<T>, scratch_bytes<T>, fft_convolve<T>};
}
template Family<float, FftView> fft_convolve_family();
template Family<double, FftView> fft_convolve_family();

}  // namespace convgrad::CONVGRAD_ISA
