"""A case: the sizes at which a layer is compared, under a name that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Case"]


class Case:
    """A name for tables and rows, and the sizes that the layer's ``ops`` takes.

    >>> Case("1024 view", batch=1, height=64, width=64)
    Case('1024 view', batch=1, height=64, width=64)

    Two cases are equal when name and sizes are. The name stands in the key of a result row: within one layer and
    metric it is unique.
    """

    __slots__ = ("_sizes", "name")

    def __init__(self, name: str, /, **sizes: int) -> None:
        self.name = name
        self._sizes = dict(sizes)

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
