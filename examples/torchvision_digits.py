"""A convnet on MNIST by way of torchvision: data sets, transforms, loaders with workers, a picture.

torchvision's interface comes with convgrad; beside PyTorch it is a package of its own. The digits are looked
for in the folder that CONVGRAD_DATA names, or else downloaded into ./data.
"""

import argparse
import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms
from torchvision.utils import make_grid


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=78)
    parser.add_argument("--log-every", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--root", default=os.environ.get("CONVGRAD_DATA", "data"))
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    normalize = transforms.Normalize((0.1307,), (0.3081,))
    augmented = transforms.Compose([transforms.RandomCrop(28, padding=2), transforms.ToTensor(), normalize])
    plain = transforms.Compose([transforms.ToTensor(), normalize])
    train_set = Subset(datasets.MNIST(args.root, train=True, download=True, transform=augmented), range(5000))
    test_set = Subset(datasets.MNIST(args.root, train=False, download=True, transform=plain), range(1000))
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True, num_workers=2)
    test_loader = DataLoader(test_set, batch_size=250)
    print("classes:", train_set.dataset.classes)

    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 5 * 5, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for step, (images, labels) in zip(range(args.steps), train_loader):
        if step == 0:
            print("first batch as a picture:", tuple(make_grid(images, nrow=8, normalize=True).shape))
        loss = F.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % args.log_every == 0:
            print(f"step {step:2d}  loss {loss.item():.4f}")

    net.eval()
    with torch.no_grad():
        hits = sum((net(images).argmax(1) == labels).sum().item() for images, labels in test_loader)
    print(f"test accuracy: {hits / len(test_set):.3f}")


if __name__ == "__main__":
    main()
