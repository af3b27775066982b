"""An LSTM that says which of nine men speaks, from vowels of different lengths.

Each example is a series of 7 to 29 frames of twelve cepstrum coefficients (Japanese Vowels). The series are
packed, so that the recurrent network runs no step on padding; the last state of both directions is
classified.
"""

import argparse
from itertools import islice

import torch
import torch.nn as nn
from data import vowels
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset


class Utterances(Dataset):
    """Items are ``(series (T, 12), speaker)``, T as it comes."""

    def __init__(self, part):
        series, lengths, self.speakers = vowels(part)
        self.series = [x[:, :n].t() for x, n in zip(series, lengths.tolist())]

    def __len__(self):
        return len(self.series)

    def __getitem__(self, index):
        return self.series[index], self.speakers[index]


def collate(items):
    """A batch: padded series (N, T, 12), their lengths (N,), speakers (N,)."""
    series, speakers = zip(*items)
    lengths = torch.tensor([len(x) for x in series])
    return pad_sequence(series, batch_first=True), lengths, torch.stack(speakers)


class Classifier(nn.Module):
    def __init__(self, features=12, hidden=32, classes=9):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, series, lengths):
        packed = pack_padded_sequence(series, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.head(torch.cat([h[0], h[1]], dim=1))


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    hits = sum((model(x, n).argmax(1) == y).sum().item() for x, n, y in loader)
    return hits / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=None, help="at most so many in each epoch")
    parser.add_argument("--log-every", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train_loader = DataLoader(Utterances("train"), batch_size=27, shuffle=True, collate_fn=collate)
    test_loader = DataLoader(Utterances("test"), batch_size=74, collate_fn=collate)
    model = Classifier()
    print(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(args.epochs):
        model.train()
        for step, (series, lengths, speakers) in enumerate(islice(train_loader, args.steps)):
            optimizer.zero_grad()
            loss = criterion(model(series, lengths), speakers)
            loss.backward()
            norm = clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            if step % args.log_every == 0:
                print(f"epoch {epoch:2d}  step {step}  loss {loss.item():.4f}  gradient norm {norm:.4f}")
    print(f"test accuracy: {accuracy(model, test_loader):.3f}")


if __name__ == "__main__":
    main()
