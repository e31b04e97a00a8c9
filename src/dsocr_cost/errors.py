"""The errors of both packages, one small tree."""

__all__ = ["ConfigError", "DeviceError", "DsocrError", "ProfileError", "SessionError", "SizeError"]


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
