"""``nn.utils`` without PyTorch: what parametrizations, norms, pruning and fusion promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convgrad
from convgrad import nn
from convgrad.nn.utils import parametrizations, parametrize, prune


def floats(*shape: int, start: int = 0) -> Any:
    return convgrad.tensor(np.random.default_rng(start).standard_normal(shape))


def trained(m: Any, *shape: int) -> Any:
    """A few steps of training."""
    optimizer = convgrad.optim.SGD(m.parameters(), lr=0.1)
    for k in range(4):
        optimizer.zero_grad()
        m(floats(*shape, start=k)).sin().sum().backward()
        optimizer.step()
    return m


@pytest.mark.parametrize("kind", [None, "cayley", "matrix_exp", "householder"])
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (4, 4)])
def test_orthogonal_weights_stay_orthogonal_in_training(kind: str | None, shape: tuple[int, int]) -> None:
    m = parametrizations.orthogonal(nn.Linear(*shape).double(), orthogonal_map=kind)
    first = m.weight.detach().clone()
    w = trained(m, 5, shape[0]).weight.detach().numpy()
    w = w if w.shape[0] <= w.shape[1] else w.T
    np.testing.assert_allclose(w @ w.T, np.eye(len(w)), atol=1e-9)
    assert not np.allclose(first.numpy(), m.weight.detach().numpy())


def test_spectral_norm_finds_the_largest_singular_value() -> None:
    for make in (nn.utils.spectral_norm, parametrizations.spectral_norm):
        convgrad.manual_seed(0)
        m = make(nn.Linear(5, 4).double(), n_power_iterations=20)
        for _ in range(5):
            m(floats(2, 5))
        assert np.linalg.svd(m.weight.detach().numpy())[1][0] == pytest.approx(1, abs=1e-6)


def test_weight_norm_keeps_the_weight_and_trains_its_length() -> None:
    plain = nn.Linear(5, 4).double()
    weight = plain.weight.detach().numpy().copy()
    m = parametrizations.weight_norm(plain)
    np.testing.assert_allclose(m.weight.detach().numpy(), weight)
    trained(m, 3, 5)
    lengths = np.linalg.norm(m.weight.detach().numpy(), axis=1, keepdims=True)
    np.testing.assert_allclose(lengths, np.abs(m.parametrizations.weight.original0.detach().numpy()))


def test_parametrized_modules_train_and_come_back() -> None:
    class Positive(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.exp()

        def right_inverse(self, x: Any) -> Any:
            return x.log()

    m = nn.Linear(3, 2)
    with convgrad.no_grad():
        m.weight.abs_()
    m = parametrize.register_parametrization(m, "weight", Positive())
    trained(m.double(), 4, 3)
    assert bool((m.weight > 0).all())
    value = m.weight.detach().clone()
    parametrize.remove_parametrizations(m, "weight")
    assert type(m) is nn.Linear and isinstance(m.weight, nn.Parameter)
    np.testing.assert_array_equal(m.weight.detach().numpy(), value.numpy())


@pytest.mark.parametrize("amount", [0.25, 3, 0])
def test_what_is_pruned_stays_zero_in_training(amount: Any) -> None:
    m = nn.Linear(4, 3).double()
    prune.l1_unstructured(m, "weight", amount)
    mask = m.weight_mask.numpy() == 0
    count = amount if isinstance(amount, int) else round(amount * 12)
    assert mask.sum() == count
    smallest = np.sort(np.abs(m.weight_orig.detach().numpy()).reshape(-1))[:count]
    np.testing.assert_allclose(np.sort(np.abs(m.weight_orig.detach().numpy()[mask])), smallest)
    trained(m, 5, 4)
    m(floats(1, 4))
    assert not m.weight.detach().numpy()[mask].any()
    prune.remove(m, "weight")
    assert isinstance(m.weight, nn.Parameter) and not m.weight.detach().numpy()[mask].any()


def test_global_pruning_takes_the_smallest_of_all() -> None:
    a, b = nn.Linear(4, 3), nn.Linear(3, 2)
    every = np.concatenate([np.abs(m.weight.detach().numpy()).reshape(-1) for m in (a, b)])
    prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=6)
    left = np.concatenate([np.abs(m.weight.detach().numpy()).reshape(-1) for m in (a, b)])
    np.testing.assert_array_equal(np.sort(left[left > 0]), np.sort(every)[6:])


def test_clipping_to_a_norm() -> None:
    p = nn.Parameter(convgrad.zeros(3))
    p.grad = convgrad.tensor([3.0, 4.0, 12.0])
    assert nn.utils.clip_grad_norm_([p], 26.0).item() == 13
    assert p.grad.tolist() == [3, 4, 12]
    nn.utils.clip_grad_norm_(p, 1.3)
    np.testing.assert_allclose(p.grad.numpy(), [0.3, 0.4, 1.2], rtol=1e-6)
    nn.utils.clip_grad_value_(p, 0.35)
    np.testing.assert_allclose(p.grad.numpy(), [0.3, 0.35, 0.35], rtol=1e-6)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_fused_layer_is_both(transposed: bool) -> None:
    conv = (nn.ConvTranspose2d(2, 3, 3) if transposed else nn.Conv2d(2, 3, 3)).double()
    bn = nn.BatchNorm2d(3).double()
    bn(conv(floats(4, 2, 6, 6)))
    conv.eval(), bn.eval()
    x = floats(1, 2, 5, 5, start=3)
    fused = nn.utils.fuse_conv_bn_eval(conv, bn, transposed)
    np.testing.assert_allclose(fused(x).detach().numpy(), bn(conv(x)).detach().numpy(), rtol=1e-9)


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="does not have a parameter, a buffer, or a parametrized element"):
        parametrize.register_parametrization(nn.Linear(1, 1), "w", nn.ReLU())
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found in Linear"):
        nn.utils.remove_weight_norm(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="has to be pruned before pruning can be removed"):
        prune.remove(nn.Linear(1, 1), "weight")
    with pytest.raises(RuntimeError, match="the parameters have 2 elements, but the vector of shape"):
        nn.utils.vector_to_parameters(convgrad.zeros(1), [convgrad.zeros(2)])
    with pytest.raises(RuntimeError, match="is non-finite, so it cannot be clipped"):
        nn.utils.get_total_norm(convgrad.tensor([float("inf")]), error_if_nonfinite=True)
