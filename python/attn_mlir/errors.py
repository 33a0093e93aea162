# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can go wrong, one class for each kind; messages are one line that names the value and the cure."""


class Error(Exception):
    """Anything that this package raises by itself, besides TypeError for an argument of a wrong type."""


class CompileError(Error):
    """A pattern, a score or an option is wrong. The first line says what and where; notes may follow."""


class CompilerMissingError(CompileError):
    """The compiler's library is not there, or not what it needs (LLVM and MLIR 22)."""


class LoadError(Error):
    """A file is no object of this version's kernels, or the machine lacks what it needs."""


class CallError(Error, ValueError):
    """A call is refused: shapes, types, devices or values. `status` is the attn_status where the kernel said so."""

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status
