"""``torch.utils.dlpack``: memory shared with other array libraries."""

from __future__ import annotations

from ..tensor.functions_exchange import from_dlpack, to_dlpack

__all__ = ["from_dlpack", "to_dlpack"]
