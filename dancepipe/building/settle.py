"""What can be decided only when all clips are there: copies are put aside, people who look the same
get one name, and everyone is in one split.

A function of what the clips' files say of themselves: whatever was interrupted, and in whatever
order clips came, the same clips give the same data set.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from dancepipe.building.facts import ClipFacts, read_facts
from dancepipe.building.likeness import Likenesses, likenesses
from dancepipe.building.sources import split_of
from dancepipe.data.store import SPLITS, read_columns, rewrite_clip, text_of
from dancepipe.errors import DatasetError

log = logging.getLogger(__name__)

ASIDE = "dropped"  # the folder of copies: kept, so that nothing is read twice


@dataclass(frozen=True)
class SettledClip:
    """One clip of the data set, where it belongs."""

    path: Path
    facts: ClipFacts
    copy_of: str | None  # the source that has its pictures
    identities: tuple[str, ...]  # of its dancers, as the rows have them
    split: str


@dataclass(frozen=True)
class Settled:
    """The whole data set."""

    clips: list[SettledClip]
    joined: list[tuple[str, str, str]]  # two sources, and the name of whom both show
    perhaps: list[tuple[str, str, float]]  # two people in the same clothes elsewhere


def settle(out: Path, test_share: float, *, duplicates: bool) -> Settled:
    """Move and rename what is not where it belongs. duplicates: off, every clip is for itself.
    Clips without facts (of other makers) stay as they are. DatasetError, OutputError."""
    found = _found(out)
    clips = sorted(found, key=lambda one: (not _is_named(one[1]), -_rows(one[1]), one[1].key))
    facts = [one for _, one in clips]
    alike = likenesses(facts) if duplicates else Likenesses({}, [], [])
    names, joined = _joined(facts, alike)
    parts = _parts(facts, alike, names)
    settled = []
    for index, (path, one) in enumerate(clips):
        identities = tuple(names[index, number] for number in range(len(one.dancers)))
        copy_of = facts[alike.copies[index]].source if index in alike.copies else None
        split = split_of(facts[parts[index]].identity, test_share)
        target = Path(out) / (ASIDE if copy_of else split) / path.name
        _put(path, target, one, identities, split, copy_of)
        settled.append(SettledClip(target, one, copy_of, identities, split))
    settled.sort(key=lambda one: (one.facts.source, one.facts.key))
    told = [(facts[one[0]].source, facts[other[0]].source, names[one]) for one, other in joined]
    perhaps = [
        (names[one], names[other], likeness)
        for one, other, likeness in alike.perhaps
        if names[one] != names[other]
    ]
    return Settled(settled, sorted(told), sorted(perhaps))


def _found(out: Path) -> list[tuple[Path, ClipFacts]]:
    """Every clip once. One that was being moved when a run was stopped is there twice."""
    found: dict[str, tuple[Path, ClipFacts]] = {}
    for folder in (*SPLITS, ASIDE):
        for path in sorted((Path(out) / folder).glob("*.parquet")):
            try:
                facts = read_facts(path)
            except DatasetError as error:
                log.warning(f"{error}")
                continue
            if facts is None:
                continue
            if path.name in found:
                path.unlink()
                continue
            found[path.name] = path, facts
    return list(found.values())


def _rows(facts: ClipFacts) -> int:
    return sum(dancer.rows for dancer in facts.dancers)


def _is_named(facts: ClipFacts) -> bool:
    return any(dancer.is_named for dancer in facts.dancers)


def _joined(clips: list[ClipFacts], alike: Likenesses):
    """(clip, dancer) -> name, and the pairs that were joined. Nobody is joined who would be in one
    video twice, or whom the user named otherwise."""
    group = {
        (index, number): [(index, number)]
        for index, clip in enumerate(clips)
        for number in range(len(clip.dancers))
    }

    def named(members) -> set[str]:
        dancers = (clips[index].dancers[number] for index, number in members)
        return {dancer.identity for dancer in dancers if dancer.is_named}

    joined = []
    for one, other in alike.same:
        first, second = group[one], group[other]
        if first is second:
            continue
        is_twice = {index for index, _ in first} & {index for index, _ in second}
        if is_twice or len(named(first) | named(second)) > 1:
            continue
        first += second
        for member in second:
            group[member] = first
        joined.append((one, other))
    names = {}
    for member, members in group.items():
        first = min(members)
        own = clips[first[0]].dancers[first[1]].identity
        names[member] = next(iter(named(members)), own)
    return names, joined


def _parts(clips: list[ClipFacts], alike: Likenesses, names) -> list[int]:
    """For each clip the first one of all that share a person with it, or with one that does."""
    part = list(range(len(clips)))

    def first(index: int) -> int:
        while part[index] != index:
            index = part[index]
        return index

    seen: dict[str, int] = {}
    for index, clip in enumerate(clips):
        for number in range(len(clip.dancers)):
            other = seen.setdefault(names[index, number], index)
            one, two = sorted((first(index), first(other)))
            part[two] = one
    for index, other in alike.copies.items():
        one, two = sorted((first(index), first(other)))
        part[two] = one
    return [first(index) for index in range(len(clips))]


def _put(
    path: Path, target: Path, facts: ClipFacts, identities: tuple[str, ...], split: str,
    copy_of: str | None,
) -> None:  # fmt: skip
    name_of = {dancer.clip: name for dancer, name in zip(facts.dancers, identities, strict=True)}
    columns = ("identity", "clip", "split")
    now: dict[str, str] = {}
    is_right = True
    for number, row in enumerate(read_columns(path, list(columns))):
        identity, clip, own_split = (text_of(row, one, path, number) for one in columns)
        now[identity] = name_of.get(clip, identity)
        is_right = is_right and own_split == split and now[identity] == identity
    if path == target and is_right:
        return
    rewrite_clip(path, target, split, now)
    if path != target:
        path.unlink()
        log.info(
            f"{facts.source}: "
            + (
                f"its pictures are those of {copy_of}; put aside in {ASIDE}/"
                if copy_of
                else f"its person is now in the {split} split"
            )
        )
