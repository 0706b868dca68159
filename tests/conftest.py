"""What holds for all tests of this tree."""

from __future__ import annotations

import hypothesis

# A machine may be busy and coverage.py may be measuring: no example fails because it took long.
hypothesis.settings.register_profile("couchfake", deadline=None)
hypothesis.settings.load_profile("couchfake")
