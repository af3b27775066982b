"""Learns an echo from a recording: a convolution with 400 taps, found by comparing dry and wet sound.

The dry sound is real music at 11 kHz; the wet one is made with an impulse response that the program then
pretends not to know, plus some noise. A single `Conv1d` is trained on random pieces. The figure is what
remains of the echo when its estimate is subtracted, on the part of the recording that was kept apart: the
business of every echo canceller.
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from data import stereo

TAPS = 400


def impulse_response():
    """(TAPS,): direct sound, three reflections and a decaying tail."""
    response = 0.05 * torch.randn(TAPS) * torch.exp(-torch.arange(TAPS) / 80)
    for at, height in ((0, 0.6), (90, -0.3), (170, 0.2), (310, 0.1)):
        response[at] += height
    return response


def convolve(sound, response):
    """Causal convolution: (N, 1, T) to the same; `conv1d` correlates, so the response is turned round."""
    return F.conv1d(F.pad(sound, (len(response) - 1, 0)), response.flip(0).view(1, 1, -1))


def whiten(sound, order=32):
    """The sound less what its last ``order`` samples predict: then all frequencies are about equally loud."""
    sound = sound.flatten().double()
    past, future = sound.unfold(0, order, 1)[:-1], sound[order:]
    predictor = torch.linalg.lstsq(past, future.unsqueeze(1)).solution.squeeze(1)
    return (future - past @ predictor).float().view(1, 1, -1)


def decibels(power, reference):
    return 10 * torch.log10(power / reference).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    sound, rate = stereo()
    dry = whiten(F.avg_pool1d(sound.mean(0, keepdim=True).unsqueeze(0), 4))
    dry /= dry.std()
    true = impulse_response()
    wet = convolve(dry, true)
    wet += 0.01 * torch.randn_like(wet)
    print(f"{dry.shape[-1]} samples, {rate // 4} a second")

    cut, end = 3000, 12000  # judged up to here, learned from here; the rest is nearly silent
    filter = nn.Conv1d(1, 1, TAPS, bias=False)
    nn.init.zeros_(filter.weight)
    optimizer = torch.optim.Adam(filter.parameters(), lr=2e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    for step in range(args.steps):
        starts = torch.randint(cut, end - 2048, (6,)).tolist()
        heard = torch.cat([dry[..., s : s + 2048] for s in starts])
        target = torch.cat([wet[..., s + TAPS - 1 : s + 2048] for s in starts])
        loss = F.mse_loss(filter(heard), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % args.log_every == 0:
            print(f"step {step:3d}  loss {loss.item():.5f}")

    with torch.no_grad():
        rest = wet[..., TAPS - 1 : cut] - filter(dry[..., :cut])
        found = filter.weight.flatten().flip(0)
    strongest = true.abs().topk(4).indices.sort().values
    for at in strongest.tolist():
        print(f"reflection after {at:3d} samples: {true[at]:6.3f}, found {found[at]:6.3f}")
    print(f"error of the response in dB: {decibels((found - true).pow(2).sum(), true.pow(2).sum()):.1f}")
    print(f"echo left in dB: {decibels(rest.pow(2).mean(), wet[..., TAPS - 1 : cut].pow(2).mean()):.1f}")


if __name__ == "__main__":
    main()
