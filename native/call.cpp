// call.cpp - what surrounds the call of a kernel: the floating-point mode, interrupts, scratch.
#include "pool.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace convgrad {

namespace {

thread_local KernelCall* current_call = nullptr;

unsigned long long floating_point_mode() {
#if defined(__x86_64__) || defined(_M_X64)
  return _mm_getcsr();
#elif defined(__aarch64__)
  unsigned long long mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
#else
  return 0;
#endif
}

void set_floating_point_mode(unsigned long long mode) {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_setcsr(unsigned(mode));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" : : "r"(mode));
#else
  (void)mode;
#endif
}

#if defined(__x86_64__) || defined(_M_X64)
constexpr unsigned long long kFlush = 0x8040;  // results (FTZ) and operands (DAZ)
#else
constexpr unsigned long long kFlush = 1ull << 24;  // both (FZ)
#endif

}  // namespace

FlushSubnormals::FlushSubnormals() : saved_(floating_point_mode()) { resume(); }
FlushSubnormals::~FlushSubnormals() { pause(); }
void FlushSubnormals::resume() { set_floating_point_mode(saved_ | kFlush); }
void FlushSubnormals::pause() { set_floating_point_mode(saved_); }

KeepSubnormals::KeepSubnormals() : saved_(floating_point_mode()) {
  set_floating_point_mode(saved_ & ~kFlush);
}
KeepSubnormals::~KeepSubnormals() { set_floating_point_mode(saved_); }

KernelCall::KernelCall(Interrupt interrupt, void* context)
    : interrupt_(interrupt), context_(context), outer_(current_call), inside_task_(inside_task()) {
  begin_scratch();
  current_call = this;
  inside_task() = false;
}

KernelCall::~KernelCall() {
  inside_task() = inside_task_;
  current_call = outer_;
  end_scratch();
}

KernelCall* KernelCall::current() { return current_call; }

bool KernelCall::interrupted() {
  flush_.pause();
  const bool given_up = interrupt_(context_);
  flush_.resume();
  return given_up;
}

}  // namespace convgrad
