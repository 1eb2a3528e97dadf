"""dancepipe doctor."""

import json
from pathlib import Path

NAME = "doctor"
HELP = "what is installed, which devices and weights are found"


def add_flags(parser) -> None:
    parser.add_argument("-w", "--weights", type=Path, help="also look at these weights")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")


def run(parsed) -> None:
    if parsed.json:
        from dancepipe.doctor import facts

        print(json.dumps(facts(parsed.weights)), flush=True)
        return
    from dancepipe.doctor import doctor

    print(doctor(parsed.weights))
