#include "pages.hpp"

#include <atomic>
#include <new>

#if defined(_WIN32)
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace convgrad {

namespace {
std::atomic<long> requests_left{0};
}

void request_memory() {
  if (requests_left.load(std::memory_order_relaxed) > 0 && requests_left.fetch_sub(1) == 1)
    throw std::bad_alloc();
}
long fail_request(long number) { return requests_left.exchange(number); }

#if defined(_WIN32)

void* map_pages(std::size_t bytes) {
  return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}
void unmap_pages(void* memory, std::size_t) { VirtualFree(memory, 0, MEM_RELEASE); }

std::size_t page_size() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return std::size_t(info.dwPageSize);
}

std::size_t physical_memory() {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof(status);
  return GlobalMemoryStatusEx(&status) ? std::size_t(status.ullTotalPhys) : 0;
}

#else

void unmap_pages(void* memory, std::size_t bytes) {
  // A process may have only so many mappings, and one in the middle of another makes two of it.
  if (munmap(memory, bytes) != 0) madvise(memory, bytes, MADV_DONTNEED);
}

void* map_pages(std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t(2) << 20;
  const std::size_t slack = bytes >= kHugePages ? kHugePage : 0;
  void* const got = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  if (!slack) return got;
  char* const start = static_cast<char*>(got);
  const std::size_t before = (kHugePage - reinterpret_cast<std::size_t>(start) % kHugePage) % kHugePage;
  if (before) unmap_pages(start, before);
  if (slack - before) unmap_pages(start + before + bytes, slack - before);
#if defined(MADV_HUGEPAGE)
  madvise(start + before, bytes, MADV_HUGEPAGE);
#endif
  return start + before;
}

std::size_t page_size() {
  static const long size = sysconf(_SC_PAGESIZE);
  return size > 0 ? std::size_t(size) : 4096;
}

std::size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  return pages > 0 ? std::size_t(pages) * page_size() : 0;
}

#endif

}  // namespace convgrad
