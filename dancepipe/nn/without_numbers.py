"""Modules as shapes alone."""

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode


class WithoutNumbers(TorchFunctionMode):
    """with-block: modules begin without numbers, and spectral norms are not sought. On the meta
    device, drawing the first numbers takes seconds, and so do power iterations."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        if function is torch.mv:
            return args[0].new_empty(len(args[0]))
        if function is F.normalize and kwargs.get("out") is not None:
            return kwargs["out"]
        return function(*args, **kwargs)
