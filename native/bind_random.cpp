// bind_random.cpp - what Python sees of random.hpp.
#include <cstring>
#include <stdexcept>

#include "bindings.hpp"

namespace convgrad {

namespace {

/// Whoever calls holds a lock of the generator's own: two threads must not draw from one at a time.
class BoundTwister {
 public:
  explicit BoundTwister(std::uint32_t seed) {
    std::uint32_t word = seed;
    for (int i = 0; i < Twister::kWords; i++) {
      state_.key[i] = word;
      word = 1812433253u * (word ^ word >> 30) + std::uint32_t(i + 1);
    }
    state_.next = Twister::kWords;
  }

  int get_state(nb::handle key) const {
    const Buffer to(key, 'B', Access::Write);
    check_key(to);
    std::memcpy(to.data<void>(), state_.key, sizeof(state_.key));
    return state_.next;
  }
  void set_state(nb::handle key, int next) {
    const Buffer from(key, 'B', Access::Read);
    check_key(from);
    if (next < 0 || next > Twister::kWords)
      throw std::invalid_argument("the next of 624 words is another one");
    std::memcpy(state_.key, from.data<void>(), sizeof(state_.key));
    state_.next = next;
  }

  void words(nb::handle out) {
    const Buffer to(out, 'B', Access::Write);
    if (to.size() % 4 != 0 || reinterpret_cast<std::uintptr_t>(to.data<void>()) % 4 != 0)
      throw std::invalid_argument("words have 4 bytes each");
    run_unlocked(
        [&] { kernels_in_use<float>().random.words(state_, to.data<std::uint32_t>(), to.size() / 4); });
  }
  void uniform(nb::handle out, double low, double scale, double high, bool wide) {
    const Buffer to(out, wide, Access::Write);
    const auto with = [&](auto number) {
      using T = decltype(number);
      kernels_in_use<T>().random.uniform(state_, to.data<T>(), to.size(), T(low), T(scale), T(high));
    };
    run_unlocked([&] {
      if (wide) with(double());
      else with(float());
    });
  }
  void trials(nb::handle out, std::int64_t below, double one, bool wide) {
    const Buffer to(out, wide, Access::Write);
    run_unlocked([&] {
      if (wide) kernels_in_use<double>().random.trials(state_, to.data<double>(), to.size(), below, one);
      else kernels_in_use<float>().random.trials(state_, to.data<float>(), to.size(), below, float(one));
    });
  }

  void permutation(nb::handle out) {
    const Buffer to(out, 'q', Access::Write);
    if (to.size() > 0xffffffff) throw std::invalid_argument("a word is too short for so many numbers");
    run_unlocked([&] { kernels_in_use<float>().random.permutation(state_, to.data<Index>(), to.size()); });
  }

  /// float32 numbers, 16 or more, made 16 at a time. If that leaves a rest the last 16 are made anew, of
  /// fresh words; the rest's own are drawn before that and lost, unless `thrifty`.
  void normal(nb::handle out, double mean, double std, bool thrifty) {
    const Buffer to(out, false, Access::Write);
    const Index n = to.size(), rest = n % kBlock;
    if (n < kBlock) throw std::invalid_argument("normal numbers are made 16 at a time");
    run_unlocked([&] {
      const Random<float>& random = kernels_in_use<float>().random;
      const auto make = [&](float* data, Index count) {
        random.uniform(state_, data, count, 0.0f, 1.0f, 1.0f);
        random.normal(data, count / kBlock, float(mean), float(std));
      };
      // a part at a time is drawn, and changed while it is still in the caches
      for (Index i = 0; i < n - rest; i += kPart) make(to.data<float>() + i, min(kPart, n - rest - i));
      if (rest == 0) return;
      std::uint32_t lost[kBlock];
      if (!thrifty) random.words(state_, lost, rest);
      make(to.data<float>() + n - kBlock, kBlock);
    });
  }

 private:
  static void check_key(const Buffer& key) {
    if (key.size() != Index(sizeof(Twister::key)))
      throw std::invalid_argument("a state has 624 words of 4 bytes");
  }

  static constexpr Index kBlock = 16, kPart = 1 << 17;
  Twister state_;
};

}  // namespace

void bind_random(nb::module_& m) {
  nb::class_<BoundTwister>(m, "Twister")
      .def(nb::init<std::uint32_t>(), nb::arg("seed"))
      .def("get_state", &BoundTwister::get_state, nb::arg("key"))
      .def("set_state", &BoundTwister::set_state, nb::arg("key"), nb::arg("next"))
      .def("words", &BoundTwister::words, nb::arg("out"))
      .def("uniform", &BoundTwister::uniform, nb::arg("out"), nb::arg("low"), nb::arg("scale"),
           nb::arg("high"), nb::arg("wide"))
      .def("trials", &BoundTwister::trials, nb::arg("out"), nb::arg("below"), nb::arg("one"), nb::arg("wide"))
      .def("normal", &BoundTwister::normal, nb::arg("out"), nb::arg("mean"), nb::arg("std"),
           nb::arg("thrifty"))
      .def("permutation", &BoundTwister::permutation, nb::arg("out"));
}

}  // namespace convgrad
