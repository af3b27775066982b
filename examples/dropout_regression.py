"""Dropout as approximate Bayesian regression: a net that says how sure it is.

Dropout stays on when predicting; the spread of many random passes estimates how little the net knows (Gal,
Ghahramani 2016). It is trained on a noisy curve with a hole in the middle and none beyond the ends: there the
spread is larger.
"""

import argparse

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, hidden=100, p=0.1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(1, hidden), nn.ReLU(), nn.Dropout(p),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(p),
            nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, x):
        return self.layers(x)


def curve(x):
    return torch.sin(2 * x) + 0.3 * x


def observations(count):
    """x in [-3, -1] and [1, 3], y with noise of standard deviation 0.1; both (count, 1)."""
    x = torch.empty(count, 1).uniform_(-2, 2)
    x = x + torch.sign(x)
    return x, curve(x) + 0.1 * torch.randn(count, 1)


def predict(net, x, passes=200):
    """Mean and standard deviation over random passes with dropout on."""
    net.train()
    with torch.no_grad():
        samples = torch.stack([net(x) for _ in range(passes)])
    return samples.mean(0), samples.std(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--log-every", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    x, y = observations(200)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, weight_decay=1e-5)
    criterion = nn.MSELoss()
    for step in range(args.steps):
        loss = criterion(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % args.log_every == 0:
            print(f"step {step:4d}  loss {loss.item():.5f}")

    grid = torch.linspace(-5, 5, 21).unsqueeze(1)
    mean, std = predict(net, grid)
    for at, m, s in zip(grid.squeeze(1).tolist(), mean.squeeze(1).tolist(), std.squeeze(1).tolist()):
        print(f"x {at:5.1f}  mean {m:6.2f}  spread {s:5.2f}  " + "=" * round(40 * s))
    seen = (grid.abs() >= 1) & (grid.abs() <= 3)
    beyond = grid.abs() > 3.5
    error = (mean - curve(grid))[seen].pow(2).mean().sqrt()
    print(f"error where there are data: {error:.3f}")
    print(f"spread beyond the data over spread on them: {std[beyond].mean() / std[seen].mean():.2f}")


if __name__ == "__main__":
    main()
