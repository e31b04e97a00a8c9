"""The errors of both packages, one small tree."""

__all__ = ["ConfigError", "DeviceError", "DsocrError", "ProfileError", "SessionError", "SizeError", "quoted"]

LONGEST = 60
"""Characters of what an error quotes."""


class DsocrError(Exception):
    """Base of every error that dsocr_cost and pytest_dsocr raise on purpose."""


class ConfigError(DsocrError, ValueError):
    """A model configuration is missing, malformed, or describes no possible model."""


class DeviceError(DsocrError, ValueError):
    """A device that nobody described, or a description of one that no device can have."""


class ProfileError(DsocrError, ValueError):
    """A machine's profile that cannot be read, was changed by hand, or is that of another device."""


class SizeError(DsocrError, ValueError):
    """A size or an execution that no layer can be priced for."""


class SessionError(DsocrError):
    """A session was asked for what does not follow from where it stands."""


def quoted(value: object) -> str:
    """Quote what was got, as Python writes it: the beginning of what is long."""
    try:
        shown = repr(value)
    except ValueError:  # an int of more digits than Python writes
        shown = "a number too long to write"
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."
