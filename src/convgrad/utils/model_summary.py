"""``summary``: a table of a network's layers, their outputs' shapes and their numbers of parameters."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from ..autograd import no_grad
from ..dtypes import as_dtype
from ..generator import Generator
from ..nn import Module
from ..random import rand, randint
from ..tensor.tensor import Tensor

#: module -> shape of its output when a summary last ran it
last_shapes: weakref.WeakKeyDictionary[Module, Any] = weakref.WeakKeyDictionary()

COLUMNS = {
    "input_size": "Input Shape",
    "output_size": "Output Shape",
    "num_params": "Param #",
    "params_percent": "Param %",
    "kernel_size": "Kernel Shape",
    "mult_adds": "Mult-Adds",
    "trainable": "Trainable",
}


class Row:
    """One call of a module.

    Attributes:
        name, kind: the name it has in its parent, and its class.
        depth: 0 for the network itself.
        input_size, output_size: shapes; None if it was not called.
        num_params: of this module and those below it, each parameter once.
        again: whether it was called before.
    """

    def __init__(self, module: Module, name: str, depth: int) -> None:
        self.module, self.name, self.kind, self.depth = module, name, type(module).__name__, depth
        self.input_size: Any = None
        self.output_size: Any = None
        self.again = False
        self.num_params = sum(p.numel() for p in module.parameters())
        self.children: list[Row] = []

    @property
    def leaf(self) -> bool:
        """Whether nothing below it is shown."""
        return not self.children

    @property
    def own(self) -> int:
        """Numbers of its own parameters, not those of the modules below."""
        return sum(p.numel() for p in self.module.parameters(recurse=False))

    @property
    def trainable(self) -> str:
        """ "True", "False" or "Partial"; "--" without parameters."""
        flags = {bool(p.requires_grad) for p in self.module.parameters()}
        return "--" if not flags else "Partial" if len(flags) == 2 else str(flags.pop())

    @property
    def kernel_size(self) -> Any:
        """The size of a convolution's or pooling's window."""
        size = getattr(self.module, "kernel_size", None)
        return list(size) if isinstance(size, (tuple, list)) else [size] if size is not None else None

    @property
    def mult_adds(self) -> int:
        """Multiplications (each with an addition) of a convolution or linear layer; 0 of other modules."""
        weight = self.module._parameters.get("weight")
        if weight is None or weight.ndim < 2 or "Embedding" in self.kind or not _is_shape(self.output_size):
            return 0
        transposed = "Transpose" in self.kind
        size = self.input_size if transposed else self.output_size
        if not _is_shape(size):
            return 0
        positions = 1
        for n in size:
            positions *= n
        return positions // max(weight.shape[0], 1) * int(weight.numel())

    def walk(self) -> Iterator[Row]:
        """This row and those below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all([isinstance(n, int) for n in value])


def shapes_of(value: Any) -> Any:
    """The shape of a tensor as a list; of several a list of shapes; None if there is no tensor."""
    if isinstance(value, Tensor):
        return list(value.shape)
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        found = [shape for shape in map(shapes_of, value) if shape is not None]
        return found[0] if len(found) == 1 else found or None
    return None


class Summary:
    """What ``summary`` found; prints as a table, and shows as one in a notebook.

    Attributes:
        root: the row of the network; ``rows`` lists all.
        total_params, trainable_params: numbers of parameters, each counted once.
        total_mult_adds: multiplications of convolutions and linear layers in one call.
        input_bytes, output_bytes, param_bytes: sizes of the inputs, of layers' outputs, of the parameters.
    """

    def __init__(
        self, root: Row, inputs: Sequence[Any], columns: Sequence[str], depth: int, width: int
    ) -> None:
        self.root, self.columns, self.depth, self.width = root, columns, depth, width
        parameters = list(root.module.parameters())
        self.total_params = sum(p.numel() for p in parameters)
        self.trainable_params = sum(p.numel() for p in parameters if p.requires_grad)
        self.param_bytes = sum(p.nbytes for p in parameters)
        self.input_bytes = sum(x.nbytes for x in inputs if isinstance(x, Tensor))
        self.output_bytes = 0
        self.total_mult_adds = sum(row.mult_adds for row in root.walk())
        self.called = root.output_size is not None

    @property
    def rows(self) -> list[Row]:
        """All rows down to ``depth``, in the order of the calls."""
        return [row for row in self.root.walk() if row.depth <= self.depth]

    def cell(self, row: Row, column: str) -> str:
        """The text of one cell."""
        if column == "num_params":
            if row.again:
                return "(recursive)"
            shown_below = row.children and row.depth < self.depth
            count = row.own if shown_below else row.num_params
            return f"{count:,}" if count else "--"
        if column == "params_percent":
            return f"{row.num_params / max(self.total_params, 1):.2%}" if row.num_params else "--"
        if column == "mult_adds":
            below = [row] if row.children and row.depth < self.depth else row.walk()
            count = sum(r.mult_adds for r in below)
            return f"{count:,}" if count else "--"
        value = getattr(row, column)
        return "--" if value is None else str(value)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        labels = list(self._labels())
        first = max([len("Layer (type:depth-idx)"), *map(len, labels)]) + 2
        line = "=" * (first + self.width * len(self.columns))
        heads = [f"{COLUMNS[c]:<{self.width}}" for c in self.columns]
        out = [line, (f"{'Layer (type:depth-idx)':<{first}}" + "".join(heads)).rstrip(), line]
        for label, row in zip(labels, self.rows, strict=True):
            cells = [f"{self.cell(row, c):<{self.width - 1}} " for c in self.columns]
            out.append((f"{label:<{first}}" + "".join(cells)).rstrip())
        out += [
            line,
            f"Total params: {self.total_params:,}",
            f"Trainable params: {self.trainable_params:,}",
            f"Non-trainable params: {self.total_params - self.trainable_params:,}",
        ]
        if self.called:
            total = self.input_bytes + self.output_bytes + self.param_bytes
            out += [
                f"Total mult-adds (M): {self.total_mult_adds / 1e6:.2f}",
                line,
                f"Input size (MB): {self.input_bytes / 1e6:.2f}",
                f"Forward/backward pass size (MB): {self.output_bytes * 2 / 1e6:.2f}",
                f"Params size (MB): {self.param_bytes / 1e6:.2f}",
                f"Estimated Total Size (MB): {(total + self.output_bytes) / 1e6:.2f}",
            ]
        return "\n".join([*out, line])

    def _labels(self) -> Iterator[str]:
        """The first column: the tree, drawn, with class, depth and number."""
        counts: dict[int, int] = {}

        def below(row: Row, before: str) -> Iterator[str]:
            shown = [child for child in row.children if child.depth <= self.depth]
            for place, child in enumerate(shown):
                last = place == len(shown) - 1
                counts[child.depth] = counts.get(child.depth, 0) + 1
                name = f" ({child.name})" if child.name and not child.name.isdigit() else ""
                number = f"{child.depth}-{counts[child.depth]}"
                yield f"{before}{'└─' if last else '├─'}{child.kind}{name}: {number}"
                yield from below(child, before + ("   " if last else "│  "))

        yield self.root.kind
        yield from below(self.root, "")


def summary(
    model: Module,
    input_size: Any = None,
    input_data: Any = None,
    batch_dim: int | None = None,
    col_names: Sequence[str] = ("output_size", "num_params"),
    col_width: int = 25,
    depth: int = 3,
    device: Any = None,
    dtypes: Any = None,
    mode: str = "eval",
    verbose: int = 0,
    **kwargs: Any,
) -> Summary:
    """Layers, shapes and numbers of parameters of a network, found by running it once.

    Runs without recording, in evaluation mode (no statistics change), on random numbers of their own. Without
    ``input_size`` and ``input_data`` nothing is run, and shapes are left out.

    Args:
        model: the network.
        input_size: shape of its input with the batch dimension, or a list of shapes for several inputs.
        input_data: the inputs themselves: a tensor, a tuple or list of arguments, or a dict of named ones.
        batch_dim: where to put a batch dimension of 1 into each ``input_size``.
        col_names: of "input_size", "output_size", "num_params", "params_percent", "kernel_size", "mult_adds",
            "trainable".
        col_width: characters of each column.
        depth: levels of the tree that are shown.
        device: None or the CPU.
        dtypes: of the inputs made from ``input_size``, one or one for each; float32 by default.
        mode: "eval" or "train", for the run.
        verbose: 1 prints the table.
        kwargs: named arguments of the network.
    Returns:
        The table; ``print`` it, or let a notebook show it.
    Raises:
        ValueError: an unknown column or mode.
    Example:
        >>> from convgrad import nn
        >>> found = summary(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), (2, 4))
        >>> found.total_params, found.rows[1].output_size
        (15, [2, 3])

    The layout is torchinfo's.
    """
    unknown = [name for name in col_names if name not in COLUMNS]
    if unknown:
        raise ValueError(f"summary: unknown columns {unknown}; there are {', '.join(COLUMNS)}")
    if mode not in ("eval", "train"):
        raise ValueError(f"summary: mode must be 'eval' or 'train', got {mode!r}")
    args, named = _inputs(input_size, input_data, batch_dim, dtypes)
    run = input_size is not None or input_data is not None or bool(kwargs)
    if run:
        root, written = _run(model, args, {**named, **kwargs}, mode == "train")
    else:
        root, written = _tree(model, "", 0), 0
    found = Summary(root, [*args, *named.values(), *kwargs.values()], tuple(col_names), depth, col_width)
    found.output_bytes = written
    if verbose:
        print(found)
    return found


def _inputs(
    size: Any, data: Any, batch_dim: int | None, kinds: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that the network is called with."""
    if data is not None:
        if isinstance(data, dict):
            return (), dict(data)
        return (tuple(data) if isinstance(data, (tuple, list)) else (data,)), {}
    if size is None:
        return (), {}
    sizes = [tuple(s) for s in size] if not isinstance(size[0], int) else [tuple(size)]
    listed = list(kinds) if isinstance(kinds, (tuple, list)) else [kinds] * len(sizes)
    generator = Generator().manual_seed(0)
    made = []
    for shape, kind in zip(sizes, listed, strict=True):
        if batch_dim is not None:
            place = batch_dim % (len(shape) + 1)
            shape = (*shape[:place], 1, *shape[place:])
        wanted = None if kind is None else as_dtype(kind)
        if wanted is None or wanted.is_floating_point:
            made.append(rand(*shape, dtype=wanted, generator=generator))
        else:
            made.append(randint(0, 2, shape, generator=generator).to(wanted))
    return tuple(made), {}


def _run(model: Module, args: Any, kwargs: Any, train: bool) -> tuple[Row, int]:
    """Call the network with hooks that write down who is called by whom."""
    names = {module: name.rpartition(".")[2] for name, module in reversed(list(model.named_modules()))}
    modes = {module: module.training for module in model.modules()}
    open_rows: list[Row] = []
    roots: list[Row] = []
    seen: set[Module] = set()
    written = 0

    def before(module: Any, given: Any, named: Any) -> None:
        row = Row(module, names[module], len(open_rows))
        row.input_size = shapes_of([*given, *named.values()])
        row.again = module in seen
        seen.add(module)
        (open_rows[-1].children if open_rows else roots).append(row)
        open_rows.append(row)

    def after(module: Any, given: Any, output: Any) -> None:
        nonlocal written
        row = open_rows.pop()
        row.output_size = last_shapes[module] = shapes_of(output)
        if row.leaf and isinstance(output, Tensor):
            written += output.nbytes

    handles = []
    try:
        for module in modes:
            handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            handles.append(module.register_forward_hook(after))
        model.train(train)
        with no_grad():
            model(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    return _with_uncalled(roots[0], seen), written


def _with_uncalled(row: Row, seen: set[Module]) -> Row:
    """Add the modules that were not called below those that hold them."""
    if not row.again:
        for name, module in row.module.named_children():
            if module not in seen and all(child.module is not module for child in row.children):
                row.children.append(_tree(module, name, row.depth + 1))
        for child in row.children:
            _with_uncalled(child, seen)
    return row


def _tree(module: Module, name: str, depth: int) -> Row:
    """Rows of a network that is not run."""
    row = Row(module, name, depth)
    row.children = [_tree(child, below, depth + 1) for below, child in module.named_children()]
    return row
