"""The doorway to mediapipe 0.10.14, whose own graphs run the same networks: what ours is held
against.

Needs `pip install mediapipe==0.10.14`. Both classes stand in for ours of the same methods. Not to
be used in a process that is forked later: the graphs' threads do not survive it.
"""

import math
import os
import warnings

import numpy as np

from dancepipe.person.blazepose.body_network import Body
from dancepipe.person.blazepose.litert import silent_stderr
from dancepipe.person.blazepose.region import Region

_DETECTOR_GRAPH = """
input_stream: "image"
output_stream: "detections"
node {
  calculator: "PoseDetectionCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
}
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


class MediapipeDetector:
    """detect_people.PeopleDetector by mediapipe's graph."""

    def __init__(self):
        with silent_stderr():
            params = {"posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": 0.2}
            self._graph = solution_base()(graph_config=_DETECTOR_GRAPH, calculator_params=params)
            self.detect(np.zeros((64, 64, 3), np.uint8))

    def detect(self, image: np.ndarray) -> list[Region]:
        height, width = image.shape[:2]
        regions = []
        for detection in self._graph.process(image).detections or ():
            points = detection.location_data.relative_keypoints[:2]
            center, tip = (to_px(point, width, height) for point in points)
            regions.append(Region(center, tip, min(detection.score[0], 1.0)))
        return sorted(regions, key=lambda region: -region.score)

    def close(self) -> None:
        self._graph.close()


class MediapipeBodies:
    """body_network.BodyNetwork by mediapipe's graph (complexity 1, the one inside the wheel)."""

    def __init__(self, *, mask: bool, min_presence: float = 0.5):
        part = "poselandmarkbyroicpu__tensorstoposelandmarksandsegmentation__"
        outputs = ["landmarks", "alignment", "mask"]
        with silent_stderr():
            self._graph = solution_base()(
                graph_config=_BODY_GRAPH,
                side_inputs={"model_complexity": 1, "enable_segmentation": mask},
                calculator_params={f"{part}ThresholdingCalculator.threshold": min_presence},
                outputs=outputs if mask else outputs[:2],
            )
            self._mask = mask
            self.read(np.zeros((64, 64, 3), np.uint8), Region((32, 32), (32, 0)))

    def read(self, image: np.ndarray, region: Region) -> Body | None:
        from mediapipe.framework.formats import rect_pb2

        height, width = image.shape[:2]
        square = region.square()
        if square.side_px < 2:
            return None
        rectangle = rect_pb2.NormalizedRect(
            x_center=(region.center_xy_px[0] + 0.5) / width,
            y_center=(region.center_xy_px[1] + 0.5) / height,
            width=square.side_px / width,
            height=square.side_px / height,
            rotation=square.turn_radians,
        )
        result = self._graph.process({"image": image, "region": rectangle})
        if not result.landmarks or not result.alignment:
            return None
        landmarks = np.array(
            [
                (*to_px(point, width, height), point.visibility, point.z * width, point.presence)
                for point in result.landmarks.landmark
            ],
            np.float32,
        )
        center, tip = (to_px(p, width, height) for p in result.alignment.landmark[:2])
        if not np.isfinite([*center, *tip]).all() or math.dist(center, tip) < 1:
            return None
        mask = result.mask.astype(np.float32).reshape(height, width) if self._mask else None
        return Body(landmarks, Region(center, tip), mask)

    def close(self) -> None:
        self._graph.close()


def to_px(point, width: int, height: int) -> tuple[float, float]:
    """mediapipe counts from the outer edge of pixel 0, in picture sizes; we from its centre."""
    return point.x * width - 0.5, point.y * height - 0.5


def solution_base():
    """mediapipe's class that runs a graph, with the options of the graphs above registered."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)
    from mediapipe.python import solution_base
    from mediapipe.python.solutions import pose  # noqa: F401  registers the options

    return solution_base.SolutionBase
