"""What a trace has to see before torch takes it apart: fused attention on meta, tensors of Python's numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Functions"]

_OF_NUMBERS = {torch.tensor, torch.as_tensor, torch.asarray, torch.Tensor.new_tensor}
_INDEXING = {torch.Tensor.__getitem__, torch.Tensor.__setitem__}
_FUSED_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


class Functions(TorchFunctionMode):
    """Keeps a fused attention whole on meta as what a CPU runs, and notes what torch makes there without an op.

    ``by_list`` is True while a tensor is indexed by a list of numbers, of which torch makes a tensor that nobody sees.
    """

    def __init__(self, note: Callable[[torch.Tensor], None] | None = None) -> None:
        super().__init__()
        self.by_list = False
        self._note = note

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Redirect the attention, and look at the others."""
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention and (args or (kwargs["query"],))[0].is_meta:
            attention = _Attention(*args, **kwargs)
            return attention.run_fused() if attention.is_fused else func(*args, **kwargs)
        if func in _INDEXING and _holds_a_list(args[1]):
            return self._index_by_list(func, args, kwargs)
        out = func(*args, **kwargs)
        if func in _OF_NUMBERS and out.is_meta and self._note:
            self._note(out)
        return out

    def _index_by_list(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.by_list = True
        try:
            return func(*args, **kwargs)
        finally:
            self.by_list = False


def _holds_a_list(index: Any) -> bool:
    return isinstance(index, list | range) or (isinstance(index, tuple) and any(map(_holds_a_list, index)))


class _Attention(NamedTuple):
    """The arguments of ``torch.nn.functional.scaled_dot_product_attention``, in its order."""

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    attn_mask: torch.Tensor | None = None
    dropout_p: float = 0.0
    is_causal: bool = False
    scale: float | None = None
    enable_gqa: bool = False

    @property
    def is_fused(self) -> bool:
        """Whether torch has one kernel for these shapes on a CPU; else it takes the attention apart there as well."""
        given = (self.query, self.key, self.value)
        if self.dropout_p or not torch.backends.cuda.flash_sdp_enabled() or self.query.dtype not in _FUSED_DTYPES:
            return False
        if any(one.ndim != 4 or one.stride(-1) != 1 or not one.shape[2] for one in given):
            return False
        (batch, heads, queries, _), (_, key_heads, keys, _) = self.query.shape, self.key.shape
        shares = self.enable_gqa and key_heads and heads % key_heads == 0
        return (
            len({one.shape[0] for one in given}) == 1
            and len({one.shape[3] for one in given}) == 1
            and key_heads == self.value.shape[1]
            and (key_heads == heads or bool(shares))
            and (self.attn_mask is None or _takes_mask(self.attn_mask, (batch, heads, queries, keys)))
        )

    def run_fused(self) -> torch.Tensor:
        """Run that kernel, with a mask of truths made into what is added to the scores."""
        mask = self.attn_mask
        if mask is not None and mask.dtype == torch.bool:
            dtype, device = self.query.dtype, self.query.device
            seen, unseen = (torch.scalar_tensor(one, dtype=dtype, device=device) for one in (0.0, -torch.inf))
            mask = torch.where(mask, seen, unseen)
        attend: Any = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001 - it has no public name
        given = self.query, self.key, self.value, self.dropout_p, self.is_causal
        return attend(*given, attn_mask=mask, scale=self.scale)[0]  # type: ignore[no-any-return]


def _takes_mask(mask: torch.Tensor, shape: tuple[int, ...]) -> bool:
    fits = all(mine in (1, full) for mine, full in zip(mask.shape[::-1], shape[::-1], strict=False))
    return mask.ndim in (2, 4) and fits
