"""The doors of the library whose rooms are large: each loads its room when it is called.

Options are keyword arguments or a record; files and folders are paths or texts; progress is told to
a callback, everything else to the logger "dancepipe".
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dancepipe.building.options import BuildDatasetOptions
from dancepipe.config import options_with
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.progress import Progress, told
from dancepipe.training.options import TrainOptions

if TYPE_CHECKING:
    import numpy as np

    from dancepipe.building.summary import BuildSummary
    from dancepipe.evaluation.scores import Scores
    from dancepipe.records import PersonFrame

File = Path | str


def find_people(
    picture: "File | np.ndarray",
    *,
    mask: bool = True,
    hands: bool = False,
    pose: str = "mediapipe",
    device: str = "cpu",
) -> "list[PersonFrame]":
    """Everyone in a picture; first comes whom the other commands would take. Empty where nobody is
    seen.

    >>> import dancepipe
    >>> person, *others = dancepipe.find_people("me.jpg")
    >>> person.pose.points_px.shape
    (18, 2)

    picture: a file, or uint8 RGB (H, W, 3). mask: also which pixels are that person's. hands:
    also the 21 points of each hand. pose, device: as in AnimateOptions. Raises BadImageError,
    ConfigError, MissingExtraError, WeightsError.
    """
    import numpy as np

    from dancepipe.media.image import load_photo
    from dancepipe.person.finder import open_person_finder

    image = picture if isinstance(picture, np.ndarray) else load_photo(Path(picture))
    masks = "mediapipe" if mask else None
    with open_person_finder(pose, masks, hands=hands, mode="photo", device=device) as finder:
        return finder.find_all(image)


def build_dataset(
    sources: File | Sequence[File],
    out: File,
    options: BuildDatasetOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords,
) -> "BuildSummary":
    """Dance videos, or photos -> a person-split, pose-labelled Parquet data set in the folder
    `out`.

    >>> import dancepipe
    >>> options = {"size_px": 64, "min_frames": 4, "test_share": 0}
    >>> summary = dancepipe.build_dataset("dance.mp4", "data", **options)
    >>> summary.clips_written
    1

    sources: one or several URLs, video files, folders of videos or of one person's photos, text
    files of those. keywords: the fields of BuildDatasetOptions, laid on `options`. progress: called
    as progress(done, total) after each clip. What is there already is kept. Raises ConfigError,
    DatasetError, OutputError, BusyError, MissingExtraError, WeightsError; a source that fails is
    counted in the summary and written down in out/failures.jsonl.
    """
    options = options_with(BuildDatasetOptions, options, keywords, "build_dataset")
    from dancepipe.building.build import build_dataset as build

    sources = [sources] if isinstance(sources, (str, Path)) else sources
    with told(progress):
        return build([str(source) for source in sources], Path(out), options)


def train(
    data: File,
    out: File,
    options: TrainOptions | None = None,
    *,
    resume: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
    **keywords,
) -> None:
    """Train on the data set in the folder `data`; everything lands in the run folder `out`, at the
    end weights.safetensors.

    >>> import dancepipe
    >>> dancepipe.train("data", "run", preset="tiny", batch=2, dry_run=True)

    data: a folder, or an address such as s3://bucket/place, which is copied into the cache.
    resume: go on from the last checkpoint, or begin where there is none yet. dry_run: say what
    would be done and stop. keywords: the fields of TrainOptions, laid on `options`. progress:
    called as progress(done, total) after each step, stage by stage. Raises ConfigError,
    DatasetError, WeightsError, OutputError, TrainingDivergedError, ProcessLostError.
    """
    options = options_with(TrainOptions, options, keywords, "train")
    from dancepipe.training.train import train as run

    with told(progress):
        return run(_data(data), Path(out), options, resume=resume, dry_run=dry_run)


def evaluate(
    *,
    weights: File | None = None,
    data: File | None = None,
    real: File | None = None,
    fake: Mapping[str, File] | File | None = None,
    driver: File | None = None,
    result: File | None = None,
    out: File | None = None,
    options: EvaluateOptions | None = None,
    progress: Progress | None = None,
    **keywords,
) -> "Scores":
    """Score a data set's test pairs (data, and weights that render them), pictures of anybody's
    (real and fake: a folder, or name -> folder), or a finished video (driver and result).

    >>> import dancepipe
    >>> scores = dancepipe.evaluate(driver="dance.mp4", result="out.mp4", metrics="timing,audio")
    >>> "frames_missing" in scores.text()
    True

    out: scores.json to write; the report lies beside it as .html. keywords: the fields of
    EvaluateOptions, laid on `options`. progress: called as progress(done, total) after each batch.
    Raises ConfigError, DatasetError, BadImageError, BadVideoError, WeightsError, NoPersonError,
    MissingExtraError, OutputError.
    """
    options = options_with(EvaluateOptions, options, keywords, "evaluate")
    from dancepipe.evaluation.evaluate import evaluate as score

    if isinstance(fake, Mapping):
        folders = {name: Path(folder) for name, folder in fake.items()}
    else:
        folders = _path(fake)
    with told(progress):
        return score(
            weights=_path(weights), data=None if data is None else _data(data),
            real=_path(real), fake=folders,
            driver=_path(driver), result=_path(result), out=_path(out), options=options,
        )  # fmt: skip


def _data(place: File) -> Path:
    """The folder of a data set; one in a bucket is copied."""
    from dancepipe.data.remote import local_data

    return local_data(place)


def _path(value: File | None) -> Path | None:
    return None if value is None else Path(value)
