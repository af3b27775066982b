"""A transformer encoder that reads a digit row by row, as a sentence of 28 words.

Each row of 28 pixels is projected to a token, a learned one stands in front and gathers what decides the
class; sine waves say where a token stands (Vaswani et al. 2017). AdamW with a warm-up and a cosine, gradients
clipped.
"""

import argparse
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from data import digits


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.1, max_len=29):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(max_len).unsqueeze(1)
        frequency = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        table = torch.zeros(1, max_len, d_model)
        table[0, :, 0::2] = torch.sin(position * frequency)
        table[0, :, 1::2] = torch.cos(position * frequency)
        self.register_buffer("table", table)

    def forward(self, x):
        return self.dropout(x + self.table[:, : x.size(1)])


class RowTransformer(nn.Module):
    def __init__(self, d_model=32, heads=4, layers=2):
        super().__init__()
        self.embed = nn.Linear(28, d_model)
        self.first = nn.Parameter(torch.zeros(1, 1, d_model))
        self.position = PositionalEncoding(d_model)
        layer = nn.TransformerEncoderLayer(
            d_model,
            heads,
            dim_feedforward=64,
            dropout=0.1,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(
            layer, layers, norm=nn.LayerNorm(d_model), enable_nested_tensor=False
        )
        self.head = nn.Linear(d_model, 10)
        nn.init.trunc_normal_(self.first, std=0.02)

    def forward(self, images):
        tokens = self.embed(images.squeeze(1))
        tokens = torch.cat([self.first.expand(len(tokens), -1, -1), tokens], dim=1)
        return self.head(self.encoder(self.position(tokens))[:, 0])


def schedule(steps, warmup=20):
    """The factor of the step size: up in a line, down in a half cosine."""
    return lambda step: min((step + 1) / warmup, 0.5 * (1 + math.cos(math.pi * step / steps)))


@torch.no_grad()
def accuracy(model, images, labels):
    model.eval()
    return torch.cat([model(part).argmax(1) for part in images.split(250)]).eq(labels).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--log-every", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    images, labels = digits(True, 5000)
    test_images, test_labels = digits(False, 1000)
    model = RowTransformer()
    print("parameters:", sum(p.numel() for p in model.parameters()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule(args.steps))
    for step in range(args.steps):
        model.train()
        pick = torch.randperm(len(images))[: args.batch_size]
        loss = F.cross_entropy(model(images[pick]), labels[pick], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % args.log_every == 0:
            print(f"step {step:3d}  loss {loss.item():.4f}  lr {scheduler.get_last_lr()[0]:.6f}")
    print(f"test accuracy: {accuracy(model, test_images, test_labels):.3f}")


if __name__ == "__main__":
    main()
