#include "kernel.hpp"

#include <limits>
#include <stdexcept>

namespace convgrad {

namespace {

/// A plan with the functions that run it in both precisions.
template <typename Plan, typename View>
class Planned : public Kernel {
 public:
  Planned(Plan plan, bool wide, const Family<float, View>& single, const Family<double, View>& twice)
      : plan_(std::move(plan)), wide_(wide), single_(single), double_(twice) {}
  void run(const Operands<float>& data) const override { single_.run(plan_.view(), data); }
  void run(const Operands<double>& data) const override { double_.run(plan_.view(), data); }
  std::size_t shared_bytes() const override {
    return wide_ ? double_.shared(plan_.view()) : single_.shared(plan_.view());
  }
  std::size_t scratch_bytes() const override {
    return wide_ ? double_.scratch(plan_.view()) : single_.scratch(plan_.view());
  }

 private:
  Plan plan_;
  bool wide_;
  Family<float, View> single_;
  Family<double, View> double_;
};

[[noreturn]] void refuse(const std::string& algorithm, const char* why) {
  throw std::invalid_argument(algorithm + ": " + why);
}

/// cut: spans of a block in outputs per phase (three axes), channels packed at a time, channels per pass,
/// panels.
DirectPlan direct_plan(const std::string& algorithm, Primitive primitive, const Problem& p,
                       const std::vector<Index>& cut) {
  if (primitive == Primitive::WeightGrad) refuse(algorithm, "computes outputs and input gradients only");
  if (cut.size() != 6) refuse(algorithm, "wants six numbers to cut by");
  for (Index n : cut)
    if (n < 1) refuse(algorithm, "cuts must be positive");
  return DirectPlan(p, primitive, Cut{{cut[0], cut[1], cut[2]}, cut[3], cut[4], cut[5]});
}

/// cut: spans of a block in outputs per phase (three axes).
DepthwisePlan depthwise_plan(const std::string& algorithm, Primitive primitive, const Problem& p, bool wide,
                             int vector_bytes, const std::vector<Index>& cut) {
  if (p.in_channels != 1) refuse(algorithm, "serves one input channel per group only");
  if (cut.size() != 3) refuse(algorithm, "wants three numbers to cut by");
  for (Index n : cut)
    if (n < 1) refuse(algorithm, "cuts must be positive");
  const bool pixels = algorithm == "depthwise_pixels";
  return DepthwisePlan(p, primitive, pixels ? DepthwiseLanes::Pixels : DepthwiseLanes::Blocks, vector_bytes / (wide ? 8 : 4), most_run(vector_bytes), cut.data());
}

}  // namespace

std::unique_ptr<Kernel> make_kernel(const std::string& algorithm, Primitive primitive, const Problem& problem,
                                    bool wide, const std::vector<Index>& cut, const KernelTable& table) {
  const Kernels<float>& f = table.single_precision;
  const Kernels<double>& d = table.double_precision;
  if (algorithm == "direct_channels")
    return std::make_unique<Planned<DirectPlan, DirectView>>(direct_plan(algorithm, primitive, problem, cut),
                                                             wide, f.direct_channels, d.direct_channels);
  if (algorithm == "depthwise_channels" || algorithm == "depthwise_pixels") {
    const bool weights = primitive == Primitive::WeightGrad, pixels = algorithm == "depthwise_pixels";
    const auto pick = [&](const auto& k) {
      return pixels ? weights ? k.depthwise_pixel_weights : k.depthwise_pixels
             : weights ? k.depthwise_channel_weights
                       : k.depthwise_channels;
    };
    return std::make_unique<Planned<DepthwisePlan, DepthwiseView>>(
        depthwise_plan(algorithm, primitive, problem, wide, table.vector_bytes, cut), wide, pick(f), pick(d));
  }
  refuse(algorithm, "no such algorithm");
}

}  // namespace convgrad
