"""--preview: who is seen, who is followed and what is drawn of the frame, before a video is made;
and the video then follows that one."""

import json

import av
import numpy as np
import pytest
from drawn import write_test_video
from people import SAMPLES, SIZE_WH, dancer_frames, write_untrained_weights

from dancepipe.cli import main
from dancepipe.media.image import load_photo
from dancepipe.rendering.animate import animate
from dancepipe.rendering.preview import preview

REFERENCE = SAMPLES / "reference.png"
WIDE = (2 * SIZE_WH[0], SIZE_WH[1])


@pytest.fixture(scope="module")
def duet(tmp_path_factory):
    """Two dancers side by side in a clip of a second; in the first two frames nobody."""
    path = tmp_path_factory.mktemp("duet") / "duet.mp4"
    frames = dancer_frames()

    def draw(index, size_wh):
        if index < 2:
            return np.full((size_wh[1], size_wh[0], 3), 180, np.uint8)
        return np.concatenate([frames[index], frames[index + 10][:, ::-1]], 1)

    write_test_video(path, 9, size_wh=WIDE, draw=draw, options={"crf": "18"})
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    write_untrained_weights(path)
    return path


@pytest.mark.parametrize(("person", "followed"), [("left", 1), ("2", 2), ("right@0.2", 2)])
def test_the_picture_shows_who_is_followed_and_the_summary_says_it(
    duet, tmp_path, person, followed
):
    summary = preview(REFERENCE, duet, tmp_path / "who.png", device="cpu", person=person)
    assert (summary.people, summary.followed) == (2, followed)
    assert [x for x, _ in summary.places] == pytest.approx([0.25, 0.75], abs=0.1)
    picture = load_photo(tmp_path / "who.png").astype(int)
    assert picture.shape == (WIDE[1], WIDE[0], 3)
    yellow = np.argwhere(np.abs(picture - (255, 214, 0)).max(2) < 8)[:, 1].mean() / WIDE[0]
    assert (yellow < 0.45) if followed == 1 else (yellow > 0.55)
    at = "@0.2" if "@" in person else ""
    assert f"--person 1{at}  or  --person 0." in summary.text()


def test_from_the_command_line_nothing_else_is_made(duet, tmp_path, capsys):
    out = tmp_path / "who.jpg"
    line = ["animate", str(REFERENCE), str(duet), "--preview", str(out), "-d", "cpu"]
    assert main([*line, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["people"] == 2 and 0.05 < shown["seconds"] < 0.1  # the first two frames are empty
    assert [path.name for path in tmp_path.iterdir()] == ["who.jpg"]
    before = out.read_bytes()
    for arguments, words in (
        ([], "is there already; choose another name, or replace it with --overwrite"),
        (["-o", str(tmp_path / "out.mp4")], "--preview makes no video"),
        (["--overwrite", "--person", "3"], "there is no person 3: 2 are seen"),
        (["--overwrite", "--person", "left@0"], "nobody is seen at 0.00 s"),
        (["--overwrite", "--person", "left@60"], "ends before 60 s"),
        (["--overwrite", "--person", "both"], "none of largest, left, right"),
    ):
        assert main([*line, *arguments]) == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith("dancepipe: ") and words in said
    assert out.read_bytes() == before
    line[4] = str(tmp_path / "who.gif")
    assert main(line) == 2 and "name it .png or .jpg" in capsys.readouterr().err
    assert main(line[:3]) == 2 and "animate lacks -o, the video to write" in capsys.readouterr().err


def pictures(path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_the_video_follows_the_named_one_and_can_leave_out_who_is_not_there(
    duet, weights, tmp_path, said
):
    summary = animate(
        REFERENCE, duet, tmp_path / "out.mp4", weights,
        device="cpu", person="left", absent="blank", background="white",
    )  # fmt: skip
    assert (summary.frames_out, summary.frames_held) == (9, 2)
    assert "2 frames without the dancer show the background alone" in summary.text()
    assert any("person 1 of 2 from the left" in line for line in said)
    drawn = (pictures(tmp_path / "out.mp4").min(3) < 200).astype(float)
    assert not drawn[:2].any()
    places = [frame.nonzero()[1].mean() / WIDE[0] for frame in drawn[2:]]
    assert places == pytest.approx([0.25] * (len(drawn) - 2), abs=0.12)
