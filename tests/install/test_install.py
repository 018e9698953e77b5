# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` leaves is enough for somebody else's program, with CMake and without."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("BOUNCESIM", "/nowhere")).resolve().parents[1]

pytestmark = pytest.mark.skipif(
    not (BUILD / "cmake_install.cmake").exists(), reason="BOUNCESIM is not in a build folder"
)


def run(*command, **options):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=300, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sanitizers():
    """Flags of a library that was built with sanitizers: whoever links it needs them too."""
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith("BOUNCESIM_SANITIZE:") and not line.endswith("="):
            return ["-fsanitize=" + line.split("=", 1)[1]]
    return []


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    where = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", where)
    return where


def test_the_command_runs_from_where_it_was_installed(prefix):
    assert "linux-6.12" in run(prefix / "bin" / "bouncesim", "list", "kernels")


def test_cmake_finds_the_package(prefix, tmp_path):
    flags = " ".join(sanitizers())
    variables = [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_FLAGS={flags}"]
    run("cmake", "-S", HERE, "-B", tmp_path, *variables)
    run("cmake", "--build", tmp_path)
    assert run(tmp_path / "smallest") == "1000000 2\n"


def test_pkg_config_finds_the_library(prefix, tmp_path):
    (module,) = prefix.glob("**/bounce.pc")
    # The prefix is that of the build: what was installed elsewhere says so.
    options = [
        f"--define-variable=libdir={module.parents[1]}",
        f"--define-variable=includedir={prefix}/include",
    ]
    environment = {**os.environ, "PKG_CONFIG_PATH": str(module.parent)}
    flags = run("pkg-config", "--cflags", "--libs", *options, "bounce", env=environment).split()
    run("cc", HERE / "smallest.c", "-o", tmp_path / "smallest", *flags, *sanitizers())
    assert run(tmp_path / "smallest") == "1000000 2\n"
