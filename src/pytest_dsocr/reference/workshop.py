"""Where modules are made: on which device, in which dtype, with which attention."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from transformers import AttentionInterface

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsocr_cost.execution import AttentionName

__all__ = ["Workshop"]

FLASH = "dsocr_fused"  # a name with "flash" in it would send transformers looking for that package
WEIGHT_STD = 0.02
BLOCK = 2**20 + 7  # random numbers that weights repeat; no multiple of a row


def _flash_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Run torch's flash kernel, [b, h, s, d]; on meta the CUDA op itself, since SDPA is decomposed there."""
    causal = query.shape[2] > 1 and bool(getattr(module, "is_causal", True))
    if query.device.type == "meta":
        out = torch.ops.aten._scaled_dot_product_flash_attention(  # noqa: SLF001 - it has no public name
            query, key, value, 0.0, causal, scale=scaling
        )[0]
    else:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            out = torch.nn.functional.scaled_dot_product_attention(
                query, key, value, is_causal=causal, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
            )
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register(FLASH, _flash_attention)


class _Uninitialised(TorchFunctionMode):
    """Leaves out what modules do to the values of their weights when they are made: minutes, for a whole model."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Return the tensor as it is."""
        kwargs = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return next(iter((*args, *kwargs.values())))
        return func(*args, **kwargs)


@functools.lru_cache(maxsize=2)
def _random_numbers(device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(BLOCK, device=device, dtype=torch.float32).mul_(WEIGHT_STD).to(dtype)


def _randomise(parameter: torch.Tensor) -> None:
    """Fill a weight with random numbers, a large one with copies of the same ones."""
    if parameter.is_meta:
        return
    flat, block = parameter.view(-1), _random_numbers(parameter.device, parameter.dtype)
    for start in range(0, flat.numel(), BLOCK):
        rest = flat[start : start + BLOCK]
        rest.copy_(block[: rest.numel()])


@dataclass(frozen=True, slots=True)
class Workshop:
    """Makes modules and tensors of one device and dtype.

    ``attention`` is that of the layers; ``attn_implementation`` is its name in a transformers config. ``keep`` lets the
    last modules of the whole model stay, for whoever runs one at many sizes.
    """

    device: str
    dtype: str
    attention: AttentionName
    keep: bool = False

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype as torch has it."""
        dtype = getattr(torch, self.dtype)
        assert isinstance(dtype, torch.dtype)
        return dtype

    @property
    def attn_implementation(self) -> str:
        """The attention's name in a transformers config."""
        return FLASH if self.attention == "flash" else self.attention

    def config(self, kind: Callable[..., Any], *, attention: str | None = None, **sizes: Any) -> Any:
        """Make a transformers config."""
        config = kind(**sizes)
        config._attn_implementation = attention or self.attn_implementation  # noqa: SLF001 - how layers are told
        return config

    def module(self, make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
        """Make a module with random weights: work, memory and time do not depend on their values."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(self.torch_dtype)
        try:
            with torch.device(self.device), _Uninitialised():
                module = make()
        finally:
            torch.set_default_dtype(before)
        with torch.no_grad():
            for parameter in module.parameters():
                _randomise(parameter)
        return module.eval().requires_grad_(requires_grad=False)

    def tensor(self, *shape: int) -> torch.Tensor:
        """Make a random activation."""
        return torch.randn(shape, device=self.device, dtype=self.torch_dtype)
