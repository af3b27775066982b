#include "fft_plan.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <tuple>

namespace convgrad {

struct FftFactors {
  FftTables tables{};
  std::vector<double> wide;
  std::vector<float> narrow;
};

namespace {

constexpr double kLongestLine = 1 << 30;
constexpr double kTurn = 6.283185307179586476925286766559;

/// Powers of the factor of a pass that are kept: the others of radix 8 are products of these.
std::vector<int> kept_powers(int radix) {
  if (radix == 8) return {1, 2, 4};
  std::vector<int> all;
  for (int i = 1; i < radix; i++) all.push_back(i);
  return all;
}

void add_factors(std::vector<double>& to, Index points, int radix, int lanes) {
  for (Index v = 0; v < points / radix; v += lanes)
    for (int power : kept_powers(radix))
      for (int part = 0; part < 2; part++)
        for (int lane = 0; lane < lanes; lane++) {
          const double angle = -kTurn * double((v + lane) * power % points) / double(points);
          to.push_back(part ? std::sin(angle) : std::cos(angle));
        }
}

/// Cut a length into passes of radix 8, 4 and 2 and a leaf of 4, 8 or 12 vectors.
void choose_passes(FftTables& t, Index points, int lanes) {
  Index rest = points / lanes;
  const bool thrice = rest % 3 == 0;
  t.leaf = thrice ? 12 : 4;
  rest /= t.leaf;
  int bits = 0;
  for (; rest > 1; rest /= 2) bits++;
  if (!thrice && bits > 1 && bits % 3 == 1) t.leaf = 8, bits--;
  while (bits > 0) {
    const int here = bits == 1 ? 1 : bits == 2 || bits == 4 ? 2 : 3;
    t.radix[t.passes++] = 1 << here;
    bits -= here;
  }
}

bool is_length(Index points) {
  if (points < 128 || points > (Index(1) << 24)) return false;
  if (points % 3 == 0) points = points >= 384 ? points / 3 : 0;
  return points > 0 && (points & (points - 1)) == 0;
}

std::shared_ptr<const FftFactors> make_factors(Index points, int lanes, bool wide) {
  auto made = std::make_shared<FftFactors>();
  FftTables& t = made->tables;
  std::vector<double>& factors = made->wide;
  t.points = points;
  choose_passes(t, points, lanes);
  Index length = points;
  for (int i = 0; i < t.passes; i++) {
    t.at[i] = Index(factors.size());
    add_factors(factors, length, t.radix[i], lanes);
    length /= t.radix[i];
  }
  t.at[t.passes] = Index(factors.size());
  add_factors(factors, length, t.leaf, lanes);
  t.at[t.passes + 1] = Index(factors.size());
  for (int i = 1; i < 4; i++)  // lanes are a quarter's number and a place in it
    for (int part = 0; part < 2; part++)
      for (int lane = 0; lane < lanes; lane++) {
        const double angle = -kTurn * i * (lane % (lanes / 4 + (lanes < 4))) / lanes;
        factors.push_back(part ? std::sin(angle) : std::cos(angle));
      }
  const size_t zeros = factors.size();
  factors.resize(zeros + size_t(points), 0.0);
  if (wide) {
    t.twiddles = factors.data();
    t.zeros = factors.data() + zeros;
  } else {
    made->narrow.assign(factors.begin(), factors.end());
    t.twiddles = made->narrow.data();
    t.zeros = made->narrow.data() + zeros;
    factors = {};
  }
  return made;
}

std::shared_ptr<const FftFactors> factors_of(Index points, int lanes, bool wide) {
  static std::mutex mutex;
  static std::map<std::tuple<Index, int, bool>, std::weak_ptr<const FftFactors>> made;
  std::lock_guard<std::mutex> lock(mutex);
  auto& kept = made[{points, lanes, wide}];
  auto factors = kept.lock();
  if (!factors) kept = factors = make_factors(points, lanes, wide);
  return factors;
}

/// Places of the line, in numbers that do not overflow.
double length_of(const Problem& p, bool adjoint) {
  double length = 1;
  for (int i = 0; i < 3; i++) {
    const double outputs = double(adjoint ? p.in[i] - 1 : p.out[i] - 1) * double(adjoint ? 1 : p.stride[i]);
    length *= outputs + double(p.kernel[i] - 1) * double(p.dilation[i]) + 1;
  }
  return length;
}

[[noreturn]] void refuse(const char* why) { throw std::invalid_argument(std::string("fft: ") + why); }

}  // namespace

FftPlan::FftPlan(const Problem& p, Primitive primitive, const FftCut& cut, int lanes, bool wide) {
  if (!is_length(cut.points)) refuse("the length of a transform is 2^a >= 128 or 3 2^a >= 384");
  lay_out(p, primitive);
  factors_ = factors_of(cut.points, lanes, wide);
  view_.tables = factors_->tables;
  cut_up(cut);
}

void FftPlan::lay_out(const Problem& p, Primitive primitive) {
  const bool adjoint = primitive == Primitive::InputGrad;
  FftView& v = view_;
  FftLine& line = v.line;
  v.weights = primitive == Primitive::WeightGrad;
  v.swapped = adjoint;
  v.batch = p.batch;
  v.groups = p.groups;
  v.contracted = adjoint ? p.out_channels : p.in_channels;
  v.produced = adjoint ? p.in_channels : p.out_channels;
  line.border = adjoint ? Border::Zeros : p.border;
  Index extent[3], reach[3];
  if (length_of(p, adjoint) > kLongestLine) refuse("the signal is too long");
  for (int i = 0; i < 3; i++) {
    reach[i] = (p.kernel[i] - 1) * p.dilation[i];
    line.size[i] = adjoint ? p.out[i] : p.in[i];
    line.every[i] = adjoint ? p.stride[i] : 1;
    line.low[i] = adjoint ? reach[i] - p.low[i] : p.low[i];
    v.target[i] = adjoint ? p.in[i] : p.out[i];
    v.stride[i] = adjoint ? 1 : p.stride[i];
    extent[i] = (v.target[i] - 1) * v.stride[i] + reach[i] + 1;
  }
  line.rows = extent[1];
  line.pitch = extent[2];
  line.length = extent[0] * extent[1] * extent[2];
  const Index pitch[3] = {line.rows * line.pitch, line.pitch, 1};
  for (Index d = 0; d < v.target[0]; d++)
    for (Index h = 0; h < v.target[1]; h++)
      row_start_.push_back(d * v.stride[0] * pitch[0] + h * v.stride[1] * pitch[1]);
  for (Index d = 0; d < p.kernel[0]; d++)
    for (Index h = 0; h < p.kernel[1]; h++)
      for (Index w = 0; w < p.kernel[2]; w++) {
        const Index at = (d * p.dilation[0] * pitch[0] + h * p.dilation[1] * pitch[1] + w * p.dilation[2]);
        const Index last = reach[0] * pitch[0] + reach[1] * pitch[1] + reach[2];
        tap_at_.push_back(std::int32_t(adjoint ? last - at : at));
      }
  // Rows without borders lie in memory as they lie in the line.
  bool bare = true;
  for (int i = 0; i < 3; i++) bare &= line.low[i] == 0 && line.size[i] == extent[i] && line.every[i] == 1;
  if (bare) {
    line.size[0] = line.size[1] = line.rows = 1;
    line.size[2] = line.pitch = line.length;
  }
  v.row_start = row_start_.data();
  v.taps = p.taps();
  v.tap_at = tap_at_.data();
}

void FftPlan::cut_up(const FftCut& cut) {
  for (Index n : {cut.step, cut.tile, cut.rows_per_task, cut.filters_per_task})
    if (n < 1) refuse("cuts must be positive");
  FftView& v = view_;
  const Index points = cut.points;
  const Index reach = std::max(tap_at_.front(), tap_at_.back());
  const Index outputs = row_start_.back() + (v.target[2] - 1) * v.stride[2] + 1;
  const FftLine& line = v.line;
  v.step = min(cut.step, outputs);
  v.blocks = ceil_div(outputs, v.step);
  v.window = v.step + reach;
  if (reach >= points) refuse("a frame is shorter than the kernel");
  if (v.window > points) {
    // One frame may leave out the zeros at the head of the line and wrap those at its end.
    const Index pitch[3] = {line.rows * line.pitch, line.pitch, 1};
    const Index extent[3] = {line.length / pitch[0], line.rows, line.pitch};
    Index end = 1;
    for (int i = 0; i < 3; i++) {
      v.lead += max(line.low[i], 0) * pitch[i];
      end += min(line.low[i] + (line.size[i] - 1) * line.every[i], extent[i] - 1) * pitch[i];
    }
    if (v.blocks > 1 || line.border != Border::Zeros || end > points || v.window - v.lead > points)
      refuse("a frame is too short for its step");
  }
  // Filters stand in their own order. That of the adjoint should be reversed: it moves the results instead.
  v.origin = (v.swapped ? reach : 0) - v.lead;
  for (Index at : tap_at_) {
    const Index to = v.weights ? at - v.lead : v.swapped ? reach - at : at;
    tap_to_.push_back(std::int32_t((to + points) % points));
  }
  v.tap_to = tap_to_.data();
  v.channel_pairs = cut.channel_pairs;
  const Index rows = v.batch * v.blocks;
  v.row_units = cut.channel_pairs ? rows : ceil_div(rows, 2);
  v.filter_units = cut.channel_pairs ? ceil_div(v.produced, 2) : v.produced;
  v.rows_per_task = min(cut.rows_per_task, v.row_units);
  v.filters_per_task = min(cut.filters_per_task, v.filter_units);
  v.tile = min(cut.tile, v.rows_per_task);
  v.own_filters = cut.own_filters;
}

}  // namespace convgrad
