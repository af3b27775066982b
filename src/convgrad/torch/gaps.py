"""Why a name of PyTorch's is not there."""

from __future__ import annotations

WHERE = (
    "docs/dropin.md and docs/operators.md say what there is, `python -m convgrad.torch --names TEXT` lists it"
)

REASONS = {
    "torch._": "PyTorch's private modules are not part of its interface",
    "torch.ao": "quantised tensors are out of scope",
    "torch.quantiz": "quantised tensors are out of scope",
    "torch.quantize": "quantised tensors are out of scope",
    "torch.sparse": "sparse tensors are out of scope",
    "torch.nested": "nested tensors are out of scope",
    "torch.export": "TorchScript and the compilers are out of scope",
    "torch.fx": "TorchScript and the compilers are out of scope",
    "torch.jit": "TorchScript and the compilers are out of scope",
    "torch.library": "operators are added by torch.autograd.Function",
    "torch.onnx": "ONNX is not there yet",
    "torch.package": "packages of pickled code are out of scope",
    "torch.utils.cpp_extension": "C++ extensions of PyTorch are out of scope",
    "torch.utils.model_zoo": "download the file yourself, and load its state dict",
    "torch.utils._python_dispatch": "there is no __torch_dispatch__, but torch.overrides.TorchFunctionMode",
    "torchvision.io": "pictures are read and written there, films are not",
    "torchvision.ops": "of the operators, those of boxes are there",
    "torchvision.transforms.v2": "those of the first version, ToImage and ToDtype are there",
    "torchvision.tv_tensors": "boxes and masks are not transformed",
}
"""Beginning of a name -> reason; the longest counts."""


def reason(fullname: str) -> str:
    """Why there is no such name, and where to look.

    Example:
        >>> reason("torch.sparse_coo_tensor").partition(";")[0]
        'sparse tensors are out of scope'
    """
    known = max((begin for begin in REASONS if fullname.startswith(begin)), key=len, default="")
    return f"{REASONS[known]}; {WHERE}" if known else WHERE
