"""README.md of a data set: what it holds, in the form that hubs read."""

from pathlib import Path

from dancepipe.data.store import SPLITS, clip_files, read_columns
from dancepipe.files.whole_file import write_text

_OURS = "<!-- written by dancepipe; without this line it is left alone -->"
_SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"))


def write_card(folder: Path) -> None:
    """Unless somebody wrote another README.md there. DatasetError, OutputError."""
    path = Path(folder) / "README.md"
    if path.exists() and _OURS not in path.read_text(encoding="utf-8", errors="replace"):
        return
    counts: dict[str, tuple[int, int]] = {}
    for split in SPLITS:
        people: set[str] = set()
        rows = 0
        for file in sorted((Path(folder) / split).glob("*.parquet")):
            for values in read_columns(file, ["identity"]):
                people.add(values["identity"])
                rows += 1
        if rows:
            counts[split] = rows, len(people)
    clip_files(folder)  # DatasetError where there are none
    total = sum(rows for rows, _ in counts.values())
    size = next((name for limit, name in _SIZES if total < limit), "n>1M")
    files = "".join(f"  - split: {split}\n    path: {split}/*.parquet\n" for split in counts)
    table = "".join(
        f"| {split} | {rows} | {people} |\n" for split, (rows, people) in counts.items()
    )
    text = f"""---
task_categories:
- image-to-image
tags:
- human-pose
- dance
size_categories:
- {size}
configs:
- config_name: default
  data_files:
{files}---
{_OURS}

# Dancing people, cut out

Pictures of people, each on neutral grey, with mask and joints. A person is in one split only.

| split | pictures | people |
|---|---|---|
{table}
Columns: `image` and `mask` (pictures), `keypoints` (18 x (x_px, y_px, confidence), OpenPose order),
`landmarks` (33 x (x_px, y_px, depth_px, visibility)), `hands`, `identity`, `clip`, `frame_index`,
`time_seconds`, `box_xyxy_px` (the picture in its frame), `source`, `split`. `index.parquet` has the
same rows without pictures.

Who shares this needs the consent of the people in it, and the rights to the videos that it is made
of (`source`). Whoever asks to be taken out has to be.
"""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
