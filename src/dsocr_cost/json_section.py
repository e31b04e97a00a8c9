"""Reads typed values out of a JSON file; every error names the file, the key, what it got and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from .errors import ConfigError, quoted
from .text_file import read_text_file

if TYPE_CHECKING:
    import os

__all__ = ["JsonSection"]


class JsonSection:
    """One object of a JSON document, and where in the document it stands."""

    def __init__(self, source: str, content: Mapping[str, object], path: tuple[str, ...] = ()) -> None:
        self.source = source
        self.path = path
        self._content = content

    @classmethod
    def load(cls, source: str | os.PathLike[str] | Mapping[str, object]) -> JsonSection:
        """Take a parsed mapping as it is, or read a file."""
        if isinstance(source, Mapping):
            return cls("<mapping>", source)
        text = read_text_file(source, ConfigError)
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"{source}: is no JSON: {error}"
            raise ConfigError(msg) from error
        if not isinstance(content, Mapping):
            msg = f"{source}: got a JSON {type(content).__name__}, allowed is an object with keys"
            raise ConfigError(msg)
        return cls(str(source), content)

    def section(self, *keys: str) -> JsonSection:
        """Go down to an object inside this one."""
        section = self
        for key in keys:
            value = section._value(key, "an object with keys")
            if not isinstance(value, Mapping):
                section.refuse(key, value, "an object with keys")
            section = JsonSection(section.source, value, (*section.path, key))
        return section

    def integer(self, key: str) -> int:
        """Read a whole number; the config that it goes into knows which ones it takes."""
        value = self._value(key, "a whole number")
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, value, "a whole number")
        return value

    def integers(self, key: str) -> tuple[int, ...]:
        """Read a list of whole numbers."""
        value = self._value(key, "a list of whole numbers")
        if not isinstance(value, list) or any(isinstance(one, bool) or not isinstance(one, int) for one in value):
            self.refuse(key, value, "a list of whole numbers")
        return tuple(value)

    def one_of(self, key: str, allowed: tuple[object, ...], *, default: object = None) -> object:
        """Read one of a few values; ``default``, where it is one of them, stands for a key that is not there."""
        names = ", ".join(json.dumps(one) for one in allowed)
        value = self._content.get(key, default) if default in allowed else self._value(key, names)
        if not any(value == one and type(value) is type(one) for one in allowed):
            self.refuse(key, value, names)
        return value

    def refuse(self, key: str, got: object, allowed: str) -> NoReturn:
        """Raise the error that names all four."""
        msg = f"{self.source}: {'.'.join((*self.path, key))}: got {quoted(got)}, allowed is {allowed}"
        raise ConfigError(msg)

    def locate(self, error: ConfigError) -> ConfigError:
        """Put the file and the section before what a config said of its values."""
        return ConfigError(f"{': '.join(filter(None, (self.source, '.'.join(self.path))))}: {error}")

    def _value(self, key: str, allowed: str) -> object:
        if key not in self._content:
            msg = f"{self.source}: {'.'.join((*self.path, key))}: is missing, allowed is {allowed}"
            raise ConfigError(msg)
        return self._content[key]
