"""Writes digits.pt, which transfer.py goes on from: a convnet that knows the digits 0 to 4, and its Adam.

Run by PyTorch 2.13 (`python make_checkpoint.py`); the file lies beside it, so there is no need to.
"""

import argparse
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from data import digits

CHECKPOINT = Path(__file__).with_name("digits.pt")


class SmallNet(nn.Module):
    """Two convolutions and a linear layer on top; the features serve any classes."""

    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.head = nn.Linear(16 * 7 * 7, classes)

    def forward(self, x):
        return self.head(self.features(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=CHECKPOINT)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    images, labels = digits(True, 4000)
    images, labels = images[labels < 5], labels[labels < 5]
    model = SmallNet(5)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(args.steps):
        pick = torch.randint(len(images), (50,))
        loss = F.cross_entropy(model(images[pick]), labels[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    checkpoint = {
        "step": args.steps,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "loss": loss.item(),
        "classes": ["0", "1", "2", "3", "4"],
        "rng": torch.get_rng_state(),
    }
    torch.save(checkpoint, args.out)
    print(f"final loss: {loss.item():.4f}")


if __name__ == "__main__":
    main()
