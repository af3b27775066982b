"""``torch.utils.tensorboard``: ``SummaryWriter``, which writes TensorBoard's files with tensorboardX."""

from __future__ import annotations

import os
from typing import Any, NoReturn

from ..errors import OutOfScopeError, optional
from ..tensor.tensor import Tensor

__all__ = ["SummaryWriter"]


def plain(value: Any) -> Any:
    """Tensors as NumPy arrays, also inside of lists, tuples and dictionaries; the rest as it is."""
    if isinstance(value, Tensor):
        array = value.detach().numpy(force=True)
        return (
            array if array.dtype.kind != "V" and array.dtype.name != "bfloat16" else array.astype("float32")
        )
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)([plain(entry) for entry in value])
    return value


class SummaryWriter:
    """Writes scalars, histograms, images, figures, text and more for TensorBoard.

    All methods of tensorboardX's writer are there: ``add_scalar``, ``add_scalars``, ``add_histogram``,
    ``add_image``, ``add_images``, ``add_figure``, ``add_audio``, ``add_video``, ``add_text``,
    ``add_pr_curve``, ``add_embedding``, ``add_mesh``, ``add_hparams``, ``flush``, ``close``;
    tensors may be given to each.

    Args:
        log_dir: the folder; by default ``runs/<date>_<host><comment>``.
        comment: end of the default folder's name.
        purge_step: steps from this one on, written before, are hidden.
        max_queue, flush_secs: how much, and how long, is kept before it is written.
        filename_suffix: end of the file's name.
    Raises:
        MissingExtraError: tensorboardX is not installed; the message says how to get it.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        package = optional("tensorboardX", extra="tensorboard")
        self._writer = package.SummaryWriter(
            logdir=None if log_dir is None else os.fspath(log_dir),
            comment=comment,
            purge_step=purge_step,
            max_queue=max_queue,
            flush_secs=flush_secs,
            filename_suffix=filename_suffix,
        )

    @property
    def log_dir(self) -> str:
        """The folder."""
        return str(self._writer.logdir)

    def get_logdir(self) -> str:
        """The folder."""
        return self.log_dir

    def add_graph(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Always an error: that picture is made of a TorchScript trace.

        Raises:
            OutOfScopeError: always.
        """
        raise OutOfScopeError(
            "SummaryWriter.add_graph needs TorchScript, which is out of convgrad's scope: "
            "convgrad.tools.draw_graph(loss) draws the graph, and convgrad.utils.summary lists the layers"
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._writer, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return found(*plain(args), **plain(kwargs))

        call.__name__, call.__doc__ = name, found.__doc__
        return call

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self._writer.close()
