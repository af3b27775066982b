"""L4 to L6: the layers' signature, and the sizes of kernels and outputs."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np

from convgrad.tools.tour import by_hand
from convgrad.tools.tour.row import Row, row
from convgrad.tools.values import as_array

SIGNATURE = {
    "in_channels": inspect.Parameter.empty,
    "out_channels": inspect.Parameter.empty,
    "kernel_size": inspect.Parameter.empty,
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "bias": True,
    "padding_mode": "zeros",
}
"""The arguments of ``nn.Conv1d`` as the lecture shows them."""


@row(
    "L4",
    "The signature of `nn.Conv1d`",
    "In IPython `nn.Conv1d?` shows the signature and explains each argument. Every argument works, "
    "together with every other.",
)
def signature(r: Row) -> None:
    r.run(
        """
        import inspect
        parameters = inspect.signature(nn.Conv1d).parameters.values()
        shown = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
        print("nn.Conv1d(", *[f"    {argument}," for argument in shown], ")", sep="\\n")
        print(inspect.getdoc(nn.Conv1d))
        """
    )
    layer = r["nn"].Conv1d
    parameters = list(inspect.signature(layer).parameters.values())[: len(SIGNATURE)]
    r.check("names and order of the arguments", tuple(p.name for p in parameters), tuple(SIGNATURE))
    r.check("their defaults", tuple(p.default for p in parameters), tuple(SIGNATURE.values()))
    text = inspect.getdoc(layer) or ""
    silent = [name for name in SIGNATURE if not re.search(rf"\b{name}`{{0,2}}\s*(\([^)]*\))?\s*:", text)]
    r.complete("the docstring explains each of them", silent)
    _combinations(r)


def _combinations(r: Row) -> None:
    r.say(
        "Now every argument with every other: stride, padding by number and by name, dilation, groups, "
        "bias, all four padding modes, batched and not, against loops over the definition."
    )
    r.run(
        """
        from itertools import product

        choices = dict(
            kernel_size=[3, 4], stride=[1, 2], padding=[0, 2, "same", "valid"], dilation=[1, 2],
            groups=[1, 2], bias=[True, False], padding_mode=["zeros", "reflect", "replicate", "circular"],
        )
        results = []
        for values in product(*choices.values()):
            arguments = dict(zip(choices, values))
            if arguments["padding"] == "same" and arguments["stride"] != 1:
                continue                                    # refused, see below
            conv = nn.Conv1d(4, 6, **arguments)
            x = torch.randn(4, 11)                          # unbatched: (C, n)
            results.append((arguments, x, conv, conv(x), conv(x[None])))
        len(results)

        refused = False
        try:
            nn.Conv1d(4, 6, 3, stride=2, padding="same")
        except ValueError as error:
            print("ValueError:", error)
            refused = True
        """
    )
    worst, wrong = 0.0, []
    for arguments, x, conv, single, batch in r["results"]:
        want = _by_definition(arguments, x, conv)
        got, batched = as_array(single), as_array(batch)
        if got.shape != want.shape or batched.shape != (1, *want.shape):
            wrong.append(arguments)
            continue
        error = max(np.abs(got - want).max(), np.abs(batched[0] - want).max()) / max(np.abs(want).max(), 1.0)
        worst = max(worst, float(error))
        if not error <= 1e-5:
            wrong.append(arguments)
    count = 2 * 2 * 2 * 2 * 4 * (4 + 3)  # "same" goes with stride 1 alone
    r.check("combinations that ran", len(r["results"]), count)
    detail = f"first: {wrong[0]}" if wrong else f"largest difference {worst:.1e}"
    r.holds("every combination gives what the loops give", not wrong, detail)
    r.check('`padding="same"` with a stride is refused', r["refused"], True)


def _by_definition(arguments: dict[str, Any], x: Any, conv: Any) -> by_hand.Array:
    padding = arguments["padding"]
    if padding == "same":
        padding = by_hand.same_padding(arguments["kernel_size"], arguments["dilation"])
    return by_hand.cross_correlate(
        as_array(x),
        as_array(conv.weight),
        as_array(conv.bias) if arguments["bias"] else None,
        stride=arguments["stride"],
        padding=0 if padding == "valid" else padding,
        dilation=arguments["dilation"],
        groups=arguments["groups"],
        padding_mode=arguments["padding_mode"],
    )


def output_length(n: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many places a kernel fits, by putting it everywhere.

    Example:
        >>> output_length(64, 3), output_length(64, 5)
        (62, 60)
    """
    last = dilation * (kernel - 1)
    return sum(1 for start in range(0, n + 2 * padding, stride) if start + last < n + 2 * padding)


@row(
    "L5",
    "Kernels and output width in one dimension",
    "From 2 channels to 16 with kernels of size 3: the weight is [16, 2, 3], and 64 samples become 64 − 3 "
    "+ 1 = 62.",
)
def one_dimension(r: Row) -> None:
    r.run(
        """
        conv = nn.Conv1d(2, 16, 3)  # 2 channels (stereo signal), 16 kernels of size 3
        conv.weight.size()
        conv.bias.size()

        x = torch.rand(1, 2, 64)    # batch of size 1, 2 channels, 64 samples
        conv(x).size()

        conv5 = nn.Conv1d(2, 16, 5)  # 2 channels, 16 kernels of size 5
        conv5(x).size()
        """
    )
    printed = _printed(r)
    lengths = [output_length(64, 3), output_length(64, 5)]
    want = [
        "torch.Size([16, 2, 3])",
        "torch.Size([16])",
        f"torch.Size([1, 16, {lengths[0]}])",
        f"torch.Size([1, 16, {lengths[1]}])",
    ]
    r.check("printed as in the lecture", printed, "\n".join(want))
    x = as_array(r["x"])[0]
    for name in ("conv", "conv5"):
        layer = r[name]
        want_y = by_hand.cross_correlate(x, as_array(layer.weight), as_array(layer.bias))
        r.check(f"`{layer}` gives what loops give", as_array(layer(r["x"]))[0], want_y, rel=1e-5)


@row(
    "L6",
    "Kernels and output size in two dimensions",
    "A hyperspectral image of 20 channels, 64 × 128: kernels of 3 × 5 give 62 × 124, and with padding (1, "
    "2) the size stays. A collection of such kernels needs four dimensions.",
)
def two_dimensions(r: Row) -> None:
    r.run(
        """
        x = torch.rand(1, 20, 64, 128)    # 1 sample, 20 channels, height 64, and width 128
        conv = nn.Conv2d(20, 16, (3, 5))  # 20 channels, 16 kernels, kernel size is 3 x 5
        conv.weight.size()
        conv(x).size()

        # 20 channels, 16 kernels of size 3 x 5, stride is 1, padding of 1 and 2
        padded = nn.Conv2d(20, 16, (3, 5), 1, (1, 2))
        padded(x).size()
        """
    )
    plain = [output_length(64, 3), output_length(128, 5)]
    kept = [output_length(64, 3, padding=1), output_length(128, 5, padding=2)]
    want = [
        "torch.Size([16, 20, 3, 5])",
        f"torch.Size([1, 16, {plain[0]}, {plain[1]}])",
        f"torch.Size([1, 16, {kept[0]}, {kept[1]}])",
    ]
    r.check("printed as in the lecture", _printed(r), "\n".join(want))
    r.check("62 × 124, and 64 × 128 with padding", [*plain, *kept], [62, 124, 64, 128])
    r.check("the kernels need four dimensions", r["conv"].weight.dim(), 4)
    x, conv = as_array(r["x"]), r["conv"]
    by_loops = by_hand.cross_correlate_2d(x, as_array(conv.weight), as_array(conv.bias))
    r.check("every output is what loops give", as_array(conv(r["x"])), by_loops, rel=1e-5)
    inner = as_array(r["padded"](r["x"]))[:, :, 1:-1, 2:-2]
    want_inner = by_hand.cross_correlate_2d(x, as_array(r["padded"].weight), as_array(r["padded"].bias))
    r.check("away from the border padding changes nothing", inner, want_inner, rel=1e-5)


def _printed(r: Row) -> str:
    """All that the last code printed."""
    return "".join(output for _, output in r.talks[-1].pairs).rstrip("\n")
