"""A convolutional autoencoder that takes noise out of digits.

Strided convolutions squeeze a digit into 4 x 7 x 7 numbers, transposed convolutions unfold them again (Masci
et al. 2011; Vincent et al. 2008 for the noise). The figure to watch is the squared error of the restored
digit beside that of the noisy one. One digit is drawn before and after, in letters.
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from data import digits


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(True),
            nn.Conv2d(16, 4, 3, stride=2, padding=1),
            nn.ReLU(True),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 16, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(True),
            nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def add_noise(images, strength=0.4):
    return (images + strength * torch.randn_like(images)).clamp(0, 1)


def draw(*images):
    """Images beside each other, every second row, dark to bright as letters."""
    for rows in zip(*(image.squeeze()[::2] for image in images)):
        print("  ".join("".join(" .:*#"[int(4.99 * v)] for v in row.tolist()) for row in rows).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--log-every", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    images, _ = digits(True, 5000)
    test_images, _ = digits(False, 500)
    model = Autoencoder()
    print("code:", tuple(model.encoder(images[:1]).shape[1:]), "of", tuple(images.shape[1:]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.steps)
    for step in range(args.steps):
        clean = images[torch.randint(len(images), (args.batch_size,))]
        loss = F.mse_loss(model(add_noise(clean)), clean)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % args.log_every == 0:
            print(f"step {step:3d}  loss {loss.item():.5f}  lr {schedule.get_last_lr()[0]:.2e}")

    model.eval()
    noisy = add_noise(test_images)
    with torch.inference_mode():
        restored = model(noisy)
    draw(test_images[0], noisy[0], restored[0])
    print(f"squared error of the noisy digits: {F.mse_loss(noisy, test_images):.4f}")
    print(f"squared error restored: {F.mse_loss(restored, test_images):.4f}")


if __name__ == "__main__":
    main()
