"""A generative adversarial network of digits: two nets, two optimisers, one game (Goodfellow et al. 2014).

The generator turns 32 random numbers into an image, the discriminator tells drawn from written digits; each
step first moves the discriminator on images that are detached from the generator, then the generator through
the discriminator. Convolutions, transposed ones and batch norm as in DCGAN (Radford, Metz, Chintala 2016),
small.
"""

import argparse

import torch
import torch.nn as nn
import torch.optim as optim
from data import digits

NZ = 32


def generator():
    return nn.Sequential(
        nn.ConvTranspose2d(NZ, 32, 7, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(True),
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(True),
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1, bias=False),
        nn.Tanh(),
    )


def discriminator():
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(16, 32, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(32, 1, 7, bias=False),
        nn.Flatten(0),
    )


def weights_init(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.05)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def draw(images):
    for row in images.squeeze(1).permute(1, 0, 2).reshape(28, -1)[::2]:
        print("".join(" .:*#"[int(2.49 * (v + 1))] for v in row.tolist()).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--log-every", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    images = 2 * digits(True, 5000)[0] - 1
    netG, netD = generator().apply(weights_init), discriminator().apply(weights_init)
    fixed_noise = torch.randn(3, NZ, 1, 1)
    criterion = nn.BCEWithLogitsLoss()
    real_label, fake_label = torch.ones(args.batch_size), torch.zeros(args.batch_size)
    optimizerD = optim.Adam(netD.parameters(), lr=1e-3, betas=(0.5, 0.999))
    optimizerG = optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.999))
    for step in range(args.steps):
        real = images[torch.randint(len(images), (args.batch_size,))]
        fake = netG(torch.randn(args.batch_size, NZ, 1, 1))

        netD.zero_grad()
        lossD = criterion(netD(real), real_label) + criterion(netD(fake.detach()), fake_label)
        lossD.backward()
        optimizerD.step()

        netG.zero_grad()
        lossG = criterion(netD(fake), real_label)
        lossG.backward()
        optimizerG.step()
        if step % args.log_every == 0:
            print(f"step {step:3d}  discriminator {lossD.item():.4f}  generator {lossG.item():.4f}")

    netG.eval()
    with torch.no_grad():
        draw(netG(fixed_noise))
        drawn = netG(torch.randn(500, NZ, 1, 1))
    distance = (drawn.mean(0) - images.mean(0)).abs().mean()
    print(f"mean pixel, drawn and written: {drawn.mean():.2f} {images.mean():.2f}")
    print(f"distance of the mean images: {distance:.3f}")


if __name__ == "__main__":
    main()
