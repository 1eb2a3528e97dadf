"""dancepipe doctor."""

from pathlib import Path

NAME = "doctor"
HELP = "what is installed, which devices and weights are found"


def add_flags(parser) -> None:
    parser.add_argument("-w", "--weights", type=Path, help="also look at these weights")


def run(parsed) -> None:
    from dancepipe.doctor import doctor

    print(doctor(parsed.weights))
