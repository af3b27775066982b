// bind_steps.cpp - what Python sees of steps.hpp.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bindings.hpp"

namespace convgrad {

namespace {

using Arrays = nb::typed<nb::list, nb::any>;

/// Elements of a task: with its gradient and what is kept of it a piece of a parameter fits the cache.
constexpr Index kTask = 8192;

/// Parts of arrays, cut into tasks by their sizes alone.
template <typename Part>
struct Tasks {
  std::vector<Part> parts;
  std::vector<Index> starts{0};
  Index elements = 0;

  /// All in one task, one after another.
  void join() { starts = {0, Index(parts.size())}; }

  /// Cut an array; part(offset, size) makes what stands for a part of it.
  template <typename Make>
  void add(Index size, const Make& part) {
    for (Index offset = 0; offset < size; offset += kTask) {
      const Index count = min(kTask, size - offset);
      parts.push_back(part(offset, count));
      elements += count;
      open_ += count;
      if (open_ >= kTask) close();
    }
  }
  void close() {
    if (open_ > 0) starts.push_back(Index(parts.size()));
    open_ = 0;
  }
  Index tasks() const { return Index(starts.size()) - 1; }

 private:
  Index open_ = 0;
};

/// The numbers of a step as Python has them, in double precision, and the factors of one parameter's count.
class Rates {
 public:
  Rates(Optimiser optimiser, const std::vector<double>& n, bool ascend) : optimiser_(optimiser), n_(n) {
    constexpr std::size_t expected[kOptimisers] = {5, 7, 6, 4};
    if (n.size() != expected[int(optimiser)])
      throw std::invalid_argument("this optimiser takes another number of options");
    ascend_ = ascend;
  }
  /// How many arrays are kept of each parameter, and which of Piece's places they take.
  std::vector<int> places() const {
    if (optimiser_ == Optimiser::Sgd) return n_[2] != 0 ? std::vector<int>{0} : std::vector<int>{};
    if (optimiser_ == Optimiser::Adam) return n_[6] != 0 ? std::vector<int>{0, 1, 2} : std::vector<int>{0, 1};
    std::vector<int> places{0};
    if (optimiser_ == Optimiser::RmsProp && n_[5] != 0) places.push_back(1);
    if (optimiser_ == Optimiser::RmsProp && n_[4] > 0) places.push_back(2);
    return places;
  }
  bool counted() const { return optimiser_ != Optimiser::Sgd; }

  template <typename T>
  StepNumbers<T> numbers() const {
    StepNumbers<T> s{};
    s.ascend = ascend_;
    s.shrink = 1;
    switch (optimiser_) {
      case Optimiser::Sgd:  // lr, decay, momentum, dampening, nesterov
        s.lr = T(n_[0]), s.decay = T(n_[1]), s.momentum = T(n_[2]), s.share = T(1 - n_[3]);
        s.nesterov = n_[4] != 0;
        break;
      case Optimiser::Adam:  // lr, beta1, beta2, eps, decay, decoupled, largest
        set_weight(s, 1 - n_[1]);
        s.keep = T(n_[2]), s.rest = T(1 - n_[2]), s.eps = T(n_[3]);
        if (n_[5] != 0) s.shrink = T(1 - n_[0] * n_[4]);
        else s.decay = T(n_[4]);
        s.largest = n_[6] != 0;
        break;
      case Optimiser::RmsProp:  // lr, alpha, eps, decay, momentum, centered
        set_weight(s, 1 - n_[1]);
        s.lr = T(n_[0]), s.keep = T(n_[1]), s.rest = T(1 - n_[1]), s.eps = T(n_[2]), s.decay = T(n_[3]);
        s.momentum = T(n_[4]), s.centered = n_[5] != 0;
        break;
      case Optimiser::Adagrad:  // lr, its decay, eps, decay
        s.eps = T(n_[2]), s.decay = T(n_[3]);
        break;
    }
    return s;
  }
  /// For a parameter's step of this number.
  void at(double count) {
    if (count == count_) return;
    count_ = count;
    step = -n_[0], root = 1;
    if (optimiser_ == Optimiser::Adam) {
      step = -n_[0] / (1 - std::pow(n_[1], count));
      root = std::sqrt(1 - std::pow(n_[2], count));
    } else if (optimiser_ == Optimiser::Adagrad) {
      step = -n_[0] / (1 + (count - 1) * n_[1]);
    }
  }
  double step = 0, root = 1;

 private:
  template <typename T>
  static void set_weight(StepNumbers<T>& s, double weight) {
    s.far = !(weight < 0.5);
    s.weight = T(s.far ? 1 - weight : weight);
  }

  Optimiser optimiser_;
  const std::vector<double>& n_;
  bool ascend_;
  double count_ = -1;
};

using Buffers = std::vector<std::optional<Buffer>>;

/// Lists of as many arrays each, laid open for one step: parameters, gradients, what is kept, counts.
struct Columns {
  std::size_t n;
  Buffers params, grads, counts;
  std::vector<Buffers> kept;

  Columns(const nb::list& params_list, const nb::list& grads_list, const nb::list& kept_lists,
          const std::optional<Arrays>& count_list, char format)
      : n(params_list.size()) {
    params = open(params_list, format, Access::Write);
    grads = open(grads_list, format, Access::Read);
    for (nb::handle list : kept_lists) kept.push_back(open(nb::cast<nb::list>(list), format, Access::Write));
    if (count_list) counts = open(*count_list, 'f', Access::Write);
    for (std::size_t i = 0; i < n; i++) {
      bool fits = grads[i]->size() == params[i]->size();
      for (const Buffers& column : kept) fits = fits && column[i]->size() == params[i]->size();
      if (!fits || (count_list && counts[i]->size() != 1))
        throw std::invalid_argument("a parameter, its gradient and what is kept of it are of one size");
    }
  }
  /// Whether two parameters are the same memory: their steps then come one after the other.
  template <typename T>
  bool share_memory() const {
    std::vector<std::pair<const T*, const T*>> ranges;
    ranges.reserve(n);
    for (const auto& b : params) ranges.emplace_back(b->data<T>(), b->data<T>() + b->size());
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < n; i++)
      if (ranges[i].first < ranges[i - 1].second) return true;
    return false;
  }

 private:
  Buffers open(const nb::list& arrays, char format, Access access) const {
    if (arrays.size() != n)
      throw std::invalid_argument("as many gradients and kept arrays are wanted as there are parameters");
    Buffers opened(n);
    for (std::size_t i = 0; i < n; i++) opened[i].emplace(arrays[i], format, access);
    return opened;
  }
};

/// All that may fail comes before anything is changed, the counts too; these are in single precision.
template <typename T>
void step_columns(Optimiser optimiser, Rates& rates, const Columns& columns) {
  const std::vector<int> places = rates.places();
  Tasks<Piece<T>> tasks;
  for (std::size_t i = 0; i < columns.n; i++) {
    rates.at(rates.counted() ? double(*columns.counts[i]->data<float>() + 1) : 0.0);
    tasks.add(columns.params[i]->size(), [&](Index offset, Index size) {
      Piece<T> p{columns.params[i]->data<T>() + offset,
                 columns.grads[i]->data<T>() + offset,
                 {},
                 size,
                 T(rates.step),
                 T(rates.root)};
      for (std::size_t c = 0; c < places.size(); c++)
        p.kept[places[c]] = columns.kept[c][i]->data<T>() + offset;
      return p;
    });
  }
  tasks.close();
  if (tasks.tasks() > 1 && columns.share_memory<T>()) tasks.join();
  if (rates.counted())
    for (const auto& count : columns.counts) *count->data<float>() += 1;
  const Index nanoseconds = tasks.elements / (optimiser == Optimiser::Sgd ? 3 : 1);
  const StepNumbers<T> numbers = rates.numbers<T>();
  run_unlocked([&] {
    kernels_in_use<T>().steps.step(optimiser, numbers, tasks.parts.data(), tasks.starts.data(), tasks.tasks(),
                                   nanoseconds);
  });
}

void step_arrays(int which, bool wide, const std::vector<double>& options, bool ascend, Arrays params,
                 Arrays grads, nb::typed<nb::list, Arrays> kept, std::optional<Arrays> counts) {
  if (which < 0 || which >= kOptimisers) throw std::invalid_argument("no such optimiser");
  const auto optimiser = Optimiser(which);
  Rates rates(optimiser, options, ascend);
  if (kept.size() != rates.places().size())
    throw std::invalid_argument("as many gradients and kept arrays are wanted as there are parameters");
  if (rates.counted() && !counts) throw nb::type_error("this optimiser counts its steps");
  if (!rates.counted()) counts.reset();
  const Columns columns(params, grads, kept, counts, wide ? 'd' : 'f');
  if (wide) step_columns<double>(optimiser, rates, columns);
  else step_columns<float>(optimiser, rates, columns);
}

// ---- clipping

template <typename T>
struct Spans {
  std::vector<std::unique_ptr<Buffer>> buffers;
  Tasks<Span<T>> tasks;

  Spans(const nb::list& arrays, bool wide, Access access) {
    buffers.reserve(arrays.size());
    for (nb::handle array : arrays) {
      buffers.push_back(std::make_unique<Buffer>(array, wide, access));
      const Buffer& b = *buffers.back();
      tasks.add(b.size(), [&](Index offset, Index size) { return Span<T>{b.data<T>() + offset, size}; });
    }
    tasks.close();
  }
};

template <typename T>
double squares_of(const nb::list& arrays, bool wide) {
  const Spans<T> spans(arrays, wide, Access::Read);
  std::vector<double> sums(std::size_t(spans.tasks.tasks()));
  run_unlocked([&] {
    kernels_in_use<T>().steps.squares(spans.tasks.parts.data(), spans.tasks.starts.data(),
                                      spans.tasks.tasks(), sums.data(), spans.tasks.elements / 4);
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

double sum_of_squares(bool wide, Arrays arrays) {
  return wide ? squares_of<double>(arrays, wide) : squares_of<float>(arrays, wide);
}

template <typename T>
void change_arrays(Change what, const nb::list& arrays, bool wide, double a, double b) {
  const Spans<T> spans(arrays, wide, Access::Write);
  run_unlocked([&] {
    kernels_in_use<T>().steps.change(what, T(a), T(b), spans.tasks.parts.data(), spans.tasks.starts.data(),
                                     spans.tasks.tasks(), spans.tasks.elements / 4);
  });
}

void change(int what, bool wide, Arrays arrays, double a, double b) {
  if (what < 0 || what > int(Change::Fill)) throw std::invalid_argument("no such change");
  if (wide) change_arrays<double>(Change(what), arrays, wide, a, b);
  else change_arrays<float>(Change(what), arrays, wide, a, b);
}

}  // namespace

void bind_steps(nb::module_& m) {
  using nb::arg;
  m.def("step_arrays", &step_arrays, arg("optimiser"), arg("wide"), arg("options"), arg("ascend"),
        arg("params"), arg("grads"), arg("kept"), arg("counts").none());
  m.def("sum_of_squares", &sum_of_squares, arg("wide"), arg("arrays"));
  m.def("change_arrays", &change, arg("change"), arg("wide"), arg("arrays"), arg("a"), arg("b"));
  bind_recurrent(m);
}

}  // namespace convgrad
