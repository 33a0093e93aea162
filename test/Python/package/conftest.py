# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The package as the build tree holds it, with a cache of its own."""

import importlib
import os
import sys
from collections.abc import Iterator

import attn
import pytest

PACKAGES = attn.BIN.parent / "python"
sys.path.insert(0, str(PACKAGES))


@pytest.fixture(scope="session", autouse=True)
def package_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cache")
    os.environ["ATTN_MLIR_CACHE"] = str(folder)
    os.environ["PYTHONPATH"] = str(PACKAGES)  # of processes that tests start


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Small tensors take torch's threads longer to share than to compute, and much longer on a busy machine."""
    torch = importlib.import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
