"""``python -m couchfake`` is ``couchfake``."""

import sys

from couchfake.cli import main

sys.exit(main())
