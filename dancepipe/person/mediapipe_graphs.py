"""The doorway to mediapipe 0.10.14: its person detector and its body network, as two plain calls.

mp.solutions.Pose hides both in one graph that follows whomever it likes. Run apart, the detector lists all people, and the
body network reads the one region it is told to: who is followed is then our decision (track.py).

Not to be used in a process forked after creation (the graph's threads do not survive a fork and the child aborts):
create it in the child, or start children with spawn.
"""

import contextlib
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dancepipe.errors import MissingExtraError
from dancepipe.person.track import Sighting

MAX_SIDE_PX = 640  # the networks read 224 and 256 px; more only makes the mask slower
_REGION_SCALE = 1.25  # the square the body network was trained on, in units of twice the reach

_DETECTOR_GRAPH = """
input_stream: "image"
output_stream: "detections"
node { calculator: "PoseDetectionCpu" input_stream: "IMAGE:image" output_stream: "DETECTIONS:detections" }
"""
_BODY_GRAPH = """
input_stream: "image"
input_stream: "region"
input_side_packet: "model_complexity"
input_side_packet: "enable_segmentation"
output_stream: "landmarks"
output_stream: "alignment"
output_stream: "mask"
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  input_side_packet: "ENABLE_SEGMENTATION:enable_segmentation"
  input_stream: "IMAGE:image"
  input_stream: "ROI:region"
  output_stream: "LANDMARKS:landmarks"
  output_stream: "AUXILIARY_LANDMARKS:alignment"
  output_stream: "SEGMENTATION_MASK:mask"
}
"""


@dataclass(frozen=True)
class Region:
    """Where the body network looks: a circle around the middle of the hips, and which way the body's axis points."""

    center_xy_px: tuple[float, float]
    tip_xy_px: tuple[float, float]  # the point of the circle beyond the head
    score: float = 1.0

    def sighting(self) -> Sighting:
        return Sighting(self.center_xy_px, max(math.dist(self.center_xy_px, self.tip_xy_px), 1e-3), self.score)


@dataclass(frozen=True)
class Body:
    """What the body network says about one region."""

    landmarks: np.ndarray  # float32 (33, 4): x_px, y_px (pixel centres at integers), visibility, depth (px, larger = farther)
    next_region: Region  # where to look in the next frame
    mask: np.ndarray | None  # float32 (H, W) in [0, 1], 0 outside the region


class BodyGraphs:
    """Detector and body network (complexity 1, the one inside the wheel). Pictures: uint8 RGB (H, W, 3), contiguous."""

    def __init__(self, *, mask: bool, min_presence: float = 0.5):
        """min_presence: the body network's own certainty below which a region holds nobody."""
        self._pid = os.getpid()
        # TFLite writes its greetings straight to file descriptor 2, at the first picture too.
        with _silent_stderr():
            solution = _import_solution_base()
            self._detector = solution(
                graph_config=_DETECTOR_GRAPH,
                calculator_params={"posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": 0.2},
            )
            threshold = "poselandmarkbyroicpu__tensorstoposelandmarksandsegmentation__ThresholdingCalculator.threshold"
            self._body = solution(
                graph_config=_BODY_GRAPH,
                side_inputs={"model_complexity": 1, "enable_segmentation": mask},
                calculator_params={threshold: min_presence},
                outputs=["landmarks", "alignment", "mask"] if mask else ["landmarks", "alignment"],
            )
            self._mask = mask
            blank = np.zeros((64, 64, 3), np.uint8)
            self.detect(blank)
            self.read_body(blank, Region((32, 32), (32, 0)))

    def detect(self, image: np.ndarray) -> list[Region]:
        """Everyone the detector sees with a score of 0.2 or more, best first."""
        self._check_process()
        height, width = image.shape[:2]
        regions = []
        for detection in self._detector.process(image).detections or ():
            center, tip = detection.location_data.relative_keypoints[:2]
            regions.append(Region(_to_px(center, width, height), _to_px(tip, width, height), min(detection.score[0], 1.0)))
        return sorted(regions, key=lambda region: -region.score)

    def read_body(self, image: np.ndarray, region: Region) -> Body | None:
        """The body in that region, or None when the network sees nobody there."""
        from mediapipe.framework.formats import rect_pb2

        self._check_process()
        height, width = image.shape[:2]
        dx, dy = np.subtract(region.tip_xy_px, region.center_xy_px)
        side = 2 * math.hypot(dx, dy) * _REGION_SCALE
        if side < 2:
            return None
        rectangle = rect_pb2.NormalizedRect(
            x_center=(region.center_xy_px[0] + 0.5) / width,
            y_center=(region.center_xy_px[1] + 0.5) / height,
            width=side / width,
            height=side / height,
            rotation=math.remainder(math.pi / 2 - math.atan2(-dy, dx), 2 * math.pi),  # 0: the head is up
        )
        result = self._body.process({"image": image, "region": rectangle})
        if not result.landmarks or not result.alignment:
            return None
        points = result.landmarks.landmark
        landmarks = np.array([(*_to_px(point, width, height), point.visibility, point.z * width) for point in points], np.float32)
        center, tip = (_to_px(point, width, height) for point in result.alignment.landmark[:2])
        if not np.isfinite([*center, *tip]).all() or math.dist(center, tip) < 1:
            return None
        return Body(landmarks, Region(center, tip), result.mask.astype(np.float32).reshape(height, width) if self._mask else None)

    def close(self) -> None:
        """Ends the graphs' threads. Closing twice is allowed."""
        for name in ("_detector", "_body"):
            graph = self.__dict__.get(name)
            if graph is not None and self._pid == os.getpid():
                graph.close()
            self.__dict__[name] = None

    def _check_process(self) -> None:
        if self._detector is None or self._body is None:
            raise ValueError("this person finder is closed")
        if self._pid != os.getpid():
            raise RuntimeError("mediapipe cannot be used in a forked child: create the finder there, or start children with spawn")


def _to_px(point, width: int, height: int) -> tuple[float, float]:
    """mediapipe counts from the outer edge of pixel 0, in picture sizes; we from its centre."""
    return point.x * width - 0.5, point.y * height - 0.5


def _import_solution_base():
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)
    try:
        from mediapipe.python import solution_base
        from mediapipe.python.solutions import pose  # noqa: F401  registers the options of the graphs below
    except ImportError as error:
        raise MissingExtraError("mediapipe==0.10.14", None, "finding people") from error
    return solution_base.SolutionBase


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Holds back what C++ code writes to file descriptor 2; shows it after all when the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            sink.seek(0)
            os.write(2, sink.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
