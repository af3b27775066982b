"""Small nets of several kinds, each with an optimiser and a batch: what a training step is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import convgrad as torch
from convgrad import nn, optim

F = nn.functional


class LeNet(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Dropout(0.2), nn.Linear(120, 10),
        )  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 12, 2, batch_first=True, bidirectional=True, dropout=0.1)
        self.out = nn.Linear(24, 4)

    def forward(self, x: Any) -> Any:
        return self.out(self.lstm(x)[0][:, -1])


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
        self.out = nn.Linear(16, 4)

    def forward(self, x: Any) -> Any:
        return self.out(self.layer(self.table(x)).mean(1))


class Residual(nn.Module):
    """Batch norms that are joined with a relu, in a chain and by hand, and a residual sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.second, self.norm = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.out = nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        x = self.first(x)
        x = nn.fused.batch_norm_add_relu(
            self.second(x), x, self.norm.running_mean, self.norm.running_var, self.norm.weight,
            self.norm.bias, training=True,
        )  # fmt: skip
        return self.out(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Training:
    """A net, its optimiser and a batch; one step changes no more than these."""

    def __init__(self, net: Any, optimizer: Callable[..., Any], x: Any, classes: int, **options: Any) -> None:
        self.net, self.x = net, x
        self.target = torch.arange(len(x)) % classes
        self.optimizer = optimizer(net.parameters(), lr=0.01, **options)

    def gradients(self) -> Any:
        torch.manual_seed(7)
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.net(self.x), self.target)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        return loss

    def step(self) -> float:
        loss = self.gradients()
        self.optimizer.step()
        return float(loss)

    def state(self) -> list[Any]:
        """All numbers, in an order of their own."""
        kept = self.optimizer.state
        per_parameter = [kept[p][name] for p in self.net.parameters() for name in sorted(kept[p])]
        return [value.detach().clone() for value in (*self.net.state_dict().values(), *per_parameter)]

    def restore(self, state: list[Any]) -> None:
        kept = self.optimizer.state
        per_parameter = [kept[p][name] for p in self.net.parameters() for name in sorted(kept[p])]
        with torch.no_grad():
            for value, old in zip((*self.net.state_dict().values(), *per_parameter), state, strict=True):
                value.copy_(old)


def lenet() -> Training:
    torch.manual_seed(0)
    return Training(LeNet(), optim.SGD, torch.randn(8, 1, 28, 28), 10, momentum=0.9)


def recurrent() -> Training:
    torch.manual_seed(0)
    return Training(Recurrent(), optim.Adam, torch.randn(3, 7, 5), 4)


def encoder() -> Training:
    torch.manual_seed(0)
    return Training(Encoder(), optim.AdamW, torch.randint(0, 11, (3, 6)), 4, amsgrad=True)


def residual() -> Training:
    torch.manual_seed(0)
    return Training(Residual(), optim.RMSprop, torch.randn(4, 1, 96, 96), 4, momentum=0.5)


MAKERS: list[Callable[[], Training]] = [lenet, recurrent, encoder, residual]

__all__ = ["MAKERS", "Training", "encoder", "lenet", "recurrent", "residual"]
