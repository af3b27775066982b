"""LeNet on handwritten digits, trained by stochastic gradient descent with momentum and a falling step size.

The convolutional network of LeCun, Bottou, Bengio and Haffner (1998), with ReLU, max pooling and dropout:
4,000 of MNIST's training digits in shuffled batches, 1,000 test digits to judge it.
"""

import argparse
from itertools import islice

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from data import digits
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.dropout = nn.Dropout(0.2)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.dropout(F.relu(self.fc2(x)))
        return F.log_softmax(self.fc3(x), dim=1)


def train(model, device, loader, optimizer, epoch, args):
    model.train()
    for step, (image, target) in enumerate(islice(loader, args.steps)):
        image, target = image.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(model(image), target)
        loss.backward()
        optimizer.step()
        if step % args.log_every == 0:
            print(f"epoch {epoch}  step {step:3d}  loss {loss.item():.4f}")


def test(model, device, loader):
    """Mean loss and accuracy over all of ``loader``."""
    model.eval()
    loss = correct = 0
    with torch.no_grad():
        for image, target in loader:
            image, target = image.to(device), target.to(device)
            output = model(image)
            loss += F.nll_loss(output, target, reduction="sum").item()
            correct += output.argmax(dim=1).eq(target).sum().item()
    return loss / len(loader.dataset), correct / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=None, help="at most so many in each epoch")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--gamma", type=float, default=0.6, help="what an epoch multiplies the step size by")
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    (images, labels), (test_images, test_labels) = digits(True, 4000), digits(False, 1000)
    mean, std = images.mean(), images.std()
    train_set = TensorDataset((images - mean) / std, labels)
    test_set = TensorDataset((test_images - mean) / std, test_labels)
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=250)

    model = LeNet().to(device)
    print(model)
    print("parameters:", sum(p.numel() for p in model.parameters()))
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-4)
    scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)
    for epoch in range(args.epochs):
        train(model, device, train_loader, optimizer, epoch, args)
        (lr,) = scheduler.get_last_lr()
        loss, accuracy = test(model, device, test_loader)
        print(f"epoch {epoch}  test loss {loss:.4f}  accuracy {accuracy:.3f}  lr {lr:.4f}")
        scheduler.step()
    print(f"test accuracy: {accuracy:.3f}")


if __name__ == "__main__":
    main()
