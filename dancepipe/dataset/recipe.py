"""One data set, one recipe: dataset.json beside the clips keeps the options that decide what its pictures are."""

import json
from pathlib import Path

from dancepipe.config import as_plain
from dancepipe.errors import ConfigError, DatasetError
from dancepipe.whole_file import write_text


def hold_to_recipe(out: Path, options, *, apart_from: tuple[str, ...]) -> None:
    """Note the options (an options record) beside a new data set; refuse other ones for one that is there.

    apart_from: options that decide nothing about the pictures. An option that the noted recipe does not name had its default then.
    Raises ConfigError for other options, DatasetError for a damaged note, OutputError.
    """
    path = Path(out) / "dataset.json"
    recipe = {name: value for name, value in as_plain(options).items() if name not in apart_from}
    if not path.exists():
        write_text(path, json.dumps(recipe, indent=2) + "\n")
        return
    try:
        before = as_plain(type(options)()) | json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError) as error:
        raise DatasetError(f"cannot read {path} ({error}); choose another --out, or delete the data set") from error
    changed = [f"{name} was {before[name]}, now {value}" for name, value in recipe.items() if before[name] != value]
    if changed:
        raise ConfigError(f"{path.parent} was built with other options: {', '.join(changed)}; use the same, or choose another --out")
