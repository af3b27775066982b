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

void check_cut(const std::string& algorithm, const std::vector<Index>& cut, std::size_t size) {
  if (cut.size() != size) refuse(algorithm, "wants another number of block sizes");
  for (Index n : cut)
    if (n < 1 || n > std::numeric_limits<std::int32_t>::max())
      refuse(algorithm, "block sizes must be positive and fit 32 bits");
}

/// The tables of a plan hold a number per channel of a part and tap, and one per phase.
void check_tables(const std::string& algorithm, const Problem& p, Primitive primitive, Index channels) {
  constexpr Index most = Index(1) << 26, most_phases = 4096;
  if (p.taps() > most || min(channels, max(p.in_channels, p.out_channels)) > most / p.taps())
    refuse(algorithm, "too many taps");
  if (primitive != Primitive::InputGrad) return;
  Index phases = 1;
  for (int i = 0; i < 3; i++) {
    phases *= min(most_phases + 1, min(p.stride[i], p.in[i]));
    if (phases > most_phases) refuse(algorithm, "the stride is too large");
  }
}

/// Offsets into scratch are 32 bits wide.
template <typename Plan>
Plan checked(const std::string& algorithm, Plan plan) {
  if (plan.source_entries() > std::numeric_limits<std::int32_t>::max()) refuse(algorithm, "blocks too large");
  return plan;
}

/// cut: spans of a block in outputs per phase (three axes), images, channels packed at a time, products
/// per pass, panels per task.
DirectPlan direct_plan(const std::string& algorithm, Primitive primitive, const Problem& p,
                       const std::vector<Index>& cut, bool split) {
  check_cut(algorithm, cut, 7);
  check_tables(algorithm, p, primitive, cut[4]);
  const Cut sizes{{cut[0], cut[1], cut[2]}, cut[3], cut[4], cut[5], cut[6]};
  return checked(algorithm, DirectPlan(p, primitive, sizes, split));
}

/// cut: spans of a block in outputs (three axes), images, input channels and panels (or output channels) per
/// task, chunks.
WeightPlan weight_plan(const std::string& algorithm, const Problem& p, const std::vector<Index>& cut,
                       bool split) {
  check_cut(algorithm, cut, 7);
  check_tables(algorithm, p, Primitive::WeightGrad, 1);
  const WeightCut sizes{{cut[0], cut[1], cut[2]}, cut[3], cut[4], cut[5], cut[6]};
  return checked(algorithm, WeightPlan(p, sizes, split));
}

/// cut: images, slabs, super tiles along height and width per block, contracted channels at a time
/// (stationary weights), vectors per panel, blocks per chunk (weight gradient), whether the weights are
/// stationary; then the cut of the direct plan that serves values out of range.
WinogradPlan winograd_plan(const std::string& algorithm, Primitive primitive, const Problem& p,
                           const std::vector<Index>& cut) {
  if (cut.size() < 9) refuse(algorithm, "wants another number of block sizes");
  check_cut(algorithm, {cut.begin(), cut.begin() + 7}, 7);
  if (!WinogradPlan::fits(p))
    refuse(algorithm, "wants stride 1, and more than one tap along height or width");
  const WinogradCut own{cut[0], cut[1], cut[2], cut[3], cut[4], cut[5], cut[6], cut[7], cut[8]};
  const std::vector<Index> direct(cut.begin() + 9, cut.end());
  if (primitive == Primitive::WeightGrad) {
    WinogradPlan plan(p, own, weight_plan(algorithm, p, direct, false));
    if (own.shares < 0 || (own.shares && own.stationary)) refuse(algorithm, "stationary sums have no shares");
    if (own.stationary && plan.view().chunk < plan.view().blocks())
      refuse(algorithm, "this order takes one chunk");
    return plan;
  }
  if (own.stationary && (p.kernel[0] > 1 || p.out[0] > 1 || p.in[0] > 1))
    refuse(algorithm, "this order has no depth");
  return WinogradPlan(p, primitive, own, direct_plan(algorithm, primitive, p, direct, false));
}

/// Whether channel lanes read few enough of the entries of a row that packing those alone pays.
bool sparse_rows(const Problem& p, Primitive primitive) {
  return primitive != Primitive::InputGrad && p.kernel[2] == 1 && p.stride[2] > 1;
}

/// cut: points of a transform, outputs per frame, whether units pair channels, row units per tile and per
/// task, filter units per task, whether tasks transform filters themselves.
FftPlan fft_plan(const std::string& algorithm, Primitive primitive, const Problem& p,
                 const std::vector<Index>& cut, bool wide, const KernelTable& table) {
  if (cut.size() != 7) refuse(algorithm, "wants another number of block sizes");
  const FftCut how{cut[0], cut[1], cut[2] != 0, cut[3], cut[4], cut[5], cut[6] != 0};
  return FftPlan(p, primitive, how, table.vector_bytes / (wide ? 8 : 4), wide);
}

/// Taps of all outputs of a channel: each has a place of its own in the tables.
constexpr Index kMostDepthwiseTaps = Index(1) << 18;

/// cut: spans of a block in outputs per phase (three axes).
DepthwisePlan depthwise_plan(const std::string& algorithm, Primitive primitive, const Problem& p,
                             const std::vector<Index>& cut, bool wide, const KernelTable& table) {
  if (p.in_channels != 1) refuse(algorithm, "serves one input channel per group only");
  check_cut(algorithm, cut, 3);
  check_tables(algorithm, p, primitive, p.out_channels);
  if (p.out_channels * p.taps() > kMostDepthwiseTaps) refuse(algorithm, "too many taps");
  const auto layout = algorithm == "depthwise_pixels" ? DepthwiseLanes::Pixels : DepthwiseLanes::Channels;
  const int bytes = table.vector_bytes;
  return checked(algorithm,
                 DepthwisePlan(p, primitive, layout, bytes / (wide ? 8 : 4), most_run(bytes), cut.data()));
}

template <typename Plan, typename View>
std::unique_ptr<Kernel> planned(Plan plan, bool wide, const Family<float, View>& f,
                                const Family<double, View>& d) {
  return std::make_unique<Planned<Plan, View>>(std::move(plan), wide, f, d);
}

}  // namespace

std::unique_ptr<Kernel> make_kernel(const std::string& algorithm, Primitive primitive, const Problem& problem,
                                    bool wide, const std::vector<Index>& cut, const KernelTable& table) {
  const Kernels<float>& f = table.single_precision;
  const Kernels<double>& d = table.double_precision;
  if (algorithm == "direct_channels") {
    if (primitive == Primitive::WeightGrad)
      return planned(weight_plan(algorithm, problem, cut, sparse_rows(problem, primitive)), wide,
                     f.weight_channels, d.weight_channels);
    return planned(direct_plan(algorithm, primitive, problem, cut, sparse_rows(problem, primitive)), wide,
                   f.direct_channels, d.direct_channels);
  }
  if (algorithm == "direct_pixels") {
    if (primitive == Primitive::WeightGrad)
      return planned(weight_plan(algorithm, problem, cut, true), wide, f.weight_pixels, d.weight_pixels);
    return planned(direct_plan(algorithm, primitive, problem, cut, true), wide, f.direct_pixels,
                   d.direct_pixels);
  }
  if (algorithm == "winograd") {
    WinogradPlan plan = winograd_plan(algorithm, primitive, problem, cut);
    if (primitive == Primitive::WeightGrad)
      return planned(std::move(plan), wide, f.winograd_weight, d.winograd_weight);
    return planned(std::move(plan), wide, f.winograd, d.winograd);
  }
  if (algorithm == "fft") {
    FftPlan plan = fft_plan(algorithm, primitive, problem, cut, wide, table);
    if (primitive == Primitive::WeightGrad)
      return planned(std::move(plan), wide, f.fft_weights, d.fft_weights);
    return planned(std::move(plan), wide, f.fft_convolve, d.fft_convolve);
  }
  if (algorithm == "depthwise_channels") {
    DepthwisePlan plan = depthwise_plan(algorithm, primitive, problem, cut, wide, table);
    if (primitive == Primitive::WeightGrad)
      return planned(std::move(plan), wide, f.depthwise_channel_weights, d.depthwise_channel_weights);
    return planned(std::move(plan), wide, f.depthwise_channels, d.depthwise_channels);
  }
  if (algorithm == "depthwise_pixels") {
    DepthwisePlan plan = depthwise_plan(algorithm, primitive, problem, cut, wide, table);
    if (primitive == Primitive::WeightGrad)
      return planned(std::move(plan), wide, f.depthwise_pixel_weights, d.depthwise_pixel_weights);
    return planned(std::move(plan), wide, f.depthwise_pixels, d.depthwise_pixels);
  }
  refuse(algorithm, "no such algorithm");
}

}  // namespace convgrad
