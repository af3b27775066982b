"""The docstrings of the convolution layers, which differ only in names of axes and in what they compute."""

from __future__ import annotations

_DOC = """{what}

    Args:
        in_channels: number of channels of the input.
        out_channels: number of channels of the output: the layer has one kernel for each.
        kernel_size: length of the kernel along each spatial dimension, an int for all or one int each.
        stride: the kernel moves on by this many {unit} from one output to the next.
        padding: {padding}
        {more}dilation: distance in {unit} between neighbouring taps of the kernel; 1 leaves no holes.
        groups: channels are cut into this many parts of equal size, and each part of the output sees
            only its own part of the input; ``groups=in_channels`` filters every channel by itself.
        bias: add one learned number to each output channel.
        padding_mode: {modes}
        device: only the CPU (None or "cpu").
        dtype: of weight and bias; None is the default dtype, float32.
    Attributes:
        weight: ``({weight}, {kernel})``, uniform within ``±1 / sqrt(fan_in)`` at first.
        bias: ``(out_channels,)``, the same, or None.
    Shapes:
        input ``(N, in_channels, {size})``, or without N; output ``(N, out_channels, {out})`` with
        {formula}
    Raises:
        ValueError: channels that groups does not divide, or an unknown padding.
    Example:
        {example}

    Source: Dumoulin & Visin 2016, arXiv:1603.07285; semantics of torch.nn.{name}.
    """

AXES = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
_UNIT = {1: "samples", 2: "pixels", 3: "voxels"}
_WHAT = {1: "signals", 2: "images", 3: "volumes"}


def _forward_words(ndim: int, unit: str) -> dict[str, str]:
    """What the docstring of a convolution says of itself."""
    return {
        "what": (
            f"Cross-correlation of {_WHAT[ndim]} with a bank of learned kernels, plus a bias.\n\n"
            "    Each output channel is the sum over input channels of the input correlated with a kernel\n"
            "    (which is not flipped, unlike in the convolution of signal processing)."
        ),
        "formula": "``o = (n + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``",
        "padding": (
            f'{unit} added on both sides of the input; "valid" adds none, "same" as many as keep\n'
            "            the size (for stride 1)."
        ),
        "more": "",
        "modes": (
            'what stands there: "zeros", "reflect" (the input mirrored, without its edge),\n'
            '            "replicate" (the edge value) or "circular" (the other end).'
        ),
        "weight": "out_channels, in_channels / groups",
        "result": ", ".join(["3"] * ndim),
    }


def _transposed_words(ndim: int, unit: str) -> dict[str, str]:
    """What the docstring of a transposed convolution says of itself."""
    return {
        "what": (
            f"Transposed convolution of {_WHAT[ndim]}: the adjoint of Conv{ndim}d with the same settings.\n\n"
            f"    It spreads each input {unit[:-1]} over the outputs, so it enlarges what a strided\n"
            f"    Conv{ndim}d shrank."
        ),
        "formula": ("``o = (n - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1``"),
        "padding": (
            f"{unit} cut from each side of the output: the padding of the convolution it is the\n"
            "            adjoint of."
        ),
        "more": (
            f"output_padding: {unit} added at one side of the output; chooses among the sizes that a\n"
            "            strided convolution maps alike.\n        "
        ),
        "modes": 'only "zeros".',
        "weight": "in_channels, out_channels / groups",
        "result": ", ".join(["17"] * ndim),
    }


def document(cls: type, ndim: int, transposed: bool) -> None:
    """Write a layer's docstring: the six differ only in names of axes and in what they compute."""
    axes, unit, name = AXES[ndim], _UNIT[ndim], cls.__name__
    words = (_transposed_words if transposed else _forward_words)(ndim, unit)
    axis = axes[0] if ndim == 1 else f"{axes[0]} (each axis alike)"
    words["formula"] += f"\n        for {axis}."
    words["example"] = (
        f">>> {name}(3, 4, 3, stride=2)(Tensor(1, 3, {', '.join(['8'] * ndim)})).shape\n"
        f"        torch.Size([1, 4, {words.pop('result')}])"
    )
    cls.__doc__ = _DOC.format(
        unit=unit,
        name=name,
        kernel=", ".join([f"k{a}" for a in axes]),
        size=", ".join(axes),
        out=", ".join([f"o{a}" for a in axes]),
        **words,
    )
