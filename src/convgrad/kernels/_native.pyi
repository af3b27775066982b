from collections.abc import Sequence

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
def product(
    a: object, b: object, bias: object | None, out: object, wide: bool, activation: int = 0
) -> None: ...
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
    wide: bool,
) -> None: ...
def row_norm_grad(
    g: object,
    x: object,
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
