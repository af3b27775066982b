// kernel.hpp - an algorithm made ready for one shape: what Python holds and calls.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace convgrad {

class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void run(const Operands<float>&) const = 0;
  virtual void run(const Operands<double>&) const = 0;
  virtual std::size_t shared_bytes() const = 0;   // scratch once per call
  virtual std::size_t scratch_bytes() const = 0;  // scratch of each working thread
};

/// Make `algorithm` ready; throws std::invalid_argument where it cannot serve the problem.
/// `cut` holds the algorithm's own block sizes, see kernel.cpp.
std::unique_ptr<Kernel> make_kernel(const std::string& algorithm, Primitive primitive, const Problem& problem,
                                    bool wide, const std::vector<Index>& cut, const KernelTable& table);

}  // namespace convgrad
