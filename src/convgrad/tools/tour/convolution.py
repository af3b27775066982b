"""L1 and L2: a convolution is a matrix of shifted, stacked kernels, and how it is drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from convgrad.tools.tour import by_hand
from convgrad.tools.tour.row import Row, row
from convgrad.tools.values import Array, as_array, show


@row(
    "L1",
    "A convolution is a matrix",
    "Instead of a full matrix, take rows of the kernel's width and shift them: stacked and shifted, the "
    "kernels give m layers of height n − k + 1.",
)
def matrix(r: Row) -> None:
    r.run(
        """
        conv = nn.Conv1d(1, 2, 3, bias=False)    # m = 2 kernels of size k = 3
        with torch.no_grad():
            conv.weight.copy_(torch.tensor([[[1., -2., 1.]], [[0.25, 0.5, 0.25]]]))

        A = conv.as_matrix((1, 7), sparse=False)  # for a signal of 1 channel, n = 7 samples
        A
        x = torch.tensor([[0., 1., 3., 2., 2., 5., 4.]])
        A @ x[0]
        conv(x)
        """
    )
    kernels = np.array([[1.0, -2.0, 1.0], [0.25, 0.5, 0.25]])
    stacked = np.concatenate([by_hand.shifted_kernel_rows(kernel, 7) for kernel in kernels])
    r.check("the rows of the matrix are the kernels, shifted: m (n − k + 1) = 2 · 5 of them", r["A"], stacked)
    r.check(
        "matrix times signal is the layer's output",
        r["A"] @ r["x"][0],
        as_array(r["conv"](r["x"])).ravel(),
    )
    r.say("The same with a real layer on real sound, and with every argument that changes the matrix:")
    r.run(
        """
        from convgrad.datasets import PACKAGED, read_wav

        sound, rate = read_wav(PACKAGED / "ambi_choir.wav")
        x = torch.from_numpy(sound[:, 20000:20064].copy())      # (2, 64): 64 samples in stereo
        results = []
        for options in [{}, {"stride": 2}, {"padding": 2}, {"dilation": 3}, {"groups": 2}]:
            conv = nn.Conv1d(2, 16, 3, **options)
            A, y = conv.as_matrix((2, 64), sparse=False), conv(x)
            products = (A @ x.flatten()).reshape(y.shape) + conv.bias[:, None]
            results.append((conv, products, y))
            print(options, tuple(A.shape), "largest difference %.0e" % (products - y).abs().max())
        """
    )
    x, wanted = as_array(r["x"]), []
    for conv, _, _ in r["results"]:
        want = by_hand.cross_correlate(
            x,
            as_array(conv.weight),
            as_array(conv.bias),
            stride=conv.stride[0],
            padding=conv.padding[0],
            dilation=conv.dilation[0],
            groups=conv.groups,
        )
        wanted.append(want.ravel())
    _, products, outputs = zip(*r["results"], strict=True)
    want = np.concatenate(wanted)
    r.check("five layers: matrix times sound is what loops give", _joined(products), want, rel=1e-5)
    r.check("and so is the layers' output", _joined(outputs), want, rel=1e-5)


def _joined(tensors: Iterable[Any]) -> Array:
    return np.concatenate([as_array(tensor).ravel() for tensor in tensors])


@row(
    "L2",
    "The four figures of a convolution",
    "Kernels stacked and shifted; the output, m vectors of size n − k + 1; a monophonic signal; and the "
    "convolution layer by layer as scalar products. Drawn from a real layer and real sound.",
)
def figures(r: Row) -> None:
    r.run(
        """
        from convgrad import tools
        from convgrad.datasets import PACKAGED, read_wav

        sound, rate = read_wav(PACKAGED / "ambi_choir.wav")
        mono = torch.from_numpy(sound).mean(0)              # left and right together: 69,305 samples
        x = mono[20000:20480:20].reshape(1, 1, 24)          # every 20th sample for a while
        conv = nn.Conv1d(1, 16, 3)
        y = conv(x)
        print(tuple(x.shape), "->", tuple(y.shape))

        figure1 = tools.stacked_kernels(conv.weight, x[0])
        figure2 = tools.output_layers(y[0])
        figure3 = tools.monophonic_signal(mono, sample_rate=rate)
        figure4 = tools.scalar_products(x[0], conv.weight, y[0], position=5, bias=conv.bias)
        """
    )
    x, w, b = as_array(r["x"])[0], as_array(r["conv"].weight), as_array(r["conv"].bias)
    plain, y = by_hand.cross_correlate(x, w), by_hand.cross_correlate(x, w, b)
    one, two, three, four = (r[f"figure{n}"] for n in (1, 2, 3, 4))
    r.picture(one, "Figure 1: the first kernels of the layer, stacked and shifted over the sound.")
    steps = by_hand.steps_of(one, float(w[0, 0, 0]), 8)
    ok = len(steps) == 7 and len(set(steps)) == 1 and min(steps[0]) > 0
    r.holds("figure 1: each row is the row above, one place further right", ok, f"8 rows, steps {set(steps)}")
    missing = by_hand.missing_numbers(one, np.concatenate([w[:3].ravel(), plain[:3, :6].ravel()]))
    r.complete("figure 1 shows the kernels and their products, computed by loops", missing)
    r.picture(two, "Figure 2: the output, 16 vectors of size 22, one behind the other.")
    r.complete("figure 2 shows the output, computed by loops", by_hand.missing_numbers(two, y[:, :6]))
    r.check("figure 2 names its size", two.title, "16 output vectors of size 22")
    r.picture(
        three, "Figure 3: the sound as a monophonic signal, x: Ω → ℝ, whole and around its loudest place."
    )
    mono = r["sound"].mean(0)
    peak = int(np.abs(mono).argmax())
    texts = by_hand.texts_of(three)
    r.complete("figure 3 shows the loudest sample", by_hand.missing_numbers(three, mono[peak : peak + 1]))
    r.holds("figure 3 counts all samples", any("69" in t and "305" in t for t in texts), "n = 69,305")
    r.picture(
        four, "Figure 4: at one place of the signal, the scalar product with each kernel gives one entry."
    )
    r.complete("figure 4 shows the entries of the first four layers", by_hand.missing_numbers(four, y[:4, 5]))
    sums = [show(float(v)) for v in plain[:4, 5]]
    r.holds(
        "figure 4 adds up the products", sum(any(s in t for t in by_hand.texts_of(four)) for s in sums) == 4
    )
