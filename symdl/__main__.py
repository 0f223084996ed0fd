"""`python -m symdl`: the command `symdl` where it is not on the path."""

import sys

from symdl.cli import main

sys.exit(main())
