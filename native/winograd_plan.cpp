#include "winograd_plan.hpp"

#include <algorithm>

namespace convgrad {

namespace {

WinogradAxis axis_of(const Problem& p, int i, bool forward, Index span) {
  const bool transformed = p.kernel[i] > 1;
  WinogradAxis axis{};
  axis.source = forward ? p.in[i] : p.out[i];
  axis.target = forward ? p.out[i] : p.in[i];
  axis.dilation = transformed ? p.dilation[i] : 1;
  axis.taps = p.kernel[i];
  axis.pieces = ceil_div(p.kernel[i], 3);
  axis.points = transformed ? 6 : 1;
  axis.outputs = transformed ? 4 : 1;
  axis.origin = forward ? -p.low[i] : p.low[i] - axis.dilation * (p.kernel[i] - 1);
  axis.supers = ceil_div(axis.target, axis.outputs * axis.dilation);
  axis.span = min(span, axis.supers);
  axis.blocks = ceil_div(axis.supers, axis.span);
  return axis;
}

}  // namespace

bool WinogradPlan::fits(const Problem& p) {
  for (int i = 0; i < 3; i++)
    if (p.stride[i] != 1) return false;
  return p.kernel[1] > 1 || p.kernel[2] > 1;
}

WinogradPlan::WinogradPlan(const Problem& p, Primitive primitive, const WinogradCut& cut, DirectPlan direct)
    : direct_(std::make_unique<DirectPlan>(std::move(direct))) {
  lay_out(p, primitive, cut);
  view_.direct = &direct_->view();
}

WinogradPlan::WinogradPlan(const Problem& p, const WinogradCut& cut, WeightPlan direct)
    : direct_weight_(std::make_unique<WeightPlan>(std::move(direct))) {
  lay_out(p, Primitive::WeightGrad, cut);
  view_.direct_weight = &direct_weight_->view();
}

void WinogradPlan::lay_out(const Problem& p, Primitive primitive, const WinogradCut& cut) {
  const bool forward = primitive != Primitive::InputGrad;
  WinogradView& v = view_;
  v = WinogradView{};
  v.batch = p.batch;
  v.groups = p.groups;
  v.contracted = forward ? p.in_channels : p.out_channels;
  v.produced = forward ? p.out_channels : p.in_channels;
  v.border = forward ? p.border : Border::Zeros;
  v.depth_source = forward ? p.in[0] : p.out[0];
  v.depth_target = forward ? p.out[0] : p.in[0];
  v.depth_dilation = p.dilation[0];
  v.depth_taps = p.kernel[0];
  v.depth_origin = forward ? -p.low[0] : p.low[0] - p.dilation[0] * (p.kernel[0] - 1);
  v.height = axis_of(p, 1, forward, cut.rows);
  v.width = axis_of(p, 2, forward, cut.columns);
  v.images = min(cut.images, v.batch);
  v.slabs = min(cut.slabs, v.depth_target);
  v.channels = min(cut.channels, v.contracted);
  v.vectors = cut.vectors;
  v.stationary = cut.stationary != 0;
  v.flipped = !forward;
  const Index taps = p.taps();
  v.w_group = p.out_channels * p.in_channels * taps;
  v.w_lane = forward ? p.in_channels * taps : taps;
  v.w_channel = forward ? taps : p.in_channels * taps;
  v.w_size = v.w_group * p.groups;
  counting_.resize(v.contracted);
  for (Index i = 0; i < v.contracted; i++) counting_[i] = std::int32_t(i);
  v.counting = counting_.data();
  v.chunk = min(cut.chunk, v.blocks());
  v.shares = min(cut.shares, v.blocks());
}

}  // namespace convgrad
