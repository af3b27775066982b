"""L14: why networks for natural data convolve."""

from __future__ import annotations

import numpy as np

from convgrad.datasets import load_digits
from convgrad.tools import image_grid, line_chart
from convgrad.tools.tour import by_hand
from convgrad.tools.tour.row import Row, row
from convgrad.tools.values import Array, as_array

_SHOWN = 8  # digits in the pictures


@row(
    "L14",
    "Sparsity, stationarity, compositionality",
    "Networks exploit what natural data have: neighbours belong together, the same patterns occur "
    "everywhere, parts make wholes. Take the neighbourhood away, by one fixed permutation of all pixels, "
    "and a convnet loses its lead.",
)
def digits(r: Row) -> None:
    _data(r)
    _nets(r)
    _train(r)
    _judge(r)
    _pictures(r)


def _data(r: Row) -> None:
    r.run(
        f"""
        from convgrad.datasets import load_digits

        examples = {2000 if r.settings.quick else 5000}

        def prepare(images):
            "Grey values of mean 0 and deviation 1, one channel."
            return ((torch.from_numpy(images.astype("float32")) / 255 - 0.1307) / 0.3081).unsqueeze(1)

        def take(train, count):
            images, labels = load_digits(train=train)
            return prepare(images[:count]), torch.from_numpy(labels[:count].astype("int64"))

        (x, target), (x_test, target_test) = take(True, examples), take(False, 1000)
        x.shape, x_test.shape

        order = torch.randperm(28 * 28)                       # one permutation for all images

        def permute(images):
            return images.flatten(1)[:, order].reshape(images.shape)
        """
    )
    raw = load_digits()[0][:_SHOWN]
    order = as_array(r["order"])
    r.check("the permutation is one", np.sort(order), np.arange(784))
    moved = as_array(r["permute"](r["x"][:_SHOWN])).reshape(_SHOWN, 784)
    want = ((raw.reshape(_SHOWN, 784)[:, order].astype(np.float32) / 255) - 0.1307) / 0.3081
    r.check("every image is permuted in the same way", moved, want, rel=1e-5)
    both = np.concatenate([raw, raw.reshape(_SHOWN, 784)[:, order].reshape(raw.shape)])
    r.picture(
        image_grid(both, columns=_SHOWN, title="Digits, straight and with permuted pixels"),
        "For a fully connected net both are equally hard; for a person, and for a convnet, they are not.",
    )


def _nets(r: Row) -> None:
    r.run(
        """
        def convnet():
            return nn.Sequential(
                nn.Conv2d(1, 11, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(11, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Linear(16 * 7 * 7, 10),
            )

        def fully_connected():
            return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 12), nn.ReLU(), nn.Linear(12, 10))

        def count(net):
            return sum(p.numel() for p in net.parameters())

        count(convnet()), count(fully_connected())
        """
    )
    counts = r["count"](r["convnet"]()), r["count"](r["fully_connected"]())
    conv = (1 * 9 * 11 + 11) + (11 * 9 * 16 + 16) + (16 * 49 * 10 + 10)
    full = (784 * 12 + 12) + (12 * 10 + 10)
    r.check("parameters, counted by hand", counts, (conv, full))
    r.holds("equal to one percent", abs(conv - full) < 0.01 * full, f"{conv:,} and {full:,}")


def _train(r: Row) -> None:
    epochs, batch, rate = (3, 20, 2e-3) if r.settings.quick else (3, 25, 2e-3)
    r.run(
        f"        epochs, batch, rate = {epochs}, {batch}, {rate}\n"
        """
        from convgrad.tools.tour.progress import progress
        from convgrad.utils.data import DataLoader, TensorDataset

        @torch.no_grad()
        def accuracy(net, x_test):
            scores = torch.cat([net(part) for part in x_test.split(100)])
            return (scores.argmax(1) == target_test).float().mean().item()

        def train(name, net, x, x_test):
            optimizer = torch.optim.Adam(net.parameters(), lr=rate)
            loader = DataLoader(TensorDataset(x, target), batch_size=batch, shuffle=True)
            losses, accuracies = [], []
            for epoch in range(epochs):
                for images, labels in progress(loader, f"{name}, epoch {epoch + 1} of {epochs}"):
                    loss = F.cross_entropy(net(images), labels)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    losses.append(loss.item())
                    if len(losses) % (len(loader) // 4) == 0:             # four times an epoch
                        accuracies.append(accuracy(net, x_test))
            print(f"{name:32} {100 * accuracies[-1]:.1f} % of the test digits are read right")
            return net, losses, accuracies

        runs = {}
        for pixels, change in [("straight", lambda x: x), ("permuted", permute)]:
            for kind, make in [("convnet", convnet), ("fully connected", fully_connected)]:
                runs[kind, pixels] = train(f"{kind}, {pixels} pixels", make(), change(x), change(x_test))
        """
    )


def _judge(r: Row) -> None:
    accuracy = {key: 100 * run[2][-1] for key, run in r["runs"].items()}
    rows = [
        (kind, *(f"{accuracy[kind, pixels]:.1f} %" for pixels in ("straight", "permuted")))
        for kind in ("convnet", "fully connected")
    ]
    straight, permuted = (
        accuracy["convnet", pixels] - accuracy["fully connected", pixels]
        for pixels in ("straight", "permuted")
    )
    rows.append(("lead of the convnet", f"{straight:+.1f}", f"{permuted:+.1f}"))
    r.table(["test digits read right", "straight pixels", "permuted pixels"], rows)
    floor = 85 if r.settings.quick else 92
    good = accuracy["convnet", "straight"]
    r.holds(f"the convnet reads more than {floor} % of straight digits", good > floor, f"{good:.1f} %")
    r.holds("straight pixels: the convnet wins by more than 3 points", straight > 3, f"lead {straight:+.1f}")
    r.holds(
        "permuted pixels: more than half of its lead is lost",
        permuted < straight / 2,
        f"{permuted:+.1f}, it was {straight:+.1f}",
    )
    lost = accuracy["convnet", "straight"] - accuracy["convnet", "permuted"]
    r.holds("the convnet itself reads permuted digits worse", lost > 3, f"{lost:.1f} points")
    _other_route(r)


def _other_route(r: Row) -> None:
    x, target = as_array(r["x_test"])[:200], as_array(r["target_test"])[:200]
    net = r["runs"]["convnet", "straight"][0]
    weights = {name: as_array(p).astype(np.float64) for name, p in net.named_parameters()}
    scores = _convnet_by_hand(x, weights)
    ours = as_array(net(r["x_test"][:200]))
    r.check("the trained convnet's scores for 200 digits, by loops and NumPy", ours, scores, rel=1e-4)
    right = float((scores.argmax(1) == target).mean())
    r.check("and how many of them it reads", float((ours.argmax(1) == target).mean()), right)
    r.say(
        "A fully connected net cannot tell the difference: permute the columns of its first weight as the "
        "pixels and it gives the same scores. No such step exists for a convnet, whose kernels look at "
        "neighbours."
    )
    full = r["runs"]["fully connected", "straight"][0]
    order = as_array(r["order"])
    first, bias, last, bias2 = (as_array(p).astype(np.float64) for p in full.parameters())
    hidden = np.maximum(
        as_array(r["permute"](r["x_test"][:200])).reshape(200, -1) @ first[:, order].T + bias, 0
    )
    r.check(
        "permuted pixels with permuted columns give the scores of straight ones",
        as_array(full(r["x_test"][:200])),
        hidden @ last.T + bias2,
        rel=1e-4,
    )


def _convnet_by_hand(x: Array, weights: dict[str, Array]) -> Array:
    for layer in ("0", "3"):
        x = np.maximum(
            by_hand.cross_correlate_2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"], 1), 0
        )
        n, c, h, w = x.shape
        x = x.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5))
    return x.reshape(len(x), -1) @ weights["7.weight"].T + weights["7.bias"]


def _pictures(r: Row) -> None:
    losses = {}
    accuracies = {}
    for (kind, pixels), (_, loss, accuracy) in r["runs"].items():
        width = max(len(loss) // 40, 1)  # batches in one point of the curve
        points = np.asarray(loss)[: len(loss) // width * width].reshape(-1, width).mean(1)
        losses[f"{kind}, {pixels}"] = ((np.arange(len(points)) + 0.5) * width, points)
        accuracies[f"{kind}, {pixels}"] = (np.arange(1, len(accuracy) + 1) / 4, 100 * np.asarray(accuracy))
    r.picture(
        line_chart(losses, "batch", "cross entropy", title="Loss in training"),
        "Means of neighbouring batches.",
    )
    chart = line_chart(
        accuracies, "epoch", "test digits read right, %", title="Accuracy on digits not seen before"
    )
    r.picture(chart, "On the 1,000 test digits, four times an epoch.")
    for layer, name in ((0, "first"), (3, "second")):
        kernels = as_array(r["runs"]["convnet", "straight"][0][layer].weight)
        kernels = kernels if layer == 0 else kernels[:, :1]
        labels = [str(n + 1) for n in range(len(kernels))]
        title = f"Kernels of the {name} layer" + ("" if layer == 0 else ", their part for the first channel")
        r.picture(
            image_grid(kernels, labels, title=title, columns=8, size=64),
            "Learned kernels of 3 × 3: red above zero, blue below.",
        )
