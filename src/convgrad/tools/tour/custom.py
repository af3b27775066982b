"""L13: one's own functions with their own gradients, in a net that trains."""

from __future__ import annotations

import numpy as np

from convgrad.datasets import load_digits
from convgrad.tools import line_chart
from convgrad.tools.tour import by_hand
from convgrad.tools.tour.row import Row, row
from convgrad.tools.values import as_array

_FUNCTIONS = """
# Custom addition module
class MyAdd(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x1, x2):
        # ctx is a context where we can save
        # computations for backward.
        ctx.save_for_backward(x1, x2)
        return x1 + x2

    @staticmethod
    def backward(ctx, grad_output):
        x1, x2 = ctx.saved_tensors
        grad_x1 = grad_output * torch.ones_like(x1)
        grad_x2 = grad_output * torch.ones_like(x2)
        # need to return grads in order
        # of inputs to forward (excluding ctx)
        return grad_x1, grad_x2

class Split(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x):
        return x.clone(), x.clone()

    @staticmethod
    def backward(ctx, grad_x1, grad_x2):
        return grad_x1 + grad_x2

class Max(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x):
        array = x.detach().numpy()               # any NumPy will do here
        place = np.asarray(array.argmax(-1))
        ctx.save_for_backward(x, torch.from_numpy(place))
        return torch.from_numpy(np.asarray(array.max(-1)))

    @staticmethod
    def backward(ctx, grad_output):
        x, place = ctx.saved_tensors             # 1 at the highest entry, 0 elsewhere
        one_hot = torch.zeros_like(x).scatter_(-1, place.unsqueeze(-1), 1.0)
        return one_hot * grad_output.unsqueeze(-1)
"""


@row(
    "L13",
    "Custom gradients",
    "A subclass of `torch.autograd.Function` says how it is computed and how gradients go back. Adding "
    "copies the gradient, splitting sums the gradients, and the maximum hands its gradient to the largest "
    "entry alone.",
)
def functions(r: Row) -> None:
    r.run(_FUNCTIONS)
    r.run(
        """
        x1 = torch.tensor([1., 2.], requires_grad=True)
        x2 = torch.tensor([3., 4.], requires_grad=True)
        s = MyAdd.apply(x1, x2)
        s
        s.backward(torch.tensor([10., 20.]))
        x1.grad, x2.grad

        x = torch.tensor([1., 5., 2.], requires_grad=True)
        left, right = Split.apply(x)
        (left * 2 + right * 3).sum().backward()
        x.grad

        y = torch.tensor([[1., 5., 2.], [7., 0., 6.]], requires_grad=True)
        m = Max.apply(y)
        m
        m.backward(torch.tensor([1., 10.]))
        y.grad
        """
    )
    r.check("MyAdd adds", r["s"].detach(), np.array([4, 6], np.float32))
    r.check("and copies the gradient to the first", r["x1"].grad, np.array([10, 20], np.float32))
    r.check("and to the second", r["x2"].grad, np.array([10, 20], np.float32))
    r.check("Split sums the gradients: 2 + 3", r["x"].grad, np.array([5, 5, 5], np.float32))
    r.check("Max takes the maximum", r["m"].detach(), np.array([5, 7], np.float32))
    one_hot = np.array([[0, 1, 0], [10, 0, 0]], np.float32)
    r.check("its gradient is one-hot at the arg max, times what comes from above", r["y"].grad, one_hot)
    _net(r)


def _net(r: Row) -> None:
    r.say("All three inside a net that reads real digits, each as a signal of 28 channels and 28 samples:")
    r.run(
        """
        from convgrad.datasets import load_digits

        images, labels = load_digits()
        x = torch.from_numpy(images[:300].astype("float32") / 255)       # (300, 28, 28)
        target = torch.from_numpy(labels[:300].astype("int64"))

        class Net(nn.Module):

            def __init__(self):
                super().__init__()
                self.conv = nn.Conv1d(28, 16, 5)
                self.read = nn.Linear(16, 10)

            def forward(self, x):
                loudest, mean = Split.apply(torch.relu(self.conv(x)))
                return self.read(MyAdd.apply(Max.apply(loudest), mean.mean(-1)))

        net = Net()
        first = F.cross_entropy(net(x), target)
        first.backward()
        first_gradient = net.conv.bias.grad.clone()
        start = {name: p.detach().clone() for name, p in net.named_parameters()}

        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        losses = []
        for step in range(60):
            loss = F.cross_entropy(net(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        right = (net(x).argmax(1) == target).float().mean().item()
        print("loss %.2f -> %.2f, right %.0f %%" % (losses[0], losses[-1], 100 * right))
        """
    )
    _net_by_hand(r)
    r.holds(
        "it trains: the loss falls below a third",
        r["losses"][-1] < r["losses"][0] / 3,
        f"{r['losses'][-1]:.2f}",
    )
    r.holds("and more than 9 digits in 10 are read", r["right"] > 0.9, f"{100 * r['right']:.0f} %")
    steps, title = range(1, len(r["losses"]) + 1), "A net with three custom functions"
    chart = line_chart({"loss": (steps, r["losses"])}, "step", "cross entropy", title=title)
    r.picture(chart, "The loss of the net with MyAdd, Split and Max in it.")


def _net_by_hand(r: Row) -> None:
    """The first loss and its gradient without any of convgrad."""
    start = {name: as_array(p).astype(np.float64) for name, p in r["start"].items()}
    images, labels = load_digits()
    x, target = images[:300] / 255.0, labels[:300].astype(np.int64)

    def loss_of(bias: by_hand.Array) -> by_hand.Array:
        flat = by_hand.cross_correlate_2d(x[:, :, None], start["conv.weight"][:, :, None], bias)
        hidden = np.maximum(flat[:, :, 0], 0)
        scores = (hidden.max(-1) + hidden.mean(-1)) @ start["read.weight"].T + start["read.bias"]
        scores -= scores.max(1, keepdims=True)
        return np.asarray((np.log(np.exp(scores).sum(1)) - scores[np.arange(len(scores)), target]).mean())

    r.check("the net's first loss, by loops and NumPy", r["losses"][0], loss_of(start["conv.bias"]), rel=1e-5)
    by_differences = np.array(
        [
            (loss_of(start["conv.bias"] + move) - loss_of(start["conv.bias"] - move)) / 2e-5
            for move in 1e-5 * np.eye(16)[:4]
        ]
    )
    r.check(
        "its gradient through all three, by differences",
        as_array(r["first_gradient"])[:4],
        by_differences,
        rel=1e-3,
    )
