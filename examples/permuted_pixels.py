"""What convolution assumes: a convnet and a dense net of equal size, on digits and on shuffled ones.

A fixed permutation of the pixels leaves all information in place but takes away that neighbours belong
together. The fully connected net does not notice; the convnet loses what made it the better one.
"""

import argparse

import torch
from data import digits
from torch import nn, optim
from torch.nn import functional as F


class ConvNet(nn.Module):
    def __init__(self, n_feature=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, n_feature, kernel_size=5)
        self.conv2 = nn.Conv2d(n_feature, n_feature, kernel_size=5)
        self.fc1 = nn.Linear(n_feature * 4 * 4, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), kernel_size=2)
        x = F.max_pool2d(F.relu(self.conv2(x)), kernel_size=2)
        x = x.view(x.size(0), -1)
        return self.fc2(F.relu(self.fc1(x)))


class FullyConnected(nn.Sequential):
    def __init__(self, n_hidden=14):
        super().__init__(
            nn.Flatten(), nn.Linear(784, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_hidden), nn.ReLU(),
            nn.Linear(n_hidden, 10),
        )  # fmt: skip


def permute(images, order):
    """The pixels of each image in another order: (N, 1, 28, 28) to the same."""
    return images.view(-1, 28 * 28)[:, order].view(-1, 1, 28, 28)


def accuracy(model, images, labels):
    model.eval()
    with torch.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


def fit(name, model, data, args):
    """Train ``model`` and return its accuracy on the test digits."""
    images, labels, test_images, test_labels = data
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    model.train()
    for step in range(args.steps):
        pick = torch.randint(len(images), (args.batch_size,))
        loss = F.cross_entropy(model(images[pick]), labels[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % args.log_every == 0:
            print(f"{name:<16}  step {step:3d}  loss {loss.item():.4f}")
    result = accuracy(model, test_images, test_labels)
    print(f"{name:<16}  test accuracy {result:.3f}")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=250, help="for each of the four trainings")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--log-every", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    images, labels = digits(True, 5000)
    test_images, test_labels = digits(False, 1000)
    images, test_images = (images - 0.1307) / 0.3081, (test_images - 0.1307) / 0.3081
    order = torch.randperm(28 * 28)
    print("first pixels of the permutation:", order[:6].tolist())

    plain = images, labels, test_images, test_labels
    shuffled = permute(images, order), labels, permute(test_images, order), test_labels
    for build in (ConvNet, FullyConnected):
        print(f"{build.__name__}: {sum(p.numel() for p in build().parameters())} parameters")
    conv = fit("convnet", ConvNet(), plain, args)
    conv_shuffled = fit("convnet permuted", ConvNet(), shuffled, args)
    dense = fit("dense", FullyConnected(), plain, args)
    dense_shuffled = fit("dense permuted", FullyConnected(), shuffled, args)
    print(f"lost by permuting: convnet {conv - conv_shuffled:.3f}, dense {dense - dense_shuffled:.3f}")
    print(f"convnet accuracy: {conv:.3f}")


if __name__ == "__main__":
    main()
