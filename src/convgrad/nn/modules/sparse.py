"""Tables of vectors that are read by index."""

from __future__ import annotations

from typing import Any

from ...graph.node import cell_of
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter
from .linear import empty_parameter


def _row(name: str, index: int, rows: int) -> int:
    """A row counted from the front."""
    if not -rows <= index < rows:
        raise AssertionError(f"{name} must be within num_embeddings, but got {index} of {rows}")
    return index % rows


def _table(embeddings: Any) -> tuple[int, int]:
    if embeddings._data.ndim != 2:
        raise AssertionError(
            f"Embeddings parameter is expected to be 2-dimensional, but its shape is {list(embeddings.shape)}"
        )
    rows, columns = embeddings._data.shape
    return rows, columns


def _check_table(weight: Any, rows: int, columns: int) -> None:
    if weight._data.shape != (rows, columns):
        raise AssertionError(
            f"Shape of weight does not match num_embeddings and embedding_dim: {list(weight.shape)}, not "
            f"{[rows, columns]}"
        )


def _clear_row(weight: Any, row: int | None) -> None:
    """The row of the padding is zero."""
    if row is not None:
        weight._data[row] = 0
        cell_of(weight).bump("fill_")


class Embedding(Module):
    """A table of vectors, read by index.

    Args:
        num_embeddings: rows of the table.
        embedding_dim: length of each vector.
        padding_idx: a row that stays zero: it gets no gradient.
        max_norm: rows longer than this are shortened when they are used.
        norm_type: p of that norm.
        scale_grad_by_freq: the gradient of a row is divided by how often the row is used.
        sparse: accepted; gradients are dense.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_idx is not None:
            padding_idx = _row("Padding_idx", padding_idx, num_embeddings)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            self.weight = empty_parameter((num_embeddings, embedding_dim), dtype, device)
            self.reset_parameters()
        else:
            _check_table(_weight, num_embeddings, embedding_dim)
            self.weight = Parameter(_weight)
        if _freeze:
            self.weight.requires_grad_(False)

    def reset_parameters(self) -> None:
        """Draw new vectors from the standard normal distribution."""
        init.normal_(self.weight)
        _clear_row(self.weight, self.padding_idx)

    def forward(self, input: Any) -> Any:
        """Indices of any shape to ``(*shape, embedding_dim)``."""
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        if self.sparse:
            text += ", sparse=True"
        return text

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """An embedding around a given table ``(V, D)``.

        Raises:
            AssertionError: a table that is not two-dimensional.
        """
        rows, columns = _table(embeddings)
        return cls(
            rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze
        )


class EmbeddingBag(Module):
    """The sum, mean or maximum of rows of a table, for each bag of indices.

    Args:
        num_embeddings: rows of the table.
        embedding_dim: length of each row.
        max_norm: rows longer than this are shortened when they are used.
        norm_type: p of that norm.
        scale_grad_by_freq: the gradient of a row is divided by how often the row is used; not for "max".
        mode: "sum", "mean" or "max".
        sparse: accepted; gradients are dense.
        include_last_offset: the last offset is the end of the last bag, not the beginning of one more.
        padding_idx: a row that does not count, and gets no gradient.
        device: only the CPU.
        dtype: of the table; None is the default dtype.
    Raises:
        AssertionError: padding_idx or ``_weight`` does not fit the table.
    Example:
        >>> EmbeddingBag(10, 3)(ones(2, 4).long()).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.mode, self.include_last_offset = mode, include_last_offset
        if padding_idx is not None:
            padding_idx = _row("padding_idx", padding_idx, num_embeddings)
        self.padding_idx = padding_idx
        if _weight is None:
            self.weight = empty_parameter((num_embeddings, embedding_dim), dtype, device)
            self.reset_parameters()
        else:
            _check_table(_weight, num_embeddings, embedding_dim)
            self.weight = Parameter(_weight)

    def reset_parameters(self) -> None:
        """Draw new rows from the standard normal distribution."""
        init.normal_(self.weight)
        _clear_row(self.weight, self.padding_idx)

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        """``(B, n)``, or ``(N,)`` with ``offsets`` (B,), to ``(B, embedding_dim)``.

        ``per_sample_weights``: of input's shape, a factor for each row; for "sum".
        """
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode,
            self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        text += f", mode={self.mode!r}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        return text

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """An embedding bag around a given table ``(V, D)``; ``freeze``: it is not trained.

        Raises:
            AssertionError: a table that is not two-dimensional.
        """
        rows, columns = _table(embeddings)
        bag = cls(
            rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings,
            include_last_offset, padding_idx,
        )  # fmt: skip
        bag.weight.requires_grad_(not freeze)
        return bag
