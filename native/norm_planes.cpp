// norm_planes.cpp - channels whose runs of positions are at least a vector long.
#include "norm_lanes.hpp"

namespace convgrad::CONVGRAD_ISA {

namespace {

/// Where a problem (batch, channels, inner) is cut: a task has some channels, or, where there are too few of
/// them, a part of the images of one.
struct PlaneCut {
  Index batch, channels, inner;
  Index together, parts;  // channels of a task, parts of a channel; one of them is 1

  PlaneCut(Index batch, Index channels, Index inner) : batch(batch), channels(channels), inner(inner) {
    constexpr Index kEnough = 8;
    const Index values = batch * inner;
    together = min(channels, max(1, kTask / values));
    parts = channels >= kEnough ? 1 : max(1, min(min(batch, ceil_div(kEnough, channels)), values / kTask));
  }
  Index elements() const { return batch * channels * inner; }
  Index tasks() const { return parts > 1 ? channels * parts : ceil_div(channels, together); }
  Index pitch() const { return channels * inner; }
  Index first_image(Index part) const { return batch * part / parts; }
  Index images(Index part) const { return first_image(part + 1) - first_image(part); }

  /// each(channel) of a task.
  template <typename F>
  void channels_of(Index task, const F& each) const {
    if (parts > 1) return each(task / parts);
    for (Index c = task * together; c < min(channels, (task + 1) * together); c++) each(c);
  }
};

// ---- forward

template <typename T>
struct Planes {
  const ChannelNorm<T>& p;
  const PlaneCut cut;
  const ApplyLine<T> apply;

  explicit Planes(const ChannelNorm<T>& p)
      : p(p), cut(p.batch, p.channels, p.inner), apply(line_applier<T>(p.addend, p.activation)) {}

  Moments moments(Index c, Index part) const {
    const T* x = p.x + cut.first_image(part) * cut.pitch() + c * p.inner;
    return moments_of(x, cut.images(part), cut.pitch(), p.inner);
  }
  Line<T> line(Index c, const Moments& found) const {
    const double mean = found.mean(), var = found.var(), invstd = inverse_root(var + p.eps);
    p.mean[c] = T(mean);
    p.var[c] = T(var);
    p.invstd[c] = T(invstd);
    return line_of<T>(mean, invstd, p.weight ? p.weight[c] : 1, p.bias ? p.bias[c] : 0);
  }
  void normalise(Index c, Index part, const Line<T>& line) const {
    const Index start = cut.first_image(part) * cut.pitch() + c * p.inner;
    const Runs<T> runs(cut.images(part), cut.pitch(), p.inner);
    apply(p.x + start, from(p.addend, start), p.out + start, runs, line);
  }

  void run() const {
    if (p.given) return run_given();
    if (cut.parts == 1) {
      for_tasks(cut.tasks(), cut.elements(), [&](Index task) {
        cut.channels_of(task, [&](Index c) { normalise(c, 0, line(c, moments(c, 0))); });
      });
      return;
    }
    struct Found {
      Moments moments;
      Line<T> line;
    };
    Found* found = shared_array<Found>(cut.tasks());
    for_tasks(cut.tasks(), cut.elements(),
              [&](Index task) { found[task].moments = moments(task / cut.parts, task % cut.parts); });
    for (Index c = 0; c < p.channels; c++) {
      Found& all = found[c * cut.parts];
      for (Index part = 1; part < cut.parts; part++) all.moments.add(found[c * cut.parts + part].moments);
      all.line = line(c, all.moments);
    }
    for_tasks(cut.tasks(), cut.elements(), [&](Index task) {
      const Index c = task / cut.parts;
      normalise(c, task % cut.parts, found[c * cut.parts].line);
    });
  }

 private:
  /// In the order of memory: nothing has to be found first.
  void run_given() const {
    Line<T>* lines = shared_array<Line<T>>(p.channels);
    for (Index c = 0; c < p.channels; c++) {
      const double invstd = inverse_root(p.var[c] + p.eps);
      p.invstd[c] = T(invstd);
      lines[c] = line_of<T>(p.mean[c], invstd, p.weight ? p.weight[c] : 1, p.bias ? p.bias[c] : 0);
    }
    const Index runs = p.batch * p.channels, per = max(1, kTask / p.inner);
    const Runs<T> one(1, 0, p.inner);
    for_tasks(ceil_div(runs, per), cut.elements(), [&](Index task) {
      for (Index r = task * per; r < min(runs, (task + 1) * per); r++) {
        const Index start = r * p.inner;
        apply(p.x + start, from(p.addend, start), p.out + start, one, lines[r % p.channels]);
      }
    });
  }
};

// ---- gradients

struct Slopes {
  double g = 0, gx = 0;  // sums of g, and of g * (x - mean)
};

/// The sums along runs, of g as relu let it through; that is stored if `kStore`.
template <typename T, bool kMask, bool kStore>
Slopes slopes_of_chunk(const T* g, const T* x, const T* out, T* passed, T mean, const Runs<T>& runs) {
  Vec<T> sums[kWays] = {}, products[kWays] = {};
  const Vec<T> centre = splat(mean);
  for_runs(runs, [&](Index at, const auto& lanes, int way) __attribute__((always_inline)) {
    Vec<T> v = load(g + at, lanes);
    if constexpr (kMask) v = masked<T>(v, load(out + at, lanes));
    if constexpr (kStore) store(passed + at, v, lanes);
    sums[way] += v;
    products[way] += kept<T>(v * (load(x + at, lanes) - centre), lanes);
  });
  return {total<T>(sums), total<T>(products)};
}

/// gx = g * scale + (x - mean) * slope + shift, of g as relu let it through.
template <typename T, bool kMask>
void pull_line(const T* g, const T* x, const T* out, T* gx, const Runs<T>& runs, T mean, T scale, T slope,
               T shift) {
  const Vec<T> centre = splat(mean), factor = splat(scale), a = splat(slope), b = splat(shift);
  for_runs(runs, [&](Index at, const auto& lanes, int) __attribute__((always_inline)) {
    Vec<T> v = load(g + at, lanes);
    if constexpr (kMask) v = masked<T>(v, load(out + at, lanes));
    store(gx + at, v * factor + ((load(x + at, lanes) - centre) * a + b), lanes);
  });
}
template <typename T, bool kMask>
void pull_scale(const T* g, const T* out, T* gx, const Runs<T>& runs, T scale) {
  const Vec<T> factor = splat(scale);
  for_runs(runs, [&](Index at, const auto& lanes, int) __attribute__((always_inline)) {
    Vec<T> v = load(g + at, lanes);
    if constexpr (kMask) v = masked<T>(v, load(out + at, lanes));
    store(gx + at, v * factor, lanes);
  });
}

template <typename T>
struct PlanesGrad {
  const ChannelNormGrad<T>& p;
  const PlaneCut cut;

  explicit PlanesGrad(const ChannelNormGrad<T>& p) : p(p), cut(p.batch, p.channels, p.inner) {}

  Slopes slopes(Index c, Index part) const {
    const Index start = cut.first_image(part) * cut.pitch() + c * p.inner;
    const auto sum = p.gaddend ? slopes_of_chunk<T, true, true>
                     : p.out   ? slopes_of_chunk<T, true, false>
                               : slopes_of_chunk<T, false, false>;
    Slopes all;
    for_chunks<T>(cut.images(part), cut.pitch(), p.inner, [&](Index at, const Runs<T>& runs) {
      const Index i = start + at;
      const Slopes some = sum(p.g + i, p.x + i, from(p.out, i), from(p.gaddend, i), p.mean[c], runs);
      all.g += some.g;
      all.gx += some.gx;
    });
    return all;
  }
  void keep(Index c, const Slopes& all) const {
    p.gweight[c] = T(all.gx * p.invstd[c]);
    p.gbias[c] = T(all.g);
  }
  void pull(Index c, Index part, const Slopes& all) const {
    if (!p.gx) return;
    const Index i = cut.first_image(part) * cut.pitch() + c * p.inner;
    const Runs<T> runs(cut.images(part), cut.pitch(), p.inner);
    const double scale = p.invstd[c] * (p.weight ? double(p.weight[c]) : 1);
    const T* g = p.gaddend ? p.gaddend : p.g;
    const bool mask = p.out && !p.gaddend;  // what is stored is masked already
    if (p.given) {
      (mask ? pull_scale<T, true> : pull_scale<T, false>)(g + i, from(p.out, i), p.gx + i, runs, T(scale));
      return;
    }
    const double count = double(p.batch * p.inner), invstd = p.invstd[c];
    const double slope = -scale * invstd * invstd * all.gx / count, shift = -scale * all.g / count;
    (mask ? pull_line<T, true> : pull_line<T, false>)(g + i, p.x + i, from(p.out, i), p.gx + i, runs,
                                                      p.mean[c], T(scale), T(slope), T(shift));
  }

  void run() const {
    if (cut.parts == 1) {
      for_tasks(cut.tasks(), 2 * cut.elements(), [&](Index task) {
        cut.channels_of(task, [&](Index c) {
          const Slopes all = slopes(c, 0);
          keep(c, all);
          pull(c, 0, all);
        });
      });
      return;
    }
    Slopes* found = shared_array<Slopes>(cut.tasks());
    for_tasks(cut.tasks(), cut.elements(),
              [&](Index task) { found[task] = slopes(task / cut.parts, task % cut.parts); });
    for (Index c = 0; c < p.channels; c++) {
      Slopes& all = found[c * cut.parts];
      for (Index part = 1; part < cut.parts; part++) {
        all.g += found[c * cut.parts + part].g;
        all.gx += found[c * cut.parts + part].gx;
      }
      keep(c, all);
    }
    for_tasks(cut.tasks(), cut.elements(), [&](Index task) {
      pull(task / cut.parts, task % cut.parts, found[task / cut.parts * cut.parts]);
    });
  }
};

// ---- sums alone

template <typename T>
double sum_of(const T* p, Index rows, Index pitch, Index length) {
  double all = 0;
  for_chunks<T>(rows, pitch, length, [&](Index at, const Runs<T>& runs) {
    Vec<T> sums[kWays] = {};
    for_runs(runs, [&](Index i, const auto& lanes, int way)
                       __attribute__((always_inline)) { sums[way] += load(p + at + i, lanes); });
    all += total<T>(sums);
  });
  return all;
}

}  // namespace

template <typename T>
void norm_planes(const ChannelNorm<T>& p) {
  Planes<T>(p).run();
}
template <typename T>
void norm_planes_grad(const ChannelNormGrad<T>& p) {
  PlanesGrad<T>(p).run();
}

template <typename T>
void sum_planes(const ChannelSum<T>& p) {
  const PlaneCut cut(p.batch, p.channels, p.inner);
  double* found = shared_array<double>(p.channels * cut.parts);
  for_tasks(cut.tasks(), cut.elements() / 2, [&](Index task) {
    cut.channels_of(task, [&](Index c) {
      const Index part = cut.parts > 1 ? task % cut.parts : 0;
      const T* x = p.x + cut.first_image(part) * cut.pitch() + c * p.inner;
      found[c * cut.parts + part] = sum_of(x, cut.images(part), cut.pitch(), p.inner);
    });
  });
  for (Index c = 0; c < p.channels; c++) {
    double all = 0;
    for (Index part = 0; part < cut.parts; part++) all += found[c * cut.parts + part];
    p.out[c] = T(all);
  }
}

template void norm_planes<float>(const ChannelNorm<float>&);
template void norm_planes<double>(const ChannelNorm<double>&);
template void norm_planes_grad<float>(const ChannelNormGrad<float>&);
template void norm_planes_grad<double>(const ChannelNormGrad<double>&);
template void sum_planes<float>(const ChannelSum<float>&);
template void sum_planes<double>(const ChannelSum<double>&);

}  // namespace convgrad::CONVGRAD_ISA
