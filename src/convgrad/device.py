"""``device``: where a tensor lives. convgrad computes on the CPU and says so to any other wish."""

from __future__ import annotations

import re
from typing import Any

from .errors import DeviceError

OTHERS = frozenset(
    [
        "cuda",
        "ipu",
        "xpu",
        "mkldnn",
        "opengl",
        "opencl",
        "ideep",
        "hip",
        "ve",
        "fpga",
        "maia",
        "xla",
        "lazy",
        "vulkan",
        "mps",
        "meta",
        "hpu",
        "mtia",
        "privateuseone",
    ]
)


#: a name of small letters, or capitals, and a number
_WELL_FORMED = re.compile(r"[A-Za-z_]+(:\d+)?").fullmatch


class device:
    """The place of a tensor: ``device("cpu")`` or ``device("cpu", 0)``.

    As a ``with`` block it is the device of new tensors inside, which the CPU is everywhere.

    Args:
        type: "cpu", "cpu:0" or another device.
        index: number of the device, or None.
    Raises:
        DeviceError: any other device (a RuntimeError).
    Example:
        >>> device("cpu"), device("cpu:0").index
        (device(type='cpu'), 0)
    """

    __slots__ = ("type", "index")

    type: str
    index: int | None

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index if index is None else index
        if not isinstance(type, str):
            raise DeviceError(
                f"device {type!r} was asked for, but convgrad runs on the CPU: use device='cpu'"
            )
        if not _WELL_FORMED(type):
            raise DeviceError(f"Invalid device string: '{type}' (convgrad runs on the CPU: 'cpu')")
        name, _, number = type.partition(":")
        if name not in ("cpu", "meta"):  # meta: to be compared with; check_device refuses it
            if name in OTHERS:
                hint = " (Torch not compiled with CUDA enabled)" if name == "cuda" else ""
                raise DeviceError(
                    f"device {type!r} was asked for, but convgrad runs on the CPU{hint}: use device='cpu'"
                )
            raise DeviceError(
                f"Expected cpu device type at start of device string: {name} (convgrad runs on the CPU)"
            )
        if number:
            index = int(number)
        self.type = name
        self.index = index

    def __repr__(self) -> str:
        return f"device(type='{self.type}'{'' if self.index is None else f', index={self.index}'})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and self.index == other.index and self.type == other.type

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        check_device(self)
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)


CPU = device("cpu")


def check_device(wanted: Any) -> None:
    """Raise unless ``wanted`` (None, a name or a device) is the CPU."""
    if wanted is not None and wanted is not CPU and device(wanted).type != "cpu":
        raise DeviceError(f"device '{wanted}' was asked for, but convgrad runs on the CPU: use device='cpu'")


class layout:
    """How a tensor's elements lie in memory; there is only ``strided``."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class memory_format(layout):
    """The order of dimensions in memory; accepted everywhere, and rows always lie one after another."""

    __slots__ = ()


strided = layout("strided")
contiguous_format, preserve_format, channels_last, channels_last_3d = [
    memory_format(name)
    for name in ("contiguous_format", "preserve_format", "channels_last", "channels_last_3d")
]
