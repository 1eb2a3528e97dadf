"""Interlaced frames -> whole ones, one for one (FFmpeg's bwdif)."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Generic, TypeVar

from av.error import BlockingIOError, EOFError
from av.filter import Graph
from av.video.frame import VideoFrame

INTERLACED = "it is interlaced; its frames are deinterlaced"
_LEAST_SIDE_PX = 4  # the filter refuses smaller ones

T = TypeVar("T")


class Deinterlacer(Generic[T]):
    """Frames as decoded, each with its payload -> the same number in the same order.

    Only frames that are marked as interlaced are changed. From the first of them on, a frame comes
    out when the next one is in.
    """

    def __init__(self):
        self._graph: Graph | None = None
        self._shape: tuple | None = None
        self._waiting: deque[tuple[VideoFrame, T]] = deque()
        self._pushed = 0

    def push(self, frame: VideoFrame, payload: T) -> Iterator[tuple[VideoFrame, T]]:
        """One more frame -> those that are ready now."""
        if self._graph is None and not is_interlaced(frame):
            yield frame, payload
            return
        shape = (frame.width, frame.height, frame.format.name)
        if shape != self._shape:
            yield from self.flush()
            self._graph, self._shape = _open_graph(frame), shape
        assert self._graph is not None
        frame.pts, frame.time_base = self._pushed, Fraction(1)  # its time is the payload's business
        self._pushed += 1
        self._waiting.append((frame, payload))
        self._graph.vpush(frame)
        yield from self._ready(self._graph)

    def flush(self) -> Iterator[tuple[VideoFrame, T]]:
        """The frames that are left."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready(self._graph)
            self._graph = self._shape = None
        # What a filter swallowed all the same is better shown as it is than not at all.
        while self._waiting:
            yield self._waiting.popleft()

    def _ready(self, graph: Graph) -> Iterator[tuple[VideoFrame, T]]:
        with suppress(BlockingIOError, EOFError):
            while True:
                whole = graph.vpull()
                stored, payload = self._waiting.popleft()
                whole.colorspace, whole.color_range = stored.colorspace, stored.color_range
                whole.color_trc = stored.color_trc
                whole.color_primaries = stored.color_primaries
                yield whole, payload


def is_interlaced(frame: VideoFrame) -> bool:
    """Whether the frame says that it is two half pictures, taken one after the other."""
    return frame.interlaced_frame and min(frame.width, frame.height) >= _LEAST_SIDE_PX


def _open_graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1)
    )
    filtered = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(source, filtered, graph.add("buffersink")).configure()
    return graph
