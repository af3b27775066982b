"""A one-dimensional convnet that understands spoken digits from the raw sound.

Half a second at 8 kHz goes through four blocks of convolution, batch norm and pooling, no spectrogram (Free
Spoken Digit Dataset, Z. Jackson et al., CC BY-SA 4.0). The recordings are read from CONVGRAD_DATA.
"""

import argparse
from itertools import islice

import torch
import torch.nn as nn
import torch.nn.functional as F
from data import spoken_digits
from torch.utils.data import DataLoader, TensorDataset


def block(c_in, c_out, kernel_size, stride=1):
    return nn.Sequential(
        nn.Conv1d(c_in, c_out, kernel_size, stride=stride, padding=kernel_size // 2, bias=False),
        nn.BatchNorm1d(c_out),
        nn.ReLU(inplace=True),
        nn.MaxPool1d(4),
    )


class SoundNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            block(1, 16, 25, stride=4), block(16, 32, 5), block(32, 64, 5), block(64, 64, 3)
        )
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.features(x).mean(dim=-1))


def shift(audio, limit=400):
    """Each batch begins up to ``limit`` samples later or earlier."""
    return torch.roll(audio, int(torch.randint(-limit, limit + 1, ())), dims=-1)


@torch.no_grad()
def predictions(model, loader):
    model.eval()
    outputs, labels = zip(*((model(x).argmax(1), y) for x, y in loader))
    return torch.cat(outputs), torch.cat(labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=None, help="at most so many in each epoch")
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train, test = spoken_digits(length=4000)
    print("recordings:", tuple(train[0].shape), tuple(test[0].shape))
    train_loader = DataLoader(TensorDataset(*train), batch_size=50, shuffle=True, drop_last=True)
    test_loader = DataLoader(TensorDataset(*test), batch_size=100)
    model = SoundNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1e-2, epochs=args.epochs, steps_per_epoch=len(train_loader)
    )
    for epoch in range(args.epochs):
        model.train()
        for step, (audio, labels) in enumerate(islice(train_loader, args.steps)):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(shift(audio)), labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            if step % args.log_every == 0:
                (lr,) = scheduler.get_last_lr()
                print(f"epoch {epoch}  step {step:2d}  loss {loss.item():.4f}  lr {lr:.6f}")

    found, labels = predictions(model, test_loader)
    confusion = torch.zeros(10, 10, dtype=torch.int64)
    confusion.index_put_((labels, found), torch.ones(len(labels), dtype=torch.int64), accumulate=True)
    for digit, row in enumerate(confusion.tolist()):
        print(f"spoken {digit}, heard as 0 to 9:", " ".join(f"{count:2d}" for count in row))
    print(f"test accuracy: {(found == labels).float().mean():.3f}")


if __name__ == "__main__":
    main()
