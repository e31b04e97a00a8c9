"""What every layer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..op import Op

__all__ = ["Layer", "layer_name"]


@runtime_checkable
class Layer(Protocol):
    """A frozen value: its fields are what the module's ``__init__`` takes.

    ``ops`` takes the sizes that ``forward`` sees (ints, or integer arrays that broadcast), and ``execution``, and
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
