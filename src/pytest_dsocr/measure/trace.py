"""Sees every kernel that a run launches: what it moves and works out, and what is alive once it has run."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.module_tracker import ModuleTracker

from ..errors import MeasurementError, NotSupportedError
from .alive import Alive, Peak
from .functions import Functions
from .launch import Launch, Ran, Touched, bytes_read, bytes_written, cuda_flops, is_launch
from .memo import MetaMemo
from .op_kinds import op_of
from .places import innermost, place, places
from .refusals import refuse_module, refuse_tensors
from .tensors import cached_tensors, stored_bytes, tensors_of
from .threads import Threads
from .unwritten import Unwritten

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from .measurement import Subject

__all__ = ["Part", "Trace", "trace", "trace_subject"]

_BY_INDICES = ("index", "index_put_")


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
    old entries read and new ones written. ``unwritten``, ``unknown`` and ``unclassified`` say why nothing of it can be
    trusted, or not its memory, or not its CUDA FLOPs.
    """

    launches: tuple[Launch, ...]
    activations: Peak
    allocated: Peak
    kv_cache: tuple[Part, ...]
    compulsory: tuple[Part, ...]
    unwritten: str = ""
    unknown: str = ""
    unclassified: str = ""


class _Tracing(TorchDispatchMode):
    def __init__(self, touched: Touched | None, memo: MetaMemo | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launches: list[Launch] = []
        self.alive = Alive()
        self.read: Counter[int] = Counter()
        self.unwritten = Unwritten()
        self.unknown: Counter[str] = Counter()
        self.unclassified: Counter[tuple[str, str]] = Counter()
        self.tracker = ModuleTracker()
        self.threads = Threads()
        self.functions = Functions(self._note_numbers)
        self._touched = touched
        self._memo = memo or MetaMemo()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Let the op run, then note what it did."""
        kwargs = kwargs or {}
        out = self._memo.run(func, args, kwargs)
        module = innermost(self.tracker)
        ran = Ran.of(op_of(func), args, kwargs, out)
        refuse_tensors((*ran.given, *ran.made), func.name(), module)
        launched = is_launch(ran)
        if launched:
            self._launch(func.name(), module, ran)
        self.alive.note(ran.made, func.name(), module, len(self.launches) + (not launched))
        self.unwritten.follow(func, module, args, kwargs, out)
        return out

    def __exit__(self, *raised: object) -> None:
        """Stop, and let go of what outlives the run."""
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        self.alive.close()

    def _launch(self, name: str, module: str, ran: Ran) -> None:
        read, flops = bytes_read(ran, self._touched), cuda_flops(ran)
        for tensor, size in zip(ran.given, read, strict=True):
            if self.functions.by_list and ran.op.name in _BY_INDICES and any(tensor is one for one in ran.args[1]):
                self._note_numbers(tensor)
            known = self.alive.numbers([tensor])
            self.read.update(dict.fromkeys(known, size))
            if size and not known:
                self.unknown[module] += size
        if flops is None:
            self.unclassified[name.split(".")[0], module] += 1
        shapes = tuple(tuple(tensor.shape) for tensor in ran.given)
        self.launches.append(Launch(name, module, shapes, flops or 0, sum(read), bytes_written(ran)))

    def _note_numbers(self, tensor: torch.Tensor) -> None:
        """Note a tensor that torch made of Python's numbers, as it does of those that it lifts."""
        self.alive.note([tensor], "aten::lift_fresh", innermost(self.tracker), len(self.launches) + 1)

    def unknown_text(self) -> str:
        """Say where memory was read of which nobody knows when it is alive."""
        if not self.unknown:
            return ""
        return (
            f"{self.unknown.total():,} bytes were read (in {places(self.unknown)}) that are no input, parameter or "
            "buffer and that no op of this run made: memory from outside of torch, or a tensor that the module keeps "
            "as a plain attribute"
        )

    def unclassified_text(self) -> str:
        """Name the ops of which nobody knows what work they do."""
        if not self.unclassified:
            return ""
        names = ", ".join(dict.fromkeys(name for name, _ in self.unclassified))
        where = places(module for _, module in self.unclassified)
        return f"{names} ran {self.unclassified.total()} times (in {where}), of which it is not known what work they do"


def trace(run: Callable[[], Any], touched: Touched | None = None, memo: MetaMemo | None = None) -> tuple[Launch, ...]:
    """Run anything once, without gradients, and list what was launched."""
    tracing = _Tracing(touched, memo)
    with torch.no_grad(), tracing.tracker, tracing, tracing.functions:
        run()
    return tuple(tracing.launches)


def trace_subject(subject: Subject, memo: MetaMemo | None = None) -> Trace:
    """Run a module once, without gradients, and follow its kernels and its memory.

    Raises:
        MeasurementError: the module raised; what it did until then is no result.
        NotSupportedError: it is compiled or scripted, or works on tensors that are not dense.
    """
    refuse_module(subject.module)
    tracing = _Tracing(subject.touched, memo)
    alive, (parameters, buffers) = tracing.alive, _weights(subject.module)
    for name, parameter in parameters.items():
        alive.note([parameter], "parameter", name)
    alive.note(buffers, "buffer")
    given = subject.inputs()  # made before the run: they are no work of the module
    refuse_tensors(tensors_of(given), "an input")
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
        "; ".join(filter(None, (*tracing.unwritten.complaints(), tracing.threads.problem()))),
        tracing.unknown_text(),
        tracing.unclassified_text(),
    )


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
        with torch.no_grad(), tracing.tracker, tracing, tracing.functions, tracing.threads:
            return module(*args, **kwargs)
    except NotSupportedError:
        raise
    except Exception as error:
        launched, where = len(tracing.launches), place(innermost(tracing.tracker))
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
