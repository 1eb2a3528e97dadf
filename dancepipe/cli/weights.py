"""dancepipe weights."""

NAME = "weights"
HELP = "the weights that come with dancepipe"


def add_flags(parser) -> None:
    pass


def run(parsed) -> None:
    from dancepipe.systems.shipped import describe_shipped

    print(describe_shipped())
