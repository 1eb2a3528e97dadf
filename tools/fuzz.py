"""A long run of the cases of tests/fuzz_cases.py: every input that somebody else may have written.

python tools/fuzz.py --minutes 10                        all kinds in turn
python tools/fuzz.py --kind photo --kind config --seed 7
python tools/fuzz.py --repeat photo:7:123                one case again, with its traceback
python tools/fuzz.py --kind photo --engine atheris       guided by coverage (pip install atheris)
"""

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fuzz_cases import KINDS, copied
from fuzz_runner import Runner, emptied, run_case, sound_inputs

_AT_ONCE = 100  # cases of one kind before it is the next one's turn


def main(arguments: list[str] | None = None) -> int:
    """0: nothing failed; 1: something did."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--kind", action="append", choices=KINDS, help="may be repeated; default: all"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="default 10")
    parser.add_argument("--seed", type=int, default=1, help="of the first cases (default 1)")
    parser.add_argument("--repeat", metavar="KIND:SEED:N", help="one case, as a failure names it")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz"), help="where inputs that fail are kept"
    )
    parser.add_argument("--engine", choices=("own", "atheris"), default="own")
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if parsed.repeat:
            kind, seed, number = parsed.repeat.split(":")
            return _repeated(Path(folder), parsed.keep, kind, int(seed), int(number))
        kinds = parsed.kind or list(KINDS)
        if parsed.engine == "atheris":
            if len(kinds) != 1:
                parser.error("--engine atheris needs one --kind")
            return _guided(Path(folder), kinds[0], parsed)
        return _drawn(Path(folder), kinds, parsed)


def _repeated(folder: Path, keep: Path, kind: str, seed: int, number: int) -> int:
    with Runner(folder) as runner:
        found = list(runner.failures(kind, seed, range(number, number + 1), keep))
    print("\n".join(map(str, found)) or "nothing fails")
    return 1 if found else 0


def _drawn(folder: Path, kinds: list[str], parsed) -> int:
    """Cases by chance, the kinds in turn, until the time is over."""
    stop, known, cases = time.monotonic() + 60 * parsed.minutes, set(), 0
    with Runner(folder) as runner:
        for seed in itertools.count(parsed.seed):
            for kind in kinds:
                if time.monotonic() >= stop:
                    print(f"{cases} cases, {len(known)} different failures")
                    return 1 if known else 0
                for failure in runner.failures(kind, seed, range(_AT_ONCE), parsed.keep):
                    name = (kind, _place(failure.reason))
                    if name not in known:
                        known.add(name)
                        print(f"{failure}\n", flush=True)
                cases += _AT_ONCE


def _place(reason: str) -> str:
    """What tells one failure from another: where it is raised, and what."""
    lines = reason.strip().splitlines()
    places = [line.strip() for line in lines if line.lstrip().startswith("File ")]
    return f"{places[-1] if places else ''} {lines[-1].split(':')[0][:60]}"


def _guided(folder: Path, name: str, parsed) -> int:
    """Bytes that reach new code, found by atheris. The first failure ends it."""
    import atheris

    kind = KINDS[name]
    with atheris.instrument_imports(include=["dancepipe", "PIL", "yaml"]):
        sound = sound_inputs(kind, folder)
        entry = sorted(sound.iterdir())[0]
        kind.door(copied(entry, emptied(folder / "case")))
    pattern = sorted(kind.spoiled)[0]
    corpus = emptied(folder / "corpus")
    for number, one in enumerate(sorted(sound.rglob(pattern) if pattern else sound.iterdir())):
        (corpus / str(number)).write_bytes(one.read_bytes())
    parsed.keep.mkdir(exist_ok=True)

    def one_input(data: bytes) -> None:
        path = copied(entry, emptied(folder / "case"))
        target = sorted(path.rglob(pattern))[0] if pattern else path
        target.write_bytes(data)
        if reason := run_case(kind, path):
            raise RuntimeError(reason)

    settings = [f"-max_total_time={int(60 * parsed.minutes)}", f"-artifact_prefix={parsed.keep}/"]
    atheris.Setup([sys.argv[0], *settings, f"-seed={parsed.seed}", str(corpus)], one_input)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
