"""The networks of train.py, and how each is trained; every function is given the library as ``torch``.

Nets and sizes were fixed before anything was tuned for them. Where a paper's net is named, its widths are
kept unless the docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Net = Any
SEED = 0


# ---- parts


def normed(torch: Any, convolution: Net, channels: int, ndim: int, *after: Net) -> list[Net]:
    """A convolution without bias, its batch norm and what follows."""
    return [convolution, getattr(torch.nn, f"BatchNorm{ndim}d")(channels), *after]


def residual(torch: Any, body: Net, shortcut: Net) -> Net:
    """``relu(body(x) + shortcut(x))`` (He et al. 2015)."""

    class Residual(torch.nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.body, self.shortcut = body, shortcut

        def forward(self, x: Any) -> Any:
            return torch.nn.functional.relu(self.body(x) + self.shortcut(x))

    return Residual()


def basic_block(torch: Any, ndim: int, inputs: int, outputs: int, width: int, stride: int) -> Net:
    """Two convolutions with batch norm; where the shape changes, the shortcut is one of width 1."""
    nn, conv = torch.nn, getattr(torch.nn, f"Conv{ndim}d")
    first = conv(inputs, outputs, width, stride, width // 2, bias=False)
    second = conv(outputs, outputs, width, 1, width // 2, bias=False)
    body = nn.Sequential(
        *normed(torch, first, outputs, ndim, nn.ReLU()),
        *normed(torch, second, outputs, ndim),
    )
    if stride == 1 and inputs == outputs:
        return residual(torch, body, nn.Identity())
    shortcut = nn.Sequential(*normed(torch, conv(inputs, outputs, 1, stride, bias=False), outputs, ndim))
    return residual(torch, body, shortcut)


# ---- nets


def perceptron(torch: Any) -> Net:
    """Points of the plane to three arms of a spiral; 100 hidden units."""
    nn = torch.nn
    return nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 3))


def lenet(torch: Any) -> Net:
    """LeNet-5 (LeCun et al. 1998) with ReLU and maximum pooling, ``(N, 1, 28, 28)``."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def resnet20(torch: Any) -> Net:
    """The CIFAR net of He et al. 2015, 20 layers, ``(N, 3, 32, 32)``; shortcuts are projections (their B)."""
    nn = torch.nn
    layers = normed(torch, nn.Conv2d(3, 16, 3, padding=1, bias=False), 16, 2, nn.ReLU())
    inputs = 16
    for outputs in (16, 32, 64):
        for _ in range(3):
            layers.append(basic_block(torch, 2, inputs, outputs, 3, 1 if inputs == outputs else 2))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def mobilenet(torch: Any) -> Net:
    """Depthwise and pointwise (Howard et al. 2017, width 1/2, up to 256 channels), ``(N, 3, 96, 96)``."""
    nn = torch.nn
    layers = normed(torch, nn.Conv2d(3, 16, 3, 2, 1, bias=False), 16, 2, nn.ReLU())
    inputs = 16
    for outputs, stride in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        layers += normed(torch, depthwise, inputs, 2, nn.ReLU())
        layers += normed(torch, pointwise, outputs, 2, nn.ReLU())
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


def temporal(torch: Any) -> Net:
    """Causal dilated convolutions (Bai et al. 2018): the next sample of both channels, ``(N, 2, T)``."""
    nn = torch.nn

    class Causal(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
        """A convolution that sees no later sample: zeros in front, as many as it reaches back."""

        def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
            super().__init__()
            self.reach = 2 * dilation
            self.convolution = nn.Conv1d(inputs, outputs, 3, dilation=dilation)

        def forward(self, x: Any) -> Any:
            return self.convolution(nn.functional.pad(x, (self.reach, 0)))

    layers, inputs = [], 2
    for dilation in (1, 2, 4, 8, 16, 32):
        body = nn.Sequential(
            Causal(inputs, 32, dilation), nn.ReLU(), Causal(32, 32, dilation), nn.ReLU()
        )  # fmt: skip
        shortcut = nn.Identity() if inputs == 32 else nn.Conv1d(inputs, 32, 1)
        layers.append(residual(torch, body, shortcut))
        inputs = 32
    return nn.Sequential(*layers, nn.Conv1d(32, 2, 1))


def heart(torch: Any) -> Net:
    """A residual net of one dimension, kernels of 7: heart beats, ``(N, 1, 256)``, premature or not."""
    nn = torch.nn
    layers = normed(torch, nn.Conv1d(1, 32, 7, 2, 3, bias=False), 32, 1, nn.ReLU())
    for inputs, outputs in ((32, 32), (32, 64), (64, 128)):
        layers.append(basic_block(torch, 1, inputs, outputs, 7, 1 if inputs == outputs else 2))
        layers.append(basic_block(torch, 1, outputs, outputs, 7, 1))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(128, 2))


def spoken(torch: Any) -> Net:
    """M5 on raw sound (Dai et al. 2017) at a quarter of its width, ``(N, 1, 8000)`` to ten digits."""
    nn = torch.nn
    layers: list[Net] = []
    for inputs, outputs, width, stride in ((1, 32, 80, 4), (32, 32, 3, 1), (32, 64, 3, 1), (64, 64, 3, 1)):
        convolution = nn.Conv1d(inputs, outputs, width, stride, bias=False)
        layers += normed(torch, convolution, outputs, 1, nn.ReLU(), nn.MaxPool1d(4))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 10))


def unet(torch: Any) -> Net:
    """U-Net (Ronneberger et al. 2015) with 32, 64, 128 channels and padding, ``(N, 3, 128, 128)``."""
    nn = torch.nn

    def double(inputs: int, outputs: int) -> Net:
        layers: list[Net] = []
        for channels in (inputs, outputs):
            convolution = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
            layers += normed(torch, convolution, outputs, 2, nn.ReLU())
        return nn.Sequential(*layers)

    class UNet(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.bottom = double(3, 32), double(32, 64), double(64, 128)
            self.pool = nn.MaxPool2d(2)
            self.up_second, self.up_first = (
                nn.ConvTranspose2d(128, 64, 2, 2),
                nn.ConvTranspose2d(64, 32, 2, 2),
            )
            self.join_second, self.join_first = double(128, 64), double(64, 32)
            self.last = nn.Conv2d(32, 3, 1)

        def forward(self, x: Any) -> Any:
            fine = self.first(x)
            coarse = self.second(self.pool(fine))
            y = self.up_second(self.bottom(self.pool(coarse)))
            y = self.up_first(self.join_second(torch.cat([coarse, y], 1)))
            return self.last(self.join_first(torch.cat([fine, y], 1)))

    return UNet()


def recurrent(torch: Any) -> Net:
    """An LSTM of 64 over 29 steps of 12 features, ``(N, 29, 12)``; its mean output names a speaker."""
    nn = torch.nn

    class Speaker(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(12, 64, batch_first=True)
            self.head = nn.Linear(64, 9)

        def forward(self, x: Any) -> Any:
            states, _last = self.lstm(x)
            return self.head(states.mean(1))

    return Speaker()


def transformer(torch: Any) -> Net:
    """Two encoder layers (Vaswani et al. 2017), width 64, 4 heads: rows of digits, ``(N, 28, 28)``."""
    nn = torch.nn

    class Reader(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(28, 64)
            self.place = nn.Parameter(torch.randn(28, 64) * 0.02)
            layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2)
            self.head = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.encoder(self.embed(x) + self.place).mean(1))

    return Reader()


# ---- how they are trained


class Program(NamedTuple):
    """A training program: a row of the table.

    Attributes:
        name: net and data.
        batch: examples in a batch.
        net: makes the network, given the library.
        data: a set of train_data.py.
        target: least ratio of a training step.
        optimizer: a class of ``torch.optim``, with its ``settings``.
        loss: a function of ``torch.nn.functional``.
        epochs: of a whole training, whose accuracy is compared; 0: losses alone are.
    """

    name: str
    batch: int
    net: Callable[[Any], Net]
    data: str
    target: float
    optimizer: str
    settings: dict[str, Any]
    loss: str = "cross_entropy"
    epochs: int = 0

    def __hash__(self) -> int:
        return hash(self.row)  # a dict has no hash of its own

    @property
    def row(self) -> str:
        """What the table calls a training step of it."""
        return f"{self.name}, batch {self.batch}"

    @property
    def inference(self) -> str:
        """What the table calls a prediction for one example; for programs of one net the same."""
        return f"{self.name}, inference, batch 1"


MOMENTUM = {"lr": 0.01, "momentum": 0.9}
SMALL_BATCH = {"lr": 1e-3, "momentum": 0.9}
ADAM = {"lr": 1e-3}

PROGRAMS = (
    Program("perceptron on the spiral", 1000, perceptron, "spiral", 1.8, "SGD", {"lr": 0.1, "momentum": 0.9}),
    Program("LeNet on digits", 64, lenet, "digits", 1.5, "SGD", MOMENTUM, epochs=3),
    Program("LeNet on digits", 8, lenet, "digits", 1.8, "SGD", MOMENTUM),
    Program("ResNet-20 on 32x32 photographs", 64, resnet20, "hands", 1.5, "SGD", MOMENTUM),
    Program(
        "ResNet-20 on 32x32 photographs", 1, resnet20, "hands", 1.3, "SGD", {"lr": 1e-3, "momentum": 0.9}
    ),
    Program("MobileNet on 96x96 photographs", 16, mobilenet, "hands96", 1.8, "SGD", MOMENTUM),
    Program("temporal convnet on stereo", 32, temporal, "stereo", 1.5, "Adam", ADAM, "mse_loss"),
    Program("1-d ResNet on heart beats", 64, heart, "beats", 1.5, "Adam", ADAM, epochs=1),
    Program("spoken-digit net", 64, spoken, "speech", 1.5, "Adam", {"lr": 3e-3}, epochs=5),
    Program("U-Net on 128x128 photographs", 2, unet, "hands128", 1.5, "Adam", ADAM, "mse_loss"),
    Program("LSTM on vowels", 30, recurrent, "vowels", 1.0, "Adam", {"lr": 1e-2}, epochs=40),
    Program("transformer encoder on digit rows", 64, transformer, "rows", 1.0, "Adam", ADAM),
)
INFERENCE_TARGET = 1.5


def programs_of_each_net() -> list[Program]:
    """The first program of every net: inference is measured once for each."""
    return list({program.net: program for program in reversed(PROGRAMS)}.values())[::-1]
