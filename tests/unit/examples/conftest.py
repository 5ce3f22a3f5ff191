"""Puts the storefront on the path for the test modules beside this file."""

import sys

from tests.unit.examples.fleet import EXAMPLES

FOLDER = str(EXAMPLES / "storefront")
if FOLDER not in sys.path:
    sys.path.append(FOLDER)  # Appended, so that nothing else is hidden.
