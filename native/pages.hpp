// pages.hpp - memory from the operating system.
#pragma once

#include <cstddef>

namespace convgrad {

/// From this size on huge pages are asked for: they save most of the page faults of a first use.
inline constexpr std::size_t kHugePages = std::size_t(4) << 20;

/// Zeroed memory at the start of a page, or null. What is never touched costs nothing.
void* map_pages(std::size_t bytes);
void unmap_pages(void* memory, std::size_t bytes);

/// Every request for a block or for scratch passes here, also those that are served from what is kept.
/// Throws std::bad_alloc if it is the one that is to fail.
void request_memory();
/// For tests: the request with that number from now, counted from 1, fails; 0: none does. Returns how many
/// requests an earlier call is still waiting for.
long fail_request(long number);

std::size_t page_size();
/// Bytes of memory that the machine has; 0 if it does not say.
std::size_t physical_memory();

}  // namespace convgrad
