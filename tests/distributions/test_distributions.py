"""Distributions against SciPy's, against themselves, and against samples of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import convgrad as torch
from convgrad import distributions as d

f64 = torch.float64


def x(*values: float) -> Any:
    return torch.tensor(values, dtype=f64)


SCIPY: dict[str, tuple[Callable[[], Any], Any, Any]] = {
    "Normal": (lambda: d.Normal(x(0.3), x(1.7)), stats.norm(0.3, 1.7), [-2.0, 0.1, 3.0]),
    "Laplace": (lambda: d.Laplace(x(0.3), x(1.7)), stats.laplace(0.3, 1.7), [-2.0, 0.1, 3.0]),
    "Cauchy": (lambda: d.Cauchy(x(0.3), x(1.7)), stats.cauchy(0.3, 1.7), [-2.0, 0.1, 3.0]),
    "Uniform": (lambda: d.Uniform(x(-1.0), x(2.0)), stats.uniform(-1, 3), [-0.5, 0.1, 1.9]),
    "Exponential": (lambda: d.Exponential(x(2.0)), stats.expon(scale=0.5), [0.1, 1.0, 3.0]),
    "Gamma": (lambda: d.Gamma(x(2.5), x(2.0)), stats.gamma(2.5, scale=0.5), [0.1, 1.0, 3.0]),
    "Chi2": (lambda: d.Chi2(x(3.0)), stats.chi2(3), [0.1, 1.0, 3.0]),
    "StudentT": (lambda: d.StudentT(x(5.0), x(0.3), x(1.7)), stats.t(5, 0.3, 1.7), [-2.0, 0.1, 3.0]),
    "Beta": (lambda: d.Beta(x(2.5), x(0.7)), stats.beta(2.5, 0.7), [0.1, 0.5, 0.9]),
    "LogNormal": (lambda: d.LogNormal(x(0.3), x(0.7)), stats.lognorm(0.7, scale=np.exp(0.3)), [0.1, 1.0, 3.0]),
    "HalfNormal": (lambda: d.HalfNormal(x(1.7)), stats.halfnorm(scale=1.7), [0.1, 1.0, 3.0]),
    "Gumbel": (lambda: d.Gumbel(x(0.3), x(1.7)), stats.gumbel_r(0.3, 1.7), [-2.0, 0.1, 3.0]),
    "HalfCauchy": (lambda: d.HalfCauchy(x(1.7)), stats.halfcauchy(scale=1.7), [0.1, 1.0, 3.0]),
    "InverseGamma": (lambda: d.InverseGamma(x(3.5), x(2.0)), stats.invgamma(3.5, scale=2.0), [0.1, 1.0, 3.0]),
    "Pareto": (lambda: d.Pareto(x(0.7), x(4.5)), stats.pareto(4.5, scale=0.7), [0.8, 1.0, 3.0]),
    "Weibull": (lambda: d.Weibull(x(1.7), x(2.5)), stats.weibull_min(2.5, scale=1.7), [0.1, 1.0, 3.0]),
    "FisherSnedecor": (lambda: d.FisherSnedecor(x(3.0), x(9.0)), stats.f(3, 9), [0.1, 1.0, 3.0]),
    "GeneralizedPareto": (lambda: d.GeneralizedPareto(x(0.3), x(1.7), x(0.2)), stats.genpareto(0.2, 0.3, 1.7), [0.4, 1.0, 3.0]),
    "GeneralizedPareto short": (
        lambda: d.GeneralizedPareto(x(0.3), x(1.7), x(-0.5)), stats.genpareto(-0.5, 0.3, 1.7), [0.4, 1.0, 3.0]
    ),
    "GeneralizedPareto exponential": (
        lambda: d.GeneralizedPareto(x(0.3), x(1.7), x(0.0)), stats.genpareto(0, 0.3, 1.7), [0.4, 1.0, 3.0]
    ),
    "Bernoulli": (lambda: d.Bernoulli(x(0.3)), stats.bernoulli(0.3), [0.0, 1.0]),
    "Geometric": (lambda: d.Geometric(x(0.3)), stats.geom(0.3, -1), [0.0, 1.0, 7.0]),
    "Binomial": (lambda: d.Binomial(9, x(0.3)), stats.binom(9, 0.3), [0.0, 4.0, 9.0]),
    "NegativeBinomial": (lambda: d.NegativeBinomial(x(2.5), x(0.3)), stats.nbinom(2.5, 0.7), [0.0, 4.0, 9.0]),
    "Poisson": (lambda: d.Poisson(x(3.5)), stats.poisson(3.5), [0.0, 4.0, 9.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", SCIPY)
def test_scipy_agrees(name: str) -> None:
    make, theirs, at = SCIPY[name]
    ours, value = make(), x(*at)
    log_prob = theirs.logpmf(at) if hasattr(theirs.dist, "logpmf") else theirs.logpdf(at)
    np.testing.assert_allclose(ours.log_prob(value)._data, log_prob, rtol=1e-9, atol=1e-12)
    if "Cauchy" not in name:
        np.testing.assert_allclose(ours.mean._data, theirs.mean(), rtol=1e-9)
        np.testing.assert_allclose(ours.variance._data, theirs.var(), rtol=1e-9)
    for asked, expected in (("cdf", theirs.cdf(at)), ("icdf", theirs.ppf([0.2, 0.5, 0.9]))):
        try:
            found = getattr(ours, asked)(value if asked == "cdf" else x(0.2, 0.5, 0.9))
        except NotImplementedError:
            continue
        np.testing.assert_allclose(found._data, expected, rtol=1e-8, atol=1e-12)
    try:
        np.testing.assert_allclose(ours.entropy()._data, theirs.entropy(), rtol=1e-6)
    except NotImplementedError:
        assert name in ("FisherSnedecor", "Poisson", "NegativeBinomial")


@pytest.mark.parametrize("name", SCIPY)
def test_samples_have_the_moments(name: str) -> None:
    make, theirs, _ = SCIPY[name]
    torch.manual_seed(0)
    drawn = make().sample((4000,))._data[:, 0]
    if "Cauchy" in name:
        assert abs(np.median(drawn) - theirs.median()) < 0.15
    else:
        assert abs(drawn.mean() - theirs.mean()) < 5 * theirs.std() / np.sqrt(len(drawn))


def test_vectors() -> None:
    covariance = [[2.0, 0.3], [0.3, 1.0]]
    normal = d.MultivariateNormal(x(0.5, -1.0), torch.tensor(covariance, dtype=f64))
    expected = stats.multivariate_normal([0.5, -1.0], covariance)
    assert normal.log_prob(x(0.1, 0.2)).item() == pytest.approx(expected.logpdf([0.1, 0.2]))
    assert normal.entropy().item() == pytest.approx(float(expected.entropy()))
    np.testing.assert_allclose(normal.precision_matrix._data, np.linalg.inv(covariance))
    dirichlet = d.Dirichlet(x(0.7, 2.0, 3.0))
    assert dirichlet.log_prob(x(0.2, 0.3, 0.5)).item() == pytest.approx(
        stats.dirichlet([0.7, 2.0, 3.0]).logpdf([0.2, 0.3, 0.5])
    )
    many = d.Multinomial(7, x(0.2, 0.3, 0.5))
    assert many.log_prob(x(1.0, 2.0, 4.0)).item() == pytest.approx(
        stats.multinomial(7, [0.2, 0.3, 0.5]).logpmf([1, 2, 4])
    )
    assert many.entropy().item() == pytest.approx(float(stats.multinomial(7, [0.2, 0.3, 0.5]).entropy()))


@pytest.mark.parametrize(
    "make",
    [
        lambda: d.Bernoulli(x(0.2, 0.6)),
        lambda: d.Binomial(5, x(0.2, 0.6)),
        lambda: d.Categorical(torch.tensor([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]], dtype=f64)),
        lambda: d.OneHotCategorical(torch.tensor([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]], dtype=f64)),
    ],
)
def test_probabilities_of_all_values_sum_to_one(make: Callable[[], Any]) -> None:
    distribution = make()
    total = distribution.log_prob(distribution.enumerate_support()).exp().sum(0)
    np.testing.assert_allclose(total._data, [1.0, 1.0])


@pytest.mark.parametrize(
    "transform",
    [
        d.ExpTransform(), d.SigmoidTransform(), d.TanhTransform(), d.SoftplusTransform(),
        d.AffineTransform(0.5, -2.0), d.StickBreakingTransform(),
        d.ComposeTransform([d.AffineTransform(0.5, 2.0), d.ExpTransform()]),
    ],
    ids=repr,
)  # fmt: skip
def test_transforms_invert_and_know_their_derivative(transform: d.Transform) -> None:
    given = x(-0.7, 0.2, 1.1)
    y = transform(given)
    np.testing.assert_allclose(transform.inv(y)._data, given._data, rtol=1e-9)
    assert bool(transform.codomain.check(y).all())
    jacobian = torch.autograd.functional.jacobian(transform, given)
    if transform.codomain.event_dim:
        jacobian = jacobian[:-1]  # the last number follows from the others
    expected = np.linalg.slogdet(jacobian._data)[1]
    found = transform.log_abs_det_jacobian(given, y)
    assert found.sum().item() == pytest.approx(expected, rel=1e-9)
    assert transform.inv.log_abs_det_jacobian(y, given).sum().item() == pytest.approx(-expected, rel=1e-9)


def test_a_cache_gives_back_what_went_in() -> None:
    transform = d.TanhTransform(cache_size=1)
    far = x(25.0)
    assert transform.inv(transform(far)) is far


def test_samples_without_and_with_gradient() -> None:
    loc = torch.zeros(3, requires_grad=True)
    normal = d.Normal(loc, 1.0)
    assert not normal.sample().requires_grad
    normal.rsample((5,)).sum().backward()
    assert loc.grad.tolist() == [5.0, 5.0, 5.0]
    probs = torch.tensor([0.2, 0.8], requires_grad=True)
    assert d.OneHotCategoricalStraightThrough(probs).rsample().requires_grad


def test_an_autoencoder_learns() -> None:
    """The loss of a variational autoencoder of one normal number falls to the evidence."""
    torch.manual_seed(0)
    loc, log_scale = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    prior, seen = d.Normal(torch.zeros(1), torch.ones(1)), torch.tensor([1.5])
    optimizer = torch.optim.Adam([loc, log_scale], lr=0.05)
    for _ in range(300):
        posterior = d.Normal(loc, log_scale.exp())
        z = posterior.rsample((16,))
        loss = d.kl_divergence(posterior, prior).sum() - d.Normal(z, 0.5).log_prob(seen).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loc.item() == pytest.approx(1.2, abs=0.05)  # 1.5 * 1 / (1 + 0.25)
    assert log_scale.exp().item() == pytest.approx(0.2**0.5, abs=0.03)


def test_import_leaves_distributions_aside() -> None:
    code = "import sys, convgrad; assert 'convgrad.distributions' not in sys.modules; convgrad.distributions.Normal"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_wishart_samples_and_their_gradients() -> None:
    """Moments of samples, and the gradient of the mean, df times the covariance."""
    torch.manual_seed(0)
    df = x(4.0, 7.0).requires_grad_()
    wishart = d.Wishart(df, torch.tensor([[2.0, 0.3], [0.3, 1.0]], dtype=f64))
    drawn = wishart.rsample((3000,))
    np.testing.assert_allclose(drawn.detach()._data.mean(0), wishart.mean.detach()._data, rtol=0.1, atol=0.2)
    np.testing.assert_allclose(drawn.detach()._data.var(0), wishart.variance.detach()._data, rtol=0.15)
    drawn.mean(0).diagonal(dim1=-2, dim2=-1).sum().backward()
    assert df.grad is not None
    np.testing.assert_allclose(df.grad._data, [3.0, 3.0], rtol=0.1)


def test_divergences_are_means_of_log_ratios() -> None:
    torch.manual_seed(0)
    pairs = [
        (d.Wishart(x(7.0)[0], torch.eye(2, dtype=f64)), d.Wishart(x(4.5)[0], 2 * torch.eye(2, dtype=f64))),
        (d.Gamma(x(3.0), x(2.0)), d.Normal(x(1.0), x(2.0))),
        (d.Gumbel(x(0.3), x(1.7)), d.Normal(x(1.0), x(3.0))),
        (d.Pareto(x(0.7), x(4.5)), d.Exponential(x(2.0))),
        (d.ContinuousBernoulli(x(0.2)), d.Normal(x(0.5), x(1.0))),
    ]
    for p, q in pairs:
        drawn = p.sample((20000,))
        ratio = p.log_prob(drawn) - q.log_prob(drawn)
        slack = 5 * float(ratio.std()) / 20000**0.5
        assert abs(float(ratio.mean()) - float(d.kl_divergence(p, q))) < slack


def test_the_mode_of_kumaraswamys_distribution_is_the_highest_point() -> None:
    kumaraswamy = d.Kumaraswamy(x(2.5), x(3.0))
    grid = torch.linspace(0.01, 0.99, 981, dtype=f64)
    assert abs(float(grid[kumaraswamy.log_prob(grid).argmax()] - kumaraswamy.mode)) < 2e-3


def test_correlations_of_lkj_samples() -> None:
    """Rows of unit length, and uniform correlations for concentration 1 in two dimensions."""
    torch.manual_seed(0)
    factors = d.LKJCholesky(2, 1.0).sample((4000,))
    correlations = (factors @ factors.mT)._data
    np.testing.assert_allclose(correlations[:, 0, 0], 1, rtol=1e-5)
    assert stats.kstest(correlations[:, 0, 1], stats.uniform(-1, 2).cdf).pvalue > 1e-3
