"""The names of torchvision's ready-made networks, so that packages which list them can be imported."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import OutOfScopeError

_NAMES = frozenset(
    """
    alexnet convnext_base convnext_large convnext_small convnext_tiny densenet121 densenet161
    densenet169 densenet201 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3
    efficientnet_b4 googlenet inception_v3 mnasnet1_0 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small
    resnet101 resnet152 resnet18 resnet34 resnet50 resnext50_32x4d shufflenet_v2_x1_0 squeezenet1_0
    squeezenet1_1 swin_b swin_s swin_t vgg11 vgg13 vgg16 vgg16_bn vgg19 vit_b_16 vit_b_32 vit_l_16
    wide_resnet50_2
    """.split()
)


class Weights:
    """Stands for the names of ready-made weights, such as ``VGG16_Weights.DEFAULT``; there are none."""

    def __init__(self, family: str) -> None:
        self._family = family

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return f"{self._family}.{name}"


def __getattr__(name: str) -> Any:
    family, ending, _ = name.partition("_Weights")
    if ending and family.lower() in _NAMES:
        return Weights(name)
    if name not in _NAMES:
        raise AttributeError(f"module 'torchvision.models' has no attribute {name!r} in convgrad", name=name)

    def network(*args: Any, **kwargs: Any) -> NoReturn:
        raise OutOfScopeError(
            f"torchvision.models.{name}: ready-made networks are out of convgrad's scope; write the network "
            "with torch.nn and load its state dict"
        )

    network.__name__ = network.__qualname__ = name
    return network
