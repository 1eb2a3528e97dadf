"""Which runtime a run uses, decided once and said aloud."""

import importlib.metadata
import importlib.util
import logging

from dancepipe.errors import ConfigError, MissingExtraError

log = logging.getLogger(__name__)

RUNTIMES = ("torch", "onnx", "openvino")
PACKAGES = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
_FASTEST_FIRST = ("openvino", "onnx", "torch")  # measured by tools/bench.py


def pick_runtime(wanted: str, device: str, precision: str) -> str:
    """ "auto" -> the fastest that is installed and fits; any other one must be installed, and fit.

    Those beside torch work on the CPU, in fp32: bfloat16 was slower there, and is asked of torch
    alone. Raises ConfigError, MissingExtraError.
    """
    others_fit = device == "cpu" and precision == "fp32"
    if wanted == "auto":
        choices = _FASTEST_FIRST if others_fit else ("torch",)
        wanted = next(one for one in choices if one == "torch" or is_installed(one))
    elif wanted not in RUNTIMES:
        raise ConfigError(f"unknown runtime '{wanted}'; use auto, {', '.join(RUNTIMES)}")
    elif wanted != "torch" and not others_fit:
        raise ConfigError(
            f"the runtime {wanted} works on the CPU in fp32, and {device} in {precision} was asked "
            "for; use --runtime torch"
        )
    elif not is_installed(wanted):
        raise MissingExtraError(PACKAGES[wanted], wanted, f"--runtime {wanted}")
    log.info(f"runtime: {PACKAGES[wanted]} {_version(wanted)}, {precision}{_hint(wanted, device)}")
    return wanted


def is_installed(runtime: str) -> bool:
    return importlib.util.find_spec(PACKAGES[runtime]) is not None


def _version(runtime: str) -> str:
    try:
        return importlib.metadata.version(PACKAGES[runtime])
    except importlib.metadata.PackageNotFoundError:  # there, but not by pip
        return "of unknown version"


def _hint(runtime: str, device: str) -> str:
    if runtime == "openvino" or device != "cpu" or is_installed("openvino"):
        return ""
    return "; faster: pip install 'dancepipe[openvino]'"
