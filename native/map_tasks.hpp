// map_tasks.hpp - functions of elements: operands checked, work cut into tasks.
#pragma once

#include <stdexcept>

#include "bindings.hpp"

namespace convgrad {

/// Bytes of the result in one task: a part of it, so that a thread reads on for as long as it can, within
/// bounds.
inline constexpr Index kLeastTask = Index(1) << 15, kMostTask = Index(1) << 18, kTasks = 16;
inline constexpr int kLine = 64;

/// Where a result lies, in bytes.
struct Extent {
  const char* begin;
  const char* end;
};
inline Extent extent(const Buffer& a, Index itemsize) {
  const char* begin = a.data<const char>();
  return {begin, begin + a.size() * itemsize};
}

/// An operand may be the result itself; if they overlap in another way, what is written would be read.
inline void check_overlap(const Buffer& operand, const Buffer& result, Index itemsize) {
  const Extent a = extent(operand, itemsize), b = extent(result, itemsize);
  if (a.begin != b.begin && a.begin < b.end && b.begin < a.end)
    throw nb::type_error("an operand overlaps the result");
}
inline void check_size(const Buffer& a, Index size) {
  if (a.size() != size) throw std::invalid_argument("an operand has not as many elements as the result");
}

/// Calls `part(start, count)` for pieces of n elements, on several threads where it is worth it.
/// `picoseconds` is what one element takes.
template <typename Part>
void in_tasks(Index n, Index itemsize, Index picoseconds, const Part& part) {
  const Index size = round_up(max(kLeastTask, min(kMostTask, n * itemsize / kTasks)), kLine) / itemsize;
  struct Job {
    const Part& part;
    Index n, size;
  } job{part, n, size};
  const auto run = [](void* context, Index task) {
    const Job& job = *static_cast<const Job*>(context);
    const Index start = task * job.size;
    job.part(start, min(job.size, job.n - start));
  };
  const Index nanoseconds = max(1, n * picoseconds / 1000);
  run_unlocked([&] { parallel_for(ceil_div(n, size), run, &job, nanoseconds); }, nanoseconds);
}

}  // namespace convgrad
