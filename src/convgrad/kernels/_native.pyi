from collections.abc import Sequence
from typing import Any

class Kernel:
    def __call__(
        self, first: object, second: object, bias: object | None, out: object, activation: int = 0
    ) -> None: ...
    @property
    def shared_bytes(self) -> int: ...
    @property
    def scratch_bytes(self) -> int: ...

class Block:
    def __init__(self, bytes: int) -> None: ...

def memory_facts() -> dict[str, int]: ...
def memory_trim() -> None: ...
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
def use_instruction_set(name: str) -> None: ...
def multiply_add_loop(instruction_set: str, rounds: int) -> int: ...
def set_num_threads(threads: int) -> None: ...
def get_num_threads() -> int: ...
def scratch_held() -> int: ...
def scratch_trim() -> None: ...

class ParameterArrays:
    def __init__(self) -> None: ...
    def step(
        self,
        optimiser: int,
        wide: bool,
        options: Sequence[float],
        ascend: bool,
        params: list[Any],
        grads: list[Any],
        kept: list[list[Any]],
        counts: list[Any] | None,
    ) -> None: ...

def sum_of_squares(wide: bool, arrays: list[Any]) -> float: ...
def change_arrays(change: int, wide: bool, arrays: list[Any], a: float, b: float) -> None: ...
def recur(
    cell: int,
    wide: bool,
    counts: object,
    reverse: bool,
    inputs: int,
    width: int,
    x: object,
    h0: object,
    c0: object | None,
    w_ih: object,
    w_hh: object,
    b_ih: object | None,
    b_hh: object | None,
    gates: object | None,
    cells: object | None,
    out: object,
    last_h: object,
    last_c: object | None,
) -> None: ...
def recur_grad(
    cell: int,
    wide: bool,
    counts: object,
    reverse: bool,
    width: int,
    g_out: object,
    g_last_h: object,
    g_last_c: object | None,
    h0: object,
    c0: object | None,
    w_hh: object,
    gates: object | None,
    cells: object | None,
    out: object,
    state_grad: object,
    input_grad: object | None,
    g_h0: object,
    g_c0: object | None,
) -> None: ...
def row_products(
    wide: bool, rows: int, depth: int, width: int, a: object, b: object, out: object
) -> None: ...
def weight_grad(
    wide: bool,
    rows: int,
    height: int,
    width: int,
    firsts: int,
    g: object,
    x: object,
    first: object | None,
    before: object | None,
    out: object,
    sums: object,
) -> None: ...
