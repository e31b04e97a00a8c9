"""The KV cache, by its sizes alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .execution import ITEM_BYTES, DtypeName

if TYPE_CHECKING:
    from .config import DecoderConfig
    from .op import Count

__all__ = ["SyntheticKVCache"]


@dataclass(frozen=True, slots=True)
class SyntheticKVCache:
    """Keys and values of all decoder layers for ``length`` positions of ``batch`` sequences.

    A value: it does not grow, a longer one takes its place. ``length`` may be an array, one entry a decode step.
    """

    config: DecoderConfig
    batch: Count
    length: Count
    dtype: DtypeName = "bfloat16"

    @property
    def kv_cache_bytes(self) -> Count:
        """Bytes that are kept: K and V [batch, num_key_value_heads, length, head_dim] a layer."""
        token = 2 * self.config.num_hidden_layers * self.config.num_key_value_heads * self.config.head_dim
        return self.batch * self.length * token * ITEM_BYTES[self.dtype]

    def extended(self, positions: Count = 1) -> SyntheticKVCache:
        """Return the cache after ``positions`` more of each sequence."""
        return replace(self, length=self.length + positions)
