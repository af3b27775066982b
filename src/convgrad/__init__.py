"""convgrad: convolution and automatic differentiation on the CPU, with PyTorch's interface."""
