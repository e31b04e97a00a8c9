"""A whole run of vision and decoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ..execution import FP32_BYTES, INT64_BYTES, Execution
from ..kernels import Tensor, copy, lookup, reduction
from ..kv_cache import SyntheticKVCache
from ..layers.layer import sized
from ..moment import Moment, during
from ..op import under
from ..workload import Grid, Mode, Workload
from .decoder import Decoder
from .vision import Vision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import DeepseekOCRConfig
    from ..op import Count, Op

__all__ = ["DeepseekOCR", "run_moments"]


@dataclass(frozen=True, slots=True)
class DeepseekOCR:
    """A run as one module: vision, the prefill of its image tokens and a prompt, then greedy decode steps.

    Beside the three it looks text and chosen tokens up in the embedding, joins image and text, and chooses tokens.
    """

    group: ClassVar[str] = "model"
    config: DeepseekOCRConfig
    mode: Mode
    cropped: bool

    @property
    def vision(self) -> Vision:
        """Its first part."""
        return Vision(self.config, self.mode, self.cropped)

    @property
    def decoder(self) -> Decoder:
        """Its second part."""
        return Decoder(self.config.decoder)

    @sized
    def ops(
        self,
        batch: Count,
        text_tokens: Count,
        decode_steps: int,
        crops_high: Count = 0,
        crops_wide: Count = 0,
        *,
        execution: Execution = Execution(),
    ) -> Iterator[Op]:
        """Price ``batch`` pages, each with a prompt of ``text_tokens``; step n of decode attends over n keys more."""
        yield from under("vision", self.vision.ops(batch, crops_high, crops_wide, execution=execution))
        context = self._workload(batch, text_tokens, decode_steps, crops_high, crops_wide).context(self.config.sam)
        yield self._embed("prefill.embed", batch * text_tokens, execution)
        yield copy("prefill.join", Tensor(batch * context * self.config.decoder.hidden_size, execution.item_bytes))
        yield from under("prefill", self.decoder.ops(batch, context, context, execution=execution))
        yield self._choose("prefill.choose", batch)
        for step in range(1, decode_steps + 1):
            yield self._embed(f"decode.{step}.embed", batch, execution)
            yield from under(f"decode.{step}", self.decoder.ops(batch, 1, context + step, execution=execution))
            yield self._choose(f"decode.{step}.choose", batch)
        yield copy("tokens", Tensor(batch * (1 + decode_steps), INT64_BYTES))

    @sized
    def moments(
        self,
        batch: Count,
        text_tokens: Count,
        decode_steps: Count,
        crops_high: Count = 0,
        crops_wide: Count = 0,
        *,
        execution: Execution = Execution(),
    ) -> Iterator[Moment]:
        """Go through its three stages."""
        workload = self._workload(batch, text_tokens, decode_steps, crops_high, crops_wide)
        return run_moments(self.config, workload, execution)

    @sized
    def kv_cache_bytes(
        self,
        batch: Count,
        text_tokens: Count,
        decode_steps: Count,
        crops_high: Count = 0,
        crops_wide: Count = 0,
        *,
        execution: Execution = Execution(),
    ) -> Count:
        """Count the KV cache after it, in bytes."""
        workload = self._workload(batch, text_tokens, decode_steps, crops_high, crops_wide)
        length = workload.context(self.config.sam) + decode_steps
        return SyntheticKVCache(self.config.decoder, batch, length, execution.dtype).kv_cache_bytes

    def _workload(
        self, batch: Count, text_tokens: Count, decode_steps: Count, crops_high: Count, crops_wide: Count
    ) -> Workload:
        grid = Grid(crops_high, crops_wide) if self.cropped else None
        return Workload(self.mode, grid, text_tokens, decode_steps, batch)

    def _embed(self, name: str, tokens: Count, execution: Execution) -> Op:
        vectors = Tensor(tokens * self.config.decoder.hidden_size, execution.item_bytes)
        return lookup(name, vectors, Tensor(tokens, INT64_BYTES), weights=vectors.bytes)

    def _choose(self, name: str, batch: Count) -> Op:
        """Take the likeliest token after the last position."""
        logits = Tensor(batch * self.config.decoder.vocab_size, FP32_BYTES)
        return reduction(name, logits, Tensor(batch, INT64_BYTES))

    @property
    def params(self) -> int:
        """Both parts."""
        return self.vision.params + self.decoder.params


def run_moments(
    config: DeepseekOCRConfig, workload: Workload, execution: Execution, context: Count | None = None
) -> Iterator[Moment]:
    """List the moments of a whole run: its pixels, its prompt and its tokens, of numbers, are held until it is over.

    Of the decode steps the last one holds most. The KV cache in the end is that after it; before, so much is not there
    yet. ``context`` stands for the positions of the prefill where those are a size of their own.
    """
    decoder, batch, steps = Decoder(config.decoder), workload.batch, workload.decode_steps
    context = workload.context(config.sam) if context is None else context
    held = batch * workload.text_tokens * INT64_BYTES
    token = SyntheticKVCache(config.decoder, batch, 1, execution.dtype).kv_cache_bytes
    if workload.mode is not None:
        vision = Vision(config, workload.mode, cropped=workload.grid is not None)
        sizes = (batch, *(workload.grid or ()))
        yield from _before("vision", held, -token * (context + steps), vision.moments(*sizes, execution=execution))
        held = held + vision.boundary(*sizes, execution=execution).inputs
    moments = decoder.moments(batch, context, context, execution=execution)
    yield from _before("prefill", held, -token * steps, moments)
    last = decoder.moments(batch, 1, context + steps, execution=execution)
    stage = f"decode.{steps}" if isinstance(steps, int) else "decode"
    yield from during(stage, held + batch * steps * INT64_BYTES, last)


def _before(stage: str, held: Count, cache_bytes: Count, moments: Iterator[Moment]) -> Iterator[Moment]:
    for moment in during(stage, held, moments):
        yield replace(moment, cache_bytes=moment.cache_bytes + cache_bytes)
