"""What does not apply to an operator: (name, form) -> why convgrad has not what PyTorch has."""

from __future__ import annotations


def _same(names: str, form: str, reason: str) -> dict[tuple[str, str], str]:
    return {(name, form): reason for name in names.split()}


GAPS: dict[tuple[str, str], str] = {
    **_same("cond", "function", "control flow for PyTorch's compiler; linalg.cond is a matrix's condition"),
    **_same("eig lstsq matrix_rank solve", "function", "in PyTorch they only say that linalg has them"),
    **_same("eig lstsq solve", "method", "in PyTorch they only say that linalg has them"),
}
