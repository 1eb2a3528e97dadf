"""Work on a Ray cluster of two machines (two raylets here): the bytes of one process, though a
worker is killed."""

import os
import re
import signal
import sys

import pytest
from people import SAMPLES, write_dance, write_untrained_weights

import dancepipe
from dancepipe.errors import ConfigError, MissingExtraError

EACH = 6  # frames of a part


def test_without_its_extra_it_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dancepipe\[ray\]'"):
        dancepipe.animate_many([{"ref": "a.jpg", "driver": "b.mp4"}], tmp_path, ray="auto")


@pytest.fixture(scope="module")
def address():
    pytest.importorskip("ray", reason="the extra ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        before = signal.getsignal(signal.SIGTERM)
        one = {"num_cpus": 1, "object_store_memory": 80_000_000}
        cluster = Cluster(initialize_head=True, head_node_args={**one, "include_dashboard": False})
        cluster.add_node(**one)
        signal.signal(signal.SIGTERM, before)  # Ray's own would end the tests of trainings
        yield cluster.address
        cluster.shutdown()


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    write_dance(folder / "one.mp4", frames=20)
    write_dance(folder / "two.mp4", frames=14, first=20)
    write_untrained_weights(folder / "weights.safetensors")
    return folder


def test_a_killed_worker_of_a_cluster_costs_its_part(material, address, tmp_path, said):
    """Two workers share the parts of one video; the one that began first is killed."""
    ref, driver = SAMPLES / "reference.png", material / "one.mp4"
    where = {"weights": material / "weights.safetensors", "device": "cpu", "part_frames": EACH}
    killed, before = [], signal.getsignal(signal.SIGTERM)

    def hear(event):
        if event["event"] == "said" and not killed:
            ready = [re.search(r"is ready on .* \(process (\d+)\)", line) for line in said]
            killed.extend(int(found[1]) for found in ready if found)
            os.kill(killed[0], signal.SIGKILL)

    summary = dancepipe.animate_many(
        [{"ref": ref, "driver": driver}], tmp_path / "videos", ray=address, runs_per_video=2,
        on_event=hear, **where,
    )  # fmt: skip
    assert (summary.made, summary.failed) == (1, 0), summary.failures
    assert any("was lost: another one goes on with its work" in line for line in said), said
    assert signal.getsignal(signal.SIGTERM) is before, "Ray's start takes it"
    (video,) = (tmp_path / "videos").glob("*.mp4")
    dancepipe.animate(ref, driver, tmp_path / "alone.mp4", **where)
    assert video.read_bytes() == (tmp_path / "alone.mp4").read_bytes()
    assert not list((tmp_path / "videos").glob(".dancepipe-*"))


def test_a_data_set_of_a_cluster_is_that_of_one_process(material, address, tmp_path):
    videos = [str(material / name) for name in ("one.mp4", "two.mp4")]
    options = {"size_px": 64, "min_frames": 4, "test_share": 0, "clean": {"min_motion": 0}}
    made = []
    for name, more in (("here", {}), ("there", {"ray": address})):
        summary = dancepipe.build_dataset(videos, tmp_path / name, **options, **more)
        assert summary.clips_written == 2
        clips = sorted((tmp_path / name).glob("*/*.parquet"))
        made.append({clip.name: clip.read_bytes() for clip in clips})
    assert made[0] == made[1] and len(made[0]) == 2


def test_a_cluster_that_is_not_there_or_too_small_is_one_line(material, address, tmp_path):
    jobs = [{"ref": SAMPLES / "reference.png", "driver": material / "one.mp4"}]
    for options, message in (
        ({"ray_gpus": 1}, "has 0 GPU in all, and a worker asks for 1"),
        ({"ray": "nonsense"}, "no Ray cluster at 'nonsense'.*RAY_USAGE_STATS_ENABLED=0 ray start"),
    ):
        with pytest.raises(ConfigError, match=message):
            dancepipe.animate_many(jobs, tmp_path, **{"ray": address, **options})
