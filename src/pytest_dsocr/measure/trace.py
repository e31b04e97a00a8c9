"""Sees every kernel that a run launches: what it moves and works out, and what is alive once it has run."""

from __future__ import annotations

import contextlib
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.module_tracker import ModuleTracker

from ..errors import MeasurementError, NotSupportedError
from .alive import Alive, Peak
from .launch import (
    Launch,
    Touched,
    bytes_read,
    bytes_written,
    cuda_flops,
    is_launch,
    stored_bytes,
    tensors_in,
    tensors_of,
)
from .memo import MetaMemo
from .unwritten import Unwritten

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from .measurement import Subject

__all__ = ["FusedOnMeta", "Part", "Trace", "cached_tensors", "trace", "trace_subject"]


class Part(NamedTuple):
    """A tensor that a sum of bytes holds: what it is, its name or where it was made, its shape, its share."""

    what: str
    name: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What one run of a module did.

    ``activations`` is the peak of its inputs and of what it made, without parameters, buffers and KV cache;
    ``allocated`` that of everything but buffers. ``kv_cache`` are the keys and values after the run. ``compulsory`` is
    what any implementation has to move: of each input and parameter what was read at all, once; each output; the cache,
    old entries read and new ones written. ``unwritten`` and ``unknown`` say why counts, or memory, cannot be trusted.
    """

    launches: tuple[Launch, ...]
    activations: Peak
    allocated: Peak
    kv_cache: tuple[Part, ...]
    compulsory: tuple[Part, ...]
    unwritten: str = ""
    unknown: str = ""


class FusedOnMeta(TorchFunctionMode):
    """Keeps a fused attention whole on meta, where torch takes it apart: as what a CPU runs."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Redirect the one function."""
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention and (args or (kwargs["query"],))[0].is_meta:
            return _attend(*args, **kwargs)
        return func(*args, **kwargs)


class _Tracing(TorchDispatchMode):
    def __init__(self, touched: Touched | None, memo: MetaMemo | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launches: list[Launch] = []
        self.alive = Alive()
        self.read: Counter[int] = Counter()
        self.unwritten = Unwritten()
        self.unknown: Counter[str] = Counter()
        self.tracker = ModuleTracker()
        self._touched = touched
        self._memo = memo or MetaMemo()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Let the op run, then note what it did."""
        kwargs = kwargs or {}
        out = self._memo.run(func, args, kwargs)
        module = self.module()
        given, made = [*tensors_in((args, tuple(kwargs.values())))], [*tensors_in((out,))]
        launched = is_launch(func, given, made)
        if launched:
            self._launch(func, module, args, given, made)
        self.alive.note(made, func.name(), module, len(self.launches) + (not launched))
        self.unwritten.follow(func, module, args, kwargs, out)
        return out

    def __exit__(self, *raised: object) -> None:
        """Stop, and let go of what outlives the run."""
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        self.alive.close()

    def _launch(
        self, func: Any, module: str, args: tuple[Any, ...], given: list[torch.Tensor], made: list[torch.Tensor]
    ) -> None:
        read = bytes_read(func, args, given, made, self._touched)
        for tensor, size in zip(given, read, strict=True):
            known = self.alive.numbers([tensor])
            self.read.update(dict.fromkeys(known, size))
            if size and not known:
                self.unknown[module] += size
        shapes = tuple(tuple(tensor.shape) for tensor in given)
        written = bytes_written(func, given, made)
        self.launches.append(Launch(func.name(), module, shapes, cuda_flops(func, given, made), sum(read), written))

    def module(self) -> str:
        """Find the innermost submodule that runs, as a path below the outermost one."""
        return max(self.tracker.parents, key=len, default="Global").partition(".")[2]

    def unknown_text(self) -> str:
        """Say where memory was read of which nobody knows when it is alive."""
        if not self.unknown:
            return ""
        where = textwrap.shorten(", ".join(one or "the top level" for one in self.unknown), 60, placeholder=" ...")
        return (
            f"{self.unknown.total():,} bytes were read (in {where}) that are no input, parameter or buffer and that no "
            "op of this run made: memory from outside of torch, or a tensor that the module keeps as a plain attribute"
        )


def trace(run: Callable[[], Any], touched: Touched | None = None, memo: MetaMemo | None = None) -> tuple[Launch, ...]:
    """Run anything once, without gradients, and list what was launched."""
    tracing = _Tracing(touched, memo)
    with torch.no_grad(), tracing.tracker, tracing, FusedOnMeta():
        run()
    return tuple(tracing.launches)


def trace_subject(subject: Subject, memo: MetaMemo | None = None) -> Trace:
    """Run a module once, without gradients, and follow its kernels and its memory.

    Raises:
        MeasurementError: the module raised; what it did until then is no result.
    """
    tracing = _Tracing(subject.touched, memo)
    alive, (parameters, buffers) = tracing.alive, _weights(subject.module)
    for name, parameter in parameters.items():
        alive.note([parameter], "parameter", name)
    alive.note(buffers, "buffer")
    given = subject.inputs()  # made before the run: they are no work of the module
    alive.note([*tensors_of(given), *cached_tensors(given)], "input")
    apart = alive.numbers([*parameters.values(), *buffers, *cached_tensors(given)])
    inputs = {str(index): one for index, one in enumerate(tensors_of(given)) if not alive.numbers([one]) & apart}
    with _after_each_part(subject.module, lambda: apart.update(alive.numbers(cached_tensors(given)))):
        out = _run(tracing, subject.module, given)
    tracing.unwritten.finish(out)
    cached = list(cached_tensors(given))  # not before: what a step replaces has to go when the model lets it go
    apart |= alive.numbers(cached)
    there = apart | alive.numbers(inputs.values())
    kept = tuple(Part("cache", "", tuple(one.shape), one.nbytes) for one in cached)
    compulsory = (
        *_read("input", inputs, tracing),
        *_read("parameter", parameters, tracing),
        *_made(tensors_of(out), alive, there),
        *kept,
    )
    return Trace(
        tuple(tracing.launches),
        alive.peak(without=apart),
        alive.peak(without=alive.numbers(buffers)),
        kept,
        compulsory,
        "; ".join(tracing.unwritten.complaints()),
        tracing.unknown_text(),
    )


def cached_tensors(tree: Any) -> Iterator[torch.Tensor]:
    """Go through the keys and values of every cache among the inputs: objects with layers of keys and values."""
    for leaf in tree_leaves(tree, is_leaf=lambda node: hasattr(node, "layers")):
        for layer in getattr(leaf, "layers", ()):
            for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None)):
                if isinstance(tensor, torch.Tensor):
                    yield tensor


def _weights(module: Any) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """List a module's parameters by name, and its buffers; a function has none."""
    if not isinstance(module, torch.nn.Module):
        return {}, []
    return dict(module.named_parameters()), list(module.buffers())


@contextlib.contextmanager
def _after_each_part(module: Any, look: Callable[[], None]) -> Iterator[None]:
    """Look after each call of a submodule: a run of several passes replaces the cache of the one before."""
    parts = module.children() if isinstance(module, torch.nn.Module) else ()
    hooks = [part.register_forward_hook(lambda *_: look()) for part in parts]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _run(tracing: _Tracing, module: Any, given: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
    args, kwargs = given
    try:
        with torch.no_grad(), tracing.tracker, tracing, FusedOnMeta():
            return module(*args, **kwargs)
    except NotSupportedError:
        raise
    except Exception as error:
        launched, where = len(tracing.launches), tracing.module() or "the top level"
        msg = f"the module raised {type(error).__name__} after {launched} launches, in {where}: {error}"
        raise MeasurementError(msg) from error


def _read(what: str, tensors: Mapping[str, torch.Tensor], tracing: _Tracing) -> Iterator[Part]:
    """Say how much was read of each storage, at most all of it; two tensors of one storage are there once."""
    seen: set[int] = set()
    for name, tensor in tensors.items():
        for number in tracing.alive.numbers([tensor]) - seen:
            seen.add(number)
            size = min(tracing.read[number], tracing.alive.storages[number].bytes)
            if size:
                yield Part(what, name, tuple(tensor.shape), size)


def _made(outputs: Iterable[torch.Tensor], alive: Alive, there: Collection[int]) -> Iterator[Part]:
    """Say how much each output holds, of one storage at most all of it: one may be a view of another."""
    left = {number: storage.bytes for number, storage in enumerate(alive.storages) if number not in there}
    for tensor in outputs:
        for number in alive.numbers([tensor]) & left.keys():
            size = min(stored_bytes(tensor), left[number])
            left[number] -= size
            if size:
                yield Part("output", "", tuple(tensor.shape), size)


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        seen, unseen = (torch.scalar_tensor(one, dtype=query.dtype, device=query.device) for one in (0.0, -torch.inf))
        attn_mask = torch.where(attn_mask, seen, unseen)
    attend: Any = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # noqa: SLF001 - it has no public name
    return attend(query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)[0]  # type: ignore[no-any-return]
