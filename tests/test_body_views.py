"""Several photos of one person: the first one's body, and each colour from the photo that shows
it."""

import numpy as np
import pytest
from mesh_photo import part_map
from test_posing import TORSO_PX, at_rest

from dancepipe.body.mesh import PARTS, Part, load_mesh
from dancepipe.body.reference import shared_drawer
from dancepipe.body.shading import SEEN
from dancepipe.records import GREY

SIZE_HW = (600, 400)
RED, BLUE, GREEN = (200, 60, 60), (60, 60, 200), (60, 180, 60)


def turned() -> np.ndarray:
    """The person at rest, who has turned round."""
    landmarks = at_rest()
    landmarks[:, 0] = 2 * landmarks[[11, 12], 0].mean() - landmarks[:, 0]
    landmarks[:, 2] = -landmarks[:, 2]
    return landmarks


def photo_of(landmarks: np.ndarray, colour, brightness: float = 1.0):
    """(image, mask): the trunk in that colour, all else green."""
    part = part_map(landmarks, TORSO_PX, SIZE_HW)
    image = np.full((*SIZE_HW, 3), GREY, np.uint8)
    image[part >= 0] = np.multiply(GREEN, brightness)
    image[part == PARTS.index(Part.TORSO)] = np.multiply(colour, brightness)
    return image, np.where(part >= 0, 255, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def front():
    return shared_drawer().fit(*photo_of(at_rest(), RED), at_rest(), TORSO_PX)


@pytest.fixture(scope="module")
def back():
    return shared_drawer().fit(*photo_of(turned(), BLUE), turned(), TORSO_PX)


def chest_of(drawn) -> np.ndarray:
    return np.median(drawn.on_grey()[250:290, 185:215].reshape(-1, 3), 0)


def test_a_back_photo_gives_the_back_and_the_front_stays(front, back):
    drawer = shared_drawer()
    both = drawer.joined(front, [back])

    def drawn(reference, landmarks):
        return drawer.draw(reference, landmarks, TORSO_PX, SIZE_HW)

    assert np.abs(chest_of(drawn(front, turned())) - RED).max() < 25
    behind = drawn(both, turned())
    assert np.abs(chest_of(behind) - BLUE).max() < 15
    assert (behind.kind[250:290, 185:215] == SEEN).mean() > 0.9
    assert np.abs(chest_of(drawn(both, at_rest())) - RED).max() < 15
    np.testing.assert_array_equal(drawn(both, turned()).alpha, drawn(front, turned()).alpha)


def test_a_darker_photo_is_lit_as_the_first(front):
    """By what both show."""
    drawer = shared_drawer()
    dark = drawer.fit(*photo_of(at_rest(), RED, 0.75), at_rest(), TORSO_PX)
    lit = drawer.joined(front, [dark]).others[0]
    inside = lit.photo_mask[..., 0] > 200
    assert np.abs(lit.photo[inside].mean(0) / front.photo[inside].mean(0) - 1).max() < 0.05


def test_what_is_not_seen_of_a_leg_takes_the_colour_of_its_height():
    """Trousers that end at half of the thigh, seen at its front alone, end there behind too."""
    mesh, drawer = load_mesh(), shared_drawer()
    thigh = mesh.part == PARTS.index(Part.THIGH_LEFT)
    height = mesh.points_dm[:, 1]
    middle = np.median(height[thigh])
    colours = np.where((height > middle)[:, None], RED, GREEN).astype(np.float64)
    seen = thigh & (mesh.points_dm[:, 2] > np.quantile(mesh.points_dm[thigh, 2], 0.75))
    spread = drawer._flow.spread(colours, seen.astype(np.float64))
    behind = thigh & (mesh.points_dm[:, 2] < np.quantile(mesh.points_dm[thigh, 2], 0.25))
    off = np.abs(spread[behind] - colours[behind]).max(1)
    assert np.median(off) < 40  # flowing every way alike it is half of 140


def test_a_hem_goes_on_as_sharp_as_the_photo_where_something_hides_it():
    """Each place of the trunk that is not seen is read where its ring is, while that is near."""
    mesh, drawer = load_mesh(), shared_drawer()
    torso = mesh.part == PARTS.index(Part.TORSO)
    front = torso & (mesh.points_dm[:, 2] > np.median(mesh.points_dm[torso, 2]))
    side = np.quantile(mesh.points_dm[front, 0], [0.7, 0.85, 0.99])
    across, height = mesh.points_dm[:, 0], mesh.points_dm[:, 1]
    seen = front & (across < side[0])
    places = drawer._flow.places(mesh.points_dm[:, :2], seen)
    np.testing.assert_allclose(places[seen, :2], mesh.points_dm[seen, :2], atol=0.1)
    hidden = front & (across > side[1])
    assert np.median(np.abs(places[hidden, 1] - height[hidden])) < 0.25  # dm
    assert (places[hidden, 0] < side[1]).mean() > 0.95, "where the photo shows something"
    near = places[front & (across > side[0]) & (across < side[1]), 2]
    far = places[torso & (mesh.points_dm[:, 2] < np.quantile(mesh.points_dm[torso, 2], 0.1)), 2]
    assert places[seen, 2].min() > 0.9 and np.median(near) > 0.6 > 0.35 > np.median(far)
