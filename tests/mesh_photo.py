"""What a picture of the mesh itself shows."""

import numpy as np

from dancepipe.body.mesh import load_mesh
from dancepipe.body.posing import Poser
from dancepipe.body.raster import draw_mesh, skin


def part_map(landmarks: np.ndarray, torso_px: float, size_hw: tuple[int, int]) -> np.ndarray:
    """int (H, W): number in PARTS of the body posed by the landmarks, -1 where there is none."""
    mesh = load_mesh()
    pose = Poser(mesh).pose(landmarks, torso_px)
    points = np.empty_like(mesh.points_dm)
    skin(mesh.points_dm, mesh.skin_bone, mesh.skin_weight, pose.A, pose.b, points)
    body = mesh.layer_of_triangles("body")
    _, winner, _ = draw_mesh(points, mesh.triangles[body], size_hw)
    return np.where(winner >= 0, mesh.triangle_part[body][np.maximum(winner, 0)], -1)
