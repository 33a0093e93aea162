# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`pip install .` without a network, from the wheels that lie in build/wheels, into a new virtual environment; and what
then runs there: the README's lines and the tutorial."""

import os
import re
import subprocess
import sys
from pathlib import Path

import attn
import pytest

WHEELS = attn.SOURCE / "build" / "wheels"


def run(*command: object, **options: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(done.args)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the package and NumPy."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run(folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "--no-index",
        f"--find-links={WHEELS}", attn.SOURCE, f"--config-settings=cmake.define.ATTN_BUILD_TREE={attn.BIN.parent}",
        f"--config-settings=build-dir={folder / 'build'}", env=environment)
    return folder / "bin" / "python"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No cache that is filled, and no package but the installed one."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}


def test_readme_lines_run(python: Path, environment: dict[str, str], tmp_path: Path) -> None:
    section = (attn.SOURCE / "README.md").read_text().partition("## From Python")[2].partition("\n## ")[0]
    (program,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    run(python, "-c", program, cwd=tmp_path, env=environment)
    assert (tmp_path / "kernel.so").exists() and (tmp_path / ".cache" / "attn-mlir").is_dir()


def test_tutorial(python: Path, environment: dict[str, str], tmp_path: Path) -> None:
    printed = run(python, attn.SOURCE / "examples" / "python" / "tutorial.py", cwd=tmp_path, env=environment)
    assert re.findall(r"^(\d)\.", printed, re.MULTILINE) == list("123456789")


def test_command_line(python: Path, environment: dict[str, str], tmp_path: Path) -> None:
    assert "pairs admitted" in run(python, "-m", "attn_mlir", "report", "longformer", cwd=tmp_path, env=environment)


def test_package_is_whole(python: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """What is installed is what the build tree holds, and typed; nothing of the build's folders is written in it."""
    printed = run(python, "-c", "import attn_mlir; print(attn_mlir.__file__)", cwd=tmp_path, env=environment)
    installed, built = Path(printed.strip()).parent, attn.BIN.parent / "python" / "attn_mlir"

    def files(folder: Path) -> set[str]:
        found = [Path(parent) / name for parent, _, names in os.walk(folder, followlinks=True) for name in names]
        return {str(path.relative_to(folder)) for path in found
                if path.suffix in (".py", ".typed", ".so", ".h", ".mlir")}

    assert files(installed) == files(built) and "py.typed" in files(installed)
    sections = run("readelf", "-d", installed / "lib" / "libattn-c.so")
    assert str(attn.SOURCE) not in sections
