"""The rotary table that the decoder takes from LLaMA.

Implementations: the vendor makes it as an fp32 batched matmul, in each of the decoder's layers; transformers once a
forward, and since 5.15 elementwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..execution import FP32_BYTES, INT64_BYTES, Execution
from ..kernels import Tensor, bmm, cast, copy, pointwise
from ..moment import Boundary, Moment
from .layer import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import DecoderConfig
    from ..op import Count, Op

__all__ = ["LlamaRotaryEmbedding"]


@dataclass(frozen=True, slots=True)
class LlamaRotaryEmbedding:
    """Cosine and sine of each position times each of ``head_dim / 2`` frequencies; a buffer, no parameters."""

    group: ClassVar[str] = "llama"
    head_dim: int

    @classmethod
    def from_config(cls, config: DecoderConfig) -> LlamaRotaryEmbedding:
        """Build the decoder's."""
        return cls(config.head_dim)

    @sized
    def ops(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Op]:
        """Price ``batch`` rows of the same ``q_len`` positions."""
        half, positions = self.head_dim // 2, Tensor(batch * q_len, FP32_BYTES)
        angles = Tensor(positions.elements * half, FP32_BYTES)
        both = Tensor(2 * angles.elements, FP32_BYTES)
        yield copy("positions.to_fp32", positions, Tensor(q_len, INT64_BYTES))
        if execution.rotary_is_matmul:
            # frequencies [b, d / 2, 1] @ positions [b, 1, s]
            yield bmm("freqs", FP32_BYTES, batch, half, q_len, 1)
        else:
            yield pointwise("freqs", angles, positions, Tensor(half, FP32_BYTES))
        yield copy("freqs.cat", both)
        for name in ("cos", "sin"):
            yield pointwise(name, both, both)
            yield pointwise(f"{name}.scale", both, both)
        for name in ("cos", "sin"):
            yield from cast(f"{name}.from_fp32", both.elements, FP32_BYTES, execution.item_bytes)

    @sized
    def boundary(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Boundary:
        """Take positions, those of one row; give cosine and sine. The hidden states that it is given are not read."""
        return Boundary(q_len * INT64_BYTES, 2 * batch * q_len * (self.head_dim * execution.item_bytes))

    @sized
    def moments(self, batch: Count, q_len: Count, *, execution: Execution = Execution()) -> Iterator[Moment]:
        """Look at the scaled sine; hidden states of ``head_dim`` channels, which it does not read, are held as well."""
        rows, both = batch * q_len, batch * q_len * (self.head_dim * FP32_BYTES)
        inputs = rows * (self.head_dim * execution.item_bytes) + q_len * INT64_BYTES
        # for a matmul the positions have a name, and stay; the angles, once and twice; cosine and sine, and that scaled
        positions = rows * (execution.rotary_is_matmul * FP32_BYTES)
        angles = rows * (self.head_dim // 2 * FP32_BYTES)
        yield Moment("sin.scale", inputs + positions + angles + 4 * both)

    @property
    def params(self) -> int:
        """None."""
        return 0
