"""Keys's kernel of cubic convolution (Keys 1981), as PyTorch sets it."""

from __future__ import annotations

import numpy as np

#: the kernel's parameter; with a filter that widens it is another
CUBIC, CUBIC_SMOOTH = -0.75, -0.5

#: the weight of each of four neighbours, a polynomial in the distance from the second (highest power first)
CUBIC_TAPS = np.array([
    [CUBIC, -2 * CUBIC, CUBIC, 0.0],
    [CUBIC + 2, -CUBIC - 3, 0.0, 1.0],
    [-CUBIC - 2, 2 * CUBIC + 3, -CUBIC, 0.0],
    [-CUBIC, CUBIC, 0.0, 0.0],
])  # fmt: skip
