"""What does not apply to an operator: (name, form) -> why convgrad has not what PyTorch has."""

from __future__ import annotations


def _same(names: str, form: str, reason: str) -> dict[tuple[str, str], str]:
    return {(name, form): reason for name in names.split()}


GAPS: dict[tuple[str, str], str] = {
    **_same(
        "acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_ atanh_ "
        "clamp_max_ clamp_min_ clip_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ expm1_ fix_ frac_ index_put_ "
        "log10_ log1p_ log2_ nan_to_num_ negative_ rad2deg_ rsqrt_ sinc_ sinh_ tan_ trunc_",
        "function", "the method of the same name is the usual way; the function is not here yet",
    ),
    **_same(
        "adaptive_max_pool1d batch_norm binary_cross_entropy_with_logits dropout_ embedding instance_norm "
        "kl_div pairwise_distance rms_norm celu_ selu_ threshold_ logit_ xlogy_ as_strided_ conj_physical_",
        "function",
        "not here yet; most are in nn.functional",
    ),
    **_same("conj_physical mode msort resolve_conj", "function", "only the method is here yet"),
    **_same(
        "as_strided conj_physical copysign float_power heaviside logit polygamma xlogy", "in place",
        "not here yet",
    ),
}  # fmt: skip
