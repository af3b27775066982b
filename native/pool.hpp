// pool.hpp - what the sources behind parallel.hpp share.
#pragma once

#include "parallel.hpp"

namespace convgrad {

/// Whether the calling thread is at a task: what it starts there runs serially.
bool& inside_task();

/// The calling thread is at work and its arenas may not be taken from it; nests, with other arenas.
void begin_scratch();
void end_scratch();

/// Around a fork: the registry of arenas is whole in the child, which has none of the other threads'.
void lock_scratch();
void unlock_scratch();
void leave_scratch_of_others();

}  // namespace convgrad
