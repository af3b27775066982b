// pool_driver.cpp - the thread pool and scratch memory without Python, for test_pool_driver.py: every check
// is a function that throws what went wrong. Built with the thread sanitizer as well.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "parallel.hpp"

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace convgrad;

#define CHECK(condition) \
  if (!(condition)) throw std::runtime_error("line " + std::to_string(__LINE__) + ": " #condition)

namespace {

/// parallel_for for callables.
template <typename F>
void each(Index tasks, F f, Index nanoseconds = 0) {
  parallel_for(tasks, [](void* c, Index i) { (*static_cast<F*>(c))(i); }, &f, nanoseconds);
}

void work_for(int microseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
  while (std::chrono::steady_clock::now() < end) {
  }
}

void every_task_runs_once() {
  for (int threads : {1, 2, 3, 7, 16}) {
    set_thread_count(threads);
    for (Index tasks : {0, 1, 2, 3, 5, 16, 17, 1000, 50000})
      for (Index nanoseconds : {0, 1, 20000, 1000000}) {
        std::vector<std::atomic<int>> runs(tasks);
        each(tasks, [&](Index i) { runs.at(i)++; }, nanoseconds);
        for (auto& count : runs) CHECK(count == 1);
      }
  }
}

void uneven_tasks_run_once() {
  set_thread_count(3);
  std::vector<int> runs(400);  // not atomic: nobody else may touch an element
  for (int repeat = 0; repeat < 20; repeat++)
    each(400, [&](Index i) { work_for(i % 50 ? 0 : 200), runs[i]++; });
  for (int count : runs) CHECK(count == 20);
}

void workers_take_part() {
  set_thread_count(2);
  for (int attempt = 0; attempt < 100; attempt++) {
    std::atomic<bool> other{false};
    const auto caller = std::this_thread::get_id();
    each(200, [&](Index) {
      work_for(100);
      if (std::this_thread::get_id() != caller) other = true;
    });
    if (other) return;  // a loaded machine may need several attempts
  }
  CHECK(!"no worker ever took a task");
}

void as_many_threads_as_asked_for() {
  for (int repeat = 0; repeat < 50; repeat++) {
    set_thread_count(4);
    each(64, [](Index) { work_for(20); });
    set_thread_count(2);  // three workers are awake, and one may come
    std::atomic<int> inside{0}, most{0};
    each(60, [&](Index) {
      const int now = ++inside;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      work_for(50);
      inside--;
    });
    CHECK(most <= 2);
  }
}

void nested_runs_serially() {
  set_thread_count(4);
  for (int repeat = 0; repeat < 20; repeat++) {
    std::atomic<int> runs{0}, strangers{0};
    each(2, [&](Index) {  // leaves two workers free
      const auto here = std::this_thread::get_id();
      each(40, [&](Index) {
        work_for(50);
        runs++;
        if (std::this_thread::get_id() != here) strangers++;
      });
    });
    CHECK(runs == 80);
    CHECK(strangers == 0);
  }
}

void first_exception_comes_back() {
  for (int threads : {1, 2, 7}) {
    set_thread_count(threads);
    for (Index bad : {0, 1, 500, 999}) {
      std::atomic<int> runs{0};
      std::string message;
      try {
        each(1000, [&](Index i) {
          runs++;
          if (i == bad) throw std::runtime_error("task " + std::to_string(bad));
        });
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
      CHECK(message == "task " + std::to_string(bad));
      CHECK(runs <= 1000);
    }
    // The rest is given up.
    std::atomic<int> runs{0};
    bool caught = false;
    try {
      each(10000, [&](Index) {
        runs++;
        work_for(20);
        throw std::bad_alloc();
      });
    } catch (const std::bad_alloc&) {
      caught = true;
    }
    CHECK(caught);
    CHECK(runs <= threads);
    runs = 0;
    each(100, [&](Index) { runs++; });
    CHECK(runs == 100);
  }
}

void many_callers_at_once() {
  set_thread_count(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; caller++)
    callers.emplace_back([&, caller] {
      KernelCall call;
      for (int repeat = 0; repeat < 300; repeat++) {
        const Index tasks = 1 + (repeat * 7 + caller) % 40;
        auto* sums = static_cast<Index*>(scratch(Scratch::Shared, 40 * sizeof(Index)));
        each(tasks, [&](Index i) {
          auto* own = static_cast<Index*>(scratch(Scratch::Task, sizeof(Index)));
          *own = i * caller;
          work_for(repeat % 3);
          sums[i] = *own;
        });
        for (Index i = 0; i < tasks; i++) wrong += sums[i] != i * caller;
        if (repeat % 50 == 0) scratch_trim();
        if (repeat % 100 == 0) set_thread_count(1 + (repeat / 100 + caller) % 4);
      }
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

void more_jobs_than_can_be_shared() {
  set_thread_count(2);
  std::atomic<int> runs{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 80; caller++)
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 10; repeat++) each(10, [&](Index) { work_for(20), runs++; });
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(runs == 80 * 10 * 10);
}

struct Asked {
  std::atomic<int> times{0};
  int give_up_at = 1 << 30;
  static bool ask(void* self) {
    auto& asked = *static_cast<Asked*>(self);
    return ++asked.times >= asked.give_up_at;
  }
};

void interrupts_are_answered() {
  for (int threads : {1, 2, 5}) {
    set_thread_count(threads);
    Asked asked;
    asked.give_up_at = 3;
    KernelCall call(&Asked::ask, &asked);
    bool given_up = false;
    const auto start = std::chrono::steady_clock::now();
    try {
      each(1'000'000, [](Index) { work_for(1000); });
    } catch (const Interrupted&) {
      given_up = true;
    }
    CHECK(given_up);
    CHECK(asked.times == 3);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
    std::atomic<int> runs{0};
    asked.give_up_at = 1 << 30;
    each(100, [&](Index) { runs++; });
    CHECK(runs == 100);
  }
}

void only_the_caller_is_asked() {
  set_thread_count(3);
  struct Here {
    std::thread::id caller = std::this_thread::get_id();
    int elsewhere = 0;
    static bool ask(void* self) {
      auto& here = *static_cast<Here*>(self);
      here.elsewhere += std::this_thread::get_id() != here.caller;
      return false;
    }
  } here;
  KernelCall call(&Here::ask, &here);
  each(200, [](Index) { work_for(500); });
  CHECK(here.elsewhere == 0);
}

/// A signal handler calls a kernel while one runs on the same thread.
void a_call_inside_a_call() {
  set_thread_count(2);
  struct Handler {
    unsigned char* outer = nullptr;
    int calls = 0, runs = 0;
    bool same = false;
    static bool ask(void* self) {
      auto& handler = *static_cast<Handler*>(self);
      KernelCall call;
      auto* memory = static_cast<unsigned char*>(scratch(Scratch::Shared, 1 << 20));
      handler.same |= memory == handler.outer;
      std::memset(memory, 0xff, 1 << 20);
      std::atomic<int> runs{0};
      each(50, [&](Index) {
        std::memset(scratch(Scratch::Task, 1 << 16), 0xff, 1 << 16);
        runs++;
      });
      handler.runs += runs;
      handler.calls++;
      return false;
    }
  } handler;
  KernelCall call(&Handler::ask, &handler);
  auto* memory = static_cast<unsigned char*>(scratch(Scratch::Shared, 1 << 16));
  handler.outer = memory;
  std::memset(memory, 7, 1 << 16);
  each(300, [](Index) { work_for(500); });
  CHECK(handler.calls > 0);
  CHECK(handler.runs == 50 * handler.calls);
  CHECK(!handler.same);
  for (int i = 0; i < 1 << 16; i++) CHECK(memory[i] == 7);
  CHECK(scratch(Scratch::Shared, 1 << 16) == memory);
}

void scratch_grows_and_is_given_back() {
  set_thread_count(1);
  scratch_trim();
  const std::size_t before = scratch_held();
  {
    KernelCall call;
    for (std::size_t bytes : {std::size_t(0), std::size_t(1), std::size_t(100), std::size_t(100000),
                              std::size_t(5) << 20, (std::size_t(9) << 20) + 1}) {
      void* shared = scratch(Scratch::Shared, bytes);
      void* task = scratch(Scratch::Task, bytes);
      CHECK(shared != task);
      CHECK(reinterpret_cast<std::size_t>(shared) % 64 == 0);
      std::memset(shared, 1, bytes);
      std::memset(task, 2, bytes);
    }
    void* memory = scratch(Scratch::Task, 1 << 20);
    CHECK(memory == scratch(Scratch::Task, 2 << 20));  // the arena only grows
    scratch_trim();                                    // in use: stays
    CHECK(scratch_held() - before >= std::size_t(18) << 20);
    CHECK(scratch_held() - before <= std::size_t(24) << 20);
    CHECK(memory == scratch(Scratch::Task, 1 << 20));
  }
  CHECK(scratch_held() - before >= std::size_t(18) << 20);  // kept for the next call
  scratch_trim();
  CHECK(scratch_held() == before);
  {
    KernelCall call;
    scratch(Scratch::Shared, kScratchKept + 1);
    CHECK(scratch_held() - before > kScratchKept);
  }
  CHECK(scratch_held() == before);  // too much to keep
}

void scratch_of_workers() {
  set_thread_count(3);
  scratch_trim();
  {
    KernelCall call;
    each(300, [](Index) { std::memset(scratch(Scratch::Task, 1 << 20), 1, 1 << 20), work_for(20); });
  }
  CHECK(scratch_held() >= 1 << 20);
  CHECK(scratch_held() <= 4 << 20);
  scratch_trim();
  for (int i = 0; scratch_held() && i < 1000; i++) {  // a worker that came too late may still be leaving
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    scratch_trim();
  }
  CHECK(scratch_held() == 0);
  {
    KernelCall call;
    each(300, [](Index) { scratch(Scratch::Task, kScratchKept + 1), work_for(20); });
  }
  CHECK(scratch_held() == 0);
  std::thread([] {
    KernelCall call;
    scratch(Scratch::Task, 1 << 20);
  }).join();
  CHECK(scratch_held() == 0);  // went with its thread
}

void too_much_scratch_is_refused() {
  set_thread_count(2);
  scratch_trim();
  for (std::size_t bytes : {~std::size_t(0), ~std::size_t(0) / 4}) {
    KernelCall call;
    int caught = 0;
    try {
      scratch(Scratch::Shared, bytes);
    } catch (const std::bad_alloc&) {
      caught++;
    }
    try {
      each(100, [=](Index i) { scratch(Scratch::Task, i == 70 ? bytes : 100); });
    } catch (const std::bad_alloc&) {
      caught++;
    }
    CHECK(caught == 2);
    std::memset(scratch(Scratch::Shared, 1000), 0, 1000);
    each(100, [](Index) { std::memset(scratch(Scratch::Task, 1000), 0, 1000); });
  }
}

bool flushed() {
  volatile float small = 1e-30f;
  return small * small == 0 && small * 1e-10f == 0;
}

void subnormals_are_flushed_and_restored() {
  set_thread_count(3);
  CHECK(!flushed());
  {
    KernelCall call;
    CHECK(flushed());
    std::atomic<int> kept{0};
    each(300, [&](Index) { work_for(20), kept += !flushed(); });
    CHECK(kept == 0);
  }
  CHECK(!flushed());
  try {
    KernelCall call;
    each(10, [](Index) { throw std::bad_alloc(); });
  } catch (const std::bad_alloc&) {
  }
  CHECK(!flushed());
  bool inside = true;
  {
    KernelCall call([](void* inside) { return *static_cast<bool*>(inside) = flushed(), false; }, &inside);
    each(100, [](Index) { work_for(1000); });
    CHECK(flushed());
  }
  CHECK(!inside);  // the interrupt ran in the caller's own mode
  CHECK(!flushed());
}

#if !defined(_WIN32)

void run_some() {
  std::atomic<int> runs{0};
  each(200, [&](Index) { work_for(10), runs++; });
  CHECK(runs == 200);
}

/// Runs `f` in a child and waits for it, half a minute at most.
template <typename F>
void in_child(F f) {
  const pid_t child = fork();
  if (child == 0) {
    int status = 0;
    try {
      f();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
      status = 1;
    }
    _exit(status);
  }
  int status = -1;
  for (int i = 0; i < 3000; i++) {
    if (waitpid(child, &status, WNOHANG) == child) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    status = -1;
  }
  CHECK(status == 0);
}

void forks_work() {
  set_thread_count(3);
  run_some();
  scratch_trim();
  {
    KernelCall call;
    each(300, [](Index) { scratch(Scratch::Task, 1 << 20), work_for(20); });
  }
  for (int repeat = 0; repeat < 10; repeat++) {
    const unsigned forks = fork_count();
    in_child([&] {
      CHECK(fork_count() == forks + 1);
      CHECK(scratch_held() <= std::size_t(1) << 20);  // the workers' is gone with them
      CHECK(thread_count() == 3);
      run_some();
      {
        KernelCall call;
        each(300, [](Index) { std::memset(scratch(Scratch::Task, 1 << 20), 1, 1 << 20), work_for(20); });
      }
      in_child(run_some);
      run_some();
    });
    run_some();
    CHECK(fork_count() == forks);
  }
}

void forks_beside_a_job_work() {
  set_thread_count(3);
  std::atomic<bool> stop{false};
  std::atomic<int> jobs{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; i++)
    callers.emplace_back([&] {
      while (!stop) {
        KernelCall call;
        each(20, [](Index) { scratch(Scratch::Task, 1 << 17), work_for(20); });
        scratch_trim();
        jobs++;
      }
    });
  while (jobs < 10) std::this_thread::yield();
  std::string failure;
  try {
    for (int repeat = 0; repeat < 30; repeat++) in_child(run_some);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  if (!failure.empty()) throw std::runtime_error(failure);
  run_some();
}

/// A signal handler forks while a kernel runs: the child cannot finish that kernel, but may run others.
void a_fork_inside_a_call() {
  set_thread_count(3);
  struct Handler {
    pid_t child = -1;
    static bool ask(void* self) {
      auto& handler = *static_cast<Handler*>(self);
      if (handler.child == -1) handler.child = fork();
      return false;
    }
  } handler;
  std::atomic<int> runs{0};
  bool broken = false;
  try {
    KernelCall call(&Handler::ask, &handler);
    each(500, [&](Index) { work_for(200), runs++; });
  } catch (const std::runtime_error&) {
    broken = true;
  }
  if (handler.child == 0) {
    int status = broken ? 0 : 1;
    try {
      run_some();
    } catch (...) {
      status = 2;
    }
    _exit(status);
  }
  CHECK(handler.child > 0);
  CHECK(!broken);
  CHECK(runs == 500);
  int status = -1;
  CHECK(waitpid(handler.child, &status, 0) == handler.child);
  CHECK(status == 0);
}

#endif

struct Check {
  const char* name;
  void (*run)();
};

#define CASE(name) {#name, name}
const Check checks[] = {
    CASE(every_task_runs_once),
    CASE(uneven_tasks_run_once),
    CASE(workers_take_part),
    CASE(as_many_threads_as_asked_for),
    CASE(nested_runs_serially),
    CASE(first_exception_comes_back),
    CASE(many_callers_at_once),
    CASE(more_jobs_than_can_be_shared),
    CASE(interrupts_are_answered),
    CASE(only_the_caller_is_asked),
    CASE(a_call_inside_a_call),
    CASE(scratch_grows_and_is_given_back),
    CASE(scratch_of_workers),
    CASE(too_much_scratch_is_refused),
    CASE(subnormals_are_flushed_and_restored),
#if !defined(_WIN32)
    CASE(forks_work),
    CASE(forks_beside_a_job_work),
    CASE(a_fork_inside_a_call),
#endif
};

}  // namespace

/// Without arguments all checks; otherwise those named, or `list`.
int main(int count, char** arguments) {
  int failures = 0;
  for (const Check& check : checks) {
    bool wanted = count == 1;
    for (int i = 1; i < count; i++) wanted |= !std::strcmp(arguments[i], check.name);
    if (count == 2 && !std::strcmp(arguments[1], "list")) std::puts(check.name);
    if (!wanted) continue;
    try {
      check.run();
      std::printf("%s: passed\n", check.name);
    } catch (const std::exception& error) {
      std::printf("%s: FAILED, %s\n", check.name, error.what());
      failures++;
    }
    std::fflush(stdout);
  }
  return failures;
}
