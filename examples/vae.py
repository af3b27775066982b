"""A variational autoencoder of digits: Gaussian codes, Bernoulli pixels, the evidence lower bound.

Kingma and Welling 2014. The encoder gives mean and log-variance of a code of eight numbers, a sample of it
(the reparametrisation trick keeps the gradient) is decoded into pixel probabilities. The bound is the
reconstruction's log-likelihood less the divergence of the code from a standard normal one, in nats per
digit. In the end new digits are drawn from random codes.
"""

import argparse

import torch
from data import digits
from torch import nn, optim
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self, code=8, hidden=128):
        super().__init__()
        self.fc1 = nn.Linear(784, hidden)
        self.mean = nn.Linear(hidden, code)
        self.logvar = nn.Linear(hidden, code)
        self.fc2 = nn.Linear(code, hidden)
        self.fc3 = nn.Linear(hidden, 784)

    def encode(self, x):
        """The distribution of the codes of a batch of images."""
        h = F.relu(self.fc1(x.flatten(1)))
        return Normal(self.mean(h), torch.exp(0.5 * self.logvar(h)))

    def decode(self, z):
        """The distribution of the images of a batch of codes."""
        return Bernoulli(
            logits=self.fc3(F.relu(self.fc2(z))), validate_args=False
        )  # grey pixels are no coins

    def forward(self, x):
        """Reconstruction and divergence of each image, in nats, (N,)."""
        code = self.encode(x)
        prior = Normal(torch.zeros_like(code.mean), torch.ones_like(code.mean))
        reconstruction = -self.decode(code.rsample()).log_prob(x.flatten(1)).sum(1)
        return reconstruction, kl_divergence(code, prior).sum(1)


def draw(image):
    for row in image[::2]:
        print("".join(" .:*#"[int(4.99 * v)] for v in row.tolist()).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--log-every", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    images, _ = digits(True, 5000)
    test_images, _ = digits(False, 1000)
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    for step in range(args.steps):
        x = images[torch.randint(len(images), (args.batch_size,))]
        reconstruction, divergence = (part.mean() for part in model(x))
        loss = reconstruction + divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % args.log_every == 0:
            parts = f"{reconstruction.item():.3f} + {divergence.item():.4f}"
            print(f"step {step:3d}  loss {loss.item():.3f} = {parts}")

    model.eval()
    with torch.no_grad():
        draw(model.decode(torch.randn(3, 8)).mean.view(3, 28, 28).permute(1, 0, 2).reshape(28, 84))
        bound = -sum(part.mean().item() for part in model(test_images))
    print(f"test bound, nats per digit: {bound:.2f}")


if __name__ == "__main__":
    main()
