from dancepipe.cli import run

run()
