import sys

from dancepipe.cli import main

sys.exit(main())
