"""Fits a sum of two decaying oscillations by L-BFGS with a strong Wolfe line search, in double precision.

Eight numbers (heights, decays, frequencies, phases) from 400 noisy samples: the closure computes loss and
gradient as often as the search asks. The inverse of the Gauss-Newton matrix, from the Jacobian of
`torch.func`, then says how well each of them is known.
"""

import argparse

import torch
from torch.func import jacrev

TRUTH = torch.tensor([1.0, 0.6, 0.3, 0.15, 4.0, 7.5, 0.2, -0.8], dtype=torch.float64)
NAMES = ["height 1", "height 2", "decay 1", "decay 2", "frequency 1", "frequency 2", "phase 1", "phase 2"]


def signal(p, t):
    """p (8,), t (T,): (T,)."""
    height, decay, frequency, phase = p.view(4, 2, 1)
    return (height * torch.exp(-decay * t) * torch.cos(frequency * t + phase)).sum(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("--log-every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    t = torch.linspace(0, 10, 400, dtype=torch.float64)
    observed = signal(TRUTH, t) + args.noise * torch.randn(400, dtype=torch.float64)
    p = torch.tensor([0.8, 0.8, 0.2, 0.2, 3.8, 7.7, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([p], lr=1, max_iter=4, history_size=10, line_search_fn="strong_wolfe")
    calls = 0

    def closure():
        nonlocal calls
        calls += 1
        optimizer.zero_grad()
        loss = (signal(p, t) - observed).pow(2).mean()
        loss.backward()
        return loss

    for step in range(args.steps):
        loss = optimizer.step(closure)
        if step % args.log_every == 0:
            slope = p.grad.abs().max()
            print(f"step {step:2d}  loss {loss.item():.9f}  calls {calls:2d}  gradient {slope:.2e}")

    p = p.detach()
    jacobian = jacrev(signal)(p, t)
    deviation = args.noise * torch.linalg.inv(jacobian.T @ jacobian).diagonal().sqrt()
    for name, found, true, width in zip(NAMES, p.tolist(), TRUTH.tolist(), deviation.tolist()):
        print(f"{name:<11}  {found:8.5f} +- {width:.5f}  (true {true:5.2f})")
    print(f"largest error in standard deviations: {((p - TRUTH) / deviation).abs().max():.3f}")


if __name__ == "__main__":
    main()
