"""L7 to L12: how automatic differentiation works."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from convgrad.tools import draw_graph, graph_text
from convgrad.tools.tour import by_hand
from convgrad.tools.tour.row import Row, row
from convgrad.tools.values import as_array, show

_X = np.array([[1.0, 2.0], [3.0, 4.0]])
_FROM_ABOVE = np.array([0.1, 1.0, 0.0001], np.float32)

_CHAIN = """
x = torch.tensor([[1., 2.], [3., 4.]], requires_grad=True)
y = x - 2
z = 3 * y**2
a = z.mean()
"""


@row(
    "L7",
    "The graph behind a result",
    "A 2 × 2 tensor x gathers gradients; y = x − 2, z = 3y², a = mean(z). Each result knows the operation "
    "that made it, and from there the way back to x.",
)
def graph(r: Row) -> None:
    r.run(
        """
        x = torch.tensor([[1., 2.], [3., 4.]], requires_grad=True)
        x
        y = x - 2
        y
        y.grad_fn
        y.grad_fn.next_functions[0][0]
        y.grad_fn.next_functions[0][0].variable
        y.grad_fn.next_functions[0][0].variable is x
        z = 3 * y**2
        z
        a = z.mean()
        a
        """
    )
    printed = [output.rstrip("\n") for _, output in r.talks[-1].pairs]
    x_text = "tensor([[1., 2.],\n        [3., 4.]], requires_grad=True)"
    want = {
        0: ("x is printed with its flag", x_text),
        1: (
            "y is printed with the node that made it",
            "tensor([[-1.,  0.],\n        [ 1.,  2.]], grad_fn=<SubBackward0>)",
        ),
        4: ("`.variable` prints as x", x_text),
        5: ("and is x itself", "True"),
        6: (
            "z is printed with its node",
            "tensor([[ 3.,  0.],\n        [ 3., 12.]], grad_fn=<MulBackward0>)",
        ),
        7: ("and a with its own", "tensor(4.5000, grad_fn=<MeanBackward0>)"),
    }
    for place, (name, text) in want.items():
        r.check(name, printed[place], text)
    for place, name in ((2, "SubBackward0"), (3, "AccumulateGrad")):
        ok = re.fullmatch(rf"<{name} object at 0x[0-9a-f]+>", printed[place])
        r.holds(f"the node prints as `<{name} object at 0x…>`", ok, printed[place])
    names: list[str] = []
    node: Any = r["a"].grad_fn
    while node is not None:
        names.append(node.name())
        node = next((parent for parent, _ in node.next_functions if parent is not None), None)
    want_names = ("MeanBackward0", "MulBackward0", "PowBackward0", "SubBackward0")
    r.check("the way back from a to x", tuple(names[:4]), want_names)
    r.holds("it ends where x gathers its gradient", "AccumulateGrad" in names[-1], names[-1])
    r.check("the values, by NumPy", r["a"], np.float32((3 * (_X - 2) ** 2).mean()))


@row(
    "L8",
    "The flow chart",
    "Figure 5: the graph of that computation, drawn with the shapes, values and gradients of every step.",
)
def flow_chart(r: Row) -> None:
    r.run(
        "from convgrad import tools\n"
        + _CHAIN
        + """
for intermediate in (y, z, a):
    intermediate.retain_grad()
a.backward()
chart = tools.draw_graph(a, names={"x": x, "y": y, "z": z, "a": a})
print(tools.graph_text(a, names={"x": x, "y": y, "z": z, "a": a}))
"""
    )
    chart = r["chart"]
    r.picture(chart, "Figure 5: arrows follow the computation, `backward()` walks them the other way.")
    shown = by_hand.texts_of(chart)
    wanted = ("MeanBackward0", "MulBackward0", "PowBackward0", "SubBackward0", "leaf", "2 × 2")
    missing = [name for name in wanted if not any(name in text for text in shown)]
    r.complete(f"the chart shows {', '.join(wanted)}", missing)
    y = _X - 2
    gradients = {"x": 1.5 * _X - 3, "y": 1.5 * y, "z": np.full((2, 2), 0.25), "a": np.array(1.0)}
    for name, value in {"x": _X, "y": y, "z": 3 * y**2, "a": (3 * y**2).mean()}.items():
        want = [show(float(v)) for v in [*np.ravel(value), *np.ravel(gradients[name])]]
        ok = set(want) <= set(shown)
        r.holds(f"it shows value and gradient of {name}, computed by hand", ok, " ".join(want))
    got = np.concatenate([np.ravel(as_array(r[name].grad)) for name in gradients])
    r.check("the gradients themselves", got, np.concatenate([np.ravel(g) for g in gradients.values()]))
    order = [graph_text(r["a"], show_values=False).index(n) for n in ("Mean", "Mul", "Pow", "Sub", "leaf")]
    r.holds("operations follow each other as they were computed", order == sorted(order))
    r.say("The same for a net, whose graph has branches:")
    r.run(
        """
        net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6, 3))
        x, target = torch.randn(5, 2, 8), torch.tensor([0, 1, 2, 1, 0])
        loss = F.cross_entropy(net(x), target)
        loss.backward()
        """
    )
    names = {"loss": r["loss"], **dict(r["net"].named_parameters())}
    picture = draw_graph(r["loss"], names=names)
    r.picture(picture, "The graph of a small convolutional net and its loss.")
    texts = by_hand.texts_of(picture)
    missing = [name for name in names if not any(name in text for text in texts)]
    r.complete("every parameter of the net is found in its graph", missing)


@row(
    "L9",
    "The gradient by hand and by the engine",
    "By hand da/dx = 1.5x − 3. The engine gives the gradient in the shape of the data; the Jacobian proper "
    "is the transpose.",
)
def by_hand_and_by_engine(r: Row) -> None:
    r.run(
        _CHAIN
        + """
a.backward()
x.grad
1.5 * x.detach() - 3
"""
    )
    r.check("`x.grad` is 1.5x − 3", r["x"].grad, np.array([[-1.5, 0.0], [1.5, 3.0]], np.float32))

    def value(x: by_hand.Array) -> by_hand.Array:
        return np.asarray((3 * (x - 2) ** 2).mean())

    r.check("and what differences give", r["x"].grad, by_hand.central_difference(value, _X), rel=1e-6)
    r.say(
        "For a column vector the Jacobian of a number is a row: the transpose of the gradient. For a "
        "vector-valued function `backward(v)` gives Jᵀv, the Jacobian's transpose times the vector that "
        "comes from above."
    )
    r.run(
        """
        jacobian = torch.autograd.functional.jacobian
        column = torch.tensor([[1.], [2.], [3.], [4.]], requires_grad=True)
        J = jacobian(lambda x: (3 * (x - 2) ** 2).mean().reshape(1), column).reshape(1, 4)
        J
        W = torch.tensor([[1., 2., 3.], [4., 5., 6.]])
        f = lambda x: torch.tanh(W @ x)                       # from 3 numbers to 2
        x = torch.tensor([0.1, -0.2, 0.05], requires_grad=True)
        Jf = jacobian(f, x)
        Jf
        v = torch.tensor([1., 10.])
        f(x).backward(v)
        x.grad
        Jf.T @ v
        """
    )
    column = np.array([[-1.5, 0.0, 1.5, 3.0]])
    r.check("the Jacobian of a number is a row", r["J"], column, rel=1e-6)
    weights, x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), as_array(r["x"]).astype(np.float64)

    def function(x: by_hand.Array) -> by_hand.Array:
        return np.tanh(weights @ x)

    jacobian = by_hand.central_difference(function, x)
    r.check("the Jacobian, by differences", r["Jf"], jacobian, rel=1e-5)
    r.check(
        "the gradient is its transpose times v", r["x"].grad, jacobian.T @ np.array([1.0, 10.0]), rel=1e-5
    )


@row(
    "L10",
    "From basic to more crazy",
    "Keep doubling y until its norm reaches 1000. How often that was we cannot know beforehand, but the "
    "gradient tells.",
)
def doubling(r: Row) -> None:
    loop = """
y = x * 2
i = 0
while y.data.norm() < 1000:
    y = y * 2
    i += 1

gradients = torch.FloatTensor([0.1, 1.0, 0.0001])
y.backward(gradients)

print(x.grad)
print(i)
"""
    r.run("x = torch.tensor([0.5, -1.0, 0.25], requires_grad=True)\n" + loop)
    printed = "".join(output for _, output in r.talks[-1].pairs)
    r.check("printed as in the lecture", printed, "tensor([1.0240e+02, 1.0240e+03, 1.0240e-01])\n9\n")
    r.check("[102.4, 1024, 0.1024]", r["x"].grad, _FROM_ABOVE * np.float32(1024))
    r.say(
        "From the gradient follows i: each doubling doubled it, so it is 2 to the power i + 1, here 2¹⁰. "
        "With a random x:"
    )
    r.run("x = torch.randn(3, requires_grad=True)\nx\n" + loop + "np.log2(x.grad[1].item()).item() - 1\n")
    start, count = as_array(r["x"]).astype(np.float64) * 2, 0
    while np.sqrt((start**2).sum()) < 1000:
        start, count = start * 2, count + 1
    r.check("i, by a loop in NumPy", r["i"], count)
    want = _FROM_ABOVE * np.float32(2.0 ** (count + 1))
    r.check("the gradient says the same", r["x"].grad, want)


@row(
    "L11",
    "What is tracked, and what is not",
    "For z = w @ x gradients reach those of w and x that were created with `requires_grad=True`; if "
    "neither was, `backward()` raises a RuntimeError.",
)
def tracking(r: Row) -> None:
    r.run(
        """
        n = 3
        # Both x and w that allows gradient accumulation
        x = torch.arange(1., n + 1, requires_grad=True)
        w = torch.ones(n, requires_grad=True)
        z = w @ x
        z.backward()
        print(x.grad, w.grad, sep='\\n')
        """
    )
    ones, ramp = np.ones(3, np.float32), np.arange(1, 4, dtype=np.float32)
    r.check("dz/dx is w", r["x"].grad, ones)
    r.check("dz/dw is x", r["w"].grad, ramp)
    _one_tracked(r)
    r.say("With neither:")
    r.run(
        """
        x = torch.arange(1., n + 1)
        w = torch.ones(n)
        z = w @ x
        message = ""
        try:
            z.backward()
        except RuntimeError as e:
            print('RuntimeError!!! >:[')
            print(e)
            message = str(e)
        """
    )
    r.holds("it raises a RuntimeError that says why", "does not require grad" in r["message"], r["message"])
    r.holds("and what to do about it", "requires_grad" in r["message"], "it names `requires_grad`")


def _one_tracked(r: Row) -> None:
    ones, ramp = np.ones(3, np.float32), np.arange(1, 4, dtype=np.float32)
    r.say("With one of them tracked only that one gets a gradient:")
    r.run(
        """
        x = torch.arange(1., n + 1)
        w = torch.ones(n, requires_grad=True)
        (w @ x).backward()
        print(x.grad, w.grad, sep='\\n')
        x1 = torch.arange(1., n + 1, requires_grad=True)
        w1 = torch.ones(n)
        (w1 @ x1).backward()
        print(x1.grad, w1.grad, sep='\\n')
        """
    )
    r.check("only w is tracked: w.grad is x", r["w"].grad, ramp)
    r.holds("and x has none", r["x"].grad is None)
    r.check("only x is tracked: x.grad is w", r["x1"].grad, ones)
    r.holds("and w has none", r["w1"].grad is None)


@row(
    "L12",
    "Without gradients",
    "`with torch.no_grad():` leaves the gradient out; it is a decorator as well, and may be nested.",
)
def no_grad(r: Row) -> None:
    r.run(
        """
        n = 3
        x = torch.arange(1., n + 1)
        w = torch.ones(n, requires_grad=True)

        # All torch tensors will not have gradient accumulation
        with torch.no_grad():
            z = w @ x

        message = ""
        try:
            z.backward()  # throws an error here, since z has no grad accum.
        except RuntimeError as e:
            print('RuntimeError!!! >:[')
            print(e)
            message = str(e)
        """
    )
    r.check("the value is there", r["z"], np.float32(6.0))
    r.check("z is not tracked", r["z"].requires_grad, False)
    r.holds("`backward()` raises", "does not require grad" in r["message"])
    _decorated_and_nested(r)


def _decorated_and_nested(r: Row) -> None:
    r.run(
        """
        @torch.no_grad()
        def predict(x):
            "w @ x, untracked."
            return w @ x

        decorated = predict(x)
        tracked = []
        with torch.no_grad():
            tracked.append((w @ x).requires_grad)
            with torch.enable_grad():
                tracked.append((w @ x).requires_grad)
                with torch.no_grad():
                    tracked.append((w @ x).requires_grad)
                tracked.append((w @ x).requires_grad)
            tracked.append((w @ x).requires_grad)
        tracked.append((w @ x).requires_grad)
        tracked
        predict.__name__, decorated.requires_grad

        try:
            with torch.no_grad():
                raise KeyError("something else went wrong")
        except KeyError:
            afterwards = torch.is_grad_enabled()
        afterwards
        """
    )
    r.check(
        "nested: off, on, off, on, off, and on again outside",
        tuple(r["tracked"]),
        (False, True, False, True, False, True),
    )
    r.check("as a decorator: untracked", r["decorated"].requires_grad, False)
    r.check("the function keeps its name", r["predict"].__name__, "predict")
    r.check("the value is the same", r["decorated"], r["z"])
    r.check("an exception leaves the mode as it was", r["afterwards"], True)
