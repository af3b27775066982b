"""convgrad: convolution and automatic differentiation on the CPU, with PyTorch's interface.

``import convgrad as torch`` and the program runs. The names are PyTorch's; what is under them is
Python over NumPy. Networks, training, data and tools are loaded when they are first asked for.
"""

from __future__ import annotations

import gc
import importlib
import math
import warnings
from typing import Any

# 300 classes of operators make no garbage, and looking for it among them costs 8 ms: no collection
# meanwhile, and none of what was made (freeze and unfreeze move it to the oldest generation).
_collecting = gc.isenabled()
gc.disable()
try:
    from . import autograd, dtypes, neighbours, random
    from .autograd import enable_grad, inference_mode, no_grad, set_grad_enabled
    from .device import (
        channels_last,
        channels_last_3d,
        contiguous_format,
        device,
        layout,
        memory_format,
        preserve_format,
        strided,
    )
    from .dtypes import (
        bfloat16,
        can_cast,
        complex64,
        complex128,
        dtype,
        finfo,
        float16,
        float32,
        float64,
        iinfo,
        int8,
        int16,
        int32,
        int64,
        promote_types,
        set_default_dtype,
        uint8,
        uint16,
        uint32,
        uint64,
    )
    from .dtypes import default_dtype as get_default_dtype
    from .generator import Generator, default_generator
    from .graph.grad_mode import is_grad_enabled, is_inference_mode_enabled
    from .printing import get_printoptions, printoptions, set_printoptions
    from .random import (
        bernoulli,
        fork_rng,
        get_rng_state,
        initial_seed,
        manual_seed,
        normal,
        rand,
        rand_like,
        randint,
        randint_like,
        randn,
        randn_like,
        randperm,
        seed,
        set_rng_state,
    )
    from .size import Size
    from .tensor import (
        creation,
        functions_activation,
        functions_elementwise,
        functions_linear,
        functions_reduce,
        functions_shape,
        late,
        out,
        overriding,
        return_types,
    )
    from .tensor.functions import function, method_functions
    from .tensor.settings import (
        are_deterministic_algorithms_enabled,
        get_float32_matmul_precision,
        is_tensor,
        set_float32_matmul_precision,
        use_deterministic_algorithms,
    )
    from .tensor.tensor import Tensor
    from .version import __version__ as __version__
finally:
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
    if _collecting:
        gc.enable()

# NumPy warns of overflow and of invalid values where PyTorch is silent; only warnings that arise in
# convgrad's own modules are filtered, NumPy's error state and everybody else's warnings stay.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"convgrad\.")

e, inf, nan, pi = math.e, math.inf, math.nan, math.pi
newaxis = None

# PyTorch's functions: those that are methods of a Tensor, then those that are written out.
globals().update(method_functions())
for _module in (
    functions_elementwise, functions_activation, functions_reduce, functions_linear, functions_shape,
    creation,
):  # fmt: skip
    for _name, _value in vars(_module).items():
        if getattr(_value, "__module__", None) == _module.__name__ and not _name.startswith("_"):
            globals()[_name] = _value
globals().update(dtypes.ALIASES)
out.equip(globals())
del _module, _name, _value

#: loaded on first use, so that `import convgrad` stays quick
_LAZY = (
    "backends", "nn", "optim", "func", "testing", "utils", "linalg", "fft", "signal", "special", "datasets",
    "distributions", "tools", "serialization", "safetensors", "accelerator", "amp", "compiler", "cuda",
    "distributed", "hub", "jit", "mps", "multiprocessing", "overrides", "profiler", "torch_version", "types",
    "xpu", "_C",
)  # fmt: skip


#: functions that are loaded when they are first asked for: name -> module
_LATE = {name: module for module, names in late.FUNCTIONS.items() for name in names}


neighbours.introduce()
# the first class derived from Tensor makes the functions ask __torch_function__
overriding.on_first(lambda: importlib.import_module(f"{__name__}.overrides").enable())


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _LATE:
        globals()[name] = getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)
        out.equip(globals(), only=(name,))
        return globals()[name]
    elif name in late.OF_METHODS:
        found = function(name)
    else:
        raise AttributeError(
            f"module 'convgrad' has no attribute {name!r} (it has a part of PyTorch's names, see README.md)"
        )
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_LATE, *late.OF_METHODS})


_NOT_OURS = (
    "annotations", "function", "gc", "importlib", "late", "math", "neighbours", "out", "overriding",
    "warnings",
    "Any",
)  # fmt: skip
__all__ = [name for name in globals() if not name.startswith("_") and name not in _NOT_OURS]
