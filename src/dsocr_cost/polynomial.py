"""Sizes as symbols: what a sum of ops is in its sizes, found once and then evaluated on a million points."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from .int64 import INT64_END, refuse_beyond_int64

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Largest", "Polynomial", "Values", "largest", "symbol"]


class Size(str):
    """A named size that is at least 1, as a plain name is at least 0."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Mapped:
    """A function of a polynomial that is no polynomial itself, as a size of its own.

    ``grows`` says whether it grows with its sizes, ``flag`` whether it is 0 or 1.
    """

    label: str
    argument: Polynomial
    function: Callable[[Any], Any] = field(compare=False)
    grows: bool = field(default=True, compare=False)
    flag: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.label}({sorted(self.argument.terms.items(), key=str)})"


Name: TypeAlias = "str | Mapped"
Monomial: TypeAlias = tuple[tuple[Name, int], ...]
"""Names and their powers, in the order of their spelling; () is the constant."""


def symbol(name: str, *, at_least_one: bool = False) -> Any:
    """Make a size that has a name and no value; it stands in for a Count, so its type is left open."""
    return Polynomial({((Size(name) if at_least_one else name, 1),): 1})


@dataclass(frozen=True, slots=True)
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

    def __neg__(self) -> Polynomial:
        return Polynomial({monomial: -coefficient for monomial, coefficient in self.terms.items()})

    def __sub__(self, other: Any) -> Polynomial:
        """Add the negative."""
        return NotImplemented if (other := _polynomial(other)) is None else self + -other

    def __rsub__(self, other: Any) -> Polynomial:
        """Subtract from what stands before."""
        return NotImplemented if (other := _polynomial(other)) is None else other + -self

    __radd__ = __add__
    __rmul__ = __mul__

    def __hash__(self) -> int:
        """Hash the terms in no order."""
        return hash(frozenset(self.terms.items()))

    def mapped(self, label: str, function: Callable[[Any], Any], *, grows: bool = True, flag: bool = False) -> Any:
        """Apply what is no polynomial; functions of one label and argument are taken to be the same.

        The function sees ints, arrays and, where a bound is estimated, floats. ``grows`` says whether it is largest
        where the sizes are, ``flag`` whether it is 0 or 1.
        """
        if set(self.terms) <= {()}:
            return function(self.terms.get((), 0))
        return Polynomial({((Mapped(label, self, function, grows, flag), 1),): 1})

    def powers_of(self, name: str) -> dict[int, Polynomial]:
        """Collect by the powers of one size: what stands before name**0, name**1, and so on."""
        collected: dict[int, Polynomial] = {}
        for monomial, coefficient in self.terms.items():
            power = dict(monomial).get(name, 0)
            rest = tuple(factor for factor in monomial if factor[0] != name)
            collected[power] = collected.get(power, Polynomial({})) + Polynomial({rest: coefficient})
        return collected

    def evaluate(self, what: str, sizes: Mapping[str, Any] | Values) -> Any:
        """Insert ints, or int64 arrays that broadcast; ``what`` names the sum in the error.

        Raises:
            SizeError: a point whose sum, of terms without their signs, leaves int64. Python ints have no such limit.
        """
        values = sizes if isinstance(sizes, Values) else Values(sizes)
        if values.arrays and (not self._grows or self._bound(values.largest) >= INT64_END):
            # the largest sizes need not stand together
            refuse_beyond_int64(what, self._bound(values.in_floats))
        return _sum(self.terms, values)

    @property
    def _grows(self) -> bool:
        return all(name.grows for monomial in self.terms for name, _ in monomial if isinstance(name, Mapped))

    def _bound(self, values: Values) -> Any:
        return _sum({monomial: abs(coefficient) for monomial, coefficient in self.terms.items()}, values)


class Values:
    """Sizes by name, and the products of them that polynomials have asked for: each is worked out once."""

    def __init__(self, sizes: Mapping[str, Any]) -> None:
        self._sizes = dict(sizes)
        self._known: dict[Any, Any] = {(): 1, **sizes}

    @property
    def arrays(self) -> bool:
        """Whether any size is an array."""
        return not all(isinstance(size, int) for size in self._sizes.values())

    @functools.cached_property
    def largest(self) -> Values:
        """The largest entry of each size, as Python ints."""
        return Values({name: _largest(size) for name, size in self._sizes.items()})

    @functools.cached_property
    def in_floats(self) -> Values:
        """The same sizes as floats, which do not wrap."""
        return Values({name: 1.0 * size for name, size in self._sizes.items()})

    def product(self, monomial: Monomial) -> Any:
        """Multiply the sizes of a monomial."""
        if monomial not in self._known:
            *before, (name, power) = monomial
            rest = tuple(before) if power == 1 else (*before, (name, power - 1))
            self._known[monomial] = self.product(rest) * self._value(name)
        return self._known[monomial]

    def _value(self, name: Name) -> Any:
        if isinstance(name, Mapped) and name not in self._known:
            self._known[name] = name.function(_sum(name.argument.terms, self))
        return self._known[name]


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest of several polynomials, point by point."""

    candidates: tuple[Any, ...]

    def __add__(self, other: Any) -> Largest:
        """Add to each of them."""
        return Largest(tuple(one + other for one in self.candidates))

    __radd__ = __add__

    def evaluate(self, what: str, sizes: Mapping[str, Any] | Values) -> Any:
        """Evaluate each, and take the largest.

        Raises:
            SizeError: as of a polynomial.
        """
        one_by_one = [one.evaluate(what, sizes) if isinstance(one, Polynomial) else one for one in self.candidates]
        return largest(*one_by_one)


def largest(*counts: Any) -> Any:
    """Take the largest of ints, arrays or what is yet to be evaluated, point by point.

    A polynomial that another one is sure to reach, whatever the sizes are, is left out.
    """
    candidates = [one for count in counts for one in (count.candidates if isinstance(count, Largest) else (count,))]
    if any(isinstance(one, Polynomial) for one in candidates):
        kept: list[Any] = []
        for one in candidates:
            if not any(_covers(other, one) for other in kept):
                kept = [*(other for other in kept if not _covers(one, other)), one]
        return kept[0] if len(kept) == 1 else Largest(tuple(kept))
    if all(isinstance(one, int) for one in candidates):
        return max(candidates)
    import numpy as np  # here, for those who import the package and price no arrays

    return functools.reduce(np.maximum, candidates)


def _covers(larger: Any, smaller: Any) -> bool:
    """Tell whether a candidate is sure to be at least as large as another; for some pairs neither is.

    It is where each term that the other has more of is made up for by terms that are at least as large.
    """
    larger, smaller = _polynomial(larger), _polynomial(smaller)
    if larger is None or smaller is None:
        return False
    difference = (larger - smaller).terms
    left = {monomial: coefficient for monomial, coefficient in difference.items() if coefficient > 0}
    for monomial, coefficient in difference.items():
        missing = -coefficient
        for other in left:
            if missing > 0 and left[other] and _at_least(other, monomial):
                used = min(missing, left[other])
                left[other] -= used
                missing -= used
        if missing > 0:
            return False
    return True


def _at_least(one: Monomial, other: Monomial) -> bool:
    """Tell whether a product is at least as large as another: no flag that may be 0 there alone, no size missing."""
    powers, others = dict(one), dict(other)
    if any(power > powers.get(name, 0) for name, power in others.items() if not _is_flag(name)):
        return False
    return all(
        name in others if _is_flag(name) else isinstance(name, Size) or power <= others.get(name, 0)
        for name, power in powers.items()
    )


def _is_flag(name: Name) -> bool:
    return isinstance(name, Mapped) and name.flag


def _sum(terms: Mapping[Monomial, int], values: Values) -> Any:
    result: Any = 0
    for monomial, coefficient in terms.items():
        result = result + values.product(monomial) * coefficient
    return result


def _polynomial(value: Any) -> Polynomial | None:
    if isinstance(value, Polynomial):
        return value
    return Polynomial({(): value} if value else {}) if isinstance(value, int) else None


def _times(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + power
    return tuple(sorted(powers.items(), key=str))


def _largest(size: Any) -> Any:
    """Find the largest entry, as a Python number."""
    if not hasattr(size, "max"):
        return size
    return size.max().item() if size.size else 0
