// scratch.cpp - memory that threads keep from one kernel call to the next.
#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "pages.hpp"
#include "pool.hpp"

namespace convgrad {

namespace {

std::atomic<std::size_t> held{0};

/// In steps, so that slowly growing requests do not map anew each time.
std::size_t rounded(std::size_t bytes) {
  constexpr std::size_t kGrain = std::size_t(64) << 10, kHugePage = std::size_t(2) << 20;
  const std::size_t grain = bytes >= kHugePages ? kHugePage : kGrain;
  if (bytes > SIZE_MAX - 2 * kHugePage) throw std::bad_alloc();
  return (bytes + grain - 1) / grain * grain;
}

struct Arena {
  void* memory = nullptr;
  std::size_t size = 0;

  void release() {
    void* const gone = memory;
    const std::size_t bytes = size;
    // Forgotten first: a fork in between may lose memory but not give it back twice.
    memory = nullptr;
    size = 0;
    if (!gone) return;
    unmap_pages(gone, bytes);
    held -= bytes;
  }
  void* get(std::size_t bytes) {
    if (bytes <= size && memory) return memory;
    release();
    const std::size_t wanted = rounded(bytes ? bytes : 1);
    void* const got = map_pages(wanted);
    if (!got) throw std::bad_alloc();
    size = wanted;
    memory = got;
    held += wanted;
    return memory;
  }
};

struct Arenas {
  Arena of[kScratchRoles];

  void release() {
    for (Arena& arena : of) arena.release();
  }
};

/// The arenas of one thread.
struct Owner {
  Arenas arenas;
  std::vector<Arenas> outer;  // of the calls that a call was made inside of
  int depth = 0;
  std::atomic<bool> busy{false};  // held by its thread while that works, by others while they trim
  Owner* next = nullptr;
  Owner* previous = nullptr;
};

// Never destroyed: threads come and go while the process ends.
std::mutex& registry() {
  static std::mutex* const mutex = new std::mutex;
  return *mutex;
}
Owner* first_owner = nullptr;

thread_local Owner* own = nullptr;

void unlink(Owner* owner) {
  (owner->previous ? owner->previous->next : first_owner) = owner->next;
  if (owner->next) owner->next->previous = owner->previous;
}

/// Enters the calling thread into the registry, and takes it out when the thread ends.
struct Membership {
  Owner* const owner = new Owner;

  Membership() {
    std::lock_guard<std::mutex> lock(registry());
    owner->next = first_owner;
    if (first_owner) first_owner->previous = owner;
    first_owner = own = owner;
  }
  ~Membership() {
    {
      std::lock_guard<std::mutex> lock(registry());
      unlink(owner);
    }
    owner->arenas.release();
    delete owner;
    own = nullptr;
  }
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;
};

Owner& mine() {
  if (!own) {
    thread_local Membership membership;
    (void)membership;
  }
  return *own;
}

}  // namespace

void* scratch(Scratch role, std::size_t bytes) {
  request_memory();
  return mine().arenas.of[int(role)].get(bytes);
}

void begin_scratch() {
  Owner& owner = mine();
  if (owner.depth == 0) {
    while (owner.busy.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  } else {
    owner.outer.push_back(owner.arenas);
    owner.arenas = Arenas();
  }
  owner.depth++;
}

void end_scratch() {
  Owner& owner = mine();
  if (--owner.depth > 0) {
    owner.arenas.release();
    owner.arenas = owner.outer.back();
    owner.outer.pop_back();
    return;
  }
  for (Arena& arena : owner.arenas.of)
    if (arena.size > kScratchKept) arena.release();
  owner.busy.store(false, std::memory_order_release);
}

std::size_t scratch_held() { return held; }

void scratch_trim() {
  std::lock_guard<std::mutex> lock(registry());
  for (Owner* owner = first_owner; owner; owner = owner->next) {
    if (owner->busy.exchange(true, std::memory_order_acquire)) continue;
    owner->arenas.release();
    owner->busy.store(false, std::memory_order_release);
  }
}

void lock_scratch() { registry().lock(); }
void unlock_scratch() { registry().unlock(); }

void leave_scratch_of_others() {
  for (Owner* owner = first_owner; owner;) {
    Owner* const next = owner->next;
    if (owner != own) {
      owner->arenas.release();
      delete owner;
    }
    owner = next;
  }
  first_owner = own;
  held = 0;
  if (!own) return;
  own->next = own->previous = nullptr;
  for (const Arena& arena : own->arenas.of) held += arena.size;
  for (const Arenas& arenas : own->outer)
    for (const Arena& arena : arenas.of) held += arena.size;
}

}  // namespace convgrad
