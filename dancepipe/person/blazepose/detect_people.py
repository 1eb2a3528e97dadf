"""Everyone in a picture, with BlazePose's person detector: a circle with the body's axis for each.

After mediapipe 0.10.14's graph PoseDetectionCpu: its options, and the arithmetic of
SsdAnchorsCalculator, TensorsToDetectionsCalculator and NonMaxSuppressionCalculator (weighted).
"""

import numpy as np

from dancepipe.person.blazepose.litert import Network
from dancepipe.person.blazepose.region import Region
from dancepipe.person.blazepose.turned_square import TurnedSquare

_INPUT_PX = 224
_GRIDS = ((28, 2), (14, 2), (7, 6))  # cells a side, and how many answers a cell gives
_SAME_PERSON_IOU = 0.3  # boxes that share more than this are one person
_MIDDLE_OF_HIPS, _TIP = slice(4, 6), slice(6, 8)  # columns behind the box: x, y, width, height


def anchors() -> np.ndarray:
    """float32 (2254, 2): the middle of each answer's cell in the input, in sides."""
    centers = []
    for cells, answers in _GRIDS:
        middle = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        xy = np.stack(np.meshgrid(middle, middle), -1).reshape(-1, 2)
        centers.append(np.repeat(xy, answers, axis=0))
    return np.concatenate(centers)


class PeopleDetector:
    """detect(image) -> a region for each person who is seen."""

    def __init__(self, network: Network):
        """network: pose_detection.tflite."""
        self._network = network
        self._anchors = anchors()

    def detect(self, image: np.ndarray, *, min_score: float = 0.2) -> list[Region]:
        """image: uint8 RGB (H, W, 3). Everyone with a score of min_score or more, best first."""
        square = TurnedSquare.around((image.shape[1], image.shape[0]))
        picture = square.read(image, _INPUT_PX, repeat_border=False)
        raw, logits = self._network.run(
            picture.astype(np.float32) * np.float32(2 / 255) - np.float32(1)
        )  # -1 .. 1
        scores, boxes = self._decode(raw[0], logits[0, :, 0], min_score)
        regions = []
        for score, box in merge(scores, boxes):
            center, tip = square.to_picture(np.stack([box[_MIDDLE_OF_HIPS], box[_TIP]]))
            regions.append(Region(tuple(center.tolist()), tuple(tip.tolist()), min(score, 1.0)))
        return regions

    def _decode(
        self, raw: np.ndarray, logits: np.ndarray, min_score: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Answers that are sure enough: scores (K,) and boxes with points (K, 8), in sides."""
        with np.errstate(over="ignore"):  # exp(100) is inf, and the score 0
            scores = 1 / (1 + np.exp(-logits))
        kept = np.flatnonzero(scores >= min_score)
        values = raw[kept, :8] / np.float32(_INPUT_PX)
        for columns in (slice(0, 2), _MIDDLE_OF_HIPS, _TIP):
            values[:, columns] += self._anchors[kept]
        sound = np.isfinite(values).all(1) & (values[:, 2:4] >= 0).all(1)
        return scores[kept][sound], values[sound]

    def close(self) -> None:
        """Frees the network. Closing twice is allowed."""
        self._network.close()


def merge(scores: np.ndarray, boxes: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """One (score, box) a person, best first. boxes: (K, C), middle x and y, width, height first.

    The best box takes all that overlap it: their mean, weighted by score. Then the best of the
    rest, and so on.
    """
    order = np.argsort(-scores, kind="stable")
    scores, boxes = scores[order], boxes[order]
    people = []
    while len(scores):
        same = _overlap(boxes[0], boxes) > _SAME_PERSON_IOU
        if not same[0]:  # a box without area
            people.append((float(scores[0]), boxes[0]))
            break
        people.append((float(scores[0]), np.average(boxes[same], axis=0, weights=scores[same])))
        scores, boxes = scores[~same], boxes[~same]
    return people


def _overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with each of (K, C)."""
    low = np.maximum(box[:2] - box[2:4] / 2, boxes[:, :2] - boxes[:, 2:4] / 2)
    high = np.minimum(box[:2] + box[2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2)
    shared = np.prod((high - low).clip(0), axis=1)
    union = box[2] * box[3] + boxes[:, 2] * boxes[:, 3] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
