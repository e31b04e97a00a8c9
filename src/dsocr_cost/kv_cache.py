"""The KV cache, by its sizes alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import SizeError
from .execution import ITEM_BYTES, DtypeName
from .int64 import refuse_beyond_int64
from .sizes import as_count

if TYPE_CHECKING:
    from .config import DecoderConfig
    from .op import Count

__all__ = ["SyntheticKVCache"]


@dataclass(frozen=True, slots=True)
class SyntheticKVCache:
    """Keys and values of all decoder layers for ``length`` positions of ``batch`` sequences.

    A value: it does not grow, a longer one takes its place. ``length`` may be an array, one entry a decode step.

    Raises:
        SizeError: a size that is no whole number of at least 0, or a dtype that nothing is kept in.
    """

    config: DecoderConfig
    batch: Count
    length: Count
    dtype: DtypeName = "bfloat16"

    def __post_init__(self) -> None:
        """Refuse what no cache can be, and widen arrays: a narrow type wraps in silence."""
        if self.dtype not in ITEM_BYTES:
            msg = f"kv_cache.dtype: got {self.dtype!r}, allowed are {', '.join(ITEM_BYTES)}"
            raise SizeError(msg)
        for name in ("batch", "length"):
            object.__setattr__(self, name, as_count(f"kv_cache.{name}", getattr(self, name)))

    @property
    def kv_cache_bytes(self) -> Count:
        """Bytes that are kept, of K and V [batch, num_key_value_heads, length, head_dim] a layer.

        Raises:
            SizeError: bytes that leave int64 in an array.
        """
        elements = 2 * self.config.num_hidden_layers * self.config.num_key_value_heads * self.config.head_dim
        token = elements * ITEM_BYTES[self.dtype]
        if hasattr(self.batch, "dtype") or hasattr(self.length, "dtype"):
            refuse_beyond_int64("kv_cache_bytes", 1.0 * self.batch * self.length * token)
        return self.batch * self.length * token

    def extended(self, positions: Count = 1) -> SyntheticKVCache:
        """Return the cache after ``positions`` more of each sequence."""
        return replace(self, length=self.length + as_count("positions", positions))
