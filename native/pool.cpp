// pool.cpp - threads that share the tasks of a job.
//
// A job is open while it has tasks to give; workers join open jobs. Each thread has a part of the tasks,
// takes chunks of them from a counter, and helps with the other parts when its own is done. The caller works
// too and can finish alone: at the end it waits only for chunks that a worker has begun. A worker without
// work watches for some microseconds and then sleeps.
#include "pool.hpp"

#include <atomic>
#include <exception>
#include <mutex>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "blocks.hpp"
#include "processors.hpp"
#include "waiting.hpp"

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

namespace convgrad {

namespace {

// All in nanoseconds.
constexpr Index kWatch = 50'000;      // a worker looks for the next job before it sleeps
constexpr Index kWaitAwake = 20'000;  // a caller looks for the end of the last chunk before it sleeps
constexpr Index kChunk = 60'000;      // tasks are handed out together up to about this time, see Job::work
constexpr Index kNotWorthWaking = 40'000;  // shorter work is not offered to sleepers, unless it comes often
constexpr Index kNotWorthSharing = 5'000;  // nor this to anybody
constexpr Index kGap = 200'000;            // a watch that stood still so long was taken off its core
constexpr Index kCrowded = 20'000'000;     // for this long after that nobody watches
constexpr Index kSettled = 1'000'000;      // a worker changes its place no more often
constexpr Index kMostInChunk = 64;
constexpr int kSlots = 32;  // jobs that can be shared at a time
constexpr int kMostWorkers = 1023;
constexpr Index kMostParts = 16;

// The state of a slot: open, whether its caller sleeps, how many workers may be at it, how many are.
constexpr std::uint32_t kOpen = 1u << 31, kCallerSleeps = 1u << 30, kWorkers = (1u << 15) - 1;
constexpr int kPlacesAt = 15;
constexpr std::uint32_t workers_in(std::uint32_t state) { return state & kWorkers; }
constexpr std::uint32_t places_in(std::uint32_t state) { return state >> kPlacesAt & kWorkers; }

std::atomic<int> wanted_threads{0};  // 0: not said
std::atomic<unsigned> forks{0};

/// While it lives the thread is at a task.
class AtTask {
 public:
  AtTask() : before_(inside_task()) { inside_task() = true; }
  ~AtTask() { inside_task() = before_; }
  AtTask(const AtTask&) = delete;
  AtTask& operator=(const AtTask&) = delete;

 private:
  bool before_;
};

/// A run of neighbouring tasks.
struct alignas(64) JobPart {
  std::atomic<Index> next{0};
  Index end = 0;
};

struct alignas(64) Job {
  Job(Index tasks, Task run, void* context, Index threads)
      : tasks(tasks), run(run), context(context), threads(threads), parts(min(threads, kMostParts)) {
    for (Index i = 0; i < parts; i++) {
      part[i].next.store(tasks * i / parts, std::memory_order_relaxed);
      part[i].end = tasks * (i + 1) / parts;
    }
  }

  const Index tasks;
  const Task run;
  void* const context;
  const Index threads, parts;
  const unsigned age = forks;
  const Place caller{};
  bool shared = false;
  JobPart part[kMostParts];
  alignas(64) std::atomic<bool> failed{false};
  std::exception_ptr error;  // the first one's; read when all have left

  void fail(std::exception_ptr why) {
    if (!failed.exchange(true)) error = std::move(why);
    give_up();
  }
  void give_up() {
    for (Index i = 0; i < parts; i++) part[i].next.store(part[i].end);
  }
  /// Whether this is the child of a fork, where the tasks that other threads took are lost.
  bool orphaned() const { return shared && age != forks.load(std::memory_order_relaxed); }

  /// Ask whether the call is to be given up, if it is time for that.
  void look_for_interrupts(Index time, bool signal = false) {
    KernelCall* const call = KernelCall::current();
    if (!call || !call->interruptible() || failed) return;
    if (call->asked == 0) call->asked = time;
    if (time - call->asked < kInterruptEvery && !signal) return;
    call->asked = time;
    if (call->interrupted()) fail(std::make_exception_ptr(Interrupted()));
    if (orphaned()) give_up();  // the question ran foreign code
  }

  /// Does the thread's own part and then what is left of the others. A thread has the same part of every job
  /// of a size: what it finds there it has often written itself, in the job before, to its core's own cache.
  void work(Index number) {
    const AtTask here;
    Index most = 1, time = now();
    for (Index i = 0; i < parts; i++) take(part[(number + i) % parts], most, time);
  }

  /// Takes chunks until none is left: single tasks at first, more at a time if they turn out to be short.
  void take(JobPart& from, Index& most, Index& time) {
    for (;;) {
      const Index left = from.end - from.next.load(std::memory_order_relaxed);
      if (left <= 0) return;
      const Index count = max(1, min(most, left / 4));
      const Index first = from.next.fetch_add(count, std::memory_order_relaxed);
      if (first >= from.end) return;
      try {
        for (Index i = first; i < min(first + count, from.end); i++) run(context, i);
      } catch (...) {
        fail(std::current_exception());
        return;
      }
      const Index before = time;
      time = now();
      if (time - before < kChunk / 2) most = min(2 * most, kMostInChunk);
      else if (time - before > kChunk) most = max(most / 2, 1);
      look_for_interrupts(time);
    }
  }
};

struct alignas(128) Slot {
  Word state{0};
  std::atomic<bool> taken{false};
  Job* job = nullptr;
};

class Pool {
 public:
  /// Offer a job to the workers and take part in it; false if it could not be offered.
  bool share(Job& job, Index nanoseconds);
  /// Try anew to start threads where the system has refused some.
  void retry() { most_ = kMostWorkers; }
  std::mutex starting;

 private:
  Slot* take_slot();
  void start(int workers);
  void call(int workers, Index nanoseconds);
  void finish(Slot& slot, Job& job);
  void live(int number);
  bool serve(int number);
  bool watch(std::uint32_t seen);
  void sleep(std::uint32_t seen);
  static void settle(const Place& caller);
  bool crowded(Index time) const { return time < crowded_until_.load(std::memory_order_relaxed); }

  Slot slots_[kSlots];
  alignas(128) Word jobs_{0};                        // counts offers; workers watch it and sleep on it
  alignas(128) std::atomic<std::uint64_t> idle_{0};  // watching workers, and << 32 those asleep
  std::atomic<int> alive_{0};
  std::atomic<int> most_{kMostWorkers};  // fewer once the system refused one
  std::atomic<Index> crowded_until_{0};
  std::atomic<Index> called_{0};  // when there was a job last
};

constexpr std::uint64_t kWatching = 1, kAsleep = std::uint64_t(1) << 32;

// Never destroyed: workers use it to the end of the process. In a forked child it is made anew.
alignas(Pool) unsigned char pool_memory[sizeof(Pool)];
Pool& pool() {
  static Pool* const made = new (pool_memory) Pool;
  return *made;
}

Slot* Pool::take_slot() {
  for (Slot& slot : slots_)
    if (!slot.taken.load(std::memory_order_relaxed) && !slot.taken.exchange(true, std::memory_order_acquire))
      return &slot;
  return nullptr;
}

bool Pool::share(Job& job, Index nanoseconds) {
  const int workers = int(min(job.threads - 1, kMostWorkers));
  start(workers);
  Slot* const slot = take_slot();
  if (!slot) return false;
  job.shared = true;
  slot->job = &job;
  slot->state.store(kOpen | std::uint32_t(workers) << kPlacesAt);
  call(workers, nanoseconds);
  job.work(0);
  if (!job.orphaned()) finish(*slot, job);
  return true;
}

/// Lets workers know that there is a job.
void Pool::call(int workers, Index nanoseconds) {
  jobs_.fetch_add(1);
  // A worker counts itself in before it looks at jobs_ for the last time: one of the two sees the other.
  const std::uint64_t idle = idle_.load();
  const int watching = int(idle & (kAsleep - 1)), asleep = int(idle / kAsleep);
  const Index time = now();
  // who is woken will see the next one if they come so fast
  const bool often = time - called_.exchange(time, std::memory_order_relaxed) < kWatch && !crowded(time);
  if (watching >= workers || asleep == 0) return;
  if (nanoseconds > 0 && nanoseconds < kNotWorthWaking && !often) return;
  wake(jobs_, int(min(workers - watching, asleep)));
}

/// Waits for the workers that are at a job.
void Pool::finish(Slot& slot, Job& job) {
  std::uint32_t state = slot.state.fetch_and(~kOpen);
  const Index start = workers_in(state) ? now() : 0;
  bool signal = false;
  while (workers_in(state = slot.state.load(std::memory_order_acquire))) {
    const Index time = now();
    job.look_for_interrupts(time, signal);
    signal = false;
    if (job.orphaned()) return;
    if (time - start < kWaitAwake && !crowded(time)) {
      pause();
    } else if (state & kCallerSleeps || slot.state.compare_exchange_strong(state, state | kCallerSleeps)) {
      signal = sleep_while(slot.state, state | kCallerSleeps, kInterruptEvery);
    }
  }
  slot.state.store(0, std::memory_order_relaxed);
  slot.taken.store(false, std::memory_order_release);
}

void Pool::start(int workers) {
  if (alive_.load(std::memory_order_relaxed) >= min(workers, most_.load(std::memory_order_relaxed))) return;
  std::lock_guard<std::mutex> lock(starting);
#if !defined(_WIN32)
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
  try {
    for (int number = alive_; number < workers; number++) {
      std::thread([this, number] { live(number); }).detach();
      alive_ = number + 1;
    }
  } catch (...) {  // as many as there are will do
    most_ = int(alive_);
  }
#if !defined(_WIN32)
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
}

void Pool::live(int number) {
  FlushSubnormals flush;
  for (;;) {
    const std::uint32_t seen = jobs_.load();
    if (!serve(number) && !watch(seen)) sleep(seen);
  }
}

/// Takes part in an open job; false if there is none.
bool Pool::serve(int number) {
  for (int i = 0; i < kSlots; i++) {
    Slot& slot = slots_[(number + i) % kSlots];
    std::uint32_t state = slot.state.load(std::memory_order_relaxed);
    while (state & kOpen && workers_in(state) < places_in(state)) {
      if (!slot.state.compare_exchange_weak(state, state + 1)) continue;
      Job& job = *slot.job;  // of whoever has opened the slot by now
      if (job.caller.shared()) settle(job.caller);
      try {
        begin_scratch();
        job.work(number + 1);
        end_scratch();
      } catch (...) {
        job.fail(std::current_exception());
      }
      slot.state.fetch_and(~kOpen);  // it has no more to give
      state = slot.state.fetch_sub(1);
      if (state & kCallerSleeps && workers_in(state) == 1) wake(slot.state, 1);
      return true;
    }
  }
  return false;
}

/// Looks out for a job for a while; false if none came.
bool Pool::watch(std::uint32_t seen) {
  const Index start = now();
  if (crowded(start)) return false;
  idle_.fetch_add(kWatching);
  bool found = false;
  for (Index time = start, before; !found && time - start < kWatch;) {
    for (int i = 0; i < 16 && !found; i++) {
      pause();
      found = jobs_.load(std::memory_order_relaxed) != seen;
    }
    before = time;
    time = now();
    if (time - before > kGap) crowded_until_ = time + kCrowded;
  }
  idle_.fetch_sub(kWatching);
  return found;
}

/// A thread that was asleep may be woken where the caller runs, and then takes its turns from it until the
/// system spreads them out, milliseconds later: it moves by itself, and is woken there from then on.
void Pool::settle(const Place& caller) {
  thread_local Index last = 0;
  const Index time = now();
  if (time - last < kSettled) return;
  last = time;
  caller.leave();
}

void Pool::sleep(std::uint32_t seen) {
  idle_.fetch_add(kAsleep);
  sleep_while(jobs_, seen, -1);
  idle_.fetch_sub(kAsleep);
}

#if !defined(_WIN32)

void before_fork() {
  pool().starting.lock();
  lock_scratch();
  lock_blocks();
}
void after_fork_in_parent() {
  unlock_blocks();
  unlock_scratch();
  pool().starting.unlock();
}
/// The child has this one thread: a new pool, without workers and jobs.
void after_fork_in_child() {
  forks++;
  unlock_blocks();
  forget_sleepers();
  new (&pool()) Pool;
  leave_scratch_of_others();
  unlock_scratch();
}

/// When the library is loaded, so that no fork finds anything half made.
int watch_forks() {
  forget_sleepers();
  before_fork();
  after_fork_in_parent();
  return pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
const int watching_forks = watch_forks();

#endif

}  // namespace

bool& inside_task() {
  thread_local bool inside = false;
  return inside;
}

void parallel_for(Index tasks, Task run, void* context, Index nanoseconds) {
  if (tasks <= 0) return;
  if (tasks == 1) {
    const AtTask here;
    run(context, 0);
    return;
  }
  const bool serial = inside_task() || (nanoseconds > 0 && nanoseconds < kNotWorthSharing);
  Job job(tasks, run, context, serial ? 1 : min(thread_count(), tasks));
  if (job.threads == 1 || !pool().share(job, nanoseconds)) job.work(0);
  if (job.orphaned()) throw std::runtime_error("forked while a kernel was running");
  if (job.failed) std::rethrow_exception(job.error);
}

int thread_count() {
  const int wanted = wanted_threads.load(std::memory_order_relaxed);
  if (wanted > 0) return wanted;
  return int(max(1, std::thread::hardware_concurrency()));
}

void set_thread_count(int threads) {
  wanted_threads = threads;
  pool().retry();
}

unsigned fork_count() { return forks; }

}  // namespace convgrad
