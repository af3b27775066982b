"""A one-dimensional convnet that says which of nine men speaks, from short series of speech features.

Twelve cepstrum coefficients are the channels; two convolutions look at five frames each, padding is masked
out, and the maximum over time makes the answer independent of the length (Japanese Vowels, read from
CONVGRAD_DATA). Dilated layers and a weight average over the last epochs.
"""

import argparse
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from data import vowels


class VowelNet(nn.Module):
    def __init__(self, channels=12, width=48, classes=9):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, padding=2, dilation=2)
        self.drop = nn.Dropout1d(0.1)
        self.head = nn.Linear(width, classes)

    def forward(self, x, lengths):
        padding = torch.arange(x.shape[-1]) >= lengths[:, None]
        x = F.relu(self.conv1(x))
        x = self.drop(F.relu(self.conv2(x)))
        x = x.masked_fill(padding[:, None], float("-inf"))
        return self.head(x.amax(dim=-1))


def average_into(average, model, count):
    """``average`` becomes the mean of itself (of ``count`` models) and ``model``."""
    with torch.no_grad():
        for a, p in zip(average.parameters(), model.parameters()):
            a.lerp_(p, 1 / (count + 1))


@torch.no_grad()
def accuracy(model, x, lengths, speakers):
    model.eval()
    return (model(x, lengths).argmax(1) == speakers).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--log-every", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    x, lengths, speakers = vowels("train")
    test = vowels("test")
    mean, std = x[x.abs().sum(1, keepdim=True).expand_as(x) > 0].mean(), x.std()
    model = VowelNet()
    print(model)
    average, averaged = copy.deepcopy(model), 0
    optimizer = torch.optim.NAdam(model.parameters(), lr=3e-3)
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for pick in torch.randperm(len(x)).chunk(9):
            loss = F.cross_entropy(model((x[pick] - mean) / std, lengths[pick]), speakers[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(pick)
        if epoch >= args.epochs // 2:
            average_into(average, model, averaged)
            averaged += 1
        if epoch % args.log_every == 0:
            print(f"epoch {epoch:2d}  loss {total / len(x):.4f}")
    series, *others = test
    print(f"accuracy of the last net: {accuracy(model, (series - mean) / std, *others):.3f}")
    print(f"test accuracy: {accuracy(average, (series - mean) / std, *others):.3f}")


if __name__ == "__main__":
    main()
