// parallel.hpp - a small pool of threads, scratch memory that its threads keep between calls, and what
// surrounds the call of a kernel. Kernels of every instruction set include this: no STL here.
#pragma once

#include <cstddef>

#include "problem.hpp"

namespace convgrad {

using Task = void (*)(void* context, Index task);

/// Run `run(context, 0 .. tasks - 1)` in any order on the pool and on the calling thread; returns when all
/// are done. The first exception of a task is thrown again here, after the others have ended or been given
/// up. Inside a task it runs serially. `nanoseconds` is what all tasks together would take one thread, where
/// the caller can tell: work that is shorter than the way to a sleeping thread is then kept from it.
void parallel_for(Index tasks, Task run, void* context, Index nanoseconds = 0);

/// Threads that share a job, the calling one included; as many as the machine has until it is set.
int thread_count();
void set_thread_count(int threads);

/// Memory of the calling thread, 64-byte aligned, valid until its next request for the same role, or to the
/// end of the task or KernelCall it is asked for in. Kept for the next one, unless it is larger than
/// kScratchKept. Throws std::bad_alloc.
enum class Scratch { Shared, Task, Flags };
inline constexpr int kScratchRoles = 3;
void* scratch(Scratch role, std::size_t bytes);
inline constexpr std::size_t kScratchKept = std::size_t(64) << 20;

/// Bytes held by all threads, and giving them back (those of threads that are at work stay).
std::size_t scratch_held();
void scratch_trim();

/// Treats subnormal numbers as zero on this thread while it lives; the pool's threads always do.
class FlushSubnormals {
 public:
  FlushSubnormals();
  ~FlushSubnormals();
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

  /// The mode to come, and the thread's own mode again.
  void resume();
  void pause();

 private:
  unsigned long long saved_;
};

/// Treats them as the numbers they are, also on the pool's threads: for loops that are not ours.
class KeepSubnormals {
 public:
  KeepSubnormals();
  ~KeepSubnormals();
  KeepSubnormals(const KeepSubnormals&) = delete;
  KeepSubnormals& operator=(const KeepSubnormals&) = delete;

 private:
  unsigned long long saved_;
};

/// Asked every kInterruptEvery between tasks, on the thread that called the kernel; true gives the call up.
using Interrupt = bool (*)(void* context);
inline constexpr Index kInterruptEvery = 20'000'000;  // nanoseconds

/// What parallel_for throws when its call was given up.
struct Interrupted {};

/// Surrounds the call of a kernel on the calling thread: subnormals are flushed, interrupts looked for, and
/// outsize scratch is given back at its end. One inside another (an interrupt may call kernels as well) has
/// scratch of its own.
class KernelCall {
 public:
  explicit KernelCall(Interrupt interrupt = nullptr, void* context = nullptr);
  ~KernelCall();
  KernelCall(const KernelCall&) = delete;
  KernelCall& operator=(const KernelCall&) = delete;

  /// The innermost call on this thread, or null.
  static KernelCall* current();
  /// Whether there is anything to ask.
  bool interruptible() const { return interrupt_ != nullptr; }
  /// Ask; in the floating-point mode of the caller.
  bool interrupted();

  Index asked = 0;  // when the interrupt was last asked for, nanoseconds of a steady clock

 private:
  FlushSubnormals flush_;
  Interrupt interrupt_;
  void* context_;
  KernelCall* outer_;
  bool inside_task_;
};

/// How often this process was forked off from one that used the pool: what was learned of threads before is
/// void when it changes.
unsigned fork_count();

}  // namespace convgrad
