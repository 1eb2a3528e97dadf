"""Pictures in, numbers out: every picture is decoded once, every network looks at it once."""

import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch

from dancepipe.errors import MissingExtraError, WeightsError
from dancepipe.evaluation.body import pose_body_scores
from dancepipe.evaluation.cache import FeatureCache, picture_digests
from dancepipe.evaluation.detail import fine_detail
from dancepipe.evaluation.distances import FEWEST_FOR_FID, Kid, fid
from dancepipe.evaluation.examples import Example, ExampleBook
from dancepipe.evaluation.facing import turn_scores
from dancepipe.evaluation.features import open_inception, open_lpips
from dancepipe.evaluation.hands import hand_scores
from dancepipe.evaluation.identity import likeness, open_reidentifier
from dancepipe.evaluation.options import PICTURE_METRICS, EvaluateOptions
from dancepipe.evaluation.people import PeopleReader
from dancepipe.evaluation.pixels import pixel_scores
from dancepipe.evaluation.statistics import Estimate, Resamples, estimate
from dancepipe.files.caches import cache_folder
from dancepipe.pose.score import pose_scores
from dancepipe.records import BodyPose, Pose

REAL = "real"  # the row of the real pictures themselves: what a perfect result would score
SET_RESAMPLES = (
    10  # resamples of FID and KID; their interval is the mean +- 1.96 standard deviations of these
)


class _Identified(Protocol):
    @property
    def identity(self) -> str: ...


_Network = TypeVar("_Network", bound=_Identified)


@dataclass(frozen=True)
class PictureBatch:
    """B pictures of equal size. masks and targets None: made from the real pictures."""

    names: list[str]
    identities: list[str]
    real: np.ndarray  # uint8 RGB (B, H, W, 3)
    fakes: dict[str, np.ndarray]  # method -> the same shape
    masks: np.ndarray | None  # uint8 (B, H, W), 255 = person
    targets: list[BodyPose] | None  # the poses that were asked for
    references: np.ndarray | None = None  # for the report only


class PictureScorer:
    """Collects the numbers of batch after batch; `estimates` at the end. Close it."""

    def __init__(
        self,
        metrics: tuple[str, ...],
        options: EvaluateOptions,
        device: str,
        *,
        needs_masks: bool,
    ):
        """metrics: keys of PICTURE_METRICS. needs_masks: the person finder is to give masks of
        the real pictures."""
        self.metrics, self._options, self._device = set(metrics), options, device
        self.not_available: dict[str, str] = {}
        self.seconds: dict[str, float] = {}  # by part, for benches
        self.networks: dict[str, str] = {}  # for the protocol
        self.names: list[str] = []
        self.identities: list[str] = []
        self._values: dict[str, dict[str, list[np.ndarray]]] = {}
        self._features: dict[str, list[torch.Tensor]] = {}
        self._examples = ExampleBook(options.examples)
        self._inception = self._lpips = None
        folder = Path(options.metric_weights) if options.metric_weights else None
        if self.metrics & {"fid", "kid"}:
            self._inception = self._open(
                ("fid", "kid"), lambda: open_inception(folder, device, fetch=options.fetch)
            )
        if self.metrics & {"lpips", "mask-lpips"}:
            self._lpips = self._open(
                ("lpips", "mask-lpips"),
                lambda: open_lpips(options.lpips, folder, device, fetch=options.fetch),
            )
        self._reidentifier = None
        if "identity" in self.metrics:
            self._reidentifier = self._open(
                ("identity",), lambda: open_reidentifier(folder, fetch=options.fetch)
            )
        self._needs_masks, self._reads_poses = (
            needs_masks,
            bool(self.metrics & {"pre", "found", "body", "turn", "hands", "identity"}),
        )
        if options.pose != "mediapipe":
            self._drop(
                "turn", f"the pose backend {options.pose} reads no depth; choose --pose mediapipe"
            )
        cache = {"auto": cache_folder("features"), "none": None}.get(
            options.cache, Path(options.cache)
        )
        self._inception_cache = (
            FeatureCache(cache, self._inception.identity) if self._inception else None
        )
        self._people = None
        if self._reads_poses or needs_masks:
            self._people = PeopleReader(
                options,
                device,
                gives_masks=needs_masks,
                cache=cache,
                hands="hands" in self.metrics,
            )
            self.networks["pose"] = self._people.identity
        self._identity_cache = None
        if self._reidentifier and self._people:  # it looks at the bodies that are found
            self._identity_cache = FeatureCache(
                cache, f"{self._reidentifier.identity} of {self._people.identity}"
            )

    def _open(self, metrics: tuple[str, ...], opener: Callable[[], _Network]) -> _Network | None:
        try:
            network = opener()
        except (MissingExtraError, WeightsError) as error:
            for metric in metrics:
                self._drop(metric, str(error))
            return None
        self.networks[metrics[0]] = network.identity
        return network

    def _drop(self, metric: str, reason: str) -> None:
        if metric in self.metrics:
            self.metrics.discard(metric)
            self.not_available |= {name: reason for name in PICTURE_METRICS[metric]}

    @contextmanager
    def _timed(self, part: str):
        started = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - started

    def add(self, batch: PictureBatch) -> None:
        """Score one batch; every fake against the real picture in the same place."""
        size_wh = batch.real.shape[2], batch.real.shape[1]
        masks, real_bodies, people = batch.masks, None, self._people
        targets: Sequence[BodyPose | None] | None = batch.targets
        with self._timed("pose"):
            if people and self._needs_masks:
                real_bodies, masks = people.bodies_and_masks(batch.real)
            elif people:
                real_bodies = people.real_bodies(batch.real)
        if targets is None:
            targets = real_bodies
        elif real_bodies is not None:
            targets = [_completed(asked, read) for asked, read in zip(targets, real_bodies)]

        real, device_masks = (
            self._on_device(batch.real),
            None if masks is None else self._on_device(masks),
        )
        real_hf = self._fine_detail(real, device_masks)
        real_lpips, real_masked = self._lpips_features(real, device_masks)
        if self._inception:
            self._keep_features(REAL, self._real_features(batch.real))
        real_features = None
        if self._reidentifier:
            assert real_bodies is not None  # poses are read for it
            real_features = self._real_body_features(batch.real, real_bodies)
        rows = {}
        for method, pictures in batch.fakes.items():
            fake = self._on_device(pictures)
            with self._timed("pixels"):
                scores = {
                    name: value.cpu().numpy()
                    for name, value in pixel_scores(fake, real, device_masks, self.metrics).items()
                }
            if "hf" in self.metrics:
                scores["hf"] = self._fine_detail(fake, device_masks)
                scores["hf_ratio"] = scores["hf"] / np.where(real_hf > 0, real_hf, np.nan)
            if self._lpips:
                fake_lpips, fake_masked = self._lpips_features(fake, device_masks)
                with self._timed("lpips"):
                    for name, one, other in (
                        ("lpips", real_lpips, fake_lpips),
                        ("mask_lpips", real_masked, fake_masked),
                    ):
                        if one is not None and other is not None:
                            scores[name] = self._lpips.distance(one, other).numpy()
                    # two pictures of grey are no match
                    if masks is not None and "mask_lpips" in scores:
                        scores["mask_lpips"] = np.where(
                            (masks > 127).any((1, 2)), scores["mask_lpips"], np.nan
                        )
            if self._inception:
                with self._timed("inception"):
                    self._keep_features(method, self._inception(fake))
            if people and self._reads_poses:
                with self._timed("pose"):
                    bodies = people.bodies(pictures)
                assert targets is not None  # those of the real pictures at least
                scores |= self._pose_numbers(bodies, targets, size_wh)
                if real_features is not None:
                    with self._timed("identity"):
                        scores["identity"] = likeness(
                            self._body_features(pictures, bodies), real_features
                        )
            rows[method] = scores
        own = {"hf": real_hf} if "hf" in self.metrics else {}
        if (
            self._reads_poses and real_bodies is not None and batch.targets is not None
        ):  # else the real pictures' poses are the targets themselves
            own |= self._pose_numbers(real_bodies, batch.targets, size_wh)
        if own:
            rows[REAL] = own
        self._keep(batch, rows)

    def _on_device(self, pictures: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device)

    def _fine_detail(self, pictures: torch.Tensor, masks: torch.Tensor | None) -> np.ndarray:
        if "hf" not in self.metrics or masks is None:
            return np.full(len(pictures), np.nan)
        with self._timed("pixels"):
            return fine_detail(pictures, masks).cpu().numpy()

    def _lpips_features(self, pictures: torch.Tensor, masks: torch.Tensor | None):
        if self._lpips is None:
            return None, None
        with self._timed("lpips"):
            whole = self._lpips.features(pictures) if "lpips" in self.metrics else None
            masked = (
                self._lpips.features(pictures, masks)
                if "mask-lpips" in self.metrics and masks is not None
                else None
            )
        return whole, masked

    def _real_features(self, pictures: np.ndarray) -> torch.Tensor:
        inception, cache = self._inception, self._inception_cache
        assert inception is not None and cache is not None  # who asks has opened them
        with self._timed("inception"):
            rows = cache.rows(
                picture_digests(pictures),
                lambda absent: inception(self._on_device(pictures[absent])).numpy(),
            )
        return torch.from_numpy(rows)

    def _body_features(self, pictures: np.ndarray, bodies: list[BodyPose | None]) -> np.ndarray:
        assert self._reidentifier is not None  # who asks has opened it
        return np.stack(
            [
                self._reidentifier.features(picture, body and body.joints)
                for picture, body in zip(pictures, bodies, strict=True)
            ]
        )

    def _real_body_features(
        self, pictures: np.ndarray, bodies: list[BodyPose | None]
    ) -> np.ndarray:
        assert self._identity_cache is not None  # it is there with the network
        with self._timed("identity"):
            return self._identity_cache.rows(
                picture_digests(pictures),
                lambda absent: self._body_features(pictures[absent], [bodies[i] for i in absent]),
            )

    def _pose_numbers(
        self,
        bodies: Sequence[BodyPose | None],
        targets: Sequence[BodyPose | None],
        size_wh: tuple[int, int],
    ) -> dict[str, np.ndarray]:
        poses = [body and body.joints for body in bodies]
        joints = [target.joints if target else _NO_POSE for target in targets]
        numbers = pose_scores(poses, joints, size_wh)
        wanted = {
            name
            for metric in ("pre", "found")
            if metric in self.metrics
            for name in PICTURE_METRICS[metric]
        }
        chosen = {name: values for name, values in numbers.items() if name in wanted}
        if "body" in self.metrics:
            chosen |= pose_body_scores(poses, joints)
        if "turn" in self.metrics:
            chosen |= turn_scores(bodies, targets)
        if "hands" in self.metrics:
            chosen |= hand_scores(bodies, targets)
        return chosen

    def _keep_features(self, method: str, features: torch.Tensor) -> None:
        self._features.setdefault(method, []).append(features)

    def _keep(self, batch: PictureBatch, rows: dict[str, dict[str, np.ndarray]]) -> None:
        for method, scores in rows.items():
            for name, values in scores.items():
                self._values.setdefault(method, {}).setdefault(name, []).append(
                    np.asarray(values, np.float64)
                )
        pictures = {} if batch.references is None else {"reference": batch.references}
        self._examples.look_at(
            batch.names,
            pictures | {"target": batch.real} | batch.fakes,
            rows[next(iter(batch.fakes))],
        )
        self.names += batch.names
        self.identities += batch.identities

    def estimates(self) -> tuple[dict[str, dict[str, Estimate]], dict[str, dict[str, Estimate]]]:
        """Numbers by method, and differences of the first method to each other one by measure."""
        resamples = Resamples(self.identities, self._options.bootstrap, self._options.seed)
        arrays = self.arrays()
        methods = {
            method: {name: estimate(resamples, name, values) for name, values in scores.items()}
            for method, scores in arrays.items()
        }
        if self._inception:
            with self._timed("distances"):
                for method in [method for method in self._features if method != REAL]:
                    methods[method] = methods.get(method, {}) | self._set_estimates(
                        method, resamples
                    )
        fakes = [method for method in methods if method != REAL]
        differences = {
            f"{fakes[0]} - {other}": {
                name: estimate(resamples, name, values, arrays[other][name])
                for name, values in arrays.get(fakes[0], {}).items()
                if name in arrays.get(other, {})
            }
            for other in fakes[1:]
        }
        return methods, differences

    def _set_estimates(self, method: str, resamples: Resamples) -> dict[str, Estimate]:
        real, fake = (torch.cat(self._features[name]).to(self._device) for name in (REAL, method))
        count, found = len(real), {}
        if (
            "fid" in self.metrics
            and (count >= FEWEST_FOR_FID or self._options.small)
            and count >= 2
        ):
            mark = (
                None
                if count >= FEWEST_FOR_FID
                else f"only {count} pictures: biased, compare with nothing else"
            )
            found["fid"] = _set_estimate(
                lambda weights: fid(real, fake, weights), resamples, count, mark
            )
        elif "fid" in self.metrics:
            self.not_available["fid"] = (
                f"{count} pictures; FID needs {FEWEST_FOR_FID} (--small gives it anyway, marked)"
            )
        if "kid" in self.metrics and count >= 2:
            found["kid"] = _set_estimate(Kid(real, fake), resamples, count, None)
        elif "kid" in self.metrics:
            self.not_available["kid"] = "one picture; KID needs two"
        return found

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        """Numbers of every picture, by method and measure, in the order of self.names; the real
        pictures come last."""
        order = sorted(self._values, key=lambda method: method == REAL)
        return {
            method: {name: np.concatenate(parts) for name, parts in self._values[method].items()}
            for method in order
        }

    def examples(self) -> list[Example]:
        """What the report shows."""
        return self._examples.examples()

    def close(self) -> None:
        """Keeps cached features and frees the person finder."""
        for cache in (self._inception_cache, self._identity_cache):
            if cache is not None:
                cache.save()
        if self._people is not None:
            self._people.close()


def _completed(asked: BodyPose, read: BodyPose | None) -> BodyPose:
    """The pose that was asked for. Data sets without depth or hands: those are read in the real
    picture."""
    landmarks, hands = asked.landmarks, asked.hands
    if read is not None:
        landmarks = read.landmarks if landmarks is None else landmarks
        hands = read.hands if hands is None else hands
    return BodyPose(asked.joints, landmarks, hands)


_NO_POSE = Pose(np.zeros((18, 2), np.float32), np.zeros(18, np.float32))


def _set_estimate(
    distance: Callable, resamples: Resamples, count: int, mark: str | None
) -> Estimate:
    value = distance(None)
    if resamples.draws is None:
        return Estimate(value, None, None, count, mark)
    draws = [
        distance(torch.from_numpy(resamples.picture_weights(draw)).double())
        for draw in range(min(SET_RESAMPLES, len(resamples.draws)))
    ]
    reach = 1.96 * float(np.std(draws, ddof=1))
    return Estimate(value, value - reach, value + reach, count, mark)
