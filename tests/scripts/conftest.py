# SPDX-License-Identifier: Apache-2.0
"""The scripts are no package: their folder goes on the path."""

import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True
