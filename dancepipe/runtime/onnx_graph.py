"""The doorway to ONNX Runtime."""

from typing import cast

import numpy as np

from dancepipe.errors import MissingExtraError
from dancepipe.runtime.graph import Arrays

_ERRORS_ALONE = 3  # of its log, which goes to stderr


class OnnxGraph:
    """A Graph (graph.py)."""

    def __init__(self, content: bytes):
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("onnxruntime", "onnx", "--runtime onnx") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the caller's own
        options.log_severity_level = _ERRORS_ALONE
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._outputs = [one.name for one in self._session.get_outputs()]

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        values = self._session.run(None, {name: inputs[name] for name in self._inputs})
        return dict(zip(self._outputs, cast("list[np.ndarray]", values), strict=True))
