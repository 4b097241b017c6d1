"""Which version this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["package_version"]


def package_version() -> str:
    """As it was installed; ``0+source`` in a checkout that was not."""
    try:
        return version("spillway")
    except PackageNotFoundError:
        return "0+source"
