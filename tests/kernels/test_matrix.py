"""The convolution as a matrix: it is the linear map, its rows are shifted kernels."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from convgrad.kernels import reference
from convgrad.kernels.geometry import Geometry, Ints
from convgrad.kernels.matrix import convolution_matrix

RNG = np.random.default_rng(0)

CASES = [
    ((3, 11), (4, 3, 3), Geometry((2,), ((1, 2),), (2,), 1)),
    ((4, 6, 5), (6, 2, 3, 2), Geometry((1, 2), ((1, 1), (0, 2)), (1, 2), 2)),
    ((3, 5, 5), (3, 1, 3, 3), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 3)),
    ((2, 4, 5, 3), (2, 2, 2, 3, 1), Geometry((1, 2, 1), ((0, 0), (1, 1), (2, 0)), (1, 1, 1), 1)),
    ((2, 6), (2, 2, 3), Geometry((1,), ((4, -2),), (1,), 1)),
    ((2, 2), (2, 2, 3), Geometry((1,), ((0, 0),), (1,), 1)),
]


@pytest.mark.parametrize(("input_shape", "w_shape", "geometry"), CASES, ids=str)
def test_the_matrix_is_the_convolution_and_its_transpose_the_adjoint(
    input_shape: Ints, w_shape: Ints, geometry: Geometry
) -> None:
    x, w = RNG.standard_normal((1, *input_shape)), RNG.standard_normal(w_shape)
    out = reference.convolve(x, w, geometry)
    rows, cols, values, shape = convolution_matrix(w, geometry, input_shape)
    assert shape == (out.size, x.size)
    assert len(set(zip(rows.tolist(), cols.tolist(), strict=True))) == len(rows)
    assert (np.diff(rows) >= 0).all()
    matrix = scipy.sparse.coo_array((values, (rows, cols)), shape)
    np.testing.assert_allclose(matrix @ x.ravel(), out.ravel(), atol=1e-12)
    g = RNG.standard_normal(out.shape)
    gx = reference.convolve_input_grad(g, w, geometry, input_shape[1:])
    np.testing.assert_allclose(matrix.T @ g.ravel(), gx.ravel(), atol=1e-12)


def test_rows_are_the_kernel_shifted() -> None:
    rows, cols, values, shape = convolution_matrix(
        np.array([[[1.0, 2.0, 3.0]]], np.float32), Geometry((1,), ((1, 1),), (1,), 1), (1, 4)
    )
    dense = np.zeros(shape, np.float32)
    dense[rows, cols] = values
    assert values.dtype == np.float32
    np.testing.assert_array_equal(dense, [[2, 3, 0, 0], [1, 2, 3, 0], [0, 1, 2, 3], [0, 0, 1, 2]])
