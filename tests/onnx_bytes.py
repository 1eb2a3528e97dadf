"""Tiny networks in ONNX's own bytes (protocol buffers), without the package onnx."""


def onnx_node(operation: str, source: str, result: str, **axes: tuple[int, ...]) -> bytes:
    """One operation; axes: attributes that are lists of whole numbers."""
    attributes = b"".join(
        _bytes(
            5, _bytes(1, name) + b"".join(_number(8, value) for value in values) + _number(20, 7)
        )
        for name, values in axes.items()
    )
    return _bytes(1, source) + _bytes(2, result) + _bytes(4, operation) + attributes


def onnx_model(
    nodes: list[bytes], inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]
) -> bytes:
    """The file. inputs, outputs: name -> shape, floats."""
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, "g")
    for field, tensors in ((11, inputs), (12, outputs)):
        graph += b"".join(_bytes(field, _tensor(name, shape)) for name, shape in tensors.items())
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 13))


def _tensor(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = b"".join(_bytes(1, _number(1, size)) for size in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, sizes)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, data: str | bytes) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])
