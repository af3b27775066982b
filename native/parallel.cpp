#include "parallel.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace convgrad {

namespace {

struct Job {
  Index tasks;
  Task run;
  void* context;
  std::atomic<Index> next{0};
  std::atomic<int> busy{0};
  std::exception_ptr error;
  std::mutex error_mutex;

  void work() {
    for (;;) {
      const Index i = next.fetch_add(1);
      if (i >= tasks) return;
      try {
        run(context, i);
      } catch (...) {
        std::lock_guard<std::mutex> lock(error_mutex);
        if (!error) error = std::current_exception();
        next = tasks;
      }
    }
  }
};

class Pool {
 public:
  void run(Job& job) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (int(threads_.size()) < wanted - 1) threads_.emplace_back([this] { loop(); });
      job_ = &job;
      epoch_.fetch_add(1);
    }
    wake_.notify_all();
    job.work();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = nullptr;
    }
    while (job.busy.load() > 0) {
    }
  }
  std::mutex use;
  int wanted = int(std::thread::hardware_concurrency());

 private:
  void loop() {
    FlushSubnormals flush;
    unsigned seen = 0;
    for (;;) {
      for (int i = 0; i < 2000 && epoch_.load() == seen; i++) {
#if defined(__x86_64__)
        _mm_pause();
#endif
      }
      Job* job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return epoch_.load() != seen; });
        seen = epoch_.load();
        job = job_;
        if (job) job->busy++;
      }
      if (job) {
        job->work();
        job->busy--;
      }
    }
  }
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<unsigned> epoch_{0};
  Job* job_ = nullptr;
};

Pool& pool() {
  static Pool* pool = new Pool;
  return *pool;
}

struct Arena {
  void* memory = nullptr;
  std::size_t size = 0;
  ~Arena() { std::free(memory); }
  void* get(std::size_t bytes) {
    if (bytes > size) {
      std::free(memory);
      memory = nullptr;
      size = 0;
      const std::size_t rounded = (bytes + 63) / 64 * 64 + 4096;
      memory = std::aligned_alloc(64, (rounded + 63) / 64 * 64);
      if (!memory) throw std::bad_alloc();
      size = rounded;
    }
    return memory;
  }
};

}  // namespace

void parallel_for(Index tasks, Task run, void* context) {
  Job job;
  job.tasks = tasks;
  job.run = run;
  job.context = context;
  if (tasks > 1 && pool().wanted > 1 && pool().use.try_lock()) {
    pool().run(job);
    pool().use.unlock();
  } else {
    job.work();
  }
  if (job.error) std::rethrow_exception(job.error);
}

int thread_count() { return pool().wanted; }
void set_thread_count(int threads) { pool().wanted = threads; }

void* scratch(Scratch role, std::size_t bytes) {
  thread_local Arena arenas[3];
  return arenas[int(role)].get(bytes);
}
std::size_t scratch_held() { return 0; }
void scratch_trim() {}

FlushSubnormals::FlushSubnormals() {
#if defined(__x86_64__)
  saved_ = _mm_getcsr();
  _mm_setcsr(unsigned(saved_) | 0x8040);
#endif
}
FlushSubnormals::~FlushSubnormals() {
#if defined(__x86_64__)
  _mm_setcsr(unsigned(saved_));
#endif
}

}  // namespace convgrad
