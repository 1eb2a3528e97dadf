"""dancepipe models."""

NAME = "models"
HELP = "the networks that find people: fetched if need be, and where they are"


def add_flags(parser) -> None:
    pass


def run(parsed) -> None:
    from dancepipe.person.blazepose.models import describe_models

    print(describe_models())
