"""One data set, one recipe: dataset.json beside the clips keeps the options that decide what its
pictures are."""

import json
from pathlib import Path

from dancepipe.config import as_plain
from dancepipe.errors import ConfigError, DatasetError
from dancepipe.files.lock import lock_file
from dancepipe.files.plain_text import read_json, shortened
from dancepipe.files.whole_file import make_folder, write_text


def hold_to_recipe(out: Path, options, *, apart_from: tuple[str, ...]) -> None:
    """Note the options (an options record) beside a new data set; refuse other ones for one that is
    there.

    apart_from: options that decide nothing about the pictures. An option that the noted recipe does
    not name had its default then. Raises ConfigError for other options, DatasetError for a damaged
    note, OutputError.
    """
    path = Path(out) / "dataset.json"
    recipe = {name: value for name, value in as_plain(options).items() if name not in apart_from}
    if not path.exists():
        make_folder(path.parent)
        with lock_file(path):  # shards of one data set begin at the same time
            if not path.exists():
                write_text(path, json.dumps(recipe, indent=2) + "\n")
                return
    try:
        noted = read_json(path)
        if not isinstance(noted, dict):
            raise ValueError(f"need a block of options, got {shortened(noted)}")
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"cannot read {path} ({error}); choose another --out, or delete the data set"
        ) from error
    before = _filled(as_plain(type(options)()), noted)
    changed = [
        f"{name} was {_shown(before[name])}, now {_shown(value)}"
        for name, value in recipe.items()
        if before[name] != value
    ]
    if changed:
        raise ConfigError(
            f"{path.parent} was built with other options: {', '.join(changed)}; use the same, or "
            "choose another --out"
        )


def _filled(defaults: dict, noted: dict) -> dict:
    """The noted options, block by block over the defaults."""
    blocks = {
        name: _filled(defaults[name], value)
        for name, value in noted.items()
        if isinstance(value, dict) and isinstance(defaults.get(name), dict)
    }
    return defaults | noted | blocks


def _shown(value: object) -> str:
    return shortened(value).strip("'")
