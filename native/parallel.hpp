// parallel.hpp - a small pool of threads, and scratch memory that its threads keep between calls.
#pragma once

#include <cstddef>

#include "problem.hpp"

namespace convgrad {

using Task = void (*)(void* context, Index task);

/// Run `run(context, 0 .. tasks - 1)` in any order on the pool and on the calling thread; returns when all
/// are done. The first exception of a task is thrown again here, after the others have ended or been given
/// up.
void parallel_for(Index tasks, Task run, void* context);

int thread_count();
void set_thread_count(int threads);

/// Memory of the calling thread, 64-byte aligned, valid until its next request for the same role; grows only.
enum class Scratch { Shared, Task, Flags };
void* scratch(Scratch role, std::size_t bytes);

/// Bytes held by all threads, and giving them back (those of threads that are at work stay).
std::size_t scratch_held();
void scratch_trim();

/// Treats subnormal numbers as zero on this thread while it lives.
class FlushSubnormals {
 public:
  FlushSubnormals();
  ~FlushSubnormals();
  FlushSubnormals(const FlushSubnormals&) = delete;

 private:
  unsigned long long saved_;
};

}  // namespace convgrad
