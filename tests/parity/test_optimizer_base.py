"""What all optimisers share, against PyTorch 2.13: groups, names, hooks, states, gradients set to zero, errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import convgrad
from convgrad import optim
from convgrad.optim import optimizer as base

LIBRARIES = (
    (convgrad, optim, base),
    (torch, torch.optim, __import__("torch.optim.optimizer", fromlist=["x"])),
)


def both(program: Callable[..., Any]) -> list[Any]:
    """What a program says in either library: its result, or its error, and what it warned of."""
    told: list[Any] = []
    for library, namespace, module in LIBRARIES:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = program(namespace, parameter_of(library), module)
            except Exception as error:
                result = (
                    next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"),
                    str(error)[:60],
                )
        told.append((result, [str(w.message)[:60] for w in caught]))
    return told


def parameter_of(library: Any) -> Callable[..., Any]:
    return lambda *shape: library.nn.Parameter(library.ones(*shape))


USES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "a set": lambda o, P, m: repr(o.SGD({P(2)})), "a set in a group": lambda o, P, m: o.SGD([{"params": {P(2)}}]),
    "a tuple": lambda o, P, m: repr(o.SGD((P(2),))), "a generator": lambda o, P, m: repr(o.SGD(iter([P(2)]))),
    "an empty group": lambda o, P, m: repr(o.SGD([{"params": []}])), "a dict": lambda o, P, m: o.SGD({"params": [P(2)]}),
    "no params": lambda o, P, m: o.SGD([{"x": 1}]), "nothing": lambda o, P, m: o.SGD([]), "a tensor": lambda o, P, m: o.SGD(P(1)),
    "twice in a group": lambda o, P, m: repr((p := P(2)) is not None and o.SGD([p, p])),
    "twice, loaded": lambda o, P, m: ((p := P(2)), (a := o.SGD([p, P(1), p])), a.load_state_dict(a.state_dict()), a.state_dict()["param_groups"][0]["params"])[-1],
    "in two groups": lambda o, P, m: ((p := P(2)), o.SGD([{"params": [p]}, {"params": p}])),
    "names": lambda o, P, m: repr(a := o.SGD([("a", P(2)), ("b", P(1))])) + str(a.state_dict()["param_groups"]),
    "some names": lambda o, P, m: o.SGD([("a", P(2)), P(1)]), "some names 2": lambda o, P, m: o.SGD([P(1), ("a", P(2))]),
    "names in one group": lambda o, P, m: o.SGD([{"params": [("a", P(1))]}, {"params": [P(1)]}]),
    "names in the other": lambda o, P, m: o.SGD([{"params": [P(1)]}, {"params": [("a", P(1))]}]),
    "one pair": lambda o, P, m: o.SGD([{"params": ("a", P(1))}]), "a number": lambda o, P, m: o.SGD([3]), "no iterable": lambda o, P, m: o.SGD(3),
    "a string": lambda o, P, m: o.SGD(["x"]), "no leaf": lambda o, P, m: o.SGD([P(1) * 1]),
    "no leaf but kept": lambda o, P, m: repr(((p := P(1) * 1), p.retain_grad(), o.SGD([p]))[-1]),
    "no leaf, differentiable": lambda o, P, m: repr(o.SGD([P(1) * 1], differentiable=True)),
    "without grad": lambda o, P, m: repr(o.SGD([P(2).detach()])), "integers": lambda o, P, m: repr(o.SGD([P(2).detach().int()])),
    "a list as group": lambda o, P, m: o.SGD([P(1)]).add_param_group([P(1)]),
    "a group again": lambda o, P, m: ((p := P(1)), o.SGD([p]).add_param_group({"params": p})),
    "a later group": lambda o, P, m: ((a := o.Adam([P(1)], lr=0.5)), a.add_param_group({"params": P(2), "lr": 0.1, "mine": 3}), repr(a))[-1],
    "the group itself": lambda o, P, m: ((g := {"params": P(2)}), (a := o.SGD([P(1)])), a.add_param_group(g), g is a.param_groups[1])[-1],
    "required": lambda o, P, m: o.Optimizer([{"params": [P(1)]}], {"a": m.required}), "required and given": lambda o, P, m: repr(o.Optimizer([{"params": [P(1)], "a": 3}], {"a": m.required})),
    "shown required": lambda o, P, m: repr(m.required), "the base": lambda o, P, m: o.Optimizer([P(1)], {}).step(),
    "a tensor of rates": lambda o, P, m: o.SGD([P(1)], lr=P(2)), "nan": lambda o, P, m: o.Adam([P(1)], lr=float("nan")),
    "fused and foreach": lambda o, P, m: o.Adam([P(1)], fused=True, foreach=True), "fused and differentiable": lambda o, P, m: o.SGD([P(1)], fused=True, differentiable=True),
    "foreach and a tensor": lambda o, P, m: o.AdamW([P(1)], lr=P(1).detach(), foreach=True),
    "other groups": lambda o, P, m: o.SGD([P(1)]).load_state_dict({"state": {}, "param_groups": []}),
    "other sizes": lambda o, P, m: o.SGD([P(1)]).load_state_dict({"state": {}, "param_groups": [{"params": []}]}),
    "no groups": lambda o, P, m: o.SGD([P(1)]).load_state_dict({}), "no dict": lambda o, P, m: o.SGD([P(1)]).load_state_dict(3),
    "no params saved": lambda o, P, m: o.SGD([P(1)]).load_state_dict({"state": {}, "param_groups": [{}]}),
    "names kept": lambda o, P, m: ((a := o.SGD([("a", P(1))])), a.load_state_dict(o.SGD([P(1)]).state_dict()), a.param_groups[0]["param_names"])[-1],
    "names taken": lambda o, P, m: ((a := o.SGD([P(1)])), a.load_state_dict(o.SGD([("a", P(1))]).state_dict()), a.param_groups[0]["param_names"])[-1],
    "old options": lambda o, P, m: ((a := o.Adam([P(1)], amsgrad=True)), (s := o.Adam([P(1)]).state_dict()), s["param_groups"][0].pop("amsgrad"),
                                    s["param_groups"][0].update(extra=5), a.load_state_dict(s), repr(a))[-1],
    "keys of one's own": lambda o, P, m: ((p := P(1)), (a := o.SGD([p], momentum=1)), setattr(p, "grad", P(1).detach()), a.step(), a.state.update(mine=4),
                                          (s := a.state_dict()), s["state"].update({7: {"x": 2}}), a.load_state_dict(s), sorted(map(str, a.state_dict()["state"])))[-1],
}  # fmt: skip
BAD = """
SGD([p], lr=-1.0) | SGD([p], momentum=-1.0) | SGD([p], weight_decay=-1.0) | SGD([p], nesterov=True) | SGD([p], momentum=1.0, dampening=1.0, nesterov=True)
Adam([p], lr=-1.0) | Adam([p], eps=-1.0) | Adam([p], weight_decay=-1.0) | Adam([p], betas=(1.0, 0.9)) | Adam([p], betas=(0.1, -0.9)) | AdamW([p], eps=-1.0)
NAdam([p], lr=-1.0) | NAdam([p], eps=-1.0) | NAdam([p], betas=(0.9, 1.0)) | NAdam([p], momentum_decay=-1.0) | NAdam([p], weight_decay=-1.0)
RAdam([p], lr=-1.0) | RAdam([p], eps=-1.0) | RAdam([p], betas=(0.9, 1.0)) | RAdam([p], weight_decay=-1.0) | Adamax([p], lr=-1.0) | Adamax([p], betas=(1.0, 0.0))
Adamax([p], eps=-1.0) | Adamax([p], weight_decay=-1.0) | Adagrad([p], lr=-1.0) | Adagrad([p], lr_decay=-1.0) | Adagrad([p], initial_accumulator_value=-1.0)
Adagrad([p], eps=-1.0) | Adagrad([p], weight_decay=-1.0) | Adadelta([p], lr=-1.0) | Adadelta([p], rho=2.0) | Adadelta([p], eps=-1.0) | Adadelta([p], weight_decay=-1.0)
RMSprop([p], lr=-1.0) | RMSprop([p], alpha=-1.0) | RMSprop([p], momentum=-1.0) | RMSprop([p], eps=-1.0) | RMSprop([p], weight_decay=-1.0) | Rprop([p], lr=-1.0)
Rprop([p], etas=(1.5, 2.0)) | ASGD([p], lr=-1.0) | ASGD([p], weight_decay=-1.0) | LBFGS([p], lr=-1.0) | LBFGS([{'params': [p]}, {'params': []}]) | LBFGS([p]).step()
LBFGS([p], line_search_fn='x').step(lambda: (p.sum().backward(), p.sum())[1]) | Adafactor([p], lr=-1.0) | Adafactor([p], beta2_decay=1.0) | Adafactor([p], eps=(-1.0, 1.0)) | Adafactor([p], eps=(1.0, -1.0))
Adafactor([p], d=0.5) | Adafactor([p], weight_decay=-1.0) | Muon([p]) | Muon([q], lr=-1.0) | Muon([q], momentum=-1.0) | Muon([q], weight_decay=-1.0) | Muon([q], adjust_lr_fn='x')
stepped(Muon([q], ns_steps=100)) | stepped(Muon([q], ns_coefficients=(1, 2))) | stepped(Muon([c])) | stepped(Adafactor([c])) | SparseAdam([p], lr=0.0) | SparseAdam([p], eps=0.0)
SparseAdam([p], betas=(1.0, 0.0)) | SparseAdam([c]) | stepped(SparseAdam([p])) | stepped(SparseAdam([q], maximize=True)) | Adagrad([p], betas=1) | SGD([p], foo=1)
"""  # fmt: skip
CALLS = [c.strip() for line in BAD.strip().splitlines() for c in line.split(" | ")]


@pytest.mark.parametrize("use", USES)
def test_uses(use: str) -> None:
    ours, theirs = both(USES[use])
    assert ours == theirs


@pytest.mark.parametrize("call", CALLS)
def test_bad_options(call: str) -> None:
    def program(namespace: Any, P: Any, module: Any) -> Any:
        p, q = P(2), P(2, 2)
        c = type(q)(q.detach() + 0j)

        def stepped(optimizer: Any) -> None:
            for x in (p, q, c):
                x.grad = x.detach() * 2
            optimizer.step()

        names = {name: getattr(namespace, name) for name in optim.__all__ if hasattr(namespace, name)}
        eval(call, {**names, "p": p, "q": q, "c": c, "stepped": stepped})

    ours, theirs = both(program)
    assert isinstance(theirs[0], tuple), "PyTorch accepts it"
    assert ours[0][0] == theirs[0][0]
    assert ours[0][1].startswith(theirs[0][1])


# ---------------------------------------------------------------------- hooks


def record_of_hooks(namespace: Any, P: Any, module: Any) -> list[Any]:
    """The order of all hooks, with the number of arguments of each."""
    seen: list[Any] = []

    class Mine(namespace.SGD):  # type: ignore[misc]
        def step(self, closure: Any = None) -> Any:
            seen.append("mine")
            return super().step(closure)

    for kind in (namespace.SGD, namespace.Adam, Mine):
        p = P(2)
        p.grad = p.detach() * 2
        optimizer = kind([p], lr=0.1)
        handles = [
            optimizer.register_step_pre_hook(
                lambda *a: seen.append(("pre", a[0] is a[1][0], len(a[1]), list(a[2])))
            ),
            optimizer.register_step_post_hook(lambda *a: seen.append(("post", len(a[1]), list(a[2])))),
            module.register_optimizer_step_pre_hook(lambda *a: seen.append("all pre")),
            module.register_optimizer_step_post_hook(lambda *a: seen.append("all post")),
        ]
        seen.append((optimizer.step(), optimizer.step(lambda: 3.0), optimizer.step(closure=lambda: 4.0)))
        for handle in handles:
            handle.remove()
        optimizer.step()
    return seen


def test_step_hooks() -> None:
    ours, theirs = (record_of_hooks(*x) for x in [(o, parameter_of(L), m) for L, o, m in LIBRARIES])
    # PyTorch runs the hooks of a class twice where a step calls its parent's, once the parent was made too
    cut = next(i for i, e in enumerate(theirs) if e == "mine")
    assert [e for e in ours if e != "all pre"][: cut // 2] == [e for e in theirs if e != "all pre"][
        : cut // 2
    ]
    assert ours[:cut] == theirs[:cut]
    assert ours.count("mine") == theirs.count("mine")


HOOKS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "other arguments": lambda o, P, m: ((a := o.SGD([P(1)])), a.register_step_pre_hook(lambda s, x, k: ((s, lambda: 7.0), {})), a.step())[-1],
    "a wrong result": lambda o, P, m: ((a := o.SGD([P(1)])), a.register_step_pre_hook(lambda s, x, k: 5), a.step()),
    "states": lambda o, P, m: (
        (seen := []), (a := o.SGD([P(1)])), a.register_state_dict_pre_hook(lambda *x: seen.append(len(x))),
        a.register_state_dict_post_hook(lambda s, d: {**d, "more": 1}), a.register_state_dict_post_hook(lambda s, d: seen.append(sorted(d)), prepend=True),
        a.register_load_state_dict_pre_hook(lambda s, d: seen.append(sorted(d))), a.register_load_state_dict_post_hook(lambda *x: seen.append(len(x))),
        a.load_state_dict(a.state_dict()), seen)[-1],
    "another state": lambda o, P, m: ((a := o.SGD([P(1)])), a.register_load_state_dict_pre_hook(lambda s, d: o.SGD([P(1)], lr=9.0).state_dict()),
                                      a.load_state_dict(a.state_dict()), a.param_groups[0]["lr"])[-1],
    "in order": lambda o, P, m: ((seen := []), (a := o.SGD([P(1)])), [a.register_step_post_hook(lambda *x, i=i: seen.append(i)) for i in range(3)], a.step(), seen)[-1],
}  # fmt: skip


@pytest.mark.parametrize("use", HOOKS)
def test_hooks(use: str) -> None:
    ours, theirs = both(HOOKS[use])
    if use == "a wrong result":  # the message begins with the function's address
        assert ours[0][0] == theirs[0][0]
        return
    assert ours == theirs


# ---------------------------------------------------------------------- gradients, closures, others' optimisers


def test_zero_grad() -> None:
    def program(namespace: Any, P: Any, module: Any) -> Any:
        p, q, r = P(2), P(2), P(2)
        p.grad = p.detach() * 3
        q.grad = q * 2  # with a history
        optimizer = namespace.SGD([p, q, r])
        kept = p.grad
        optimizer.zero_grad(set_to_none=False)
        told = [p.grad is kept, p.grad.tolist(), q.grad.tolist(), q.grad.requires_grad, r.grad]
        optimizer.zero_grad()
        return [*told, p.grad, q.grad]

    ours, theirs = both(program)
    assert ours == theirs


def test_closures_and_gradient_mode() -> None:
    def program(namespace: Any, P: Any, module: Any) -> Any:
        told = []
        for library, o, _ in LIBRARIES:
            if o is namespace:
                for quiet in (False, True):
                    with library.set_grad_enabled(not quiet):
                        told.append(namespace.Adam([P(1)]).step(library.is_grad_enabled))
                        told.append(library.is_grad_enabled())
        return told

    ours, theirs = both(program)
    assert ours == theirs


def test_an_optimiser_of_ones_own() -> None:
    """The usual way to write one: state by parameter, a decorated step, in-place arithmetic."""

    def program(namespace: Any, P: Any, module: Any) -> Any:
        class Signum(namespace.Optimizer):  # type: ignore[misc]
            def __init__(self, params: Any, lr: Any = module.required) -> None:
                super().__init__(params, {"lr": lr, "beta": 0.5, "differentiable": False})

            @module._use_grad_for_differentiable
            def step(self, closure: Any = None) -> Any:
                self._accelerator_graph_capture_health_check()
                for group in self.param_groups:
                    for p in group["params"]:
                        state = self.state[p]
                        if len(state) == 0:
                            state["step"], state["m"] = 0, p.detach().clone().zero_()
                        state["step"] += 1
                        state["m"].mul_(group["beta"]).add_(p.grad, alpha=1 - group["beta"])
                        p.add_(state["m"].sign(), alpha=-group["lr"] / state["step"])

        p = P(3)
        optimizer = Signum([p], lr=0.1)
        for turn in range(4):
            (p * turn - p.square()).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            optimizer.load_state_dict(optimizer.state_dict())
        kept = optimizer.state[p]
        return (
            [round(v, 6) for v in p.tolist()],
            kept["step"],
            [round(v, 5) for v in kept["m"].tolist()],
            repr(optimizer),
        )

    ours, theirs = both(program)
    assert ours == theirs


def test_swapped_parameters() -> None:
    def program(namespace: Any, P: Any, module: Any) -> Any:
        p, q = P(2), P(2)
        p.grad, q.grad = p.detach() * 2, p.detach() * 3
        optimizer = namespace.Adam([p], lr=0.5)
        optimizer.step()
        spare = namespace.Adam([q], lr=0.25)
        spare.step()
        state = spare.state_dict()
        with namespace.swap_in_optimizer_params_and_state(optimizer, {"q": q}, state):
            optimizer.step()
            inside = optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["params"][0] is q
        return (
            inside,
            [round(v, 5) for v in [*p.tolist(), *q.tolist()]],
            state["state"][0]["step"].item(),
            optimizer.state[p]["step"].item(),
        )

    ours, theirs = both(program)
    assert ours == theirs


# ---------------------------------------------------------------------- averages of weights


#: PyTorch's mean of several cannot take the counter of batches
AVERAGES = [
    (h, b)
    for h in ("mean", "ema", "multi ema", "multi mean", "own")
    for b in (False, True)
    if (h, b) != ("multi mean", True)
]


@pytest.mark.parametrize(("how", "buffers"), AVERAGES)
def test_averaged_model(how: str, buffers: bool) -> None:
    found = []
    for library, namespace, _ in LIBRARIES:
        nn, swa = library.nn, namespace.swa_utils
        options = {
            "mean": {}, "ema": {"avg_fn": swa.get_ema_avg_fn(0.75)}, "multi ema": {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.5)},
            "multi mean": {"multi_avg_fn": swa.get_swa_multi_avg_fn()}, "own": {"avg_fn": lambda old, new, n: old + (new - old) / (n + 2)},
        }[how]  # fmt: skip
        library.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        averaged = swa.AveragedModel(model, use_buffers=buffers, **options)
        rng = np.random.default_rng(0)
        for _ in range(4):
            model(library.tensor(rng.standard_normal((6, 3)).astype(np.float32)))
            with library.no_grad():
                for p in model.parameters():
                    p.add_(library.tensor(rng.standard_normal(tuple(p.shape)).astype(np.float32)))
            averaged.update_parameters(model)
        averaged.eval()
        out = averaged(library.ones(2, 3))
        found.append(
            (
                repr(averaged),
                {k: np.asarray(v.detach().numpy()) for k, v in averaged.state_dict().items()},
                out.detach().numpy(),
            )
        )
    (shown, state, out), (expected, theirs, result) = found
    assert shown == expected
    assert list(state) == list(theirs)
    for key, value in theirs.items():
        assert state[key].dtype == value.dtype
        np.testing.assert_allclose(state[key], value, rtol=2e-6, atol=1e-6, err_msg=key)
    np.testing.assert_allclose(out, result, rtol=1e-5, atol=1e-6)


def test_update_bn() -> None:
    found = []
    for library, namespace, _ in LIBRARIES:
        nn = library.nn
        library.manual_seed(1)
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=0.3)).eval()
        rng = np.random.default_rng(3)
        batches = [library.tensor(rng.standard_normal((5, 3)).astype(np.float32)) for _ in range(3)]
        namespace.swa_utils.update_bn([[b, 1] for b in batches], model, device="cpu")
        namespace.swa_utils.update_bn(batches, nn.Linear(3, 3))
        norm = model[1]
        found.append(
            (
                norm.momentum,
                model.training,
                norm.running_mean.tolist(),
                norm.running_var.tolist(),
                norm.num_batches_tracked.item(),
            )
        )
    assert found[0][:2] == found[1][:2]
    np.testing.assert_allclose(found[0][2], found[1][2], rtol=1e-5)
    np.testing.assert_allclose(found[0][3], found[1][3], rtol=1e-5)
    assert found[0][4] == found[1][4]


SWA_BAD: list[Callable[[Any, Any, Any], Any]] = [
    lambda o, P, m: o.swa_utils.get_ema_avg_fn(2.0), lambda o, P, m: o.swa_utils.get_ema_multi_avg_fn(-1.0),
    lambda o, P, m: o.swa_utils.AveragedModel(3, avg_fn=1, multi_avg_fn=2), lambda o, P, m: o.swa_utils.SWALR(o.SGD([P(1)]), 0.1, anneal_strategy="x"),
    lambda o, P, m: o.swa_utils.SWALR(o.SGD([P(1)]), 0.1, anneal_epochs=-1), lambda o, P, m: o.swa_utils.SWALR(o.SGD([P(1)]), 0.1, anneal_epochs=1.5),
    lambda o, P, m: o.swa_utils.SWALR(o.SGD([P(1)]), [0.1, 0.2]), lambda o, P, m: o.swa_utils.SWALR(o.SGD([P(1)]), 0.1).get_lr(),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(SWA_BAD)))
def test_bad_averages(number: int) -> None:
    ours, theirs = both(SWA_BAD[number])
    assert ours == theirs
