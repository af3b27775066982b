// gil.hpp - a kernel's run without Python's lock, and the lock taken back now and then to hear of signals.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <exception>
#include <thread>

#include "parallel.hpp"

namespace convgrad {

/// Take the lock back. Where the interpreter has been left meanwhile, Python before 3.14 ends the thread with
/// pthread_exit, which glibc makes unwind the stack, and that ends the whole process at the first frame of
/// C++ that does not let it pass: such a thread, a daemon's, stays here until the process ends.
inline void take_lock(PyThreadState* state) {
  try {
    PyEval_RestoreThread(state);
  } catch (...) {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

/// Whether this is the thread that Python's signal handlers run in. Needs the lock.
inline bool on_main_thread() {
  static unsigned long main_thread = 0;
  static unsigned forks = 0;
  if (main_thread == 0 || forks != fork_count()) {
    main_thread = nanobind::cast<unsigned long>(
        nanobind::module_::import_("threading").attr("main_thread")().attr("ident"));
    forks = fork_count();
  }
  return PyThread_get_thread_ident() == main_thread;
}

/// Gives up the lock while it lives.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() { take_lock(state_); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

  /// An Interrupt: runs the handlers of signals that came in; whether one of them raised.
  static bool signals(void* unlocked) {
    auto& self = *static_cast<Unlocked*>(unlocked);
    take_lock(self.state_);
    const bool raised = PyErr_CheckSignals() != 0;
    self.state_ = PyEval_SaveThread();
    return raised;
  }

 private:
  PyThreadState* state_;
};

/// Below so many nanoseconds a kernel keeps Python's lock: giving it up and taking it back is not worth it.
inline constexpr Index kKeepsLock = 10'000;

/// Call `run` as a kernel, without Python's lock. What a signal handler raises comes before what `run`
/// throws. `nanoseconds` is about what one thread takes, where that is known.
template <typename Run>
void run_unlocked(const Run& run, Index nanoseconds = kKeepsLock) {
  if (nanoseconds < kKeepsLock) {
    KernelCall call;
    return run();
  }
  const Interrupt interrupt = on_main_thread() ? &Unlocked::signals : nullptr;
  std::exception_ptr error;
  {
    Unlocked unlocked;
    KernelCall call(interrupt, &unlocked);
    try {
      run();
    } catch (...) {
      error = std::current_exception();
    }
  }
  if (!error) return;
  if (PyErr_Occurred()) throw nanobind::python_error();
  std::rethrow_exception(error);
}

}  // namespace convgrad
