"""What the tests share: the project's folders, the outside reference data, small simulations."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# A gate must not depend on luck: there the examples are the same each time, at home they are new ones.
hypothesis.settings.register_profile("gate", derandomize=True, deadline=None)
hypothesis.settings.register_profile("home", deadline=None)
hypothesis.settings.load_profile("gate" if os.environ.get("CI") else "home")

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent

# Tests here run compiled kernels, and are repeated with bounds checking and without compilation.
KERNEL_TESTS = (
    TESTS / "kernel",
    TESTS / "unit" / "kernel",
    TESTS / "unit" / "sfq",
    TESTS / "unit" / "cryo" / "test_dram.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the kernels with `kernels`."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in KERNEL_TESTS):
            item.add_marker(pytest.mark.kernels)


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the project."""
    return ROOT


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder of reference data that the repository may not carry; skips where it is absent."""
    folder = Path(os.environ.get("HWMODEL_REFERENCE", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder}; name its folder in HWMODEL_REFERENCE")
    return folder
