"""no_grad, enable_grad, set_grad_enabled, inference_mode: as contexts, decorators, in generators and threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import convgrad as torch


def tracked() -> bool:
    return bool((torch.ones(1, requires_grad=True) * 2).requires_grad)


def test_contexts_nest_and_restore() -> None:
    assert tracked()
    with torch.no_grad():
        assert not tracked()
        with torch.enable_grad():
            assert tracked()
            with torch.set_grad_enabled(False):
                assert not tracked()
            assert tracked()
        assert not tracked()
    assert tracked()


def test_restored_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), torch.no_grad():
        1 / 0
    assert tracked()


@pytest.mark.parametrize("decorate", [torch.no_grad(), torch.no_grad, torch.inference_mode()])
def test_decorators(decorate: object) -> None:
    @decorate  # type: ignore[misc, operator]
    def inside(a: int, *, b: int = 2) -> tuple[bool, int]:
        """Documented."""
        return tracked(), a + b

    assert inside(1, b=3) == (False, 4) and inside.__doc__ == "Documented." and inside.__name__ == "inside"
    assert tracked()


def test_one_manager_may_be_entered_twice() -> None:
    manager = torch.no_grad()
    with manager, manager:
        assert not tracked()
    assert tracked()


def test_a_decorated_generator_holds_the_mode_only_while_it_runs() -> None:
    @torch.no_grad()
    def steps() -> Iterator[bool]:
        received = yield tracked()
        assert received == "hello"
        try:
            yield tracked()
        except KeyError:
            yield tracked()

    generator = steps()
    assert next(generator) is False and tracked()
    assert generator.send("hello") is False and tracked()  # type: ignore[attr-defined]
    assert generator.throw(KeyError()) is False and tracked()  # type: ignore[attr-defined]
    generator.close()  # type: ignore[attr-defined]


def test_set_grad_enabled_acts_when_called() -> None:
    torch.set_grad_enabled(False)
    try:
        assert not tracked() and not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)
    assert tracked()


def test_inference_tensors_cannot_be_saved() -> None:
    with torch.inference_mode():
        x = torch.ones(2) * 2
        assert torch.is_inference_mode_enabled() and x.is_inference()
    y = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        y * x
    assert (y * x.clone()).requires_grad
    with torch.inference_mode(), torch.inference_mode(False):
        assert tracked()
