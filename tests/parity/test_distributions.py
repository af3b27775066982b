"""``distributions`` beside PyTorch: samples and the state after them, densities, moments, gradients, divergences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import convgrad
from convgrad.distributions.gamma_slope import gamma_slope

from .agree import array

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

Make = Callable[[Any, Callable[..., Any]], Any]


def _tensors(t: Any, dtype: str, leaves: list[Any] | None = None) -> Callable[..., Any]:
    """Makes parameters from nested lists, and notes them as leaves if asked to."""

    def make(values: Any) -> Any:
        x = t.tensor(values, dtype=getattr(t, dtype))
        if leaves is not None:
            leaves.append(x.requires_grad_())
        return x

    return make


V = [0.3, 1.7, -0.4]
P = [0.2, 0.5, 0.9]
S = [0.5, 1.0, 2.5]
M = [[2.0, 0.3], [0.3, 1.0]]
L = [[1.5, 0.0], [0.3, 0.8]]

#: name -> distribution from the library's ``distributions`` module and a maker of parameters
MADE: dict[str, Make] = {
    "Normal": lambda d, x: d.Normal(x(V), x(S)),
    "Normal numbers": lambda d, x: d.Normal(0.5, 2),
    "Normal broadcast": lambda d, x: d.Normal(x([[0.0], [1.0]]), x(S)),
    "Laplace": lambda d, x: d.Laplace(x(V), x(S)),
    "Cauchy": lambda d, x: d.Cauchy(x(V), x(S)),
    "Uniform": lambda d, x: d.Uniform(x(V), x([1.0, 2.0, 0.0])),
    "Exponential": lambda d, x: d.Exponential(x(S)),
    "Bernoulli": lambda d, x: d.Bernoulli(x(P)),
    "Bernoulli logits": lambda d, x: d.Bernoulli(logits=x(V)),
    "Geometric": lambda d, x: d.Geometric(x(P)),
    "Geometric logits": lambda d, x: d.Geometric(logits=x(V)),
    "Binomial": lambda d, x: d.Binomial(12, x(P)),
    "Binomial logits": lambda d, x: d.Binomial(40, logits=x(V)),
    "NegativeBinomial": lambda d, x: d.NegativeBinomial(x(S), x(P)),
    "NegativeBinomial logits": lambda d, x: d.NegativeBinomial(5.0, logits=x(V)),
    "Poisson": lambda d, x: d.Poisson(x([0.5, 3.0, 30.0])),
    "Categorical": lambda d, x: d.Categorical(x([P, S])),
    "Categorical logits": lambda d, x: d.Categorical(logits=x([V, P])),
    "OneHotCategorical": lambda d, x: d.OneHotCategorical(x([P, S])),
    "OneHotCategoricalStraightThrough": lambda d, x: d.OneHotCategoricalStraightThrough(logits=x(V)),
    "Multinomial": lambda d, x: d.Multinomial(7, x([P, S])),
    "Gamma": lambda d, x: d.Gamma(x([0.3, 1.7, 12.0]), x(S)),
    "Gamma large": lambda d, x: d.Gamma(x([150.0, 400.0]), x([1.0, 20.0])),
    "Chi2": lambda d, x: d.Chi2(x([0.7, 3.0])),
    "StudentT": lambda d, x: d.StudentT(x([2.5, 5.0, 30.0]), x(V), x(S)),
    "Beta": lambda d, x: d.Beta(x(S), x([1.5, 0.7, 3.0])),
    "Dirichlet": lambda d, x: d.Dirichlet(x([S, [3.0, 0.4, 2.0]])),
    "MultivariateNormal covariance": lambda d, x: d.MultivariateNormal(x([0.5, -1.0]), x(M)),
    "MultivariateNormal precision": lambda d, x: d.MultivariateNormal(x([0.5, -1.0]), precision_matrix=x(M)),
    "MultivariateNormal factor": lambda d, x: d.MultivariateNormal(x([[0.5, -1.0], [1.0, 2.0]]), scale_tril=x(L)),
    "Independent": lambda d, x: d.Independent(d.Normal(x([V, P]), x(S)), 1),
    "LogNormal": lambda d, x: d.LogNormal(x(V), x(S)),
    "HalfNormal": lambda d, x: d.HalfNormal(x(S)),
    "Gumbel": lambda d, x: d.Gumbel(x(V), x(S)),
    "RelaxedBernoulli": lambda d, x: d.RelaxedBernoulli(x(0.7), x(P)),
    "RelaxedOneHotCategorical": lambda d, x: d.RelaxedOneHotCategorical(x(0.7), logits=x([V, P])),
    "Mixture": lambda d, x: d.MixtureSameFamily(d.Categorical(x(P)), d.Normal(x(V), x(S))),
    "Mixture of vectors": lambda d, x: d.MixtureSameFamily(
        d.Categorical(x([P, S])), d.Independent(d.Normal(x([[V, P, S], [S, P, V]]), 1.0), 1)
    ),
    "Transformed": lambda d, x: d.TransformedDistribution(
        d.Normal(x(V), x(S)), [d.AffineTransform(x(0.5), x(-2.0)), d.SigmoidTransform()]
    ),
    "Transformed tanh": lambda d, x: d.TransformedDistribution(d.Normal(x(V), 0.5), [d.TanhTransform(cache_size=1)]),
    "Transformed sticks": lambda d, x: d.TransformedDistribution(d.Normal(x([V, P]), 1.0), [d.StickBreakingTransform()]),
    "Transformed powers": lambda d, x: d.TransformedDistribution(
        d.Exponential(x(S)), [d.PowerTransform(x(0.5)), d.SoftplusTransform().inv]
    ),
    "Transformed inverse": lambda d, x: d.TransformedDistribution(d.Uniform(x(P), 1.5), [d.ExpTransform().inv]),
    "ContinuousBernoulli": lambda d, x: d.ContinuousBernoulli(x([0.2, 0.5, 0.4995, 0.9])),
    "ContinuousBernoulli logits": lambda d, x: d.ContinuousBernoulli(logits=x(V)),
    "FisherSnedecor": lambda d, x: d.FisherSnedecor(x([1.5, 3.0, 7.0]), x([1.5, 5.0, 3.0])),
    "HalfCauchy": lambda d, x: d.HalfCauchy(x(S)),
    "InverseGamma": lambda d, x: d.InverseGamma(x([0.7, 1.7, 12.0]), x(S)),
    "Kumaraswamy": lambda d, x: d.Kumaraswamy(x(S), x([1.5, 0.7, 3.0])),
    "LKJCholesky": lambda d, x: d.LKJCholesky(3, x([0.5, 1.0, 2.5])),
    "LKJCholesky number": lambda d, x: d.LKJCholesky(2, x(1.5)),
    "LogisticNormal": lambda d, x: d.LogisticNormal(x([V, P]), x(S)),
    "LowRankMultivariateNormal": lambda d, x: d.LowRankMultivariateNormal(
        x([V, P]), x([[0.5], [1.0], [-0.3]]), x(S)
    ),
    "Pareto": lambda d, x: d.Pareto(x(S), x([0.7, 1.5, 3.0])),
    "VonMises": lambda d, x: d.VonMises(x(V), x([0.2, 1.5, 30.0])),
    "Weibull": lambda d, x: d.Weibull(x(S), x([0.7, 1.5, 3.0])),
    "Wishart": lambda d, x: d.Wishart(x([2.5, 7.0]), x(M)),
    "Wishart factor": lambda d, x: d.Wishart(x(4.5), scale_tril=x(L).tril()),
    "Wishart precision": lambda d, x: d.Wishart(x(4.5), precision_matrix=x(M)),
    "Transformed wide": lambda d, x: d.TransformedDistribution(
        d.Normal(x(0.5), x(1.5)), [d.AffineTransform(x(V), x(S)), d.ExpTransform()]
    ),
}  # fmt: skip
#: the same in expectation, not sample by sample; PyTorch's own of Wishart samples fail
GRADIENTS_DIFFER = ("Beta", "Dirichlet", "Wishart", "Wishart factor", "Wishart precision")


def _both(name: str, dtype: str = "float64", leaves: bool = False) -> tuple[Any, Any, list[Any], list[Any]]:
    ours: list[Any] = []
    theirs: list[Any] = []
    a = MADE[name](convgrad.distributions, _tensors(convgrad, dtype, ours if leaves else None))
    b = MADE[name](torch.distributions, _tensors(torch, dtype, theirs if leaves else None))
    return a, b, ours, theirs


def _near(a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-9) -> None:
    assert tuple(a.shape) == tuple(b.shape) and str(a.dtype) == str(b.dtype)
    np.testing.assert_allclose(a.detach()._data, array(b), rtol, atol)


def _seeded(seed: int) -> None:
    torch.manual_seed(seed)
    convgrad.manual_seed(seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MADE)
def test_samples_and_the_state_after_them(name: str, dtype: str) -> None:
    a, b, _, _ = _both(name, dtype)
    assert a.has_rsample == b.has_rsample
    tolerance = 2e-4 if "float32" in (dtype, str(b.sample().dtype).removeprefix("torch.")) else 1e-9
    for seed in range(25):
        _seeded(seed)
        for shape in ((), (3,), (2, 4), (20,)):
            _near(a.sample(shape), b.sample(shape), tolerance, tolerance)
            if b.has_rsample:
                _near(a.rsample(shape), b.rsample(shape), tolerance, tolerance)
            np.testing.assert_array_equal(convgrad.default_generator.state(), torch.get_rng_state().numpy())


def _asked(distribution: Any, name: str) -> Any:
    """A property, or what a method of no arguments gives."""
    found = getattr(distribution, name)
    return found() if callable(found) else found


@pytest.mark.parametrize("name", MADE)
def test_moments_entropy_and_shapes(name: str) -> None:
    a, b, _, _ = _both(name)
    assert a.batch_shape == tuple(b.batch_shape) and a.event_shape == tuple(b.event_shape)
    if "Mixture" not in name:  # PyTorch's shows what it has computed by then
        assert repr(a) == repr(b)
    for asked in ("mean", "mode", "variance", "stddev", "entropy", "perplexity"):
        if (name, asked) == ("Kumaraswamy", "mode"):
            continue  # NaN in PyTorch wherever there is one
        try:
            expected = _asked(b, asked)
        except NotImplementedError:
            with pytest.raises(NotImplementedError):
                _asked(a, asked)
            continue
        _near(_asked(a, asked), expected)
    if b.has_enumerate_support and "Binomial" not in name:
        _near(a.enumerate_support(), b.enumerate_support())
        _near(a.enumerate_support(False), b.enumerate_support(False))


def _gradients(root: Any, leaves: list[Any], t: Any) -> list[Any]:
    return t.autograd.grad(root.sum(), leaves, allow_unused=True)


def _same_gradients(a: Any, b: Any, ours: list[Any], theirs: list[Any], rtol: float = 1e-6) -> None:
    if not b.requires_grad:
        assert not a.requires_grad
        return
    for mine, yours in zip(_gradients(a, ours, convgrad), _gradients(b, theirs, torch), strict=True):
        if yours is None or mine is None:
            assert mine is None and yours is None
        else:
            _near(mine, yours, rtol, 1e-8)


@pytest.mark.parametrize("name", MADE)
def test_densities_and_their_gradients(name: str) -> None:
    a, b, ours, theirs = _both(name, leaves=True)
    torch.manual_seed(0)
    value = b.sample((4,))
    mine = convgrad.from_numpy(value.numpy())
    _near(a.log_prob(mine), b.log_prob(value))
    # PyTorch approximates Bessel functions by polynomials
    slack = 1e-5 if name == "VonMises" else 1e-6
    _same_gradients(a.log_prob(mine), b.log_prob(value), ours, theirs, slack)
    for asked, at in (("cdf", value), ("icdf", torch.full_like(value, 0.3, dtype=torch.float64))):
        try:
            expected = getattr(b, asked)(at)
        except NotImplementedError:
            with pytest.raises(NotImplementedError):
                getattr(a, asked)(convgrad.from_numpy(at.numpy()))
            continue
        _near(getattr(a, asked)(convgrad.from_numpy(at.numpy())), expected)


@pytest.mark.parametrize("name", [n for n in MADE if n not in GRADIENTS_DIFFER])
def test_gradients_of_samples(name: str) -> None:
    a, b, ours, theirs = _both(name, leaves=True)
    if not b.has_rsample:
        with pytest.raises(NotImplementedError):
            a.rsample()
        return
    _seeded(3)
    # PyTorch approximates the gradient of gamma numbers to some 1e-3
    approximate = any(part in name for part in ("Gamma", "Chi2", "StudentT", "Fisher"))
    _same_gradients(a.rsample((5,)), b.rsample((5,)), ours, theirs, 5e-3 if approximate else 1e-6)


@pytest.mark.parametrize("name", MADE)
def test_expand(name: str) -> None:
    a, b, _, _ = _both(name)
    size = (2, *b.batch_shape)
    try:
        wide = b.expand(size)
    except NotImplementedError:
        return
    mine = a.expand(size)
    assert mine.batch_shape == size and mine.event_shape == tuple(wide.event_shape)
    _seeded(1)
    _near(mine.sample((3,)), wide.sample((3,)))
    value = wide.sample()
    _near(mine.log_prob(convgrad.from_numpy(value.numpy())), wide.log_prob(value))


PAIRS: dict[str, tuple[Make, Make]] = {
    "Normal": (MADE["Normal"], lambda d, x: d.Normal(x([1.0]), x([0.7]))),
    "Laplace": (MADE["Laplace"], lambda d, x: d.Laplace(x([1.0]), x([0.7]))),
    "Laplace, Normal": (MADE["Laplace"], MADE["Normal"]),
    "Uniform": (MADE["Uniform"], lambda d, x: d.Uniform(x([-1.0, 0.0, -1.0]), x([3.0]))),
    "Uniform, Normal": (MADE["Uniform"], MADE["Normal"]),
    "Exponential": (MADE["Exponential"], lambda d, x: d.Exponential(x([0.7]))),
    "Exponential, Gamma": (MADE["Exponential"], MADE["Gamma"]),
    "Gamma, Exponential": (MADE["Gamma"], MADE["Exponential"]),
    "Gamma": (MADE["Gamma"], lambda d, x: d.Gamma(x(S), x([0.7]))),
    "Chi2": (MADE["Chi2"], lambda d, x: d.Gamma(x([2.0, 1.0]), x([0.7]))),
    "Beta": (MADE["Beta"], lambda d, x: d.Beta(x([1.2]), x(S))),
    "Dirichlet": (MADE["Dirichlet"], lambda d, x: d.Dirichlet(x(S))),
    "Bernoulli": (MADE["Bernoulli"], lambda d, x: d.Bernoulli(x([0.4, 0.5, 0.1]))),
    "Bernoulli sure": (lambda d, x: d.Bernoulli(x([0.0, 1.0, 0.5])), lambda d, x: d.Bernoulli(x([0.0, 1.0, 1.0]))),
    "Binomial": (MADE["Binomial"], lambda d, x: d.Binomial(12, x([0.4]))),
    "Geometric": (MADE["Geometric"], lambda d, x: d.Geometric(x([0.4]))),
    "Poisson": (MADE["Poisson"], lambda d, x: d.Poisson(x([2.0]))),
    "Categorical": (MADE["Categorical"], lambda d, x: d.Categorical(x(P))),
    "OneHotCategorical": (MADE["OneHotCategorical"], lambda d, x: d.OneHotCategorical(x(P))),
    "MultivariateNormal": (MADE["MultivariateNormal factor"], MADE["MultivariateNormal covariance"]),
    "Independent": (MADE["Independent"], lambda d, x: d.Independent(d.Normal(x([V, S]), x([0.7])), 1)),
    "LogNormal": (MADE["LogNormal"], lambda d, x: d.LogNormal(x([1.0]), x([0.7]))),
    "HalfNormal": (MADE["HalfNormal"], lambda d, x: d.HalfNormal(x([0.7]))),
    "Cauchy": (MADE["Cauchy"], lambda d, x: d.Cauchy(x([1.0]), x([0.7]))),
    "ContinuousBernoulli": (MADE["ContinuousBernoulli"], lambda d, x: d.ContinuousBernoulli(x([0.3]))),
    "Gumbel": (MADE["Gumbel"], lambda d, x: d.Gumbel(x([1.0]), x([0.7]))),
    "Pareto": (MADE["Pareto"], lambda d, x: d.Pareto(x([0.4, 1.5, 2.0]), x([1.3]))),
    "Wishart": (MADE["Wishart precision"], MADE["Wishart factor"]),  # PyTorch mixes up the terms of a batch
    "LowRank": (MADE["LowRankMultivariateNormal"], MADE["LowRankMultivariateNormal"]),
    "Transformed wide": (MADE["Transformed wide"], MADE["Transformed wide"]),
    "LowRank, Multivariate": (
        MADE["LowRankMultivariateNormal"], lambda d, x: d.MultivariateNormal(x(V), x([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 1.0]]))
    ),
    "Multivariate, LowRank": (
        lambda d, x: d.MultivariateNormal(x(V), x([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 1.0]])),
        MADE["LowRankMultivariateNormal"],
    ),
}  # fmt: skip
#: one of each kind; uniform numbers within (0, 1) and beyond
KINDS: dict[str, Make] = {
    "Beta": MADE["Beta"],
    "Bernoulli": MADE["Bernoulli"],
    "Binomial": MADE["Binomial"],
    "ContinuousBernoulli": lambda d, x: d.ContinuousBernoulli(x(P)),
    "Exponential": MADE["Exponential"],
    "Gamma": MADE["Gamma"],
    "Gumbel": MADE["Gumbel"],
    "Laplace": MADE["Laplace"],
    "Normal": MADE["Normal"],
    "Pareto": lambda d, x: d.Pareto(x(P), x([0.7, 1.5, 3.0])),
    "Poisson": MADE["Poisson"],
    "Uniform": lambda d, x: d.Uniform(x([0.2, -0.5, -1.0]), x([0.7, 1.5, 0.4])),
    "Uniform positive": lambda d, x: d.Uniform(x([0.2, 1.0, 2.0]), x([0.7, 1.5, 4.0])),
}


@pytest.mark.parametrize("name", PAIRS)
def test_divergences_and_their_gradients(name: str) -> None:
    ours: list[Any] = []
    theirs: list[Any] = []
    a = [make(convgrad.distributions, _tensors(convgrad, "float64", ours)) for make in PAIRS[name]]
    b = [make(torch.distributions, _tensors(torch, "float64", theirs)) for make in PAIRS[name]]
    mine, yours = convgrad.distributions.kl_divergence(*a), torch.distributions.kl_divergence(*b)
    _near(mine, yours)
    if "sure" not in name and name != "Wishart":  # some of PyTorch's are missing there
        _same_gradients(mine, yours, ours, theirs)


@pytest.mark.parametrize("p", KINDS)
def test_divergences_of_two_kinds(p: str) -> None:
    ours = KINDS[p](convgrad.distributions, _tensors(convgrad, "float64"))
    theirs = KINDS[p](torch.distributions, _tensors(torch, "float64"))
    found = 0
    for make in KINDS.values():
        a = make(convgrad.distributions, _tensors(convgrad, "float64"))
        b = make(torch.distributions, _tensors(torch, "float64"))
        try:
            expected = torch.distributions.kl_divergence(theirs, b)
        except NotImplementedError:
            with pytest.raises(NotImplementedError):
                convgrad.distributions.kl_divergence(ours, a)
            continue
        found += 1
        _near(convgrad.distributions.kl_divergence(ours, a), expected)
    assert found


#: name -> constraint, and numbers for the transform to take
SPACES: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "real": (lambda c, x: c.real, V),
    "positive": (lambda c, x: c.positive, V),
    "nonnegative": (lambda c, x: c.nonnegative, V),
    "above": (lambda c, x: c.greater_than(x(P)), V),
    "below": (lambda c, x: c.less_than(x(2.0)), V),
    "unit": (lambda c, x: c.unit_interval, V),
    "interval": (lambda c, x: c.interval(-1.0, 3.0), V),
    "half open": (lambda c, x: c.half_open_interval(0, 3), V),
    "simplex": (lambda c, x: c.simplex, [V, P]),
    "factor": (lambda c, x: c.lower_cholesky, [M, L]),
    "definite": (lambda c, x: c.positive_definite, [M, L]),
    "semidefinite": (lambda c, x: c.positive_semidefinite, [M, L]),
    "correlations": (lambda c, x: c.corr_cholesky, [V, P]),
    "vector": (lambda c, x: c.independent(c.positive, 1), [V, P]),
    "parts": (lambda c, x: c.cat([c.positive, c.unit_interval], -1, [1, 2]), [V, P]),
    "slices": (lambda c, x: c.stack([c.positive, c.unit_interval, c.real], 1), [V, P]),
    "dependent": (lambda c, x: c.dependent, V),
}


@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
@pytest.mark.parametrize("name", SPACES)
def test_transforms_into_constrained_spaces(name: str, registry: str) -> None:
    """The transform, its inverse, its log-derivative, their gradients, its shapes and its name."""
    results = []
    for t in (convgrad, torch):
        constraint, values = SPACES[name]
        leaves: list[Any] = []
        x = _tensors(t, "float64", leaves)(values)
        space = constraint(t.distributions.constraints, _tensors(t, "float64"))
        try:
            transform = getattr(t.distributions, registry)(space)
        except NotImplementedError as error:
            results.append(str(error))
            continue
        y = transform(x)
        assert bool(space.check(y).all())
        back = transform.inv(y)
        found = [y, back, t.autograd.grad((y * y).sum() + back.sum(), x, retain_graph=True)[0]]
        if transform.bijective:
            slope = transform.log_abs_det_jacobian(x, y)
            found.append(slope)
            if name != "real":  # 0 for all
                found += t.autograd.grad(slope.sum(), x, allow_unused=True)
        shapes = tuple(transform.forward_shape(x.shape)), tuple(transform.inverse_shape(y.shape))
        results.append(([f for f in found if f is not None], shapes, repr(transform)))
    mine, yours = results
    if isinstance(yours, str):
        assert mine == yours
        return
    assert mine[1:] == yours[1:] and len(mine[0]) == len(yours[0])
    for a, b in zip(mine[0], yours[0], strict=True):
        _near(a, b)


TRANSFORMS: dict[str, Callable[[Any, Any], Any]] = {
    "reshape": lambda d, x: d.ReshapeTransform((3,), (3, 1)),
    "cumulative": lambda d, x: d.CumulativeDistributionTransform(d.Normal(x(0.5), x(2.0))),
    "independent": lambda d, x: d.IndependentTransform(d.ExpTransform(), 1),
    "cat": lambda d, x: d.CatTransform([d.ExpTransform(), d.AffineTransform(x(1.0), x(-2.0))], 1, [1, 2]),
    "stack": lambda d, x: d.StackTransform([d.ExpTransform(), d.TanhTransform(), d.identity_transform], 1),
    "compose": lambda d, x: d.ComposeTransform([d.AffineTransform(x(1.0), x(S)), d.SigmoidTransform()]),
    "cached": lambda d, x: d.ComposeTransform([d.ExpTransform(), d.AffineTransform(0.0, 2.0)]).with_cache(1),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_their_own(name: str) -> None:
    results = []
    for t in (convgrad, torch):
        transform = TRANSFORMS[name](t.distributions, _tensors(t, "float64"))
        x = _tensors(t, "float64", [])([V, P])
        y = transform(x)
        slope = transform.log_abs_det_jacobian(x, y)
        shapes = tuple(transform.forward_shape(x.shape)), tuple(transform.inverse_shape(y.shape))
        results.append(
            ([y, transform.inv(y), slope], shapes, transform == transform, transform.inv.inv == transform)
        )
    mine, yours = results
    assert mine[1:] == yours[1:]
    for a, b in zip(mine[0], yours[0], strict=True):
        _near(a, b)


ERRORS: dict[str, Callable[[Any, Any], Any]] = {
    "scale": lambda t, d: d.Normal(0.0, -1.0),
    "shapes": lambda t, d: d.Normal(t.zeros(2), t.ones(3)),
    "word": lambda t, d: d.Normal("a", 1.0),
    "nan value": lambda t, d: d.Normal(0.0, 1.0).log_prob(t.tensor(float("nan"))),
    "number value": lambda t, d: d.Normal(0.0, 1.0).log_prob(2.0),
    "value shape": lambda t, d: d.Normal(t.zeros(2, 3), 1.0).log_prob(t.zeros(4)),
    "event shape": lambda t, d: d.Dirichlet(t.ones(3)).log_prob(t.ones(2) / 2),
    "probability": lambda t, d: d.Bernoulli(1.5),
    "neither": lambda t, d: d.Bernoulli(),
    "both": lambda t, d: d.Bernoulli(probs=0.5, logits=0.0),
    "categories": lambda t, d: d.Categorical(t.tensor(0.5)),
    "negative": lambda t, d: d.Categorical(t.tensor([-0.5, 0.6])),
    "category": lambda t, d: d.Categorical(t.tensor([0.5, 0.5])).log_prob(t.tensor(2)),
    "support": lambda t, d: d.Exponential(1.0).log_prob(t.tensor(-1.0)),
    "outside": lambda t, d: d.Uniform(0.0, 1.0).log_prob(t.tensor(2.0)),
    "bounds": lambda t, d: d.Uniform(1.0, 0.0),
    "geometric": lambda t, d: d.Geometric(0.0),
    "count": lambda t, d: d.Binomial(3, 0.5).log_prob(t.tensor(5.0)),
    "concentration": lambda t, d: d.Dirichlet(t.tensor(1.0)),
    "no matrix": lambda t, d: d.MultivariateNormal(t.zeros(2)),
    "indefinite": lambda t, d: d.MultivariateNormal(t.zeros(2), -t.eye(2)),
    "no factor": lambda t, d: d.MultivariateNormal(t.zeros(2), scale_tril=t.ones(2, 2)),
    "dimensions": lambda t, d: d.Independent(d.Normal(0.0, 1.0), 1),
    "no gradient": lambda t, d: d.Poisson(1.0).rsample(),
    "no formula": lambda t, d: d.kl_divergence(d.Laplace(0.0, 1.0), d.Poisson(1.0)),
    "no transform": lambda t, d: d.TransformedDistribution(d.Normal(0.0, 1.0), [3]),
    "mixture": lambda t, d: d.MixtureSameFamily(d.Categorical(t.ones(2)), d.Normal(t.zeros(3), 1.0)),
    "order": lambda t, d: d.LKJCholesky(1),
    "degrees": lambda t, d: d.Wishart(t.tensor(1.0), t.eye(3)),
    "two matrices": lambda t, d: d.Wishart(t.tensor(3.0), t.eye(2), t.eye(2)),
    "low rank": lambda t, d: d.LowRankMultivariateNormal(t.zeros(3), t.zeros(2, 1), t.ones(3)),
    "low rank diagonal": lambda t, d: d.LowRankMultivariateNormal(t.zeros(3), t.zeros(3, 1), t.ones(2)),
    "low rank batches": lambda t, d: d.LowRankMultivariateNormal(t.zeros(2, 3), t.zeros(4, 3, 1), t.ones(3)),
    "continuous probability": lambda t, d: d.ContinuousBernoulli(1.5, validate_args=True),
    "pareto": lambda t, d: d.Pareto(1.0, 2.0).log_prob(t.tensor(0.5)),
    "registry": lambda t, d: d.biject_to.register(3, lambda c: c),
    "space": lambda t, d: d.biject_to(d.constraints.boolean),
    "reshape": lambda t, d: d.ReshapeTransform((2,), (3,)),
    "triangle": lambda t, d: d.CorrCholeskyTransform().forward_shape((2,)),
    "cache": lambda t, d: d.ExpTransform(cache_size=2),
}


@pytest.mark.parametrize("name", ERRORS)
def test_the_same_errors(name: str) -> None:
    with pytest.raises(Exception) as theirs:
        ERRORS[name](torch, torch.distributions)
    with pytest.raises(theirs.type) as ours:
        ERRORS[name](convgrad, convgrad.distributions)
    if name in ("scale", "nan value", "category", "bounds", "indefinite", "neither", "outside"):
        assert str(ours.value).split(", but")[0] == str(theirs.value).split(", but")[0]


def test_a_divergence_is_one_of_distributions() -> None:
    with pytest.raises(
        TypeError, match="Expected type_p to be a Distribution subclass but got <class 'int'>"
    ):
        convgrad.distributions.register_kl(int, convgrad.distributions.Normal)


def test_checks_can_be_left_out() -> None:
    d = convgrad.distributions
    assert d.Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0
    d.Distribution.set_default_validate_args(False)
    try:
        assert d.Bernoulli(1.5).probs.item() == 1.5
    finally:
        d.Distribution.set_default_validate_args(True)


def test_a_distribution_of_ones_own() -> None:
    """A subclass as programs write them, and a divergence registered for it."""

    def run(t: Any) -> float:
        d = t.distributions

        class Spike(d.Distribution):
            arg_constraints = {"at": d.constraints.real}
            support = d.constraints.real

            def __init__(self, at: Any) -> None:
                self.at = at
                super().__init__(at.shape)

            def sample(self, sample_shape: Any = ()) -> Any:
                return self.at.expand(self._extended_shape(sample_shape))

        d.register_kl(Spike, d.Normal)(lambda p, q: -q.log_prob(p.at))
        spike = Spike(t.tensor([1.0, 2.0]))
        assert tuple(spike.sample((3,)).shape) == (3, 2)
        return float(d.kl_divergence(spike, d.Normal(0.0, 1.0)).sum())

    assert run(convgrad) == pytest.approx(run(torch), rel=1e-6)


def test_gamma_slopes_are_implicit_derivatives() -> None:
    """dx/dalpha at fixed probability, by central differences of SciPy's quantile; both ways meet at 200."""
    quantile = pytest.importorskip("scipy.special").gammaincinv
    for alpha in (0.05, 0.4, 1.0, 3.3, 40.0, 199.0, 201.0, 3000.0):
        p = np.linspace(0.002, 0.998, 41)
        x, h = quantile(alpha, p), alpha * 1e-5
        expected = (quantile(alpha + h, p) - quantile(alpha - h, p)) / (2 * h)
        np.testing.assert_allclose(gamma_slope(np.full_like(x, alpha), x), expected, rtol=2e-5)


def test_gradients_of_beta_samples_have_the_right_mean() -> None:
    """The gradient of the mean a / (a + b), from many samples."""
    convgrad.manual_seed(0)
    a = convgrad.tensor(2.0, dtype=convgrad.float64, requires_grad=True)
    b = convgrad.tensor(3.0, dtype=convgrad.float64, requires_grad=True)
    convgrad.distributions.Beta(a, b).rsample((4000,)).mean().backward()
    assert a.grad.item() == pytest.approx(3 / 25, abs=0.01)
    assert b.grad.item() == pytest.approx(-2 / 25, abs=0.01)
