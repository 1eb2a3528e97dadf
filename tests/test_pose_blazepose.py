import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from figure import draw_figure, standing_pose

from dancepipe.person.backends.pose_blazepose import BlazePoseBackend
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.pose.skeleton import L_EAR, L_EYE, NOSE, R_EAR, R_EYE, R_SHOULDER, torso_length_px


def joint_error(person, truth):
    """Largest joint error in torso lengths."""
    return np.hypot(*(person.pose.points_px - truth.points_px).T).max() / torso_length_px(truth)


def test_a_drawn_person_is_found_with_joints_and_mask_in_the_pictures_own_pixels():
    pose = standing_pose((500, 150), 750)  # larger than what the network reads
    image = draw_figure(pose, (900, 1000))
    finder = open_person_finder(mode="photo")
    person = finder.find(image)
    finder.close()
    assert person.people_seen == 1
    assert person.pose.present.all()
    assert joint_error(person, pose) < 0.15
    body = np.abs(image.astype(int) - image[5, 5].astype(int)).max(2) > 20
    found = person.mask > 127
    assert person.mask.shape == (1000, 900)
    assert (body & found).sum() / (body | found).sum() > 0.88


def test_the_central_person_is_followed_past_another_and_both_are_counted():
    finder = open_person_finder(mode="video")
    for t in range(8):
        mine = standing_pose((300 + 4 * t, 60), 260)
        other = standing_pose((490 - 8 * t, 50), 260)
        image = draw_figure(mine, (640, 360), shirt=(40, 120, 60))
        image = draw_figure(other, (640, 360), onto=image)
        person = finder.find(image)
        assert person.people_seen == 2
        assert joint_error(person, mine) < 0.25
        assert (
            person.mask[230, round(float(other.points_px[1, 0]) + 40) :].mean() < 30
        )  # the other one is not in the mask
    finder.close()


def test_the_person_is_found_again_on_the_expected_place_after_a_gap():
    finder = open_person_finder(mode="video", mask=None)
    pose, other = standing_pose((220, 60), 240), standing_pose((480, 50), 260)
    both = draw_figure(other, (640, 360), onto=draw_figure(pose, (640, 360), shirt=(40, 120, 60)))
    alone = draw_figure(other, (640, 360))
    for _ in range(3):
        assert (
            joint_error(finder.find(draw_figure(pose, (640, 360), shirt=(40, 120, 60))), pose)
            < 0.25
        )
    for _ in range(4):
        assert finder.find(alone) is None
    assert joint_error(finder.find(both), pose) < 0.25
    finder.close()


@pytest.mark.parametrize(("nose_depth", "is_sure"), [(-100.0, True), (0.0, True), (60.0, False)])
def test_a_face_on_the_far_side_of_the_head_is_kept_but_not_believed(
    monkeypatch, nose_depth, is_sure
):
    backend = BlazePoseBackend(mask=False)
    finder = PersonFinder(backend, mode="photo")
    read_body = backend.bodies.read

    def with_depth(image, region):
        body = read_body(image, region)
        body.landmarks[:, 3] = 0
        body.landmarks[0, 3] = nose_depth
        return body

    monkeypatch.setattr(backend.bodies, "read", with_depth)
    pose = finder.find(draw_figure(standing_pose((160, 20), 300), (320, 340))).pose
    finder.close()
    assert pose.present.all()
    assert (pose.confidence[[NOSE, R_EYE, L_EYE]] > 0.5).all() == is_sure
    assert (pose.confidence[[R_SHOULDER, R_EAR, L_EAR]] > 0.5).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_finds_what_its_parent_finds():
    finder = open_person_finder(mode="photo")
    image = draw_figure(standing_pose((160, 20), 300), (320, 340))
    found = finder.find(image)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            again = finder.find(image)
            os.write(writing, again.pose.as_array().tobytes() + again.mask[150].tobytes())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        assert answer.read() == found.pose.as_array().tobytes() + found.mask[150].tobytes()
    os.waitpid(child, 0)
    finder.close()


def test_one_thread_or_four_give_the_same_numbers():
    images = [
        draw_figure(standing_pose((120 + 4 * i, 20), 240 + 4 * i), (320, 300)) for i in range(12)
    ]
    finder = open_person_finder(mode="photo")
    alone = [finder.find(image) for image in images]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(finder.find, images))
    finder.close()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.pose.as_array(), other.pose.as_array())
        np.testing.assert_array_equal(one.mask, other.mask)


def test_nothing_is_written_to_stderr():
    code = (
        "import numpy as np\n"
        "from dancepipe.person.finder import open_person_finder\n"
        "with open_person_finder() as finder:\n"
        "    for _ in range(3): finder.find(np.zeros((64, 64, 3), np.uint8))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("", "")


def test_real_photos_are_all_found(shared):
    from PIL import Image

    photos = sorted((shared / "photos").glob("*.[jp][pn]g"))
    if not photos:
        pytest.skip("no photos in the material folder")
    finder = open_person_finder(mode="photo")
    missed = [
        photo.name
        for photo in photos
        if finder.find(np.array(Image.open(photo).convert("RGB"))) is None
    ]
    finder.close()
    assert missed == []
