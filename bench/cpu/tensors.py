# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NumPy's arrays as torch's tensors, and back; bf16 stands in uint16."""

import numpy as np
import torch
from cases import Case


def as_tensors(case: Case, arrays: list[np.ndarray]) -> list[torch.Tensor]:
    """The same memory; from here on torch keeps to the case's number of threads, and to inference."""
    torch.set_num_threads(case.threads)
    torch.set_grad_enabled(False)
    return [torch.from_numpy(x.view(np.int16)).view(torch.bfloat16) if x.dtype == np.uint16 else torch.from_numpy(x)
            for x in arrays]


def read_tensor(output: torch.Tensor) -> np.ndarray:
    return output.float().numpy()
