"""A program that trains LeNet and writes down everything that chance and arithmetic decide.

``python train_lenet.py LIBRARY SETTINGS.json DIGITS.npz RESULT.npz`` with LIBRARY ``torch`` or ``convgrad``: not
another line differs. The same program may run in float64, from the same weights and with the same masks.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import numpy as np


def lenet(nn: Any) -> Any:
    """LeNet-5 (LeCun et al. 1998) with ReLU and dropout, which gets no 0 but by chance, and so shows its mask."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Dropout2d(0.1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Dropout(0.3), nn.ReLU(),
        nn.Linear(120, 84), nn.Dropout(0.3), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip


def array(tensor: Any) -> Any:
    return tensor.detach().numpy().copy()


def watch_masks(net: Any, nn: Any, found: list[Any], hidden: list[Any], most: int) -> None:
    """The masks of the dropout layers go to ``found``, as bits, until there are ``most``.

    Where a layer got exactly 0 its mask does not show: a bit in ``hidden`` says so.
    """

    def note(_layer: Any, inputs: Any, output: Any) -> None:
        if len(found) < most:
            found.append(np.packbits(array(output) != 0))
            hidden.append(np.packbits(array(inputs[0]) == 0))

    for layer in net:
        if isinstance(layer, (nn.Dropout, nn.Dropout2d)):
            layer.register_forward_hook(note)


def accuracy(torch: Any, net: Any, images: Any, labels: Any) -> float:
    net.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(images), 500):
            guess = net(images[start : start + 500]).argmax(1)
            right += int((guess == labels[start : start + 500]).sum().item())
    net.train()
    return 100 * right / len(images)


def optimizers(torch: Any, net: Any, settings: dict[str, Any]) -> list[Any]:
    """(optimiser, epochs): first SGD, then Adam."""
    return [
        (torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4), settings["sgd_epochs"]),
        (torch.optim.Adam(net.parameters(), lr=1e-3), settings["adam_epochs"]),
    ]


def train(torch: Any, settings: dict[str, Any], digits: Any) -> dict[str, Any]:
    """Train with both optimisers one after the other; returns what happened."""
    torch.set_num_threads(1)
    torch.manual_seed(settings["seed"])
    net = lenet(torch.nn)
    initial = [array(p) for p in net.parameters()]
    dtype = getattr(torch, settings["dtype"])
    net.to(dtype)
    images = torch.from_numpy(digits["images"]).to(torch.float32).div(255).sub(0.13).to(dtype).unsqueeze(1)
    labels = torch.from_numpy(digits["labels"]).to(torch.int64)
    dataset = torch.utils.data.TensorDataset(images, labels, torch.arange(len(labels)))
    loader = torch.utils.data.DataLoader(dataset, batch_size=settings["batch"], shuffle=True)
    losses, batches, masks, hidden = [], [], [], []
    watch_masks(net, torch.nn, masks, hidden, 3 * settings["watched"])
    for optimizer, epochs in optimizers(torch, net, settings):
        for _ in range(epochs):
            for x, y, index in loader:
                loss = torch.nn.functional.cross_entropy(net(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                batches.append(array(index))
    state = array(torch.get_rng_state())
    test = torch.from_numpy(digits["test_images"]).to(torch.float32).div(255).sub(0.13).to(dtype).unsqueeze(1)
    result = {
        "losses": np.array(losses),
        "batches": np.concatenate(batches),
        "masks": np.concatenate(masks),
        "hidden": np.concatenate(hidden),
        "state": state,
        "accuracy": np.array(
            accuracy(torch, net, test, torch.from_numpy(digits["test_labels"]).to(torch.int64))
        ),
    }
    result.update({f"initial{i}": values for i, values in enumerate(initial)})
    result.update({f"final{i}": array(p) for i, p in enumerate(net.parameters())})
    return result


if __name__ == "__main__":
    library, settings_path, digits_path, result_path = sys.argv[1:]
    with open(settings_path) as file:
        chosen = json.load(file)
    np.savez(result_path, **train(importlib.import_module(library), chosen, np.load(digits_path)))
