"""What tensors look like in print: a table of literal texts from PyTorch 2.13."""

from __future__ import annotations

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest

from convgrad.printing import format_tensor, printoptions

inf, nan = np.inf, np.nan


class Case(NamedTuple):
    """One tensor and the text PyTorch 2.13 prints for it; parity/test_printing.py checks the table itself."""

    title: str
    data: np.ndarray
    dtype_name: str
    expected: str
    options: dict[str, Any]
    form: dict[str, Any]

    def __str__(self) -> str:
        return self.title.replace(" ", "_")


def case(
    title: str,
    values: Any,
    dtype_name: str,
    expected: str,
    options: dict[str, Any] | None = None,
    form: dict[str, Any] | None = None,
) -> Case:
    dtype = np.dtype(ml_dtypes.bfloat16 if dtype_name == "bfloat16" else dtype_name)
    return Case(title, np.asarray(values).astype(dtype), dtype_name, expected, options or {}, form or {})


CASES = [
    case("0-d float", 1.5, "float32", "tensor(1.5000)"),
    case("0-d whole", 3.0, "float32", "tensor(3.)"),
    case("0-d int", 3, "int64", "tensor(3)"),
    case("0-d bool", True, "bool", "tensor(True)"),
    case("0-d small", 1e-5, "float32", "tensor(1.0000e-05)"),
    case("0-d large", 1e10, "float32", "tensor(1.0000e+10)"),
    case("0-d nan", nan, "float32", "tensor(nan)"),
    case("0-d minus inf", -inf, "float64", "tensor(-inf, dtype=torch.float64)"),
    case("0-d complex", 1 - 2j, "complex64", "tensor(1.-2.j)"),
    case("0-d int8", -7, "int8", "tensor(-7, dtype=torch.int8)"),
    case("0-d leaf", 2.0, "float32", "tensor(2., requires_grad=True)", form=dict(requires_grad=True)),
    case(
        "0-d with node",
        2.5,
        "float32",
        "tensor(2.5000, grad_fn=<MulBackward0>)",
        form=dict(grad_fn="MulBackward0"),
    ),
    case("whole", [1, 2, 3], "float32", "tensor([1., 2., 3.])"),
    case("halves", [1.5, -2.25, 10], "float32", "tensor([ 1.5000, -2.2500, 10.0000])"),
    case("ratio 1000", [1000, 1], "float32", "tensor([1000.,    1.])"),
    case("ratio 1001", [1001, 1], "float32", "tensor([1.0010e+03, 1.0000e+00])"),
    case("ratio 1000 fractional", [1000.5, 2], "float32", "tensor([1000.5000,    2.0000])"),
    case("1e8", [1e8], "float32", "tensor([100000000.])"),
    case("above 1e8", [1.0001e8], "float32", "tensor([1.0001e+08])"),
    case("rounds to 1e8", [99999999.5], "float64", "tensor([99999999.5000], dtype=torch.float64)"),
    case("1e-4 in float64", [1e-4], "float64", "tensor([0.0001], dtype=torch.float64)"),
    case("1e-4 in float32 is below it", [1e-4], "float32", "tensor([1.0000e-04])"),
    case("1e-4 in float16 is above it", [1e-4], "float16", "tensor([0.0001], dtype=torch.float16)"),
    case("below 1e-4", [9.9999e-5], "float64", "tensor([9.9999e-05], dtype=torch.float64)"),
    case("rounding up a digit", [0.99995, 100], "float32", "tensor([  0.9999, 100.0000])"),
    case("wide", [123456.78, 1000], "float32", "tensor([123456.7812,   1000.0000])"),
    case(
        "three-digit exponent",
        [1e300, -1e-300],
        "float64",
        "tensor([ 1.0000e+300, -1.0000e-300], dtype=torch.float64)",
    ),
    case(
        "smallest subnormal",
        [5e-324, 1],
        "float64",
        "tensor([4.9407e-324,  1.0000e+00], dtype=torch.float64)",
    ),
    case("zeros", [0, 0], "float32", "tensor([0., 0.])"),
    case("minus zero", [0.0, -0.0, 1], "float32", "tensor([0., -0., 1.])"),
    case("minus zero with fractions", [-0.0, 1.5], "float32", "tensor([-0.0000, 1.5000])"),
    case("only nan", [nan, nan], "float32", "tensor([nan, nan])"),
    case("nan and zero", [nan, 0], "float32", "tensor([nan, 0.])"),
    case("nan and whole", [nan, 1, -20], "float32", "tensor([ nan,   1., -20.])"),
    case("inf and fractions", [inf, 1.5, -inf], "float32", "tensor([   inf, 1.5000,   -inf])"),
    case("inf and nan", [inf, nan, -inf], "float64", "tensor([inf, nan, -inf], dtype=torch.float64)"),
    case(
        "nan in scientific",
        [nan, 1e-7, inf, 0],
        "float32",
        "tensor([       nan, 1.0000e-07,        inf, 0.0000e+00])",
    ),
    case("uint8", [0, 255], "uint8", "tensor([  0, 255], dtype=torch.uint8)"),
    case("int8", [-128, 127], "int8", "tensor([-128,  127], dtype=torch.int8)"),
    case("int16", [-1, 300], "int16", "tensor([ -1, 300], dtype=torch.int16)"),
    case("int32", [1, -20000], "int32", "tensor([     1, -20000], dtype=torch.int32)"),
    case(
        "int64",
        [-1, 10, 9223372036854775807],
        "int64",
        "tensor([                 -1,                  10, 9223372036854775807])",
    ),
    case("uint64", [18446744073709551615], "uint64", "tensor([18446744073709551615], dtype=torch.uint64)"),
    case("bool", [True, False], "bool", "tensor([ True, False])"),
    case("float16", [65504, 1], "float16", "tensor([6.5504e+04, 1.0000e+00], dtype=torch.float16)"),
    case("float16 fractions", [0.1, 0.2], "float16", "tensor([0.1000, 0.2000], dtype=torch.float16)"),
    case("bfloat16", [3e38, 1], "bfloat16", "tensor([3.0041e+38, 1.0000e+00], dtype=torch.bfloat16)"),
    case("bfloat16 fractions", [0.1, 0.2], "bfloat16", "tensor([0.1001, 0.2002], dtype=torch.bfloat16)"),
    case("float64", [0.1, 0.2], "float64", "tensor([0.1000, 0.2000], dtype=torch.float64)"),
    case("default float64", [0.1], "float64", "tensor([0.1000])", form=dict(default_dtype_name="float64")),
    case(
        "float32 is not the default",
        [0.1],
        "float32",
        "tensor([0.1000], dtype=torch.float32)",
        form=dict(default_dtype_name="float64"),
    ),
    case(
        "complex128 by default",
        [0.1j],
        "complex128",
        "tensor([0.+0.1000j])",
        form=dict(default_dtype_name="float64"),
    ),
    case("default bfloat16", [0.5], "bfloat16", "tensor([0.5000])", form=dict(default_dtype_name="bfloat16")),
    case(
        "complex64 with bfloat16",
        [0.5j],
        "complex64",
        "tensor([0.+0.5000j])",
        form=dict(default_dtype_name="bfloat16"),
    ),
    case("complex whole", [1 + 2j, -3 - 4j], "complex64", "tensor([ 1.+2.j, -3.-4.j])"),
    case("complex mixed notation", [1 + 2j, -3 - 4.5j], "complex64", "tensor([ 1.+2.0000j, -3.-4.5000j])"),
    case(
        "complex scientific",
        [complex(1e5, 1e-5), 2j],
        "complex64",
        "tensor([100000.+1.0000e-05j,      0.+2.0000e+00j])",
    ),
    case("complex nan", [complex(nan, nan), complex(0, -0.0)], "complex64", "tensor([nan+nanj, 0.-0.j])"),
    case("complex inf", [complex(-inf, -inf), 1.5], "complex64", "tensor([  -inf-infj, 1.5000+0.j])"),
    case("complex128", [1.5 + 0.25j], "complex128", "tensor([1.5000+0.2500j], dtype=torch.complex128)"),
    case(
        "complex matrix that wraps",
        np.arange(24).reshape(2, 12) * (1 - 0.5j),
        "complex64",
        "tensor([[ 0.+0.0000j,  1.-0.5000j,  2.-1.0000j,  3.-1.5000j,  4.-2.0000j,\n"
        "          5.-2.5000j,  6.-3.0000j,  7.-3.5000j,  8.-4.0000j,  9.-4.5000j,\n"
        "         10.-5.0000j, 11.-5.5000j],\n"
        "        [12.-6.0000j, 13.-6.5000j, 14.-7.0000j, 15.-7.5000j, 16.-8.0000j,\n"
        "         17.-8.5000j, 18.-9.0000j, 19.-9.5000j, 20.-10.0000j, 21.-10.5000j,\n"
        "         22.-11.0000j, 23.-11.5000j]])",
    ),
    case("matrix", [[1, 2], [3, 40]], "int64", "tensor([[ 1,  2],\n        [ 3, 40]])"),
    case(
        "float matrix",
        [[0.5, -1], [100, 0]],
        "float32",
        "tensor([[  0.5000,  -1.0000],\n        [100.0000,   0.0000]])",
    ),
    case(
        "3-d",
        np.arange(8).reshape(2, 2, 2),
        "int64",
        "tensor([[[0, 1],\n         [2, 3]],\n\n        [[4, 5],\n         [6, 7]]])",
    ),
    case(
        "4-d",
        np.arange(8).reshape(2, 2, 1, 2) / 2,
        "float32",
        "tensor([[[[0.0000, 0.5000]],\n"
        "\n"
        "         [[1.0000, 1.5000]]],\n"
        "\n"
        "\n"
        "        [[[2.0000, 2.5000]],\n"
        "\n"
        "         [[3.0000, 3.5000]]]])",
    ),
    case(
        "5-d",
        np.zeros((2, 1, 2, 1, 1)),
        "float32",
        "tensor([[[[[0.]],\n\n          [[0.]]]],\n\n\n\n        [[[[0.]],\n\n          [[0.]]]]])",
    ),
    case(
        "wraps",
        np.arange(30) * 1.25,
        "float32",
        "tensor([ 0.0000,  1.2500,  2.5000,  3.7500,  5.0000,  6.2500,  7.5000,  8.7500,\n"
        "        10.0000, 11.2500, 12.5000, 13.7500, 15.0000, 16.2500, 17.5000, 18.7500,\n"
        "        20.0000, 21.2500, 22.5000, 23.7500, 25.0000, 26.2500, 27.5000, 28.7500,\n"
        "        30.0000, 31.2500, 32.5000, 33.7500, 35.0000, 36.2500])",
    ),
    case(
        "bool wraps",
        np.arange(20) % 3 == 0,
        "bool",
        "tensor([ True, False, False,  True, False, False,  True, False, False,  True,\n"
        "        False, False,  True, False, False,  True, False, False,  True, False])",
    ),
    case(
        "matrix wraps",
        np.arange(40).reshape(2, 20) + 1000,
        "int64",
        "tensor([[1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011,\n"
        "         1012, 1013, 1014, 1015, 1016, 1017, 1018, 1019],\n"
        "        [1020, 1021, 1022, 1023, 1024, 1025, 1026, 1027, 1028, 1029, 1030, 1031,\n"
        "         1032, 1033, 1034, 1035, 1036, 1037, 1038, 1039]])",
    ),
    case("one by one", [[[7]]], "int32", "tensor([[[7]]], dtype=torch.int32)"),
    case("empty", [], "float32", "tensor([])"),
    case("empty matrix", np.zeros((0, 3)), "float32", "tensor([], size=(0, 3))"),
    case("empty int64 says so", [], "int64", "tensor([], dtype=torch.int64)"),
    case("empty bool matrix", np.zeros((2, 0)), "bool", "tensor([], size=(2, 0), dtype=torch.bool)"),
    case("empty float64", np.zeros((0, 3)), "float64", "tensor([], size=(0, 3), dtype=torch.float64)"),
    case("empty complex64 says so", [], "complex64", "tensor([], dtype=torch.complex64)"),
    case(
        "empty leaf",
        np.zeros((1, 0, 2)),
        "float32",
        "tensor([], size=(1, 0, 2), requires_grad=True)",
        form=dict(requires_grad=True),
    ),
    case(
        "leaf",
        [1, 2],
        "float64",
        "tensor([1., 2.], dtype=torch.float64, requires_grad=True)",
        form=dict(requires_grad=True),
    ),
    case(
        "node",
        [1, 2],
        "float32",
        "tensor([1., 2.], grad_fn=<SubBackward0>)",
        form=dict(grad_fn="SubBackward0"),
    ),
    case(
        "dtype and node",
        [1, 2],
        "float16",
        "tensor([1., 2.], dtype=torch.float16, grad_fn=<SubBackward0>)",
        form=dict(grad_fn="SubBackward0"),
    ),
    case(
        "node hides requires_grad",
        [1, 2],
        "float32",
        "tensor([1., 2.], grad_fn=<SubBackward0>)",
        form=dict(requires_grad=True, grad_fn="SubBackward0"),
    ),
    case(
        "suffix on a new line",
        np.arange(13) + 100.0,
        "float32",
        "tensor([100., 101., 102., 103., 104., 105., 106., 107., 108., 109., 110., 111.,\n"
        "        112.], requires_grad=True)",
        form=dict(requires_grad=True),
    ),
    case(
        "suffix after two lines",
        np.arange(20) + 100.0,
        "float64",
        "tensor([100., 101., 102., 103., 104., 105., 106., 107., 108., 109., 110., 111.,\n"
        "        112., 113., 114., 115., 116., 117., 118., 119.], dtype=torch.float64,\n"
        "       grad_fn=<MulBackward0>)",
        form=dict(grad_fn="MulBackward0"),
    ),
    case(
        "suffix just does not fit",
        np.arange(8) + 1000.5,
        "float64",
        "tensor([1000.5000, 1001.5000, 1002.5000, 1003.5000, 1004.5000, 1005.5000,\n"
        "        1006.5000, 1007.5000], dtype=torch.float64)",
    ),
    case(
        "suffix of a matrix",
        np.arange(6).reshape(3, 2) / 3,
        "float64",
        "tensor([[0.0000, 0.3333],\n"
        "        [0.6667, 1.0000],\n"
        "        [1.3333, 1.6667]], dtype=torch.float64, grad_fn=<AddmmBackward0>)",
        form=dict(grad_fn="AddmmBackward0"),
    ),
    case(
        "every suffix on its own line",
        [1, 2],
        "float64",
        "tensor([1., 2.],\n       dtype=torch.float64,\n       grad_fn=<SubBackward0>)",
        dict(linewidth=21),
        form=dict(grad_fn="SubBackward0"),
    ),
    case("summary", np.arange(1001), "int64", "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    case(
        "at the threshold",
        np.arange(10),
        "int64",
        "tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])",
        dict(threshold=10, edgeitems=1),
    ),
    case(
        "above the threshold",
        np.arange(11),
        "int64",
        "tensor([ 0,  ..., 10])",
        dict(threshold=10, edgeitems=1),
    ),
    case(
        "tall",
        np.full((3, 1, 1), 0.5),
        "float32",
        "tensor([[[0.5000]],\n\n        [[0.5000]],\n\n        [[0.5000]]])",
    ),
    case(
        "summary of floats looks at the edges",
        np.where(np.arange(2000) == 1000, 1e9, 0.5),
        "float32",
        "tensor([0.5000, 0.5000, 0.5000,  ..., 0.5000, 0.5000, 0.5000])",
    ),
    case(
        "summary of a matrix",
        np.arange(2500).reshape(50, 50),
        "int64",
        "tensor([[   0,    1,    2,  ...,   47,   48,   49],\n"
        "        [  50,   51,   52,  ...,   97,   98,   99],\n"
        "        [ 100,  101,  102,  ...,  147,  148,  149],\n"
        "        ...,\n"
        "        [2350, 2351, 2352,  ..., 2397, 2398, 2399],\n"
        "        [2400, 2401, 2402,  ..., 2447, 2448, 2449],\n"
        "        [2450, 2451, 2452,  ..., 2497, 2498, 2499]])",
    ),
    case(
        "summary keeps short dimensions",
        np.arange(1200).reshape(2, 3, 200),
        "int64",
        "tensor([[[   0,    1,    2,  ...,  197,  198,  199],\n"
        "         [ 200,  201,  202,  ...,  397,  398,  399],\n"
        "         [ 400,  401,  402,  ...,  597,  598,  599]],\n"
        "\n"
        "        [[ 600,  601,  602,  ...,  797,  798,  799],\n"
        "         [ 800,  801,  802,  ...,  997,  998,  999],\n"
        "         [1000, 1001, 1002,  ..., 1197, 1198, 1199]]])",
    ),
    case(
        "summary wraps",
        np.arange(2000.0).reshape(20, 100),
        "float32",
        "tensor([[0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 9.7000e+01, 9.8000e+01,\n"
        "         9.9000e+01],\n"
        "        [1.0000e+02, 1.0100e+02, 1.0200e+02,  ..., 1.9700e+02, 1.9800e+02,\n"
        "         1.9900e+02],\n"
        "        [2.0000e+02, 2.0100e+02, 2.0200e+02,  ..., 2.9700e+02, 2.9800e+02,\n"
        "         2.9900e+02],\n"
        "        ...,\n"
        "        [1.7000e+03, 1.7010e+03, 1.7020e+03,  ..., 1.7970e+03, 1.7980e+03,\n"
        "         1.7990e+03],\n"
        "        [1.8000e+03, 1.8010e+03, 1.8020e+03,  ..., 1.8970e+03, 1.8980e+03,\n"
        "         1.8990e+03],\n"
        "        [1.9000e+03, 1.9010e+03, 1.9020e+03,  ..., 1.9970e+03, 1.9980e+03,\n"
        "         1.9990e+03]])",
    ),
    case(
        "summary with node",
        np.arange(2000) / 2,
        "float64",
        "tensor([0.0000e+00, 5.0000e-01, 1.0000e+00,  ..., 9.9850e+02, 9.9900e+02,\n"
        "        9.9950e+02], dtype=torch.float64, grad_fn=<DivBackward0>)",
        form=dict(grad_fn="DivBackward0"),
    ),
    case(
        "summary of complex",
        np.arange(1100) * 1j,
        "complex64",
        "tensor([0.+0.0000e+00j, 0.+1.0000e+00j, 0.+2.0000e+00j,  ..., 0.+1.0970e+03j,\n"
        "        0.+1.0980e+03j, 0.+1.0990e+03j])",
    ),
    case(
        "summary of bool",
        np.arange(1002) % 2 == 0,
        "bool",
        "tensor([ True, False,  True,  ..., False,  True, False])",
    ),
    case(
        "low threshold",
        [1.5, -2, nan],
        "float32",
        "tensor([1.5000,  ...,    nan])",
        dict(threshold=2, edgeitems=1),
    ),
    case(
        "low threshold 3-d",
        np.arange(24).reshape(2, 3, 4),
        "int64",
        "tensor([[[ 0,  ...,  3],\n"
        "         ...,\n"
        "         [ 8,  ..., 11]],\n"
        "\n"
        "        [[12,  ..., 15],\n"
        "         ...,\n"
        "         [20,  ..., 23]]])",
        dict(threshold=2, edgeitems=1),
    ),
    case(
        "no edge items",
        np.arange(12).reshape(3, 4),
        "int64",
        "tensor([...], size=(3, 4))",
        dict(threshold=10, edgeitems=0),
    ),
    case(
        "no edge items, not summarised",
        [1.5, 2],
        "float16",
        "tensor([1.5000, 2.0000], size=(2,), dtype=torch.float16)",
        dict(edgeitems=0),
    ),
    case("precision 0", [1.5, -2, nan], "float32", "tensor([ 2, -2, nan])", dict(precision=0)),
    case(
        "precision 8",
        [1 / 3, 1],
        "float64",
        "tensor([0.33333333, 1.00000000], dtype=torch.float64)",
        dict(precision=8),
    ),
    case("precision and whole", [1, 2], "float32", "tensor([1., 2.])", dict(precision=2)),
    case("profile short", [1.5, -2], "float32", "tensor([ 1.50, -2.00])", dict(profile="short")),
    case(
        "profile short summary",
        np.arange(1001),
        "int64",
        "tensor([   0,    1,  ...,  999, 1000])",
        dict(profile="short"),
    ),
    case("profile and one option", [1.5], "float32", "tensor([1.50000])", dict(profile="short", precision=5)),
    case(
        "scientific by wish",
        [1.5, -2, nan],
        "float32",
        "tensor([ 1.5000e+00, -2.0000e+00,         nan])",
        dict(sci_mode=True),
    ),
    case(
        "scientific by wish of whole",
        [0, 10],
        "float32",
        "tensor([0.0000e+00, 1.0000e+01])",
        dict(sci_mode=True),
    ),
    case("scientific by wish of zeros", [0, nan], "float32", "tensor([0., nan])", dict(sci_mode=True)),
    case("never scientific", [1e-7, 1], "float32", "tensor([0.0000, 1.0000])", dict(sci_mode=False)),
    case(
        "never scientific, whole",
        [1, 2, 1e6],
        "float32",
        "tensor([      1.,       2., 1000000.])",
        dict(sci_mode=False, precision=2),
    ),
    case(
        "scientific complex",
        [0, 1 + 2j],
        "complex64",
        "tensor([0.0000e+00+0.0000e+00j, 1.0000e+00+2.0000e+00j])",
        dict(sci_mode=True),
    ),
    case(
        "narrow",
        [[1.5, 2.5, 3], [4, 5, 6]],
        "float32",
        "tensor([[1.5000, 2.5000,\n         3.0000],\n        [4.0000, 5.0000,\n         6.0000]])",
        dict(linewidth=25),
    ),
    case("no width at all", [1, 20], "int64", "tensor([ 1,\n        20])", dict(linewidth=0)),
    case(
        "wide lines",
        np.arange(25),
        "int64",
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,\n"
        "        22, 23, 24])",
        dict(linewidth=95),
    ),
    case(
        "two suffixes in 37 columns",
        [1, 2],
        "float64",
        "tensor([1., 2.],\n       dtype=torch.float64,\n       requires_grad=True)",
        dict(linewidth=37),
        form=dict(requires_grad=True),
    ),
    case(
        "two suffixes in 38 columns",
        [1, 2],
        "float64",
        "tensor([1., 2.], dtype=torch.float64,\n       requires_grad=True)",
        dict(linewidth=38),
        form=dict(requires_grad=True),
    ),
    case(
        "two suffixes in 57 columns",
        [1, 2],
        "float64",
        "tensor([1., 2.], dtype=torch.float64,\n       requires_grad=True)",
        dict(linewidth=57),
        form=dict(requires_grad=True),
    ),
    case(
        "two suffixes in 58 columns",
        [1, 2],
        "float64",
        "tensor([1., 2.], dtype=torch.float64, requires_grad=True)",
        dict(linewidth=58),
        form=dict(requires_grad=True),
    ),
    case(
        "complex in 28 columns",
        [1.5 + 2j, 3 + 4j],
        "complex64",
        "tensor([1.5000+2.j,\n        3.0000+4.j])",
        dict(linewidth=28),
    ),
    case(
        "complex in 29 columns",
        [1.5 + 2j, 3 + 4j],
        "complex64",
        "tensor([1.5000+2.j, 3.0000+4.j])",
        dict(linewidth=29),
    ),
    case(
        "matrix in 35 columns",
        [[1], [2]],
        "float64",
        "tensor([[1.],\n        [2.]],\n       dtype=torch.float64)",
        dict(linewidth=35),
    ),
    case(
        "matrix in 36 columns",
        [[1], [2]],
        "float64",
        "tensor([[1.],\n        [2.]], dtype=torch.float64)",
        dict(linewidth=36),
    ),
    case(
        "second line of suffixes in 45 columns",
        np.arange(5) + 100.0,
        "float64",
        "tensor([100., 101., 102., 103., 104.],\n       dtype=torch.float64,\n       requires_grad=True)",
        dict(linewidth=45),
        form=dict(requires_grad=True),
    ),
    case(
        "second line of suffixes in 46 columns",
        np.arange(5) + 100.0,
        "float64",
        "tensor([100., 101., 102., 103., 104.],\n       dtype=torch.float64, requires_grad=True)",
        dict(linewidth=46),
        form=dict(requires_grad=True),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_text_is_pytorchs(case: Case) -> None:
    with printoptions(**case.options):
        assert format_tensor(case.data, case.dtype_name, **case.form) == case.expected


def test_table_is_large_and_has_no_twins() -> None:
    assert len(CASES) >= 80
    assert len({case.title for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_strides_and_read_only_do_not_show(case: Case) -> None:
    data = np.repeat(case.data, 2)[::2] if case.data.ndim == 1 else np.array(case.data, order="F")
    data.setflags(write=False)
    with printoptions(**case.options):
        assert format_tensor(data, case.dtype_name, **case.form) == case.expected
