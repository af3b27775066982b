from collections.abc import Sequence
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray

class Kernel:
    @overload
    def __call__(
        self,
        first: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        second: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)],
        bias: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu", writable=False)] | None,
        out: Annotated[NDArray[numpy.float32], dict(order="C", device="cpu")],
        activation: int = 0,
    ) -> None: ...
    @overload
    def __call__(
        self,
        first: Annotated[NDArray[numpy.float64], dict(order="C", device="cpu", writable=False)],
        second: Annotated[NDArray[numpy.float64], dict(order="C", device="cpu", writable=False)],
        bias: Annotated[NDArray[numpy.float64], dict(order="C", device="cpu", writable=False)] | None,
        out: Annotated[NDArray[numpy.float64], dict(order="C", device="cpu")],
        activation: int = 0,
    ) -> None: ...
    @property
    def shared_bytes(self) -> int: ...
    @property
    def scratch_bytes(self) -> int: ...

def kernel(
    algorithm: str,
    primitive: int,
    problem: Sequence[int],
    wide: bool,
    cut: Sequence[int],
    instruction_set: str,
) -> Kernel: ...
def build_info() -> dict[str, str]: ...
def instruction_sets() -> list[str]: ...
def multiply_add_loop(instruction_set: str, rounds: int) -> int: ...
def set_num_threads(threads: int) -> None: ...
def get_num_threads() -> int: ...
def scratch_held() -> int: ...
def scratch_trim() -> None: ...
