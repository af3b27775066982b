// blocks.cpp - a list of freed blocks, the last one freed at its end.
//
// The C library gives large arrays back to the operating system as soon as they are freed, and the next array
// of that size pays a page fault for every 4 kB: more than it takes to compute most convolutions.
#include "blocks.hpp"

#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

#include "pages.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif
#endif
#if !defined(ASAN_POISON_MEMORY_REGION)
#define ASAN_POISON_MEMORY_REGION(memory, bytes) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)0)
#endif

namespace convgrad {

namespace {

constexpr std::size_t kSpread = 4096, kLine = 64;
constexpr std::size_t kUsualLimit = std::size_t(256) << 20;

struct List {
  std::mutex mutex;
  std::vector<Block::Pages> free;
  BlockStatistics now{0, 0, usual_limit(), 0, 0, 0};

  static std::size_t usual_limit() {
    const std::size_t part = physical_memory() / 16;
    return part && part < kUsualLimit ? part : kUsualLimit;
  }
};

// Never destroyed: arrays may outlive everything else at the end of the process.
List& list() {
  static List* const made = new List;
  return *made;
}

/// Whole pages for that many bytes, and for a start on any line of the first kSpread.
std::size_t size_for(std::size_t bytes) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  const std::size_t page = page_size();
  return (bytes + kSpread + page - 1) / page * page;
}

void release(const Block::Pages& pages) {
  ASAN_UNPOISON_MEMORY_REGION(pages.memory, pages.size);
  unmap_pages(pages.memory, pages.size);
}

/// Gives back the blocks that were freed longest ago, until `most` bytes are kept at most.
void shrink(List& all, std::size_t most) {
  std::size_t gone = 0;
  while (all.now.kept > most) {
    const Block::Pages& oldest = all.free[gone++];
    all.now.kept -= oldest.size;
    release(oldest);
  }
  all.free.erase(all.free.begin(), all.free.begin() + std::ptrdiff_t(gone));
}

/// The block of about that size that was freed last: it may still be in the caches. False if there is none.
bool found(List& all, std::size_t size, Block::Pages& pages) {
  for (std::size_t i = all.free.size(); i-- > 0;) {
    if (all.free[i].size < size || all.free[i].size > size + size / 4) continue;
    pages = all.free[i];
    all.free.erase(all.free.begin() + std::ptrdiff_t(i));
    all.now.kept -= pages.size;
    return true;
  }
  return false;
}

}  // namespace

Block::Block(std::size_t bytes) : bytes_(bytes) {
  request_memory();
  const std::size_t size = size_for(bytes);
  List& all = list();
  std::lock_guard<std::mutex> lock(all.mutex);
  if (found(all, size, pages_)) {
    all.now.reused++;
  } else {
    pages_ = {static_cast<char*>(map_pages(size)), size, 0};
    if (!pages_.memory) {  // perhaps there is enough once the rest is given back
      shrink(all, 0);
      pages_.memory = static_cast<char*>(map_pages(size));
    }
    if (!pages_.memory) throw std::bad_alloc();
    // Arrays that all start at the same place of a page would meet in the same sets of the first-level cache.
    pages_.start = all.now.mapped++ * 13 % (kSpread / kLine) * kLine;
  }
  all.now.in_use += pages_.size;
  if (all.now.in_use > all.now.peak) all.now.peak = all.now.in_use;
  ASAN_POISON_MEMORY_REGION(pages_.memory, pages_.size);
  ASAN_UNPOISON_MEMORY_REGION(data(), bytes_);
}

Block::~Block() {
  List& all = list();
  std::lock_guard<std::mutex> lock(all.mutex);
  ASAN_POISON_MEMORY_REGION(pages_.memory, pages_.size);
  all.now.in_use -= pages_.size;
  try {
    all.free.push_back(pages_);
  } catch (const std::bad_alloc&) {  // no memory for the list: none to keep either
    release(pages_);
    return;
  }
  all.now.kept += pages_.size;
  shrink(all, all.now.limit);
}

BlockStatistics block_statistics() {
  std::lock_guard<std::mutex> lock(list().mutex);
  return list().now;
}

void blocks_trim() {
  std::lock_guard<std::mutex> lock(list().mutex);
  shrink(list(), 0);
}

void blocks_keep(std::size_t most) {
  std::lock_guard<std::mutex> lock(list().mutex);
  list().now.limit = most;
  shrink(list(), most);
}

std::size_t blocks_usual_limit() { return List::usual_limit(); }

void blocks_reset_peak() {
  std::lock_guard<std::mutex> lock(list().mutex);
  list().now.peak = list().now.in_use;
}

void lock_blocks() { list().mutex.lock(); }
void unlock_blocks() { list().mutex.unlock(); }

}  // namespace convgrad
