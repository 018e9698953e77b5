# SPDX-License-Identifier: Apache-2.0
"""docs/policies.md says what the command says."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import BINARY, TIMEOUT, needs_binary  # noqa: E402

pytestmark = needs_binary
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "policies-table"


def test_the_page_is_what_the_script_writes():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--check", BINARY],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
