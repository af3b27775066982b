"""``get_worker_info`` under the path it has in PyTorch."""

from __future__ import annotations

from ..workers import WorkerInfo, get_worker_info

__all__ = ["WorkerInfo", "get_worker_info"]
