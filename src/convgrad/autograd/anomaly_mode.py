"""Anomaly mode: finds where NaN and infinities come from, and what was changed behind the graph's back.

While it is on every recorded node remembers the place in the user's program, and a checksum of what it saves.
"""

from __future__ import annotations

import warnings
import zlib
from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import GradError
from ..graph.node import CUSTOM
from ..graph.place import show, show_stack, stack
from ..graph.traced import Traced
from ..graph.watch import WATCHERS, Watcher, enter, leave


class _Anomaly(Watcher):
    """Remembers places and checksums of nodes, and looks at all that passes."""

    def __init__(self, check_nan: bool) -> None:
        self.check_nan = check_nan

    def recorded(self, node: Any, handles: tuple[Any, ...], out: Any) -> None:
        """Note where a node comes from and what it saved; warn of values that are not finite any more."""
        extra = node.extra = node.extra or {}
        extra["place"] = stack()
        extra["inputs"] = [None if h is None else h._data.shape for h in handles]
        extra["sums"] = [(i, _checksum(v)) for i, v in enumerate(_arrays(node)) if type(v) is ndarray]
        if not self.check_nan:
            return
        for result in out if type(out) is tuple else (out,):
            bad = _bad(result._data)
            if bad and not any([h is not None and _bad(h._data) for h in handles]):
                shapes = ", ".join([str(list(h._data.shape)) for h in handles if h is not None])
                warnings.warn(
                    f"{node.name()}: {bad} in the result of shape {list(result._data.shape)}, though its "
                    f"tracked inputs (shapes {shapes}) have none:\n{show_stack(extra['place'])}",
                    UserWarning,
                    stacklevel=2,
                )

    def entered(self, node: Any, g: Any) -> None:
        """Check that what a node saved is what it saved."""
        extra = node.extra or {}
        changed = any([cell.version != version for cell, version, _ in node.versions or ()])
        if changed or node.saved is None:
            return  # the engine says so itself
        values = _arrays(node)
        for index, expected in extra.get("sums", ()):
            value = values[index]
            if type(value) is ndarray and _checksum(value) != expected:
                name = f"saved {index}" if node.kind == CUSTOM else repr(node.op.saves[index])
                raise GradError(
                    f"{node.name()}: what it saved as {name} ({value.dtype.name} {list(value.shape)}) at "
                    f"{show(extra['place'][-1])} was changed from outside the graph, through .data, a NumPy "
                    "array or DLPack, where no version is counted: the gradient would be wrong. Write to a "
                    "copy (x.numpy().copy()), or use in-place methods of the tensor."
                )

    def pulled(self, node: Any, g: Any, grads: Any) -> None:
        """Refuse gradients that have become NaN, warn of infinite ones."""
        if not self.check_nan:
            return
        for index, answer in enumerate(grads):
            bad = _bad(answer)
            if not bad:
                continue
            came = [_bad(piece) for piece in (g if type(g) is list else [g])]
            story = _story(node, index, answer)
            if "nan" in bad:
                _warn_place(node)
                raise GradError(
                    f"Function '{node.name()}' returned nan values in its {index}th output: {bad} {story}"
                )
            if not any(came):
                warnings.warn(f"{node.name()}: {bad} {story}", UserWarning, stacklevel=2)

    def failed(self, node: Any, error: BaseException) -> None:
        """Say where the forward of a failing backward stands."""
        _warn_place(node)


def _arrays(node: Any) -> tuple[Any, ...]:
    saved = node.saved or ()
    return tuple([e if e is None else e[0] for e in saved]) if node.kind == CUSTOM else saved


def _checksum(array: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")


def _bad(value: Any) -> str:
    """How many elements are NaN or infinite, in words; empty if none."""
    array = value._data if type(value) is Traced else value
    if type(array) is not ndarray or array.dtype.kind not in "fcV":
        return ""
    if array.dtype.kind == "V":
        array = array.astype(np.float32)
    if np.isfinite(array).all():
        return ""
    nans = int(np.isnan(array).sum())
    infinities = int(np.isinf(array).sum())
    words = [f"{n} {what}" for n, what in ((nans, "nan"), (infinities, "infinite")) if n]
    return f"{' and '.join(words)} of {array.size} values"


def _story(node: Any, index: int, answer: Any) -> str:
    extra = node.extra or {}
    inputs = extra.get("inputs") or []
    shape = inputs[index] if index < len(inputs) else None
    told = f"in the gradient of its input {index}"
    if shape is not None:
        told += f" (shape {list(shape)})"
    place = extra.get("place")
    return f"{told}; forward at {show(place[-1])}" if place else f"{told}; forward outside of anomaly mode"


def _warn_place(node: Any) -> None:
    place = (node.extra or {}).get("place")
    if place:
        warnings.warn(
            f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n"
            + show_stack(place),
            UserWarning,
            stacklevel=2,
        )
    else:
        warnings.warn(
            f"Error detected in {node.name()}. No forward pass information available. Enable detect anomaly "
            "during forward pass for more information.",
            UserWarning,
            stacklevel=2,
        )


class set_detect_anomaly:
    """Switch anomaly mode on or off: at once when called, and back at the end when used with ``with``.

    Args:
        mode: on or off.
        check_nan: refuse gradients with NaN, warn of infinities and of values that become NaN or infinite in
            forward; off, only places and checksums are kept.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = _running()
        for watcher in self.before:
            leave(watcher)
        if mode:
            enter(_Anomaly(check_nan))

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        for watcher in _running():
            leave(watcher)
        for watcher in self.before:
            enter(watcher)


class detect_anomaly(set_detect_anomaly):
    """Look for NaN, infinities and outside changes in the block, which runs several times slower.

    A gradient that becomes NaN is a RuntimeError with the line of the forward call; so is a saved value that
    was changed through ``.data``, NumPy or DLPack. Infinities, and values that stop being finite in forward,
    are warned of. Errors in backward are accompanied by the traceback of their forward.

    Example:
        >>> import warnings
        >>> from convgrad import Tensor
        >>> x = Tensor([0.0]).requires_grad_()
        >>> with warnings.catch_warnings(action="ignore"), detect_anomaly():  # doctest: +ELLIPSIS
        ...     (x.sqrt() * 0).backward()
        Traceback (most recent call last):
        ...
        convgrad.errors.GradError: Function 'SqrtBackward0' returned nan values in its 0th output: ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be "
            "enabled for debugging.",
            UserWarning,
            stacklevel=2,
        )

    def __enter__(self) -> None:
        super().__init__(True, self.check_nan)


def _running() -> list[_Anomaly]:
    return [w for w in WATCHERS.get() if isinstance(w, _Anomaly)]


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on in this thread."""
    return bool(_running())


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode looks for NaN."""
    return any([w.check_nan for w in _running()])


__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_detect_anomaly"]
