// processors.hpp - keeping a worker off the processor of the thread it works for.
#pragma once

#if defined(__linux__) && !defined(__ANDROID__)
#include <pthread.h>
#include <sched.h>
#define CONVGRAD_KNOWS_PROCESSORS 1
#endif

namespace convgrad {

/// A thread and where it was running.
struct Place {
#if defined(CONVGRAD_KNOWS_PROCESSORS)
  pthread_t thread = pthread_self();
  int processor = sched_getcpu();

  /// Whether the calling thread, another one, runs at the same place.
  bool shared() const { return processor >= 0 && processor == sched_getcpu(); }

  /// Moves the calling thread to the other processors that the place's thread may use, if there are any.
  void leave() const {
    cpu_set_t others;
    if (pthread_getaffinity_np(thread, sizeof(others), &others) != 0) return;
    CPU_CLR(processor, &others);
    if (CPU_COUNT(&others) > 0) pthread_setaffinity_np(pthread_self(), sizeof(others), &others);
  }
#else
  bool shared() const { return false; }
  void leave() const {}
#endif
};

}  // namespace convgrad
