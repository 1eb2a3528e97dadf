"""Modules as shapes alone."""

from torch.overrides import TorchFunctionMode


class WithoutNumbers(TorchFunctionMode):
    """with-block: modules begin without numbers. On the meta device, drawing the first ones takes
    seconds."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return function(*args, **kwargs)
