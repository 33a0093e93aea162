# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Linear layers on oneDNN.

torch multiplies f32 matrices by MKL, which keeps to AVX2 on processors that are not Intel's. oneDNN, which torch holds
for compiled graphs and 16-bit types, asks for instruction sets and not for the maker.
"""

import torch


class OneDnnLinear(torch.nn.Linear):
    """torch.nn.Linear with the same parameters, whose products in f32 are oneDNN's where no gradient is asked for."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        if not self._is_for_onednn(rows):
            return super().forward(rows)
        return torch.ops.mkldnn._linear_pointwise(rows, self.weight, self.bias, "none", [], "")

    def _is_for_onednn(self, rows: torch.Tensor) -> bool:
        if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"):
            return False
        needs_gradients = torch.is_grad_enabled() and (rows.requires_grad or self.weight.requires_grad)
        is_dense = all(type(each) in (torch.Tensor, torch.nn.Parameter) and each.device.type == "cpu"
                       and each.dtype == torch.float32 for each in (rows, self.weight))
        return is_dense and not needs_gradients and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def use_onednn(module: torch.nn.Module) -> None:
    """Lets the linear layers of a module be OneDnnLinear from now on; subclasses of torch's stay as they are."""
    for layer in module.modules():
        if type(layer) is torch.nn.Linear:
            layer.__class__ = OneDnnLinear
