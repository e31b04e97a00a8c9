"""Reads typed values out of a profile's file; every error names the file, the key, what it got and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from .errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Between", "ProfileSection"]


class Between(NamedTuple):
    """What a figure may be, both ends among it."""

    least: float
    most: float

    def __str__(self) -> str:
        return f"from {self.least:,.15g} to {self.most:,.15g}"


class ProfileSection:
    """An object of the document, and where it stands: every value is looked at before it is used."""

    def __init__(self, source: str, values: Any) -> None:
        self.source = source
        self.values: dict[str, Any] = values

    def got(self, key: str) -> Any:
        """Take a value that has to be there."""
        if key not in self.values:
            raise ProfileError(f"{self.source}: {key}: missing; calibrate anew")
        return self.values[key]

    def require(self, key: str, holds: bool, allowed: str) -> None:
        """Refuse a value that is none of those allowed."""
        if not holds:
            self.refuse(key, allowed)

    def refuse(self, key: str, allowed: str) -> NoReturn:
        """Raise the error that names all four."""
        refuse(f"{self.source}: {key}", self.got(key), allowed)

    def need(self, keys: Iterable[str]) -> None:
        """Refuse a section that lacks one of these keys."""
        missing = sorted({*keys} - self.values.keys())
        if missing:
            raise ProfileError(f"{self.source}: {', '.join(missing)}: missing; calibrate anew")

    def allow(self, *keys: str) -> None:
        """Refuse keys other than these."""
        unknown = sorted(self.values.keys() - {*keys})
        if unknown:
            named = ", ".join(map(one_line, unknown))
            raise ProfileError(f"{self.source}: {named}: unknown, allowed are {', '.join(keys)}")

    def section(self, *keys: str) -> ProfileSection:
        """Go down to an object inside this one."""
        section = self
        for key in keys:
            section.require(key, isinstance(section.got(key), dict), "an object with keys")
            section = ProfileSection(f"{section.source}: {one_line(key)}", section.got(key))
        return section

    def number(self, key: str, allowed: Between) -> float:
        """Read a number."""
        value = self.got(key)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        # what is no number compares as false, and an int beyond any float as an int
        self.require(key, number and allowed.least <= value <= allowed.most, f"a number {allowed}")
        return float(value)

    def count(self, key: str, allowed: Between) -> int:
        """Read a whole number."""
        value = self.got(key)
        whole = isinstance(value, int) and not isinstance(value, bool)
        self.require(key, whole and allowed.least <= value <= allowed.most, f"a whole number {allowed}")
        return int(value)

    def flag(self, key: str) -> bool:
        """Read true or false."""
        self.require(key, isinstance(self.got(key), bool), "true or false")
        return bool(self.got(key))

    def text(self, key: str) -> str:
        """Read a text of one line."""
        value = self.got(key)
        self.require(key, isinstance(value, str) and value.isprintable(), "a line of text")
        return str(value)

    def texts(self) -> dict[str, str]:
        """Read all values, which are texts."""
        return {key: self.text(key) for key in self.values}


def refuse(where: str, got: object, allowed: str) -> NoReturn:
    """Raise the error that names all four.

    Raises:
        ProfileError: always.
    """
    shown = repr(got)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    raise ProfileError(f"{where}: got {shown}, allowed is {allowed}")


def one_line(key: str) -> str:
    """Show a key as it is, or escaped where it would leave its line."""
    return key if key.isprintable() else repr(key)
