// waiting.cpp - sleeping on a word: the futex of Linux and Windows, a condition variable elsewhere.
#include "waiting.hpp"

#if defined(__linux__) && !defined(CONVGRAD_PORTABLE_WAITING)

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace convgrad {

bool sleep_while(const Word& word, std::uint32_t expected, Index nanoseconds) {
  timespec most{time_t(nanoseconds / 1'000'000'000), long(nanoseconds % 1'000'000'000)};
  const long result = syscall(SYS_futex, reinterpret_cast<const std::uint32_t*>(&word), FUTEX_WAIT_PRIVATE,
                              expected, nanoseconds < 0 ? nullptr : &most, nullptr, 0);
  return result == -1 && errno == EINTR;
}

void wake(const Word& word, int count) {
  syscall(SYS_futex, reinterpret_cast<const std::uint32_t*>(&word), FUTEX_WAKE_PRIVATE, count, nullptr,
          nullptr, 0);
}

void forget_sleepers() {}

}  // namespace convgrad

#elif defined(_WIN32)

#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#pragma comment(lib, "synchronization.lib")

namespace convgrad {

bool sleep_while(const Word& word, std::uint32_t expected, Index nanoseconds) {
  const DWORD most = nanoseconds < 0 ? INFINITE : DWORD(nanoseconds / 1'000'000 + 1);
  WaitOnAddress(const_cast<Word*>(&word), &expected, sizeof(expected), most);
  return false;
}

void wake(const Word& word, int count) {
  auto* address = const_cast<Word*>(&word);
  if (count == 1) WakeByAddressSingle(address);
  else WakeByAddressAll(address);
}

void forget_sleepers() {}

}  // namespace convgrad

#else

#include <condition_variable>
#include <mutex>
#include <new>

namespace convgrad {

namespace {

/// All sleepers share one condition: they are few, and every one looks at its own word.
struct Dormitory {
  std::mutex mutex;
  std::condition_variable changed;
};

// Never destroyed: threads sleep here while the process ends.
alignas(Dormitory) unsigned char memory[sizeof(Dormitory)];
Dormitory& dormitory() {
  static Dormitory* const made = new (memory) Dormitory;
  return *made;
}

}  // namespace

bool sleep_while(const Word& word, std::uint32_t expected, Index nanoseconds) {
  Dormitory& d = dormitory();
  std::unique_lock<std::mutex> lock(d.mutex);
  if (word.load() != expected) return false;
  if (nanoseconds < 0) d.changed.wait(lock);
  else d.changed.wait_for(lock, std::chrono::nanoseconds(nanoseconds));
  return false;
}

void wake(const Word&, int) {
  Dormitory& d = dormitory();
  // Whoever has seen the old value under the lock is asleep when the lock is free again.
  {
    std::lock_guard<std::mutex> lock(d.mutex);
  }
  d.changed.notify_all();
}

void forget_sleepers() { new (&dormitory()) Dormitory; }

}  // namespace convgrad

#endif
