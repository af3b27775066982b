"""What is loaded when it is first asked for: families of methods and functions that few programs need.

``import convgrad`` is to take 25 ms, and three hundred operators take longer. A late family is a module like
any other; here stand only its names. Its methods are ``Methods`` of ``tensor/methods/<family>.py``, put on
``Tensor`` all at once when one of them is read; its functions are those of a module, or of its methods.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..graph.node import Node
from .keywords import widen


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: module in ``tensor/methods`` -> the methods of its class ``LateMethods``
METHODS: dict[str, tuple[str, ...]] = {
    "copies": _names(
        """
        apply_ as_strided_scatter dim_order fill_diagonal_ index_reduce index_reduce_ is_conj is_cpu
        is_neg map_ narrow_copy new new_empty_strided nonzero_static resolve_neg sum_to_size unsafe_chunk
        unsafe_split unsafe_split_with_sizes
        """
    ),
    "decompositions": _names(
        """
        _nuclear_norm _spectral_norm cholesky cholesky_inverse cholesky_solve det inverse logdet lu
        lu_solve matrix_exp orgqr pinverse qr slogdet svd triangular_solve
        """
    ),
    "exchange": _names("__dlpack__ __dlpack_device__ storage untyped_storage"),
    "inplace": _names(
        """
        as_strided_ conj_physical_ copysign_ float_power_ gcd_ heaviside_ i0_ igamma_ igammac_ lcm_
        ldexp_ logit_ map2_ mvlgamma_ nextafter_ polygamma_ resize_as_ set_ share_memory_ xlogy_
        """
    ),
    "numeric": _names("frexp gcd heaviside i0 igamma igammac lcm ldexp mvlgamma nextafter"),
    "overriding": _names("__torch_function__ _make_subclass as_subclass"),
    "sampling": _names("cauchy_ geometric_ log_normal_ multinomial"),
    "signal": _names("istft stft"),
    "statistics": _names("corrcoef cov dist histogram nanquantile quantile renorm renorm_"),
}

#: families of methods that lie elsewhere: what a notebook shows of tensors, modules and nodes
DISPLAYS: dict[str, tuple[str, str]] = {
    "tensor": ("convgrad.tools.display", "TensorDisplay"),
    "module": ("convgrad.tools.display", "ModuleDisplay"),
    "node": ("convgrad.tools.display", "NodeDisplay"),
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
    "amp": _names("autocast"),
    "backends.memory": _names("empty_cache memory_stats"),
    "nn.functional": _names(
        """
        adaptive_avg_pool1d avg_pool1d bilinear channel_shuffle conv1d conv2d conv3d conv_tbc
        conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity dropout group_norm
        layer_norm max_pool1d max_pool1d_with_indices max_pool2d max_pool3d native_channel_shuffle
        pairwise_distance pdist pixel_shuffle pixel_unshuffle rms_norm
        """
    ),
    "nn.functional.native": _names(
        """
        adaptive_max_pool1d affine_grid_generator batch_norm grid_sampler grid_sampler_2d
        grid_sampler_3d instance_norm
        """
    ),
    "nn.functional.plain": _names(
        """
        alpha_dropout alpha_dropout_ binary_cross_entropy_with_logits cosine_embedding_loss ctc_loss
        dropout dropout_ embedding embedding_bag embedding_renorm_ feature_alpha_dropout
        feature_alpha_dropout_ feature_dropout feature_dropout_ hinge_embedding_loss kl_div
        margin_ranking_loss native_dropout poisson_nll_loss rrelu rrelu_ triplet_margin_loss
        """
    ),
    "errors": _names("OutOfMemoryError"),
    "serialization": _names("load save"),
    "nn.functional.recurrent": _names(
        "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell"
    ),
    "tensor.functions_copies": _names(
        """
        alias_copy as_strided_copy constant_pad_nd detach_copy diagonal_copy empty_permuted
        empty_strided expand_copy fill permute_copy scalar_tensor select_copy slice_copy split_copy
        split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy unsqueeze_copy
        view_as_complex_copy view_as_real_copy view_copy
        """
    ),
    "tensor.storages": _names("UntypedStorage"),
    "tensor.functions_exchange": _names("from_dlpack to_dlpack"),
    "tensor.functions_inplace": _names("celu_ selu_ threshold_"),
    "tensor.functions_numeric": _names(
        """
        bucketize cdist cumulative_trapezoid gradient histogramdd isin searchsorted trapezoid trapz
        unravel_index
        """
    ),
    "tensor.functions_sampling": _names("_sample_dirichlet _standard_gamma binomial poisson"),
    "tensor.program": _names(
        """
        compile get_autocast_dtype get_default_device is_autocast_cache_enabled is_autocast_enabled is_storage
        set_autocast_enabled set_default_device set_default_tensor_type set_flush_denormal set_warn_always
        typename
        """
    ),
    "tensor.functions_solvers": _names("lu_unpack"),
    "tensor.functions_spectra": _names("vander"),
    "tensor.functions_windows": _names(
        """
        bartlett_window blackman_window hamming_window hann_window kaiser_window
        """
    ),
    "tools.explain": _names("explain"),
}

#: methods that are functions of their first argument, too
OF_METHODS: tuple[str, ...] = _names(
    """
    acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_
    as_strided_scatter asin_ asinh_ atan_ atanh_ cholesky cholesky_inverse cholesky_solve clamp_max_
    clamp_min_ clip_ conj_physical conj_physical_ corrcoef cosh_ cov deg2rad_ det detach_ dist erf_
    erfc_ exp2_ expm1_ fix_ frac_ frexp gcd gcd_ get_device heaviside histogram i0 i0_ igamma igammac
    index_put_ index_reduce inverse is_conj is_inference is_neg istft lcm lcm_ ldexp ldexp_ log10_
    log1p_ log2_ logdet logit_ lu lu_solve matrix_exp mode msort multinomial mvlgamma nan_to_num_
    nanquantile narrow_copy negative_ nextafter nonzero_static orgqr pinverse qr quantile rad2deg_
    renorm resize_as_ resolve_conj resolve_neg rsqrt_ sinc_ sinh_ slogdet stft svd tan_ triangular_solve
    trunc_ unsafe_chunk unsafe_split unsafe_split_with_sizes xlogy_
    """
)


class LateDisplay:
    """Stands for ``_repr_html_`` on a class until somebody wants to show an object."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __get__(self, shown: Any, owner: Any) -> Any:
        module, name = DISPLAYS[self.kind]
        method = getattr(importlib.import_module(module), name)._repr_html_
        home = next(c for c in owner.__mro__ if c.__dict__.get("_repr_html_") is self)
        home._repr_html_ = method
        return method if shown is None else method.__get__(shown)


class LateMethod:
    """Stands for a method on the class until one of its family is read; then the family takes its place."""

    __slots__ = ("family", "name")

    def __init__(self, family: str, name: str) -> None:
        self.family = family
        self.name = name

    def __get__(self, tensor: Any, owner: Any) -> Any:
        module = importlib.import_module(f"convgrad.tensor.methods.{self.family}")
        widen(module.LateMethods)
        home = next(c for c in owner.__mro__ if c.__dict__.get(self.name) is self)
        for name in METHODS[self.family]:
            setattr(home, name, module.LateMethods.__dict__[name])
        return getattr(owner if tensor is None else tensor, self.name)


def announce(tensor: type) -> None:
    """Put a ``LateMethod`` on the class of tensors for each name, and look after classes derived from it."""
    for family, names in METHODS.items():
        for name in names:
            setattr(tensor, name, LateMethod(family, name))
    shown: Any
    for shown, kind in ((tensor, "tensor"), (Node, "node")):
        shown._repr_html_ = LateDisplay(kind)

    def derived(cls: Any, /, **options: Any) -> None:
        super(tensor, cls).__init_subclass__(**options)  # type: ignore[arg-type]
        if tensor in cls.__bases__ and not cls.__module__.startswith("convgrad."):
            # a user's class: its methods are to ask its __torch_function__
            importlib.import_module("convgrad.tensor.subclass").adopt(cls)

    tensor.__init_subclass__ = classmethod(derived)  # type: ignore[assignment]
