"""What goes wrong with checkpoints: files that are damaged, and contents that are not let in or out."""

from __future__ import annotations

import pickle

from ..errors import ConvgradError


class CheckpointError(ConvgradError):
    """A file that is no checkpoint, or one that is truncated or changed; a RuntimeError, as in PyTorch."""


class RefusedError(ConvgradError, pickle.UnpicklingError):
    """A stream that asks for more than a checkpoint may hold, or that is no valid pickle."""


class UnsavableError(ConvgradError, pickle.PicklingError, TypeError):
    """An object that a checkpoint cannot hold; nothing has been written."""
