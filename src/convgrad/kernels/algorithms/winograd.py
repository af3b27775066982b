"""Winograd convolution F(4, 3): four outputs of a kernel of size 3 from six products, not twelve, per axis.
Longer kernels are sums of pieces of three taps.

``cut``: images, slabs, super tiles along height and width of a block, contracted channels at a time, vectors
per panel, blocks per chunk, whether the weights are stationary, shares with sums of their own (of the last
three, the first and the last are of weight gradients); then the cut of the direct convolution that serves
values out of range. Sources: Lavin & Gray 2015, arXiv:1509.09308; Alam et al. 2022, arXiv:2201.10369 (the
points).
"""

from __future__ import annotations

from math import prod

from convgrad.kernels.algorithms import cycles
from convgrad.kernels.algorithms.algorithm import Cost, Cut, Machine
from convgrad.kernels.algorithms.cycles import TRANSPOSE, Panels, blocks_of, ceil
from convgrad.kernels.algorithms.direct import CACHE, TASKS, DirectChannels
from convgrad.kernels.algorithms.native import NativeAlgorithm
from convgrad.kernels.problem import INPUT_GRAD, WEIGHT_GRAD, Problem

_DIRECT = DirectChannels()
_CHUNK = 2**23  # bytes of points that a weight gradient holds
_OWN = 2**21  # about the bytes of points that a task of a weight gradient holds alone
_SUMS = 10 * 2**20  # bytes of all sums that shares of a weight gradient keep
_FEW_TASKS = 4  # shares of groups that are too few to occupy several threads evenly
_FILTERS = 2**24  # bytes of transformed filters
_DEPTH = 256  # products per pass of the tile
_WAITS = 2.0  # for memory, see ``cycles.cost``
# Cycles of the three maps by number of points, per tile and vector of channels; of a filter per vector.
_TO_POINTS = {36: 110.0, 6: 16.0}
_TO_OUTPUTS = {36: 140.0, 6: 20.0}
_FILTER = {36: 110.0, 6: 30.0}


class Tiles:
    """A problem in tiles: the axes of kernel size 3 have six points and four outputs each, others one."""

    def __init__(self, problem: Problem) -> None:
        self.target = problem.input_size if problem.primitive == INPUT_GRAD else problem.output_size
        kernels, dilations = problem.kernel_size[1:], problem.dilation[1:]
        transformed = [k > 1 for k in kernels]
        #: a kernel longer than three taps is a sum of pieces of three
        self.pieces = prod([ceil(k, 3) for k in kernels])
        self.points = prod([6 if t else 1 for t in transformed])
        self.width = [d if t else 1 for d, t in zip(dilations, transformed, strict=True)]
        reach = [4 * d if t else 1 for d, t in zip(dilations, transformed, strict=True)]
        #: super tiles along height and width
        self.supers = [-(-n // r) for n, r in zip(self.target[1:], reach, strict=True)]
        #: tiles in a super tile
        self.each = prod(self.width)
        swapped = problem.primitive == INPUT_GRAD
        self.contracted = problem.out_channels if swapped else problem.in_channels
        self.produced = problem.in_channels if swapped else problem.out_channels
        #: parts of the kernel: pieces at each tap along depth
        self.parts = self.pieces * problem.kernel_size[0]
        #: tiles of one slab of all images
        self.total = problem.batch * prod(self.supers) * self.each
        self.depth = self.target[0]


class Winograd(NativeAlgorithm):
    """native/winograd.cpp and winograd_weight.cpp."""

    name = "winograd"
    summary = "F(4, 3): half the products for each axis of kernel size 3, 5/9 to 5/6 for longer ones"
    exact = False

    def fits(self, problem: Problem, machine: Machine) -> str:
        if max(problem.stride) > 1:
            return "wants stride 1"
        if max(problem.kernel_size[1:]) == 1:
            return "wants more than one tap"
        tiles = Tiles(problem)
        filters = problem.dtype.itemsize * tiles.points * tiles.parts * problem.groups
        filters *= problem.in_channels * problem.out_channels
        if filters > _FILTERS + problem.operand_bytes and not self.cut(problem, machine)[7]:
            return "its filters would take too much memory"
        return ""

    def cut(self, problem: Problem, machine: Machine) -> Cut:
        tiles, lanes, size = Tiles(problem), machine.lanes(problem), problem.dtype.itemsize
        direct = _DIRECT.cut(problem, machine)
        if problem.primitive == WEIGHT_GRAD:
            return (*self._cut_weights(problem, tiles, size), *direct)
        taps = problem.kernel_size[0]
        filters = size * tiles.points * tiles.parts * tiles.contracted * tiles.produced * problem.groups
        if taps == tiles.depth == 1 and tiles.total <= 160 and filters > 2**21:
            rows, columns = tiles.supers
            return (1, 1, rows, columns, max(8, 64 // tiles.pieces), 3, 1, 1, 0, *direct)
        slabs = min(tiles.depth, 4) if taps > 1 else 1
        kept = (slabs + (taps - 1) * problem.dilation[0]) * tiles.pieces
        per_tile = size * tiles.points * max(tiles.contracted, lanes) * kept
        most = max(
            4,
            8 // slabs,
            min(CACHE * 3 // 2 // per_tile, 48 * 36 // tiles.points, tiles.total * problem.groups // TASKS),
        )
        images, rows, columns = _block(problem.batch, tiles, most, most)
        return (images, slabs, rows, columns, 64, 3, 1, 0, 0, *direct)

    def _cut_weights(self, problem: Problem, tiles: Tiles, size: int) -> Cut:
        # bytes of points of one group, and of sums of all
        per_tile = size * tiles.points * (tiles.contracted * tiles.parts + tiles.produced)
        images, rows, columns = _block(problem.batch, tiles, max(32, min(100, _OWN // per_tile)), 64)
        blocks = ceil(problem.batch, images) * blocks_of(tiles.supers, [rows, columns]) * tiles.depth
        per_block = per_tile * images * rows * columns * tiles.each
        sums = size * tiles.points * tiles.parts * problem.groups * tiles.contracted * tiles.produced
        shares = min(ceil(TASKS, problem.groups), blocks, _SUMS // sums)
        if shares * problem.groups >= _FEW_TASKS and per_block <= 2 * _OWN:
            shares = 1 << shares.bit_length() - 1
            if blocks == ceil(problem.batch, images):  # of whole images: as many to each share
                images = ceil(problem.batch, shares * round(blocks / shares))
            return images, 1, rows, columns, 16, 4, 1, 0, shares
        block = (images, 1, rows, columns)
        per_block *= problem.groups
        if per_block * blocks <= 2 * _CHUNK and sums > 2**22:
            return *block, max(8, 32 // tiles.pieces), 3, blocks, 1, 0
        chunk = max(1, min(blocks, _CHUNK // per_block))
        return *block, 16, 4, ceil(blocks, ceil(blocks, chunk)), 0, 0

    def cost(self, problem: Problem, cut: Cut, machine: Machine) -> Cost:
        tiles, lanes = Tiles(problem), machine.lanes(problem)
        images, slabs, rows, columns, channels, vectors, chunk, stationary, shares = cut[:9]
        taps, points = problem.kernel_size[0], tiles.points
        panels = Panels.of(tiles.produced, lanes, machine, vectors)
        inputs = ceil(tiles.contracted, lanes)
        in_block = images * rows * columns * tiles.each
        blocks = ceil(problem.batch, images) * blocks_of(tiles.supers, [rows, columns]) * problem.groups
        blocks *= ceil(tiles.depth, slabs)
        read = slabs + (taps - 1) * problem.dilation[0]
        turn = in_block * (16 * 1.3 if points == 36 else 4) * TRANSPOSE
        reads = blocks * read * inputs * (in_block * tiles.pieces * _TO_POINTS[points] + turn)
        pairs = inputs * lanes * panels.vectors * problem.groups * tiles.parts
        filters = pairs * (_FILTER[points] + 9 * TRANSPOSE)
        writes = blocks * slabs * panels.vectors * (in_block * _TO_OUTPUTS[points] + turn)
        others = reads + filters + writes
        if problem.primitive == WEIGHT_GRAD:
            passes = max(1, blocks // problem.groups // (1 if stationary else chunk))
            along = blocks // problem.groups * slabs * in_block / passes
            each = channels if stationary else tiles.contracted
            parts = ceil(tiles.contracted, each)
            products = 1.0 * points * tiles.parts * problem.groups * parts * passes
            products *= panels.tiles(each, along, machine)
            jobs = problem.groups * panels.number * (parts if stationary else points * tiles.parts)
            if shares:
                jobs = problem.groups * shares
                others += 1.5 * (shares - 1) * pairs * points
            return cycles.cost(problem, products, others, jobs, machine, _WAITS)
        depth = min(channels if stationary else _DEPTH, tiles.contracted)
        passes = ceil(tiles.contracted, depth) * tiles.parts * slabs
        at_once = in_block * (blocks // problem.groups if stationary else 1)
        each_pass = panels.tiles(at_once, tiles.contracted / ceil(tiles.contracted, depth), machine)
        products = each_pass * points * passes * (problem.groups if stationary else blocks)
        jobs = problem.groups * panels.number if stationary else blocks
        return cycles.cost(problem, products, others, jobs, machine, _WAITS)

    def remark(self, problem: Problem, cut: Cut, machine: Machine) -> str:
        tiles = Tiles(problem)
        products = tiles.points * prod(tiles.supers) * tiles.each * tiles.parts
        fewer = prod(tiles.target[1:]) * problem.taps / products
        return f"{fewer:.2f}x fewer products"


def _block(batch: int, tiles: Tiles, most: int, of_images: int) -> tuple[int, int, int]:
    """Images, and super tiles along height and width, of a block of at most ``most`` tiles of one image or
    ``of_images`` of several."""
    columns = max(1, min(tiles.supers[1], most // tiles.each))
    columns = ceil(tiles.supers[1], ceil(tiles.supers[1], columns))
    rows = max(1, min(tiles.supers[0], most // (columns * tiles.each)))
    rows = ceil(tiles.supers[0], ceil(tiles.supers[0], rows))
    whole = [rows, columns] == tiles.supers
    images = max(1, min(batch, of_images // (rows * columns * tiles.each))) if whole else 1
    return images, rows, columns
