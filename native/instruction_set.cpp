// instruction_set.cpp - which of the tables that were built this processor can run.
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>

#include "kernels.hpp"

namespace convgrad {

// CONVGRAD_INSTRUCTION_SETS is X(baseline) X(avx2) ...: those that were built, the plainest first.
#define X(name)               \
  namespace name {            \
  const KernelTable& table(); \
  }
CONVGRAD_INSTRUCTION_SETS
#undef X

namespace {

bool can_run(const char* name) {
#if defined(__x86_64__) || defined(_M_X64)
  __builtin_cpu_init();
  if (!std::strcmp(name, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (!std::strcmp(name, "avx512"))
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("fma");
#endif
  return !std::strcmp(name, "baseline");
}

struct Tables {
  const KernelTable* list[8];
  int count = 0;

  Tables() {
#define X(name) \
  if (can_run(#name)) list[count++] = &name::table();
    CONVGRAD_INSTRUCTION_SETS
#undef X
  }
};

}  // namespace

const KernelTable* const* runnable_tables(int& count) {
  static const Tables tables;
  count = tables.count;
  return tables.list;
}

const KernelTable& table_named(const char* name) {
  int count;
  const KernelTable* const* tables = runnable_tables(count);
  for (int i = 0; i < count; i++)
    if (!std::strcmp(name, tables[i]->name)) return *tables[i];
  throw std::invalid_argument("no kernels for the instruction set '" + std::string(name) + "' here");
}

static std::atomic<const KernelTable*>& in_use() {
  static std::atomic<const KernelTable*> table{nullptr};
  return table;
}

const KernelTable& table_in_use() {
  if (const KernelTable* table = in_use().load()) return *table;
  int count;
  const KernelTable* const* tables = runnable_tables(count);
  return *tables[count - 1];
}

void use_table(const KernelTable& table) { in_use().store(&table); }

}  // namespace convgrad
