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
def memory_limit(bytes: int | None) -> None: ...
def memory_reset_peak() -> None: ...
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
def fail_request(number: int) -> int: ...
def attend(
    q: object,
    k: object,
    v: object,
    mask: object | None,
    noise: object | None,
    out: object,
    norm: object | None,
    scale: float,
    wide: bool,
) -> None: ...
def attend_grad(
    g: object,
    q: object,
    k: object,
    v: object,
    mask: object | None,
    noise: object | None,
    out: object,
    norm: object,
    gq: object | None,
    gk: object | None,
    gv: object | None,
    scale: float,
    wide: bool,
) -> None: ...
def copy_strided(x: object, out: object) -> bool: ...
def cast_elements(x: object, out: object) -> bool: ...
def map_codes() -> dict[str, int]: ...
def map_unary(
    code: int, x: object, out: object, wide: bool, a: float = 0.0, b: float = 0.0, c: float = 0.0
) -> None: ...
def map_binary(
    code: int, x: object, y: object, out: object, wide: bool, a: float = 0.0, b: float = 0.0, c: float = 0.0
) -> None: ...
def map_ternary(
    code: int, x: object, y: object, z: object, out: object, wide: bool, a: float = 0.0
) -> None: ...
def map_arithmetic(code: int, x: object, y: object, out: object, wide: bool, inner: int = 0) -> None: ...
def map_scalar(code: int, x: object, number: float, out: object, wide: bool) -> None: ...
def map_remainder(x: object, number: float, out: object, quotient: bool) -> bool: ...
def map_compare(code: int, x: object, y: object, out: object, wide: bool) -> None: ...
def map_select(condition: object, x: object, y: object, out: object, wide: bool) -> None: ...
def map_lookup(x: object, values: object, out: object, wide: bool, plane: int) -> None: ...
def map_half(x: object, out: object, brain: bool, narrow: bool) -> None: ...
def batch_norm(
    x: object,
    weight: object | None,
    bias: object | None,
    addend: object | None,
    mean: object,
    var: object,
    invstd: object,
    out: object,
    batch: int,
    channels: int,
    inner: int,
    eps: float,
    given: bool,
    activation: int,
    wide: bool,
) -> None: ...
def batch_norm_grad(
    g: object,
    x: object,
    out: object | None,
    weight: object | None,
    mean: object,
    invstd: object,
    gx: object | None,
    gweight: object,
    gbias: object,
    gaddend: object | None,
    batch: int,
    channels: int,
    inner: int,
    given: bool,
    wide: bool,
) -> None: ...
def move_statistics(
    running_mean: object,
    running_var: object,
    mean: object,
    var: object,
    factor: float,
    momentum: float,
    wide: bool,
) -> None: ...
def row_norm(
    x: object,
    weight: object | None,
    bias: object | None,
    mean: object | None,
    invstd: object,
    out: object,
    rows: int,
    groups: int,
    channels: int,
    inner: int,
    eps: float,
    activation: int,
    wide: bool,
) -> None: ...
def row_norm_grad(
    g: object,
    x: object,
    out: object | None,
    weight: object | None,
    mean: object | None,
    invstd: object,
    gx: object | None,
    gweight: object | None,
    gbias: object | None,
    rows: int,
    groups: int,
    channels: int,
    inner: int,
    wide: bool,
) -> None: ...
def channel_sum(x: object, out: object, batch: int, channels: int, inner: int, wide: bool) -> None: ...

class Pooling:
    def __init__(self, numbers: Sequence[int], wide: bool) -> None: ...
    def max(self, x: object, out: object, winner: object, index: object | None) -> None: ...
    def max_grad(self, g: object, winner: object, gx: object) -> None: ...
    def max_of_shares(self, x: object, out: object, index: object) -> None: ...
    def mean(self, x: object, out: object) -> None: ...
    def mean_grad(self, g: object, gx: object) -> None: ...

def scatter_to_planes(g: object, index: object, gx: object, planes: int, wide: bool) -> bool: ...
def sums_along(
    x: object, at: object, weight: object | None, out: object, sizes: Sequence[int], wide: bool
) -> None: ...
def grid_samples(
    first: object, grid: object, out: object, numbers: Sequence[int], adjoint: bool, wide: bool
) -> None: ...
def pad_with_value(x: object, out: object, value: float, numbers: Sequence[int], wide: bool) -> None: ...
def product(
    a: object, b: object, bias: object | None, out: object, wide: bool, activation: int = 0
) -> None: ...

class Twister:
    def __init__(self, seed: int) -> None: ...
    def get_state(self, key: object) -> int: ...
    def set_state(self, key: object, next: int) -> None: ...
    def words(self, out: object) -> None: ...
    def uniform(self, out: object, low: float, scale: float, high: float, wide: bool) -> None: ...
    def trials(self, out: object, below: int, one: float, wide: bool) -> None: ...
    def normal(self, out: object, mean: float, std: float, thrifty: bool) -> None: ...
    def permutation(self, out: object) -> None: ...

def rows_reduce(
    kind: int, x: object, out: object, outer: int, length: int, inner: int, wide: bool
) -> None: ...
def rows_moments(
    x: object, mean: object, squares: object, outer: int, length: int, inner: int, divisor: float, wide: bool
) -> None: ...
def rows_extreme(
    kind: int, x: object, value: object, place: object, outer: int, length: int, inner: int, wide: bool
) -> None: ...
def rows_softmax(
    kind: int, x: object, out: object, outer: int, length: int, inner: int, wide: bool
) -> None: ...
def rows_softmax_grad(
    kind: int, g: object, y: object, out: object, outer: int, length: int, inner: int, wide: bool
) -> None: ...
def rows_add_at(
    g: object,
    index: object,
    out: object,
    outer: int,
    places: int,
    count: int,
    inner: int,
    each: bool,
    wide: bool,
) -> bool: ...
def rows_gather(
    x: object, index: object, out: object, outer: int, places: int, count: int, inner: int, wide: bool
) -> bool: ...
def rows_move(
    x: object, from_: object, to: object, factors: object | None, out: object, width: int, wide: bool
) -> bool: ...
def rows_scan(
    kind: int, x: object, out: object, outer: int, length: int, inner: int, reverse: bool, wide: bool
) -> None: ...
def rows_losses(
    kind: int, x: object, y: object, out: object, width: float, each: bool, wide: bool
) -> None: ...
def rows_loss_grad(
    kind: int, g: object, x: object, y: object, out: object, width: float, factor: float, wide: bool
) -> None: ...
def rows_picked(
    x: object,
    classes: object,
    weights: object | None,
    factors: object,
    places: object,
    out: object,
    samples: int,
    count: int,
    ignored: int,
    each: bool,
    mean: bool,
    wide: bool,
) -> int: ...
def rows_taken(x: object, places: object, out: object, width: int, wide: bool) -> bool: ...
def rows_placed(
    g: object, places: object, factors: object, out: object, samples: int, count: int, wide: bool
) -> bool: ...
def step_arrays(
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
def map_ufunc(ufunc: object, x: object, y: object | None, out: object, wide: bool) -> bool: ...
