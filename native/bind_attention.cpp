// bind_attention.cpp - what Python sees of attention.hpp.
#include <limits>
#include <optional>
#include <stdexcept>

#include "bindings.hpp"

namespace convgrad {

namespace {

/// Matrices in up to two leading dimensions, read or written where they lie: rows have no gaps, all else may.
template <typename T>
struct Matrices {
  T* data = nullptr;
  Index sizes[4] = {1, 1, 1, 1};
  Stack steps{0, 0, 0};

  /// Throws TypeError: what is otherwise is copied, or computed in NumPy.
  explicit Matrices(nb::handle array) {
    if (array.is_none()) return;
    const auto* object = reinterpret_cast<const ArrayObject*>(array.ptr());
    constexpr int needed = ArrayObject::kAligned | (std::is_const_v<T> ? 0 : ArrayObject::kWriteable);
    if (Py_TYPE(array.ptr()) != array_layout.array || (object->flags & needed) != needed ||
        object->dtype != array_layout.dtypes[int(sizeof(T) == 8 ? 'd' : 'f')] || object->ndim < 2 ||
        object->ndim > 4)
      throw nb::type_error("an operand of attention is no stack of matrices of the precision of the result");
    Index* own[] = {&steps.batch, &steps.head, &steps.row};
    for (int i = 0; i < object->ndim; i++) {
      const int place = 4 - object->ndim + i;
      sizes[place] = object->shape[i];
      const Py_ssize_t bytes = object->strides[i];
      constexpr Py_ssize_t size = sizeof(T);
      if (sizes[place] == 1) continue;  // its step has no meaning, and counts as 0
      if (bytes < 0 || bytes % size != 0 || bytes / size > std::numeric_limits<std::int32_t>::max() / 512 ||
          (place == 3 && bytes != size))
        throw nb::type_error("an operand of attention has gaps in its rows, or runs backwards");
      if (place < 3) *own[place] = bytes / size;
    }
    data = reinterpret_cast<T*>(object->data);
  }

  void require(Index batch, Index heads, Index rows, Index columns) const {
    if (data && (sizes[0] != batch || sizes[1] != heads || sizes[2] != rows || sizes[3] != columns))
      throw std::invalid_argument("sizes of attention do not fit each other");
  }
};

/// What both directions read, checked.
template <typename T>
struct Inputs {
  Matrices<const T> q, k, v, mask;
  std::optional<Buffer> noise, norm;
  AttentionView view;

  Inputs(nb::handle query, nb::handle key, nb::handle value, nb::handle mask_values, nb::handle noise_values,
         nb::handle norm_values, double scale, Access access)
      : q(query), k(key), v(value), mask(mask_values) {
    view = {q.sizes[0], q.sizes[1], q.sizes[2], k.sizes[2], q.sizes[3], v.sizes[3],
            q.steps,    k.steps,    v.steps,    {},         mask.steps, scale};
    if (!q.data || !k.data || !v.data) throw nb::type_error("an operand of attention is missing");
    k.require(view.batch, view.heads, view.keys, view.width);
    v.require(view.batch, view.heads, view.keys, view.features);
    constexpr Index most = Index(1) << 20;
    for (const Index n : {view.batch, view.heads, view.queries, view.keys, view.width, view.features})
      if (n < 1 || n > most) throw std::invalid_argument("sizes of attention are positive, not that large");
    const Index rows = view.batch * view.heads * view.queries;
    const Index given[] = {view.batch, view.heads, view.queries};
    for (int i = 0; i < 3; i++)
      if (mask.data && mask.sizes[i] != 1 && mask.sizes[i] != given[i])
        throw std::invalid_argument("the mask of attention does not fit");
    if (mask.data && mask.sizes[3] != view.keys)
      throw std::invalid_argument("the mask of attention has another number of columns than there are keys");
    if (!noise_values.is_none()) noise.emplace(noise_values, sizeof(T) == 8);
    if (!norm_values.is_none()) norm.emplace(norm_values, sizeof(T) == 8, access);
    if ((noise && noise->size() != rows * view.keys) || (norm && norm->size() != rows))
      throw std::invalid_argument("noise or norm of attention have another number of elements");
  }
};

template <typename T>
T* data_of(const std::optional<Buffer>& buffer) {
  return buffer ? buffer->data<T>() : nullptr;
}

template <typename T>
void attend(nb::handle q, nb::handle k, nb::handle v, nb::handle mask, nb::handle noise, nb::handle result,
            nb::handle norm, double scale) {
  Inputs<T> in(q, k, v, mask, noise, norm, scale, Access::Write);
  const Matrices<T> out(result);
  if (!out.data) throw nb::type_error("attention has nowhere to write to");
  out.require(in.view.batch, in.view.heads, in.view.queries, in.view.features);
  in.view.out = out.steps;
  const Attention<T> data{in.q.data, in.k.data,          in.v.data, in.mask.data, data_of<T>(in.noise),
                          out.data,  data_of<T>(in.norm)};
  const auto run = kernels_in_use<T>().attention.forward;
  run_unlocked([&] { run(in.view, data); }, in.view.nanoseconds(1));
}

template <typename T>
void attend_grad(nb::handle g, nb::handle q, nb::handle k, nb::handle v, nb::handle mask, nb::handle noise,
                 nb::handle result, nb::handle norm, nb::handle gq, nb::handle gk, nb::handle gv,
                 double scale) {
  Inputs<T> in(q, k, v, mask, noise, norm, scale, Access::Read);
  const Matrices<const T> out(result), gradient(g);
  const Matrices<T> of_q(gq), of_k(gk), of_v(gv);
  if (!out.data || !gradient.data || !in.norm) throw nb::type_error("an operand of attention is missing");
  AttentionView& view = in.view;
  out.require(view.batch, view.heads, view.queries, view.features);
  gradient.require(view.batch, view.heads, view.queries, view.features);
  of_q.require(view.batch, view.heads, view.queries, view.width);
  of_k.require(view.batch, view.heads, view.keys, view.width);
  of_v.require(view.batch, view.heads, view.keys, view.features);
  view.out = out.steps;
  AttentionGrad<T> data{};
  data.g = gradient.data, data.q = in.q.data, data.k = in.k.data, data.v = in.v.data;
  data.mask = in.mask.data;
  data.noise = data_of<T>(in.noise), data.norm = data_of<T>(in.norm), data.out = out.data;
  data.gq = of_q.data, data.gk = of_k.data, data.gv = of_v.data;
  data.g_steps = gradient.steps, data.gq_steps = of_q.steps, data.gk_steps = of_k.steps;
  data.gv_steps = of_v.steps;
  const auto run = kernels_in_use<T>().attention.backward;
  run_unlocked([&] { run(view, data); }, view.nanoseconds(3));
}

}  // namespace

void bind_attention(nb::module_& m) {
  using nb::arg;
  m.def(
      "attend",
      [](nb::handle q, nb::handle k, nb::handle v, nb::handle mask, nb::handle noise, nb::handle out,
         nb::handle norm, double scale,
         bool wide) { (wide ? attend<double> : attend<float>)(q, k, v, mask, noise, out, norm, scale); },
      arg("q"), arg("k"), arg("v"), arg("mask").none(), arg("noise").none(), arg("out"), arg("norm").none(),
      arg("scale"), arg("wide"));
  m.def(
      "attend_grad",
      [](nb::handle g, nb::handle q, nb::handle k, nb::handle v, nb::handle mask, nb::handle noise,
         nb::handle out, nb::handle norm, nb::handle gq, nb::handle gk, nb::handle gv, double scale,
         bool wide) {
        const auto run = wide ? attend_grad<double> : attend_grad<float>;
        run(g, q, k, v, mask, noise, out, norm, gq, gk, gv, scale);
      },
      arg("g"), arg("q"), arg("k"), arg("v"), arg("mask").none(), arg("noise").none(), arg("out"),
      arg("norm"), arg("gq").none(), arg("gk").none(), arg("gv").none(), arg("scale"), arg("wide"));
}

}  // namespace convgrad
