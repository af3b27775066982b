"""Functions over tensors, without state."""
