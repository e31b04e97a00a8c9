"""What every layer is."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Protocol, TypeVar, cast, runtime_checkable

from ..errors import SizeError
from ..polynomial import Polynomial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..op import Op

__all__ = ["Layer", "as_count", "layer_name", "require_at_least", "sized"]

P = ParamSpec("P")
R = TypeVar("R")


@runtime_checkable
class Layer(Protocol):
    """A frozen value: its fields are what the module's ``__init__`` takes.

    ``ops`` takes the sizes that ``forward`` sees (ints, integer arrays that broadcast, symbols) and ``execution``, and
    yields the kernels with matrix work in the order in which ``forward`` runs them. ``params`` counts the module's
    parameters. ``group`` is its part of the model in names and tables.
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
    """Let ``ops`` take whole numbers of at least 0 only, and arrays as int64: a narrower type wraps in silence.

    Raises:
        SizeError: by what it wraps; the size, what it got and what is allowed.
    """
    names = list(inspect.signature(ops).parameters)

    @functools.wraps(ops)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        layer, *sizes = args
        counts = [as_count(name, size) for name, size in zip(names[1:], sizes, strict=False)]
        named = {name: one if name == "execution" else as_count(name, one) for name, one in kwargs.items()}
        return cast("Any", ops)(layer, *counts, *sizes[len(counts) :], **named)  # type: ignore[no-any-return]

    return checked


def require_at_least(name: str, size: Any, least_name: str, least: Any) -> None:
    """Refuse a size that is smaller than another one anywhere.

    Raises:
        SizeError: both sizes.
    """
    if isinstance(size, Polynomial) or isinstance(least, Polynomial):
        return  # symbols have no size yet
    smaller = size < least
    if smaller if isinstance(smaller, bool) else smaller.any():
        msg = f"{name}: got {size}, allowed is at least {least_name} ({least})"
        raise SizeError(msg)


def as_count(name: str, size: Any) -> Any:
    """Check a size, and widen an array of integers; numpy is not needed for that.

    Raises:
        SizeError: the size, what it got and what is allowed.
    """
    if isinstance(size, Polynomial):
        return size
    array = hasattr(size, "dtype")
    whole = size.dtype.kind in "iu" if array else isinstance(size, int) and not isinstance(size, bool)
    if not whole or (size < 0 if not array else bool((size < 0).any())):
        msg = f"{name}: got {size!r}, allowed are whole numbers of at least 0, or an array of them"
        raise SizeError(msg)
    if not array:
        return size
    return int(size) if size.ndim == 0 else size.astype("int64", copy=False)
