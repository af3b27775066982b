"""Forward-mode differentiation: dual tensors carry tangents through every operator's ``jvp``.

Example:
    >>> with dual_level():
    ...     dual = make_dual(Tensor([3.0]), Tensor([1.0]))
    ...     unpack_dual(dual * dual).tangent
    tensor([6.])
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ConvgradError, GradError, ShapeError
from ..graph.grad_mode import DUAL, MODE
from ..tensor import dual
from ..tensor.tensor import Tensor, from_traced, to_traced


class UnpackedDualTensor(NamedTuple):
    """What ``unpack_dual`` returns: the value, and its tangent or None."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Open a forward-mode level in this thread; returns its number, 0.

    Raises:
        GradError: one is open already.
    """
    if dual.is_open():
        raise GradError("Nested forward mode AD is not supported at the moment")
    dual.open_level()
    MODE.set(MODE.get() | DUAL)
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the level: its tangents are forgotten."""
    if not dual.is_open():
        raise GradError("Dual level must be a positive number: no level is open, enter_dual_level() first.")
    if level not in (None, 0):
        raise GradError("Trying to exit a forward AD level that was not the last one that was created")
    MODE.set(MODE.get() & ~DUAL)
    dual.close_level()


class nested_level:
    """As ``dual_level``, but within another one, too: for transformations, which nest."""

    __slots__ = ("before",)

    def __enter__(self) -> None:
        self.before = MODE.get()
        dual.open_level()
        MODE.set(self.before | DUAL)

    def __exit__(self, *exc: object) -> None:
        dual.close_level()
        MODE.set(MODE.get() & ~DUAL | self.before & DUAL)


class dual_level:
    """A context in which tangents are followed: ``with dual_level(): ...``."""

    __slots__ = ("before",)

    def __enter__(self) -> int:
        self.before = MODE.get()
        return enter_dual_level()

    def __exit__(self, *exc: object) -> None:
        exit_dual_level()
        MODE.set(MODE.get() | self.before & DUAL)


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A dual tensor: the memory and history of ``tensor``, with ``tangent`` beside it.

    Args:
        tensor: float or complex.
        tangent: of the same shape (and dtype; a real one is cast).
        level: 0 or None, the open level.
    Raises:
        GradError: no level is open.
        ValueError: a dtype that has no tangents.
        ShapeError: shapes that differ.
    """
    if not dual.is_open():
        raise GradError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    for name, value in (("primal", tensor), ("tangent", tangent)):
        if not isinstance(value, Tensor):
            raise TypeError(f"make_dual: expected {name} to be a Tensor, but got {type(value).__name__}")
        if value._data.dtype.kind not in "fcV":
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {value.dtype}")
    if dual.at(tensor._node, dual.innermost()) is not None:
        raise ConvgradError("make_dual: this tensor already has a tangent at the open level")
    if tangent._data.shape != tensor._data.shape:
        raise ShapeError(
            "Trying to set a forward gradient that has a different size than that of the original "
            "Tensor, this is not "
            f"supported. Tensor is of size {list(tensor._data.shape)} while the given forward "
            "gradient is of size "
            f"{list(tangent._data.shape)}."
        )
    out = tensor.detach()
    out._node = tensor._node
    carried = to_traced(tangent)
    if carried.dtype != tensor._data.dtype:
        carried = to_traced(tangent.to(tensor.dtype))
    dual.place(out, carried)
    return out


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The value of a dual tensor and its tangent; None for what does not move, or outside of a level."""
    if not dual.is_open():
        return UnpackedDualTensor(tensor, None)
    inner = dual.innermost()
    node = dual.at(tensor._node, inner)
    if node is None:
        return UnpackedDualTensor(tensor, None)
    primal = tensor.detach()
    primal._node = dual.below(node, inner)
    return UnpackedDualTensor(primal, from_traced(node.tangent))


__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]
