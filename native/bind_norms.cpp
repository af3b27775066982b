// bind_norms.cpp - what Python sees of norms.hpp.
#include <optional>
#include <stdexcept>

#include "bindings.hpp"

namespace convgrad {

namespace {

/// An operand that may be None.
class Maybe {
 public:
  Maybe(nb::handle array, bool wide, Access access = Access::Read) {
    if (!array.is_none()) buffer_.emplace(array, wide, access);
  }
  template <typename T>
  T* data() const {
    return buffer_ ? buffer_->data<T>() : nullptr;
  }
  bool has(Index count) const { return !buffer_ || buffer_->size() == count; }

 private:
  std::optional<Buffer> buffer_;
};

Index product(std::initializer_list<Index> sizes) {
  Index all = 1;
  for (Index n : sizes) {
    if (n < 1) throw std::invalid_argument("sizes must be positive");
    if (n > (Index(1) << 40) / all) throw std::invalid_argument("sizes are too large");
    all *= n;
  }
  return all;
}

void check(bool sizes) {
  if (!sizes) throw std::invalid_argument("an operand has not as many elements as its sizes say");
}

void batch_norm(nb::handle x, nb::handle weight, nb::handle bias, nb::handle addend, nb::handle mean,
                nb::handle var, nb::handle invstd, nb::handle out, Index batch, Index channels, Index inner,
                double eps, bool given, int activation, bool wide) {
  const Access found = given ? Access::Read : Access::Write;
  const Buffer bx(x, wide), bm(mean, wide, found), bv(var, wide, found), bi(invstd, wide, Access::Write),
      bo(out, wide, Access::Write);
  const Maybe bw(weight, wide), bb(bias, wide), ba(addend, wide);
  const Index all = product({batch, channels, inner});
  check(bx.size() == all && bo.size() == all && ba.has(all) && bw.has(channels) && bb.has(channels) &&
        bm.size() == channels && bv.size() == channels && bi.size() == channels);
  if (activation < 0 || activation > int(Activation::Relu)) throw std::invalid_argument("no such activation");
  const auto run = [&](auto kind) {
    using T = decltype(kind);
    const ChannelNorm<T> p{batch,        channels,     inner,        bx.data<T>(),          bw.data<T>(),
                           bb.data<T>(), ba.data<T>(), bm.data<T>(), bv.data<T>(),          bi.data<T>(),
                           bo.data<T>(), eps,          given,        Activation(activation)};
    run_unlocked([&] { kernels_in_use<T>().norms.channels(p); });
  };
  wide ? run(double()) : run(float());
}

void batch_norm_grad(nb::handle g, nb::handle x, nb::handle out, nb::handle weight, nb::handle mean,
                     nb::handle invstd, nb::handle gx, nb::handle gweight, nb::handle gbias,
                     nb::handle gaddend, Index batch, Index channels, Index inner, bool given, bool wide) {
  const Buffer bg(g, wide), bx(x, wide), bm(mean, wide), bi(invstd, wide), bgw(gweight, wide, Access::Write),
      bgb(gbias, wide, Access::Write);
  const Maybe bo(out, wide), bw(weight, wide), bgx(gx, wide, Access::Write),
      bga(gaddend, wide, Access::Write);
  const Index all = product({batch, channels, inner});
  check(bg.size() == all && bx.size() == all && bo.has(all) && bgx.has(all) && bga.has(all) &&
        bw.has(channels) && bm.size() == channels && bi.size() == channels && bgw.size() == channels &&
        bgb.size() == channels);
  if (!gaddend.is_none() && out.is_none())
    throw std::invalid_argument("without an activation the addend's gradient is g itself");
  const auto run = [&](auto kind) {
    using T = decltype(kind);
    const ChannelNormGrad<T> p{batch,         channels,      inner,         bg.data<T>(), bx.data<T>(),
                               bo.data<T>(),  bw.data<T>(),  bm.data<T>(),  bi.data<T>(), bgx.data<T>(),
                               bgw.data<T>(), bgb.data<T>(), bga.data<T>(), given};
    run_unlocked([&] { kernels_in_use<T>().norms.channels_grad(p); });
  };
  wide ? run(double()) : run(float());
}

void row_norm(nb::handle x, nb::handle weight, nb::handle bias, nb::handle mean, nb::handle invstd,
              nb::handle out, Index rows, Index groups, Index channels, Index inner, double eps, bool wide) {
  const Buffer bx(x, wide), bi(invstd, wide, Access::Write), bo(out, wide, Access::Write);
  const Maybe bw(weight, wide), bb(bias, wide), bm(mean, wide, Access::Write);
  const Index all = product({rows, channels, inner}), each = product({groups, channels});
  check(bx.size() == all && bo.size() == all && bw.has(each) && bb.has(each) && bm.has(rows) &&
        bi.size() == rows && rows % groups == 0);
  const auto run = [&](auto kind) {
    using T = decltype(kind);
    const RowNorm<T> p{rows,         groups,       channels,     inner,        bx.data<T>(), bw.data<T>(),
                       bb.data<T>(), bm.data<T>(), bi.data<T>(), bo.data<T>(), eps};
    run_unlocked([&] { kernels_in_use<T>().norms.rows(p); });
  };
  wide ? run(double()) : run(float());
}

void row_norm_grad(nb::handle g, nb::handle x, nb::handle weight, nb::handle mean, nb::handle invstd,
                   nb::handle gx, nb::handle gweight, nb::handle gbias, Index rows, Index groups,
                   Index channels, Index inner, bool wide) {
  const Buffer bg(g, wide), bx(x, wide), bi(invstd, wide);
  const Maybe bw(weight, wide), bm(mean, wide), bgx(gx, wide, Access::Write),
      bgw(gweight, wide, Access::Write), bgb(gbias, wide, Access::Write);
  const Index all = product({rows, channels, inner}), each = product({groups, channels});
  check(bg.size() == all && bx.size() == all && bgx.has(all) && bw.has(each) && bgw.has(each) &&
        bgb.has(each) && bm.has(rows) && bi.size() == rows && rows % groups == 0);
  const auto run = [&](auto kind) {
    using T = decltype(kind);
    const RowNormGrad<T> p{rows,         groups,        channels,      inner,
                           bg.data<T>(), bx.data<T>(),  bw.data<T>(),  bm.data<T>(),
                           bi.data<T>(), bgx.data<T>(), bgw.data<T>(), bgb.data<T>()};
    run_unlocked([&] { kernels_in_use<T>().norms.rows_grad(p); });
  };
  wide ? run(double()) : run(float());
}

void channel_sum(nb::handle x, nb::handle out, Index batch, Index channels, Index inner, bool wide) {
  const Buffer bx(x, wide), bo(out, wide, Access::Write);
  check(bx.size() == product({batch, channels, inner}) && bo.size() == channels);
  const auto run = [&](auto kind) {
    using T = decltype(kind);
    const ChannelSum<T> p{batch, channels, inner, bx.data<T>(), bo.data<T>()};
    run_unlocked([&] { kernels_in_use<T>().norms.channel_sum(p); });
  };
  wide ? run(double()) : run(float());
}

/// Running statistics moved towards those of a batch: few numbers, so that Python's lock stays held.
template <typename T>
void move(const Buffer& running, const Buffer& found, double factor, double momentum) {
  T* to = running.data<T>();
  const T* from = found.data<T>();
  const T weight = T(momentum), kept = T(1 - momentum);
  for (Index i = 0; i < running.size(); i++) to[i] = from[i] * T(factor) * weight + to[i] * kept;
}

void move_statistics(nb::handle running_mean, nb::handle running_var, nb::handle mean, nb::handle var,
                     double factor, double momentum, bool wide) {
  const Buffer to_mean(running_mean, wide, Access::Write), to_var(running_var, wide, Access::Write);
  const Buffer from_mean(mean, wide), from_var(var, wide);
  check(to_mean.size() == from_mean.size() && to_var.size() == from_var.size());
  wide ? move<double>(to_mean, from_mean, 1, momentum) : move<float>(to_mean, from_mean, 1, momentum);
  wide ? move<double>(to_var, from_var, factor, momentum) : move<float>(to_var, from_var, factor, momentum);
}

}  // namespace

void bind_norms(nb::module_& m) {
  m.def("batch_norm", &batch_norm, nb::arg("x"), nb::arg("weight").none(), nb::arg("bias").none(),
        nb::arg("addend").none(), nb::arg("mean"), nb::arg("var"), nb::arg("invstd"), nb::arg("out"),
        nb::arg("batch"), nb::arg("channels"), nb::arg("inner"), nb::arg("eps"), nb::arg("given"),
        nb::arg("activation"), nb::arg("wide"));
  m.def("batch_norm_grad", &batch_norm_grad, nb::arg("g"), nb::arg("x"), nb::arg("out").none(),
        nb::arg("weight").none(), nb::arg("mean"), nb::arg("invstd"), nb::arg("gx").none(),
        nb::arg("gweight"), nb::arg("gbias"), nb::arg("gaddend").none(), nb::arg("batch"),
        nb::arg("channels"), nb::arg("inner"), nb::arg("given"), nb::arg("wide"));
  m.def("move_statistics", &move_statistics, nb::arg("running_mean"), nb::arg("running_var"), nb::arg("mean"),
        nb::arg("var"), nb::arg("factor"), nb::arg("momentum"), nb::arg("wide"));
  m.def("row_norm", &row_norm, nb::arg("x"), nb::arg("weight").none(), nb::arg("bias").none(),
        nb::arg("mean").none(), nb::arg("invstd"), nb::arg("out"), nb::arg("rows"), nb::arg("groups"),
        nb::arg("channels"), nb::arg("inner"), nb::arg("eps"), nb::arg("wide"));
  m.def("row_norm_grad", &row_norm_grad, nb::arg("g"), nb::arg("x"), nb::arg("weight").none(),
        nb::arg("mean").none(), nb::arg("invstd"), nb::arg("gx").none(), nb::arg("gweight").none(),
        nb::arg("gbias").none(), nb::arg("rows"), nb::arg("groups"), nb::arg("channels"), nb::arg("inner"),
        nb::arg("wide"));
  m.def("channel_sum", &channel_sum, nb::arg("x"), nb::arg("out"), nb::arg("batch"), nb::arg("channels"),
        nb::arg("inner"), nb::arg("wide"));
}

}  // namespace convgrad
