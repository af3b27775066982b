"""Learning to learn: starting weights from which one gradient step fits a new sine wave.

MAML (Finn, Abbeel, Levine 2017) in functional style: the net is called with weights of one's choice
(`functional_call`), the inner step is `grad` of the loss on ten points, `vmap` does it for all tasks
together, and the outer gradient goes through that step: a second derivative.
"""

import argparse
import math

import torch
from torch import nn
from torch.func import functional_call, grad, vmap


def sample_tasks(count, points=10):
    """Sine waves of random height and phase: x, y to learn from and x, y to judge, all (count, points, 1)."""
    height = torch.empty(count, 1, 1).uniform_(0.5, 2.0)
    phase = torch.empty(count, 1, 1).uniform_(0.0, math.pi)
    x = torch.empty(count, 2 * points, 1).uniform_(-3.0, 3.0)
    y = height * torch.sin(x + phase)
    return x[:, :points], y[:, :points], x[:, points:], y[:, points:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--tasks", type=int, default=16, help="in each step")
    parser.add_argument("--inner-lr", type=float, default=0.1)
    parser.add_argument("--log-every", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    net = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
    params = dict(net.named_parameters())

    def loss_of(weights, x, y):
        return nn.functional.mse_loss(functional_call(net, weights, (x,)), y)

    def adapted(weights, x, y):
        """The weights after one step on a task."""
        gradients = grad(loss_of)(weights, x, y)
        return {name: weights[name] - args.inner_lr * gradients[name] for name in weights}

    def task_loss(weights, x, y, query_x, query_y):
        return loss_of(adapted(weights, x, y), query_x, query_y)

    over_tasks = vmap(task_loss, in_dims=(None, 0, 0, 0, 0))
    before = vmap(loss_of, in_dims=(None, 0, 0))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(args.steps):
        loss = over_tasks(params, *sample_tasks(args.tasks)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % args.log_every == 0:
            print(f"step {step:3d}  loss after one inner step {loss.item():.4f}")

    x, y, query_x, query_y = sample_tasks(200)
    with torch.no_grad():
        unadapted = before(params, query_x, query_y).mean()
        after = over_tasks(params, x, y, query_x, query_y).mean()
    print(f"new tasks, without a step: {unadapted:.4f}")
    print(f"new tasks, after one step: {after:.4f}")


if __name__ == "__main__":
    main()
