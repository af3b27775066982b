"""The version, where the lowest layer can read it, and what programs ask of ``torch.version``."""

from __future__ import annotations

RELEASE = "0.1.0"
"""convgrad's own version, under whichever name it was imported."""

INTERFACE = "2.13.0"
"""The PyTorch whose interface convgrad has."""

__version__ = RELEASE

#: toolkits for graphics cards: there are none
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
debug = False
git_version = "unknown"
