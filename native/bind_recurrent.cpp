// bind_recurrent.cpp - what Python sees of recurrent.hpp.
#include <optional>
#include <stdexcept>

#include "bindings.hpp"

namespace convgrad {

namespace {

/// An operand of so many elements, or none where there is none to be.
class Operand {
 public:
  Operand(nb::handle array, bool wide, Index elements, Access access = Access::Read, bool may_miss = false) {
    if (array.is_none()) {
      if (!may_miss) throw nb::type_error("an operand of a recurrent layer is missing");
      return;
    }
    buffer_.emplace(array, wide, access);
    if (buffer_->size() != elements)
      throw std::invalid_argument("an operand of a recurrent layer has another number of elements");
  }
  template <typename T>
  T* data() const {
    return buffer_ ? buffer_->data<T>() : nullptr;
  }

 private:
  std::optional<Buffer> buffer_;
};

Cell cell_from(int cell) {
  if (cell < 0 || cell >= kCells) throw std::invalid_argument("no such recurrent cell");
  return Cell(cell);
}

/// Steps never grow, and none is empty; sizes are such that products of them fit 64 bits.
Walk walk_from(const Buffer& counts, bool reverse, Index inputs, Index width) {
  constexpr Index most = Index(1) << 20;
  Walk walk{counts.data<Index>(), counts.size(), 0, 0, reverse, inputs, width};
  if (walk.steps == 0) throw std::invalid_argument("a walk has steps");
  walk.sequences = walk.counts[0];
  Index before = walk.sequences;
  for (Index t = 0; t < walk.steps; t++) {
    const Index count = walk.counts[t];
    if (count < 1 || count > before) throw std::invalid_argument("steps of a walk never grow and never end");
    walk.total += before = count;
  }
  if (inputs < 1 || inputs > most || width < 1 || width > most || walk.total > (Index(1) << 40) / most)
    throw std::invalid_argument("sizes of a recurrent layer must be positive, and not that large");
  return walk;
}

void recur(int which, bool wide, nb::handle counts, bool reverse, Index inputs, Index width, nb::handle x,
           nb::handle h0, nb::handle c0, nb::handle w_ih, nb::handle w_hh, nb::handle b_ih, nb::handle b_hh,
           nb::handle gates, nb::handle cells, nb::handle out, nb::handle last_h, nb::handle last_c) {
  const Cell cell = cell_from(which);
  const Buffer rows(counts, 'q', Access::Read);
  const Walk walk = walk_from(rows, reverse, inputs, width);
  const bool plain = cell == Cell::Tanh || cell == Cell::Relu, lstm = cell == Cell::Lstm;
  const Index G = gates_of(cell) * width, states = walk.sequences * width, results = walk.total * width;
  constexpr Access write = Access::Write;
  const Operand a(x, wide, walk.total * inputs), b(h0, wide, states),
      c(c0, wide, states, Access::Read, !lstm);
  const Operand d(w_ih, wide, G * inputs), e(w_hh, wide, G * width);
  const Operand f(b_ih, wide, G, Access::Read, true), g(b_hh, wide, G, Access::Read, true);
  const Operand h(gates, wide, walk.total * G, write, plain), i(cells, wide, results, write, plain);
  const Operand j(out, wide, results, write), k(last_h, wide, states, write);
  const Operand l(last_c, wide, states, write, !lstm);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const Recurrence<T> data{a.data<T>(), b.data<T>(), c.data<T>(), d.data<T>(), e.data<T>(), f.data<T>(),
                             g.data<T>(), h.data<T>(), i.data<T>(), j.data<T>(), k.data<T>(), l.data<T>()};
    run_unlocked([&] { kernels_in_use<T>().steps.recurrent.forward[int(cell)](walk, data); });
  };
  if (wide) run(0.0);
  else run(0.0f);
}

void recur_grad(int which, bool wide, nb::handle counts, bool reverse, Index width, nb::handle g_out,
                nb::handle g_last_h, nb::handle g_last_c, nb::handle h0, nb::handle c0, nb::handle w_hh,
                nb::handle gates, nb::handle cells, nb::handle out, nb::handle state_grad,
                nb::handle input_grad, nb::handle g_h0, nb::handle g_c0) {
  const Cell cell = cell_from(which);
  const Buffer rows(counts, 'q', Access::Read);
  const Walk walk = walk_from(rows, reverse, 1, width);
  const bool plain = cell == Cell::Tanh || cell == Cell::Relu, lstm = cell == Cell::Lstm;
  const Index G = gates_of(cell) * width, states = walk.sequences * width, results = walk.total * width;
  constexpr Access read = Access::Read, write = Access::Write;
  const Operand a(g_out, wide, results), b(g_last_h, wide, states), c(g_last_c, wide, states, read, !lstm);
  const Operand d(h0, wide, states), e(c0, wide, states, read, !lstm), f(w_hh, wide, G * width);
  const Operand g(gates, wide, walk.total * G, read, plain), h(cells, wide, results, read, plain);
  const Operand i(out, wide, results), j(state_grad, wide, walk.total * G, write);
  const Operand k(input_grad, wide, walk.total * G, write, cell != Cell::Gru);
  const Operand l(g_h0, wide, states, write), m(g_c0, wide, states, write, !lstm);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const RecurrenceGrad<T> data{a.data<T>(), b.data<T>(), c.data<T>(), d.data<T>(), e.data<T>(),
                                 f.data<T>(), g.data<T>(), h.data<T>(), i.data<T>(), j.data<T>(),
                                 k.data<T>(), l.data<T>(), m.data<T>()};
    run_unlocked([&] { kernels_in_use<T>().steps.recurrent.backward[int(cell)](walk, data); });
  };
  if (wide) run(0.0);
  else run(0.0f);
}

/// Sizes whose products of three fit 64 bits.
void check_sizes(Index a, Index b, Index c) {
  constexpr Index most = Index(1) << 40;
  if (a < 1 || b < 1 || c < 1 || a > most || b > most / a || c > most / (a * b))
    throw std::invalid_argument("sizes of a product must be positive, and not that large");
}

void row_products(bool wide, Index rows, Index depth, Index width, nb::handle a, nb::handle b,
                  nb::handle out) {
  check_sizes(rows, depth, width);
  const Operand x(a, wide, rows * depth), y(b, wide, depth * width),
      z(out, wide, rows * width, Access::Write);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const RowProducts<T> data{x.data<T>(), y.data<T>(), z.data<T>(), rows, depth, width};
    run_unlocked([&] { kernels_in_use<T>().steps.recurrent.row_products(data); });
  };
  if (wide) run(0.0);
  else run(0.0f);
}

void weight_grad(bool wide, Index rows, Index height, Index width, Index firsts, nb::handle g, nb::handle x,
                 nb::handle first, nb::handle before, nb::handle out, nb::handle sums) {
  check_sizes(rows, height, width);
  const bool gathered = !before.is_none();
  if (gathered) check_sizes(firsts, width, 1);
  const Operand a(g, wide, rows * height), b(x, wide, rows * width);
  const Operand c(first, wide, firsts * width, Access::Read, !gathered);
  const Operand d(out, wide, height * width, Access::Write), e(sums, wide, height, Access::Write);
  std::optional<Buffer> places;
  if (gathered) {
    places.emplace(before, 'q', Access::Read);
    if (places->size() != rows) throw std::invalid_argument("every row has one before it");
    for (Index k = 0; k < rows; k++) {
      const Index at = places->data<Index>()[k];
      if (at < 0 || at >= firsts + rows) throw std::invalid_argument("there is no such row before");
    }
  }
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    const WeightGrad<T> data{
        a.data<T>(), b.data<T>(), c.data<T>(), gathered ? places->data<Index>() : nullptr,
        d.data<T>(), e.data<T>(), rows,        height,
        width,       firsts};
    run_unlocked([&] { kernels_in_use<T>().steps.recurrent.weight_grad(data); });
  };
  if (wide) run(0.0);
  else run(0.0f);
}

}  // namespace

void bind_recurrent(nb::module_& m) {
  using nb::arg;
  m.def("recur", &recur, arg("cell"), arg("wide"), arg("counts"), arg("reverse"), arg("inputs"), arg("width"),
        arg("x"), arg("h0"), arg("c0").none(), arg("w_ih"), arg("w_hh"), arg("b_ih").none(),
        arg("b_hh").none(), arg("gates").none(), arg("cells").none(), arg("out"), arg("last_h"),
        arg("last_c").none());
  m.def("recur_grad", &recur_grad, arg("cell"), arg("wide"), arg("counts"), arg("reverse"), arg("width"),
        arg("g_out"), arg("g_last_h"), arg("g_last_c").none(), arg("h0"), arg("c0").none(), arg("w_hh"),
        arg("gates").none(), arg("cells").none(), arg("out"), arg("state_grad"), arg("input_grad").none(),
        arg("g_h0"), arg("g_c0").none());
  m.def("row_products", &row_products, arg("wide"), arg("rows"), arg("depth"), arg("width"), arg("a"),
        arg("b"), arg("out"));
  m.def("weight_grad", &weight_grad, arg("wide"), arg("rows"), arg("height"), arg("width"), arg("firsts"),
        arg("g"), arg("x"), arg("first").none(), arg("before").none(), arg("out"), arg("sums"));
}

}  // namespace convgrad
