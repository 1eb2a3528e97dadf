"""What is not finite stops the run by name, one step later at most, and is never saved; a step
that is not logged reads no number back."""

import sys
from dataclasses import replace

import pytest
import torch
from test_store import write
from test_train import ALONE, QUICK

from dancepipe.data.pairs import PairSource, pair_batches
from dancepipe.errors import TrainingDivergedError
from dancepipe.losses.perceptual import random_vgg19
from dancepipe.systems.focus_retain import stages
from dancepipe.systems.focus_retain.dims import PRESETS
from dancepipe.training.checkpoint import checkpoints
from dancepipe.training.finite import FiniteWatch
from dancepipe.training.inputs import Augmentation, step_parts
from dancepipe.training.train import train

NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder / "train" / "a.parquet", 8, identity="ann")
    return folder


def test_a_step_is_looked_at_one_step_later_and_named():
    watch = FiniteWatch(stage=2)
    watch.look(6, ["l1", "matte"], torch.tensor([0.5, 2.0]))
    watch.look(7, ["l1", "perceptual", "matte"], torch.tensor([0.5, NAN, INF]))
    with pytest.raises(
        TrainingDivergedError,
        match="training diverged: perceptual is nan, matte is inf in step 7 of stage 2; lower "
        "the learning rate",
    ):
        watch.look(8, ["l1"], torch.tensor([NAN]))


def test_settling_looks_at_once():
    watch = FiniteWatch(stage=1)
    watch.settle()
    watch.look(1, ["l1"], torch.tensor([0.5]))
    watch.settle()
    watch.look(2, ["l1"], torch.tensor([INF]))
    with pytest.raises(TrainingDivergedError, match="l1 is inf in step 2 of stage 1"):
        watch.settle()


def poison(monkeypatch, stage: int, term: str, step: int) -> list[int]:
    """The term is nan in that step of that stage. Gives the list of steps that were made."""
    name = f"stage{stage}_terms"
    real, made = getattr(stages, name), []

    def terms(*arguments):
        made.append(len(made) + 1)
        found = real(*arguments)
        return {**found, term: found[term] * NAN} if len(made) == step else found

    monkeypatch.setattr(stages, name, terms)
    return made


@pytest.mark.parametrize("stage, term", [(1, "flow_image"), (2, "face_l1")])
@pytest.mark.parametrize("log_every, made", [(1, 3), (50, 4)])
def test_a_poisoned_term_stops_its_stage_and_the_last_checkpoint_stays(
    data, tmp_path, monkeypatch, stage, term, log_every, made
):
    steps = poison(monkeypatch, stage, term, 3)
    options = replace(
        QUICK,
        stage1_steps=8 if stage == 1 else 0,
        stage2_steps=8,
        save_every=2,
        sample_every=100,
        log_every=log_every,
    )
    with pytest.raises(TrainingDivergedError, match=f"{term} is nan.* in step 3 of stage {stage}"):
        train(data, tmp_path / "run", options)
    assert len(steps) == made
    assert [path.name for path in checkpoints(tmp_path / "run")] == [f"stage{stage}-0000002"]
    assert not (tmp_path / "run" / "weights.safetensors").exists()
    with_stage1 = (tmp_path / "run" / "stage1.safetensors").exists()
    assert with_stage1 == (stage == 2)


def test_what_broke_in_the_step_that_is_saved_is_not_saved(data, tmp_path, monkeypatch):
    poison(monkeypatch, 1, "l1", 4)
    options = replace(QUICK, stage1_steps=8, save_every=2, sample_every=100, log_every=100)
    with pytest.raises(TrainingDivergedError, match="l1 is nan.* in step 4 of stage 1"):
        train(data, tmp_path / "run", options)
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["stage1-0000002"]


def test_a_step_that_is_not_logged_reads_no_number_back(data, monkeypatch):
    options = replace(QUICK, perceptual="random")
    source = PairSource(data, "train", (32, 32), seed=0)
    batch = next(iter(pair_batches(source, 2, 0, 2, workers=0)))
    dims = replace(PRESETS["tiny"], size_hw=(32, 32))
    parts = step_parts(batch, range(2), Augmentation.drawn(options, 1, 0), 1, "cpu")
    first = stages.Stage1(dims, options, random_vgg19(), ALONE)
    second = stages.Stage2(first.ema.module, dims, options, random_vgg19(), ALONE)

    def refused(name: str):
        real = getattr(torch.Tensor, name)

        def read(self, *arguments, **settings):
            # What these two read lies on the CPU: counts of steps, and joints of which maps are
            # drawn (joints_t_cpu). Nothing waits for those.
            reader = sys._getframe(1).f_code.co_filename
            if "optim" in reader or reader.endswith("draw.py"):
                return real(self, *arguments, **settings)
            raise AssertionError("a GPU would be waited for here")

        return read

    for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy", "nonzero"):
        monkeypatch.setattr(torch.Tensor, name, refused(name))
    for stage in (first, second):
        numbers = stage.step(parts, 0, with_statistics=False)
        assert {"total", "l1", "D_real"} <= numbers.keys()
