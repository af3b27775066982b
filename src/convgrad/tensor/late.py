"""What is loaded when it is first asked for: families of methods and functions that few programs need.

``import convgrad`` is to take 25 ms, and three hundred operators take longer. A late family is a module like
any other; here stand only its names. Its methods are ``Methods`` of ``tensor/methods/<family>.py``, put on
``Tensor`` all at once when one of them is read; its functions are those of a module, or of its methods.
"""

from __future__ import annotations

import importlib
from typing import Any


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: module in ``tensor/methods`` -> the methods of its class ``LateMethods``
METHODS: dict[str, tuple[str, ...]] = {
    "decompositions": _names(
        """
        _nuclear_norm _spectral_norm cholesky cholesky_inverse cholesky_solve det inverse logdet lu
        lu_solve matrix_exp orgqr pinverse qr slogdet svd triangular_solve
        """
    ),
}

#: module of convgrad -> functions of it that ``convgrad`` shows as its own
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "autograd.anomaly_mode": _names("is_anomaly_check_nan_enabled is_anomaly_enabled"),
    "func": _names("vmap"),
    "kernels.threads": _names(
        """
        get_num_interop_threads get_num_threads set_num_interop_threads set_num_threads
        """
    ),
    "nn.functional": _names(
        """
        adaptive_avg_pool1d avg_pool1d bilinear conv1d conv2d conv3d conv_transpose1d conv_transpose2d
        conv_transpose3d cosine_similarity dropout group_norm layer_norm max_pool1d max_pool2d
        max_pool3d
        """
    ),
    "nn.functional.plain": _names(
        """
        alpha_dropout alpha_dropout_ binary_cross_entropy_with_logits cosine_embedding_loss ctc_loss
        dropout dropout_ embedding embedding_bag embedding_renorm_ feature_alpha_dropout
        feature_alpha_dropout_ feature_dropout feature_dropout_ hinge_embedding_loss kl_div
        margin_ranking_loss poisson_nll_loss rrelu triplet_margin_loss
        """
    ),
    "tensor.functions_solvers": _names("lu_unpack"),
    "tensor.functions_spectra": _names("vander"),
    "tools.explain": _names("explain"),
}

#: methods that are functions of their first argument, too
OF_METHODS: tuple[str, ...] = _names(
    """
    cholesky cholesky_inverse cholesky_solve det inverse logdet lu lu_solve matrix_exp orgqr pinverse qr
    slogdet svd triangular_solve
    """
)


class LateMethod:
    """Stands for a method on the class until one of its family is read; then the family takes its place."""

    __slots__ = ("family", "name")

    def __init__(self, family: str, name: str) -> None:
        self.family = family
        self.name = name

    def __get__(self, tensor: Any, owner: Any) -> Any:
        module = importlib.import_module(f"convgrad.tensor.methods.{self.family}")
        home = next(c for c in owner.__mro__ if c.__dict__.get(self.name) is self)
        for name in METHODS[self.family]:
            setattr(home, name, module.LateMethods.__dict__[name])
        return getattr(owner if tensor is None else tensor, self.name)


def announce(tensor: type) -> None:
    """Put a ``LateMethod`` on the class of tensors for each name."""
    for family, names in METHODS.items():
        for name in names:
            setattr(tensor, name, LateMethod(family, name))
