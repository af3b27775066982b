"""What programs ask of ``torch.cuda``: convgrad runs on the CPU, so there is none."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import DeviceError, OutOfMemoryError, absent
from . import amp

__all__ = [
    "Event", "OutOfMemoryError", "Stream", "amp", "current_device", "current_stream", "default_stream",
    "device", "device_count", "empty_cache", "get_arch_list", "get_device_capability", "get_device_name",
    "get_device_properties", "get_rng_state", "get_rng_state_all", "init", "initial_seed", "ipc_collect",
    "is_available", "is_bf16_supported", "is_initialized", "is_tf32_supported", "manual_seed",
    "manual_seed_all", "max_memory_allocated", "max_memory_cached", "max_memory_reserved", "mem_get_info",
    "memory_allocated", "memory_cached", "memory_reserved", "reset_max_memory_allocated",
    "reset_peak_memory_stats", "seed", "seed_all", "set_device", "set_per_process_memory_fraction",
    "set_rng_state", "set_rng_state_all", "stream", "synchronize",
]  # fmt: skip

__getattr__ = absent("cuda", "convgrad runs on the CPU: ask torch.cuda.is_available() first")


def is_available() -> bool:
    """Always False."""
    return False


def is_initialized() -> bool:
    """Always False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Always False."""
    return False


is_tf32_supported = is_initialized


def device_count() -> int:
    """Always 0."""
    return 0


def get_arch_list() -> list[str]:
    """No architectures."""
    return []


def manual_seed(seed: int) -> None:
    """Accepted and ignored, as PyTorch does where there is no GPU."""


manual_seed_all = manual_seed


def seed() -> None:
    """There is no generator to be seeded."""


seed_all = seed


def get_rng_state_all() -> list[Any]:
    """The states of all GPUs' generators: none. Checkpoints keep them beside the CPU's."""
    return []


def set_rng_state(new_state: Any, device: object = "cuda") -> None:
    """Accepted and ignored, as PyTorch does where there is no GPU."""


def set_rng_state_all(new_states: Any) -> None:
    """Accepted and ignored, as PyTorch does where there is no GPU."""


def synchronize(device: object = None) -> None:
    """Nothing to wait for."""


def empty_cache() -> None:
    """Nothing to empty."""


def memory_allocated(device: object = None) -> int:
    """Always 0, as in PyTorch where there is no GPU."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated
memory_cached = max_memory_cached = memory_allocated


def reset_peak_memory_stats(device: object = None) -> None:
    """Nothing was counted."""


reset_max_memory_allocated = reset_peak_memory_stats


def _none(*args: Any, **kwargs: Any) -> NoReturn:
    """Always an error: there is no such device.

    Raises:
        DeviceError: always.
    """
    raise DeviceError("Torch not compiled with CUDA enabled (convgrad runs on the CPU)")


current_device = get_device_name = get_device_properties = get_device_capability = set_device = _none
current_stream = default_stream = mem_get_info = set_per_process_memory_fraction = _none
get_rng_state = initial_seed = init = ipc_collect = _none


class Event:
    """For ``isinstance``, annotations and imports alone: there are no events without a GPU.

    Raises:
        DeviceError: always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        raise DeviceError(
            f"Tried to instantiate dummy base class {name}: torch.cuda.{name} requires CUDA support, but "
            "convgrad runs on the CPU"
        )


class Stream(Event):
    """For ``isinstance``, annotations and imports alone: there are no streams without a GPU.

    Raises:
        DeviceError: always.
    """


class device:
    """A ``with`` block on a GPU; of none (None, or -1) it does nothing.

    Raises:
        DeviceError: on entry, if a GPU is named.
    """

    def __init__(self, device: Any) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx not in (None, -1):
            _none()

    def __exit__(self, *exc: object) -> None:
        pass


class stream(device):
    """A ``with`` block on a stream; of none it does nothing.

    Raises:
        DeviceError: on entry, if there is a stream.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
