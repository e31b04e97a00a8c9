"""A case: the sizes at which a layer is compared, under a name that people read."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, SupportsIndex

from dsocr_cost import SizeError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Case"]


class Case:
    """A name for tables and rows, and the sizes that the layer's ``ops`` takes.

    >>> Case("1024 view", batch=1, height=64, width=64)
    Case('1024 view', batch=1, height=64, width=64)

    Two cases are equal when name and sizes are. The name stands in the key of a result row: within one layer and
    metric it is unique.

    Raises:
        SizeError: a size that is no whole number.
    """

    __slots__ = ("_sizes", "name")

    def __init__(self, name: str, /, **sizes: SupportsIndex) -> None:
        self.name = name
        try:
            self._sizes = {size: index(value) for size, value in sizes.items()}
        except TypeError as error:
            msg = f"case {name!r}: got {sizes}, allowed are whole numbers"
            raise SizeError(msg) from error

    @property
    def sizes(self) -> Mapping[str, int]:
        """The sizes by name."""
        return dict(self._sizes)

    def __getitem__(self, size: str) -> int:
        """One size."""
        return self._sizes[size]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Case) and (self.name, self._sizes) == (other.name, other._sizes)

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self._sizes.items()))))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Case({', '.join([repr(self.name), *(f'{key}={value}' for key, value in self._sizes.items())])})"
