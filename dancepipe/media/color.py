"""Which colours the numbers of a decoded frame stand for, and how HDR and wide gamuts are shown in
BT.709.

HDR is shown as by players on an ordinary screen: white of graphics (203 nits, ITU-R BT.2408) is the
screen's, and the light above is pressed below it (the curve of ITU-R BT.2390, for a source of 1000
nits). Colours outside of BT.709 are cut at its edge.
"""

from functools import cache

import cv2
import numpy as np
from av.video.frame import VideoFrame

# Numbers of ITU-T H.273, as FFmpeg has them too.
_BT709, _BT601, _BT2020 = 1, 6, 9  # matrices
_KNOWN_MATRICES = {0, 1, 4, 5, 6, 7, 9}  # swscale refuses the others
_WIDE_PRIMARIES = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_PQ, _HLG = 16, 18
_HDR_TRANSFERS = {_PQ: "PQ", _HLG: "HLG"}
# Phones, cameras and players agree on BT.709 from here on where nothing is said.
_HD_WIDTH, _HD_HEIGHT = 1280, 720

_GAMMA = 2.4  # of screens (ITU-R BT.1886)
_WHITE_NITS, _PEAK_NITS = 203.0, 1000.0
_FROM_BT2020 = (  # linear light -> BT.709
    (1.6605, -0.5877, -0.0728),
    (-0.1246, 1.1329, -0.0083),
    (-0.0182, -0.1006, 1.1188),
)
_FROM_P3 = ((1.2249, -0.2249, 0.0), (-0.0420, 1.0420, 0.0), (-0.0197, -0.0786, 1.0983))
_BT2020_LUMA = (0.2627, 0.6780, 0.0593)
_STEPS = 4096  # of tables


def tag_as_shown(frame: VideoFrame) -> None:
    """Give the frame the tags that players take it to have where it lacks them."""
    if frame.color_trc in _HDR_TRANSFERS and frame.color_primaries not in _WIDE_PRIMARIES:
        frame.color_primaries = 9
    if lacks_matrix(frame):
        guess = _BT2020 if frame.color_primaries == 9 else _BT709 if is_hd(frame) else _BT601
        frame.colorspace = guess


def lacks_matrix(frame: VideoFrame) -> bool:
    """Whether the matrix of its colours has to be guessed."""
    return not frame.format.is_rgb and frame.colorspace not in _KNOWN_MATRICES


def is_hd(frame: VideoFrame) -> bool:
    """Whether the guess is BT.709."""
    return frame.width >= _HD_WIDTH or frame.height >= _HD_HEIGHT


def needs_mapping(frame: VideoFrame) -> bool:
    """Whether its R, G and B are not yet those of BT.709."""
    return frame.color_trc in _HDR_TRANSFERS or frame.color_primaries in _WIDE_PRIMARIES


def color_remark(frame: VideoFrame) -> str | None:
    """What a user should know of the colours of the video that the frame is of."""
    if frame.color_trc in _HDR_TRANSFERS:
        kind = _HDR_TRANSFERS[frame.color_trc]
        return f"it is HDR video ({kind}); its colours are mapped to those of ordinary video"
    if frame.color_primaries in _WIDE_PRIMARIES:
        kind = _WIDE_PRIMARIES[frame.color_primaries]
        return f"its colours ({kind}) are mapped to those of ordinary video (BT.709)"
    return None


def mapped_to_bt709(signal: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """uint16 R'G'B' (H, W, 3), 65535 = full -> uint8 RGB of BT.709 for a screen of gamma 2.4.

    transfer, primaries: as the frame has them after tag_as_shown().
    """
    light = _light_table(transfer)[signal]  # (H, W, 3): 1 = white
    if transfer == _HLG:  # what the camera saw -> what a screen of 1000 nits shows
        luma = cv2.transform(light, np.array([_BT2020_LUMA], np.float32))
        light *= np.power(luma, np.float32(0.2))[..., None] * np.float32(_PEAK_NITS / _WHITE_NITS)
    if transfer in _HDR_TRANSFERS:
        brightest = light.max(2) * np.float32((_STEPS - 1) * _WHITE_NITS / _PEAK_NITS)
        light *= _tone_table()[np.minimum(brightest, _STEPS - 1).astype(np.uint16)][..., None]
    matrix = _FROM_BT2020 if primaries == 9 else _FROM_P3
    linear = np.clip(cv2.transform(light, np.array(matrix, np.float32)), 0, 1)
    # By the root: a table even in light would be coarse in the dark.
    return _screen_table()[(np.sqrt(linear) * (_STEPS - 1) + 0.5).astype(np.uint16)]


@cache
def _light_table(transfer: int) -> np.ndarray:
    """float32 (65536,): light of a signal, 1 = white; of HLG the scene's, 1 = the brightest."""
    signal = np.arange(65536) / 65535
    if transfer == _PQ:
        return (_nits_of_pq(signal) / _WHITE_NITS).astype(np.float32)
    if transfer == _HLG:
        high = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
        return np.where(signal <= 0.5, signal**2 / 3, high).astype(np.float32)
    return (signal**_GAMMA).astype(np.float32)


@cache
def _tone_table() -> np.ndarray:
    """float32 (_STEPS,): by what light of 0 to _PEAK_NITS is multiplied."""
    nits = np.linspace(0, _PEAK_NITS, _STEPS)
    peak = _pq_of_nits(_PEAK_NITS)
    level, most = _pq_of_nits(nits) / peak, _pq_of_nits(_WHITE_NITS) / peak
    knee = 1.5 * most - 0.5
    t = (np.maximum(level, knee) - knee) / (1 - knee)
    pressed = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * most
    )
    shown = _nits_of_pq(np.where(level < knee, level, pressed) * peak)
    return (shown / np.maximum(nits, 1e-6)).clip(0, 1).astype(np.float32)


@cache
def _screen_table() -> np.ndarray:
    """uint8 (_STEPS,): what a screen is told, by the root of the light."""
    root = np.arange(_STEPS) / (_STEPS - 1)
    return np.round(255 * root ** (2 / _GAMMA)).astype(np.uint8)


def _nits_of_pq(signal):  # SMPTE ST 2084
    power = np.asarray(signal) ** (1 / 78.84375)
    light = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return 10000 * light ** (1 / 0.1593017578125)


def _pq_of_nits(nits):
    power = (np.asarray(nits) / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
