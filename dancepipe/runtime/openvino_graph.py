"""The doorway to OpenVINO.

Its import alone would send telemetry, by a child process that outlives whoever is killed meanwhile.
It works without the package that sends; that is hidden from it.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np

from dancepipe.errors import MissingExtraError
from dancepipe.runtime.graph import Arrays


class OpenVinoGraph:
    """A Graph (graph.py)."""

    def __init__(self, content: bytes, at_once: int):
        sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError("openvino", "openvino", "--runtime openvino") from error
        core = openvino.Core()
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": at_once,
            "NUM_STREAMS": at_once,  # of one thread each
            "ENABLE_CPU_PINNING": False,  # other stages share the cores
        }
        # OpenVINO gives the thread that compiles a stack for signals; when the graph goes, that
        # thread gets back the one before, whose own graph may have gone earlier: the next Ctrl-C
        # would end the program without a word. A thread that is over hears no signals.
        with ThreadPoolExecutor(1) as apart:
            model = core.read_model(content, b"")
            compiled = apart.submit(core.compile_model, model, "CPU", settings).result()
        self._idle = SimpleQueue()  # requests: each holds the numbers of one run
        for _ in range(at_once):
            self._idle.put(compiled.create_infer_request())
        self._inputs = [_own_name(one) for one in compiled.inputs]
        self._outputs = [_own_name(one) for one in compiled.outputs]

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        given = {name: inputs[name] for name in self._inputs}
        request = self._idle.get()
        try:
            request.infer(given, share_inputs=True)
            return {
                name: request.get_output_tensor(index).data.copy()
                for index, name in enumerate(self._outputs)
            }
        finally:
            self._idle.put(request)


def _own_name(port) -> str:
    """As in the ONNX file. A value has the names of all that was melted into it, and those that
    tracing gave have slashes."""
    return next(name for name in sorted(port.get_names()) if "/" not in name)
