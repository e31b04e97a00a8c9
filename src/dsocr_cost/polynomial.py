"""Sizes as symbols: what a sum of ops is in its sizes, found once and then evaluated on a million points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from .errors import SizeError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Polynomial", "symbol"]

Monomial: TypeAlias = tuple[tuple[str, int], ...]
"""Names and their powers, by name; () is the constant."""

_INT64 = 2**63


def symbol(name: str) -> Any:
    """Make a size that has a name and no value; it stands in for a Count, so its type is left open."""
    return Polynomial({((name, 1),): 1})


@dataclass(frozen=True, slots=True, eq=False)
class Polynomial:
    """A sum of products of named sizes with whole coefficients; adds and multiplies with itself and with ints."""

    __array_ufunc__: ClassVar[None] = None  # numpy leaves the arithmetic to this class, which knows no arrays
    terms: Mapping[Monomial, int]

    def __add__(self, other: Any) -> Polynomial:
        """Add term by term."""
        other = _polynomial(other)
        if other is None:
            return NotImplemented
        terms = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Polynomial({monomial: coefficient for monomial, coefficient in terms.items() if coefficient})

    def __mul__(self, other: Any) -> Polynomial:
        """Multiply every term by every term."""
        other = _polynomial(other)
        if other is None:
            return NotImplemented
        product = Polynomial({})
        for left, factor in self.terms.items():
            product = product + Polynomial({_times(left, right): factor * f for right, f in other.terms.items()})
        return product

    __radd__ = __add__
    __rmul__ = __mul__

    def powers_of(self, name: str) -> dict[int, Polynomial]:
        """Collect by the powers of one size: what stands before name**0, name**1, and so on."""
        collected: dict[int, Polynomial] = {}
        for monomial, coefficient in self.terms.items():
            power = dict(monomial).get(name, 0)
            rest = tuple(factor for factor in monomial if factor[0] != name)
            collected[power] = collected.get(power, Polynomial({})) + Polynomial({rest: coefficient})
        return collected

    def substitute(self, name: str, value: Any) -> Polynomial:
        """Put a value or another polynomial where ``name`` stood."""
        result = Polynomial({})
        for power, factor in self.powers_of(name).items():
            for _ in range(power):
                factor = factor * value
            result = result + factor
        return result

    def evaluate(self, what: str, sizes: Mapping[str, Any]) -> Any:
        """Insert ints, or int64 arrays that broadcast.

        Raises:
            SizeError: a point whose sum, of terms without their signs, leaves int64. Python ints have no such limit.
        """
        if self._bound({name: _largest(size) for name, size in sizes.items()}) >= _INT64:
            self._refuse_overflow(what, sizes)
        return _sum(self.terms, sizes)

    def _bound(self, sizes: Mapping[str, Any]) -> Any:
        return _sum({monomial: abs(coefficient) for monomial, coefficient in self.terms.items()}, sizes)

    def _refuse_overflow(self, what: str, sizes: Mapping[str, Any]) -> None:
        """Look at each point: the largest sizes need not stand together."""
        if all(isinstance(size, int) for size in sizes.values()):
            return
        estimate = self._bound({name: 1.0 * size for name, size in sizes.items()})
        largest = float(_largest(estimate))
        if largest >= _INT64:
            msg = f"{what}: {largest:.3g} does not fit into int64; price such sizes one by one, as Python ints"
            raise SizeError(msg)


def _sum(terms: Mapping[Monomial, int], sizes: Mapping[str, Any]) -> Any:
    result: Any = 0
    for monomial, coefficient in terms.items():
        term: Any = coefficient
        for name, power in monomial:
            for _ in range(power):
                term = term * sizes[name]
        result = result + term
    return result


def _polynomial(value: Any) -> Polynomial | None:
    if isinstance(value, Polynomial):
        return value
    return Polynomial({(): value} if value else {}) if isinstance(value, int) else None


def _times(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + power
    return tuple(sorted(powers.items()))


def _largest(size: Any) -> Any:
    """Find the largest entry, as a Python number."""
    if not hasattr(size, "max"):
        return size
    return size.max().item() if size.size else 0
