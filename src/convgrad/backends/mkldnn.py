"""``torch.backends.mkldnn``, ``mkl`` and ``openmp``: convgrad has kernels and threads of its own."""

from __future__ import annotations

enabled = True
allow_tf32 = False
deterministic = False


def is_available() -> bool:
    """Always False."""
    return False
