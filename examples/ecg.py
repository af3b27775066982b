"""A one-dimensional convnet that finds premature heart beats in patients it never saw.

Windows of 256 samples around each beat (MIT-BIH Arrhythmia Database, five patients to learn, five to judge),
one in nine of them premature: the loss weighs those more, and precision and recall say more than accuracy.
The recordings are read from CONVGRAD_DATA. For comparing software, not for medicine.
"""

import argparse
from itertools import pairwise

import torch
import torch.nn as nn
from data import ecg_beats
from torch.utils.data import DataLoader, TensorDataset


class BeatNet(nn.Module):
    def __init__(self, widths=(1, 12, 24, 32)):
        super().__init__()
        layers = []
        for c_in, c_out in pairwise(widths):
            layers += [
                nn.Conv1d(c_in, c_out, 7, padding="same"),
                nn.BatchNorm1d(c_out),
                nn.ELU(),
                nn.AvgPool1d(4),
            ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1], 1)
        )

    def forward(self, x):
        return self.head(self.features(x)).squeeze(1)


def judge(model, windows, labels):
    """Accuracy, precision and recall of the premature beats."""
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(part) > 0 for part in windows.split(500)])
    premature = labels > 0
    hits = (found & premature).sum().item()
    accuracy = (found == premature).float().mean().item()
    return accuracy, hits / max(found.sum().item(), 1), hits / premature.sum().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    windows, labels = ecg_beats("train")
    test_windows, test_labels = ecg_beats("test")
    print("beats:", len(labels), "premature:", int(labels.sum()))
    loader = DataLoader(TensorDataset(windows, labels), batch_size=64, shuffle=True)
    model = BeatNet()
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99)
    step = 0
    model.train()
    while step < args.steps:
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            scheduler.step()
            if step % args.log_every == 0:
                print(f"step {step:3d}  loss {loss.item():.4f}")
            step += 1
            if step == args.steps:
                break

    accuracy, precision, recall = judge(model, test_windows, test_labels)
    print(f"premature beats of other patients: precision {precision:.3f}, recall {recall:.3f}")
    print(f"test accuracy: {accuracy:.3f}")


if __name__ == "__main__":
    main()
