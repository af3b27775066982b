"""Goes on with a checkpoint that PyTorch 2.13 wrote, then teaches its features other classes.

digits.pt holds a convnet that knows the digits 0 to 4, the state of its Adam and of the random numbers. First
training is resumed where it stopped; then the layers that see are frozen and a new last layer learns the
digits 5 to 9 from 500 examples. The result is saved, loaded into a fresh net and compared.
"""

import argparse
import io

import torch
import torch.nn as nn
import torch.nn.functional as F
from data import digits
from make_checkpoint import CHECKPOINT, SmallNet


def fit(name, model, optimizer, images, labels, args):
    model.train()
    for step in range(args.steps):
        pick = torch.randint(len(images), (50,))
        loss = F.cross_entropy(model(images[pick]), labels[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % args.log_every == 0:
            print(f"{name}  step {step:3d}  loss {loss.item():.4f}")


@torch.no_grad()
def accuracy(model, images, labels):
    model.eval()
    return (model(images).argmax(1) == labels).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100, help="of each of the two trainings")
    parser.add_argument("--log-every", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the new layer")
    args = parser.parse_args()

    images, labels = digits(True, 5000)
    test_images, test_labels = digits(False, 1000)
    low, test_low = labels < 5, test_labels < 5

    checkpoint = torch.load(CHECKPOINT, map_location="cpu", weights_only=True)
    weights = checkpoint["model"]
    print("checkpoint:", *(f"{name} {tuple(t.shape)}" for name, t in weights.items() if t.dim() > 1))
    model = SmallNet(len(checkpoint["classes"]))
    print(model.load_state_dict(weights))
    optimizer = torch.optim.Adam(model.parameters())
    optimizer.load_state_dict(checkpoint["optimizer"])
    torch.set_rng_state(checkpoint["rng"])
    lr, steps, loss = optimizer.param_groups[0]["lr"], checkpoint["step"], checkpoint["loss"]
    print(f"stopped after {steps} steps at {loss:.4f}, lr {lr}")
    print(f"accuracy as loaded: {accuracy(model, test_images[test_low], test_labels[test_low]):.3f}")
    fit("resumed", model, optimizer, images[low], labels[low], args)
    print(f"accuracy resumed: {accuracy(model, test_images[test_low], test_labels[test_low]):.3f}")

    torch.manual_seed(args.seed)
    for parameter in model.features.parameters():
        parameter.requires_grad_(False)
    model.head = nn.Linear(model.head.in_features, 5)
    trained = [p for p in model.parameters() if p.requires_grad]
    print("parameters trained:", sum(p.numel() for p in trained))
    few_images, few_labels = images[~low][:500], labels[~low][:500] - 5
    fit("new head", model, torch.optim.Adam(trained, lr=3e-3), few_images, few_labels, args)

    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "classes": [str(digit) for digit in range(5, 10)]}, file)
    file.seek(0)
    again = SmallNet(5)
    again.load_state_dict(torch.load(file)["model"])
    again.eval()
    model.eval()
    print("the saved net says the same:", torch.equal(again(test_images[:50]), model(test_images[:50])))
    print(f"test accuracy: {accuracy(again, test_images[~test_low], test_labels[~test_low] - 5):.3f}")


if __name__ == "__main__":
    main()
