// pages.hpp - memory from the operating system.
#pragma once

#include <cstddef>

namespace convgrad {

/// From this size on huge pages are asked for: they save most of the page faults of a first use.
inline constexpr std::size_t kHugePages = std::size_t(4) << 20;

/// Zeroed memory at the start of a page, or null. What is never touched costs nothing.
void* map_pages(std::size_t bytes);
void unmap_pages(void* memory, std::size_t bytes);

std::size_t page_size();
/// Bytes of memory that the machine has; 0 if it does not say.
std::size_t physical_memory();

}  // namespace convgrad
