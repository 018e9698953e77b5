# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command share besides command.py."""

import pytest
from samples import OPS


@pytest.fixture
def ops(tmp_path):
    path = tmp_path / "small.ops"
    path.write_text(OPS)
    return path
