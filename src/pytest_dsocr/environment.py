"""The versions that a figure depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

__all__ = ["environment"]

PACKAGES = ("pytest-dsocr", "torch", "transformers", "numpy", "pytest")


def environment() -> dict[str, str]:
    """Name Python, the system and the packages; a version is empty where there is no such package."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
