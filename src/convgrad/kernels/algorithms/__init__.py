"""The algorithms a convolution may be run with: one table, in the order in which they are explained."""

from __future__ import annotations

from convgrad.kernels.algorithms.algorithm import Algorithm, Cost, Machine
from convgrad.kernels.algorithms.depthwise import DepthwiseChannels, DepthwisePixels
from convgrad.kernels.algorithms.direct import DirectChannels, DirectPixels
from convgrad.kernels.algorithms.fourier import Fft
from convgrad.kernels.algorithms.winograd import Winograd

ALGORITHMS: tuple[Algorithm, ...] = (
    DirectChannels(),
    DirectPixels(),
    DepthwiseChannels(),
    DepthwisePixels(),
    Winograd(),
    Fft(),
)

__all__ = ["ALGORITHMS", "Algorithm", "Cost", "Machine"]
