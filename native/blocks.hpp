// blocks.hpp - memory of arrays: freed blocks are kept for the next arrays of about their size.
#pragma once

#include <cstddef>

namespace convgrad {

/// Memory for one array, 64-byte aligned, not initialised.
class Block {
 public:
  struct Pages {
    char* memory;
    std::size_t size, start;  // bytes; the array starts so far into the first page
  };

  /// Throws std::bad_alloc.
  explicit Block(std::size_t bytes);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  void* data() const { return pages_.memory + pages_.start; }
  std::size_t bytes() const { return bytes_; }

 private:
  Pages pages_;
  std::size_t bytes_;
};

struct BlockStatistics {
  std::size_t in_use, kept,
      limit;                   // bytes: of arrays, of freed blocks, and how many of those are kept at most
  std::size_t reused, mapped;  // blocks that were found among the freed ones, and others
  std::size_t peak;            // the most that `in_use` has been since blocks_reset_peak
};
BlockStatistics block_statistics();

/// Give back what is kept.
void blocks_trim();

/// How many bytes of freed blocks are kept at most: from now on, and unless somebody says otherwise.
void blocks_keep(std::size_t most);
std::size_t blocks_usual_limit();

/// The peak is counted anew, from what is in use now.
void blocks_reset_peak();

/// Around a fork: the child finds the list whole.
void lock_blocks();
void unlock_blocks();

}  // namespace convgrad
