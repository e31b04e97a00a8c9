"""The versions that figures depend on."""

import platform
from importlib.metadata import PackageNotFoundError, version

from pytest_dsocr import environment as room
from pytest_dsocr.environment import PACKAGES, environment


def test_it_names_python_the_system_and_the_packages():
    here = environment()
    assert [*here] == ["python", "platform", *PACKAGES]
    assert here["python"] == platform.python_version()
    assert here["torch"] == version("torch")


def test_a_package_that_is_not_there_has_no_version(monkeypatch):
    def missing(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(room, "version", missing)
    assert {environment()[package] for package in PACKAGES} == {""}
