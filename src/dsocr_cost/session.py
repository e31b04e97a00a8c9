"""The whole model as people use it: one run as a value, or a session that remembers where it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from . import stages
from .config import DeepseekOCRConfig
from .errors import SessionError, SizeError
from .execution import Execution
from .kv_cache import SyntheticKVCache
from .stages import ADDITIVE, Stage, Stages

if TYPE_CHECKING:
    from .op import Count
    from .workload import Workload

__all__ = ["DeepseekOCRModel", "OperationMode"]

OperationMode: TypeAlias = Literal["prefill", "decode"]


class DeepseekOCRModel:
    """DeepSeek-OCR at the sizes of ``config``, run as ``execution`` says.

    As values: :meth:`vision`, :meth:`prefill`, :meth:`decode` and :meth:`run` price a workload and change nothing.

    As a session: :meth:`start_prefill` and :meth:`start_decode` say where a run stands, :meth:`decode_one_token` moves
    it on, and the ``forward_*`` queries answer for the forward pass that it stands at: the whole prefill, or the one
    decode step that comes next.
    """

    def __init__(self, config: DeepseekOCRConfig = DeepseekOCRConfig(), execution: Execution = Execution()) -> None:
        self.config = config
        self.execution = execution
        self._mode: OperationMode | None = None
        self._cache: SyntheticKVCache | None = None
        self._pending: int = 0

    def vision(self, workload: Workload) -> Stage:
        """Price SAM, CLIP and projector over all views of the workload's pages."""
        return stages.vision(self.config, workload, self.execution)

    def prefill(self, workload: Workload) -> tuple[Stage, SyntheticKVCache]:
        """Price decoder and LM head over image tokens and text; the cache that this leaves."""
        context = workload.context(self.config.sam)
        cache = SyntheticKVCache(self.config.decoder, workload.batch, context, self.execution.dtype)
        return stages.prefill(self.config, context, cache, self.execution), cache

    def decode(self, cache: SyntheticKVCache) -> Stage:
        """Price one step after ``cache``; for a cache of many lengths, one step after each of them."""
        return stages.decode_step(self.config, cache, self.execution)

    def run(self, workload: Workload) -> Stages:
        """Price a whole workload of Python ints, of any size.

        A decode step is affine in the keys that it attends over, so the first and the last one tell the sum of all.

        Raises:
            SizeError: a size that is an array: :func:`dsocr_cost.sweep.evaluate` takes those.
        """
        steps: Any = workload.decode_steps
        sizes = (workload.batch, workload.text_tokens, steps, *(workload.grid or ()))
        if not all(isinstance(size, int) for size in sizes):
            msg = f"workload: got {workload}, allowed are ints; sweep.evaluate takes arrays"
            raise SizeError(msg)
        prefill, cache = self.prefill(workload)
        first, last = self.decode(cache), self.decode(cache.extended(steps - 1))
        ends = {name: (getattr(first, name), getattr(last, name)) for name in ADDITIVE}
        decode = replace(last, **{name: (one + other) * steps // 2 for name, (one, other) in ends.items()})
        parts = (self.vision(workload), prefill, decode)
        return stages.run(self.config, workload, self.execution, parts)

    @property
    def operation_mode(self) -> OperationMode | None:
        """Where the session stands; None before it was started."""
        return self._mode

    def start_prefill(
        self, context_len: int, batch_size: int = 1, kv_cache: SyntheticKVCache | None = None
    ) -> SyntheticKVCache:
        """Stand at the prefill of ``context_len`` positions, after those of ``kv_cache`` if there are any.

        Returns:
            The cache that the prefill leaves.

        Raises:
            SizeError: sizes below 1, or a cache of another batch, model or dtype.
        """
        for name, size in (("context_len", context_len), ("batch_size", batch_size)):
            _require_positive(name, size)
        cache = kv_cache or SyntheticKVCache(self.config.decoder, batch_size, 0, self.execution.dtype)
        self._require_own(cache)
        if cache.batch != batch_size:
            msg = f"batch_size: got {batch_size}, allowed is that of the cache, {cache.batch}"
            raise SizeError(msg)
        self._mode, self._pending, self._cache = "prefill", context_len, cache.extended(context_len)
        return self._cache

    def start_decode(self, kv_cache: SyntheticKVCache | None = None) -> SyntheticKVCache:
        """Stand at the first decode step after ``kv_cache``, or after the session's own.

        Raises:
            SessionError: there is no cache to start from.
            SizeError: a cache of another model or dtype.
        """
        if kv_cache is not None:
            self._require_own(kv_cache)
        cache = kv_cache or self._started("start_decode")
        self._mode, self._pending, self._cache = "decode", 1, cache
        return cache

    def decode_one_token(self) -> SyntheticKVCache:
        """Decode one token of each sequence: the cache grows by one position.

        Raises:
            SessionError: the session does not stand in decode.
        """
        if self._mode != "decode":
            msg = f"decode_one_token: got a session in {self._mode or 'no mode'}, allowed is one after start_decode()"
            raise SessionError(msg)
        self._cache = self._started("decode_one_token").extended()
        return self._cache

    def forward_tensor_core_flops(self) -> Count:
        """FLOPs of the matrix work."""
        return self._forward("forward_tensor_core_flops").tensor_flops

    def forward_cuda_core_flops(self) -> Count:
        """FLOPs of all other work."""
        return self._forward("forward_cuda_core_flops").cuda_flops

    def forward_cal_io(self) -> Count:
        """Bytes read and written by all kernels, weights included."""
        return self._forward("forward_cal_io").io_bytes

    def forward_arithmetic_intensity(self) -> float:
        """FLOPs of both kinds a byte."""
        stage: Any = self._forward("forward_arithmetic_intensity")
        return float((stage.tensor_flops + stage.cuda_flops) / stage.io_bytes)

    def forward_memory_weight(self) -> Count:
        """Bytes of the weights that decoder and LM head keep resident."""
        return self._forward("forward_memory_weight").weight_bytes

    def forward_memory_activation(self) -> Count:
        """Bytes of activations at the peak."""
        return self._forward("forward_memory_activation").activation_bytes

    def forward_memory_kvcache(self) -> Count:
        """Bytes of the KV cache: after the prefill, or before the decode step that comes next."""
        return self._started("forward_memory_kvcache").kv_cache_bytes

    def _forward(self, query: str) -> Stage:
        cache = self._started(query)
        if self._mode == "decode":
            return self.decode(cache)
        return stages.prefill(self.config, self._pending, cache, self.execution)

    def _started(self, call: str) -> SyntheticKVCache:
        if self._cache is None:
            msg = f"{call}: got a session that was not started, allowed is one after start_prefill()"
            raise SessionError(msg)
        return self._cache

    def _require_own(self, cache: SyntheticKVCache) -> None:
        if cache.config != self.config.decoder or cache.dtype != self.execution.dtype:
            msg = f"kv_cache: got one of another model or dtype ({cache.dtype}), allowed is one of this model"
            raise SizeError(msg)
        for name, size in (("kv_cache.batch", cache.batch), ("kv_cache.length", cache.length)):
            if not isinstance(size, int):
                msg = f"{name}: got {size!r}, allowed is a whole number: a session has one length"
                raise SizeError(msg)
        _require_positive("kv_cache.batch", cache.batch)


def _require_positive(name: str, size: object) -> None:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        msg = f"{name}: got {size!r}, allowed are whole numbers of at least 1"
        raise SizeError(msg)
