"""What every layer is."""

from __future__ import annotations

import functools
import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Protocol, TypeVar, cast, runtime_checkable

from ..int64 import refuse_beyond_int64
from ..moment import Boundary, Moment
from ..sizes import as_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..op import Count, Op

__all__ = ["Layer", "layer_name", "sized"]

P = ParamSpec("P")
R = TypeVar("R")


@runtime_checkable
class Layer(Protocol):
    """A frozen value: its fields are what the module's ``__init__`` takes.

    ``ops`` takes the sizes that ``forward`` sees (ints, integer arrays that broadcast, symbols) and ``execution``, and
    yields all kernels that ``forward`` launches, in their order. ``params`` counts the module's parameters.
    ``boundary`` takes the same and gives the bytes of inputs and outputs; ``moments`` lists the kernels at which most
    may be alive. ``group`` is its part of the model in names and tables.
    """

    group: ClassVar[str]

    @property
    def params(self) -> int:
        """Elements of all parameters of the module."""
        ...

    @property
    def ops(self) -> Callable[..., Iterator[Op]]:
        """Sizes and an execution in, ops out."""
        ...


def layer_name(layer: Layer | type[Layer]) -> str:
    """Name a layer as tolerances and result rows do: ``vision.Attention``."""
    kind = layer if isinstance(layer, type) else type(layer)
    return f"{kind.group}.{kind.__name__}"


def sized(ops: Callable[P, R]) -> Callable[P, R]:
    """Let a method take whole numbers of at least 0 only, and arrays as int64, whose products must fit into it.

    Of ``ops``, each op gets its site.

    Raises:
        SizeError: by what it wraps; the size, what it got and what is allowed.
    """
    names = list(inspect.signature(ops).parameters)

    @functools.wraps(ops)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        layer, *sizes = args
        counts = [as_count(name, size) for name, size in zip(names[1:], sizes, strict=False)]
        named = {name: one if name == "execution" else as_count(name, one) for name, one in kwargs.items()}
        if any(hasattr(size, "ndim") for size in (*counts, *named.values())):
            _require_int64(cast("Any", ops), layer, counts, named)
        made = cast("Any", ops)(layer, *counts, *sizes[len(counts) :], **named)
        return cast("R", _placed(layer, made) if ops.__name__ == "ops" else made)

    return checked


def _placed(layer: Any, ops: Iterator[Op]) -> Any:
    """Say of the ops that are a layer's own, and not of a layer inside it, where they stand."""
    name = layer_name(layer)
    for op in ops:
        yield op if op.site else replace(op, site=f"{name}.{op.name}")


def _require_int64(priced: Callable[..., Any], layer: object, sizes: list[Any], named: dict[str, Any]) -> None:
    """Price the largest sizes together as Python ints: what fits into int64 there does so at every point."""

    def largest(size: Any) -> Any:
        return int(size.max(initial=0)) if hasattr(size, "ndim") else size

    at_most = {name: largest(size) for name, size in named.items()}
    made: Any = priced(layer, *map(largest, sizes), **at_most)
    if isinstance(made, Boundary):
        refuse_beyond_int64("inputs and outputs", made.inputs + made.outputs)
    elif isinstance(made, int):
        refuse_beyond_int64(priced.__name__, made)
    else:
        for one in made:
            op_counts: Any = (one.bytes + one.cache_bytes,) if isinstance(one, Moment) else _counts(one)
            refuse_beyond_int64(one.op if isinstance(one, Moment) else one.name, max(op_counts))


def _counts(op: Op) -> tuple[Count, ...]:
    return op.tensor_flops, op.cuda_flops, op.io_bytes
