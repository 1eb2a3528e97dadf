"""Draw a posed figure: picture, mask, and the buffers that joints and flow are read from."""

from dataclasses import dataclass

import numpy as np

from dancepipe.body.raster import vertex_normals
from dancepipe.synthetic.camera import Camera, Light
from dancepipe.synthetic.figure import Figure, view_axes
from dancepipe.synthetic.posture import PosedBones
from dancepipe.synthetic.raster import (
    project_parallel,
    project_perspective,
    rasterise,
    rasterise_depth,
    skin_vertices,
)
from dancepipe.synthetic.shade import resolve_samples, shade_samples

SHADOW_SPAN_DM = 26.0
SHADOW_BIAS_DM = 0.14


@dataclass(frozen=True)
class View:
    """One rendering with what exact truth needs. Sample buffers are `samples` times the
    picture's size."""

    image: np.ndarray  # uint8 RGB (H, W, 3): straight colour, black where nobody is
    alpha: np.ndarray  # uint8 (H, W): share of each pixel that the person covers
    samples: int
    depth: np.ndarray  # float32 (h, w): inverse depth, 0 where empty
    winner: np.ndarray  # int32 (h, w): triangle or -1
    weights: np.ndarray  # float32 (h, w, 2): screen-space weights of corners 1 and 2
    projected: np.ndarray  # float32 (V, 3): x, y in samples, inverse depth
    posed: np.ndarray  # float32 (V, 3): vertices in space, dm
    bones: PosedBones
    camera: Camera

    def over(self, background: np.ndarray) -> np.ndarray:
        """uint8 (H, W, 3): the person before a background, a colour (3,) or picture (H, W, 3)."""
        share = self.alpha[..., None].astype(np.float32) / 255
        mixed = self.image * share + np.asarray(background, np.float32) * (1 - share)
        return (mixed + 0.5).astype(np.uint8)


def render_figure(
    figure: Figure,
    bones: PosedBones,
    camera: Camera,
    light: Light,
    samples: int = 2,
    shadow_samples: int = 256,
) -> View:
    """Render one frame with samples x samples per pixel."""
    posed, crease = _posed(figure, bones)
    normals = np.empty_like(posed)
    vertex_normals(posed, figure.triangles, normals)
    projected = project_figure(figure, posed, camera, samples)
    width, height = camera.size_wh
    depth = np.zeros((height * samples, width * samples), np.float32)
    winner = np.full(depth.shape, -1, np.int32)
    weights = np.zeros((*depth.shape, 2), np.float32)
    rasterise(
        projected,
        figure.triangles,
        figure.uv,
        figure.material,
        figure.material_kind,
        figure.material_fringe,
        figure.texture_place,
        figure.texels,
        figure.inside,
        depth,
        winner,
        weights,
    )
    shadow, axes, place = _shadow(figure, posed, bones, light, shadow_samples)
    color = np.zeros((*depth.shape, 3), np.float32)
    shade_samples(
        winner,
        weights,
        projected,
        posed,
        normals,
        crease,
        figure.occlusion,
        figure.tint,
        figure.triangles,
        figure.uv,
        figure.material,
        figure.material_kind,
        figure.look,
        figure.texture_place,
        figure.texels,
        figure.bumps,
        camera.eye_dm.astype(np.float32),
        light.directions,
        light.colors,
        light.sky,
        shadow,
        axes,
        place,
        np.float32(SHADOW_BIAS_DM),
        color,
    )
    image = np.zeros((height, width, 3), np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    resolve_samples(winner, color, samples, np.float32(light.exposure), image, alpha)
    return View(image, alpha, samples, depth, winner, weights, projected, posed, bones, camera)


def _posed(figure: Figure, bones: PosedBones) -> tuple[np.ndarray, np.ndarray]:
    posed = np.empty_like(figure.rest)
    crease = np.empty(len(posed), np.float32)
    skin_vertices(
        _gripping(figure, bones.grip),
        figure.skin_bone,
        figure.skin_weight,
        bones.rotation,
        bones.shift,
        bones.bend,
        bones.drift,
        figure.sway,
        posed,
        crease,
    )
    crease *= figure.crease_gain
    return posed, crease


def _gripping(figure: Figure, grip: np.ndarray) -> np.ndarray:
    """The rest pose with the fingers of the left and the right hand bent further (> 0) or
    straighter."""
    if not grip.any():
        return figure.rest
    rest = figure.rest.copy()
    for hand, more in zip(figure.hands, grip):
        rest[hand.vertices] += np.float32(more) * hand.bend_dm
    return rest


def project_figure(figure: Figure, posed: np.ndarray, camera: Camera, samples: int) -> np.ndarray:
    """float32 (V, 3): x, y in samples (pixel centre p is at (p + 0.5) * samples) and inverse
    depth."""
    projected = np.empty_like(posed)
    project_perspective(
        posed,
        figure.pull,
        camera.axes.astype(np.float32),
        camera.eye_dm.astype(np.float32),
        np.float32(camera.focal_px * samples),
        np.float32((camera.center_px[0] + 0.5) * samples),
        np.float32((camera.center_px[1] + 0.5) * samples),
        np.float32(camera.distortion / (max(camera.size_wh) / 2 * samples) ** 2),
        projected,
    )
    return projected


def _shadow(
    figure: Figure, posed: np.ndarray, bones: PosedBones, light: Light, side: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    axes = view_axes(light.directions[0]).astype(np.float32)
    middle = axes @ ((bones.heads_dm.min(0) + bones.heads_dm.max(0)) / 2).astype(np.float32)
    scale = np.float32(side / SHADOW_SPAN_DM)
    place = np.array(
        [scale, side / 2 - scale * middle[0], side / 2 + scale * middle[1]], np.float32
    )
    projected = np.empty_like(posed)
    project_parallel(posed, axes, place[0], place[1], place[2], projected)
    nearest = np.full((side, side), -1e9, np.float32)
    rasterise_depth(projected, figure.triangles, nearest)
    return nearest, axes, place
