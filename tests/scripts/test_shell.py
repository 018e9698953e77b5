# SPDX-License-Identifier: Apache-2.0
"""The shell scripts: they parse, name no machine, refuse wrong usage; bootstrap is idempotent."""

import os
import re
import subprocess

import pytest
from conftest import SCRIPTS

ROOT = SCRIPTS.parent
SHELLS = {"#!/bin/sh": "sh", "#!/bin/bash": "bash"}


def shell_scripts():
    files = [*SCRIPTS.iterdir(), ROOT / ".ci/run"]
    lines = {path: path.read_text().split("\n", 1)[0] for path in files if path.is_file()}
    return [(path, SHELLS[line]) for path, line in sorted(lines.items()) if line in SHELLS]


def run(*words, **environment):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=60, check=False, env={**os.environ, **environment})


@pytest.mark.parametrize("path, shell", shell_scripts(), ids=lambda value: str(value)[-20:])
def test_parses_and_is_executable(path, shell):
    assert run(shell, "-n", path).stderr == ""
    assert os.access(path, os.X_OK)


def test_the_usual_ones_are_there():
    names = {path.name for path, _ in shell_scripts()}
    assert {"bootstrap", "test", "demo", "build", "lint", "run", "update-baselines"} <= names


@pytest.mark.parametrize("path", [p for p in [*SCRIPTS.rglob("*"), *(ROOT / ".ci").iterdir(),
                                              ROOT / "README.md", ROOT / ".clang-tidy"]
                                  if p.is_file() and p.suffix != ".pyc"],
                         ids=lambda path: path.name)
def test_no_machine_paths(path):
    assert not re.search(r"(?<![\w.$])/(work|home|root|Users|mnt|srv|opt)/", path.read_text())


@pytest.mark.parametrize("name", ["bootstrap", "test", "demo", "lint", "update-baselines",
                                  "demo-results"])
def test_help_and_wrong_usage(name):
    assert run(SCRIPTS / name, "--help").returncode == 0
    wrong = run(SCRIPTS / name, "--no-such-option")
    assert wrong.returncode == 2 and wrong.stderr


def fake_machine(tmp_path, installed, fails=()):
    """A PATH on which dpkg-query knows `installed` and apt-get writes down what it is asked."""
    tools = tmp_path / "bin"
    tools.mkdir()
    scripts = {
        "dpkg-query": "for p; do grep -qx -e \"$p\" %s/installed && "
                      "printf 'installed=%%s ' \"$p\"; done; exit 1" % tmp_path,
        "apt-get": "echo \"$DEBIAN_FRONTEND $*\" >>%s/asked\nfor last; do :; done\n"
                   "case $last in %s) exit 100 ;; esac\n"
                   "[ \"$1\" = install ] || exit 0\n"
                   "for p; do case $p in -*|*=*|install) ;; *) echo \"$p\" ;; esac; done "
                   ">>%s/installed" % (tmp_path, "|".join(fails) or "none", tmp_path),
        "id": "echo 0",
    }
    for name, body in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    (tmp_path / "installed").write_text("".join(f"{name}\n" for name in installed))
    (tmp_path / "scripts").mkdir()
    copy = tmp_path / "scripts/bootstrap"
    copy.write_text((SCRIPTS / "bootstrap").read_text())
    copy.chmod(0o755)
    return copy, {"PATH": f"{tools}:{os.environ['PATH']}"}


def asked(tmp_path):
    path = tmp_path / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_bootstrap_installs_once_without_asking(tmp_path):
    script, environment = fake_machine(tmp_path, ["git", "gcc"])
    first = run(script, **environment)
    assert first.returncode == 0, first.stderr
    lines = asked(tmp_path)
    assert all(line.startswith("noninteractive ") for line in lines)
    assert sum(" update" in line for line in lines) == 1
    assert any("libsystemc-dev" in line and " git " not in line for line in lines)
    assert any(line.endswith("linux-source-6.12") for line in lines)
    second = run(script, **environment)
    assert second.returncode == 0 and asked(tmp_path) == lines


def test_bootstrap_goes_on_without_optional_packages(tmp_path):
    script, environment = fake_machine(tmp_path, [], fails=["linux-source-6.12",
                                                            "linux-source-6.1"])
    first = run(script, **environment)
    assert first.returncode == 0 and "linux-source-6.1 is not to be had" in first.stdout
    before = len(asked(tmp_path))
    assert run(script, **environment).returncode == 0
    assert len(asked(tmp_path)) == before
    assert run(script, "--optional", **environment).returncode == 0
    assert len(asked(tmp_path)) > before


def test_bootstrap_fails_when_something_needed_cannot_be_had(tmp_path):
    script, environment = fake_machine(tmp_path, [], fails=["python3-pytest"])
    assert run(script, **environment).returncode not in (0, 2)


def test_bootstrap_for_demo_leaves_the_rest_alone(tmp_path):
    script, environment = fake_machine(tmp_path, [])
    assert run(script, "--for", "demo", **environment).returncode == 0
    text = "\n".join(asked(tmp_path))
    assert "python3-matplotlib" in text and "clang" not in text and "linux-source" not in text


def test_bootstrap_check_changes_nothing(tmp_path):
    script, environment = fake_machine(tmp_path, ["git"])
    result = run(script, "--check", **environment)
    assert result.returncode == 1 and "cmake" in result.stdout and asked(tmp_path) == []


def test_last_line_of_test_is_the_count(tmp_path):
    """A stage that fails at once: everything else is left out, the count is still the last line."""
    for name in ("test", "python"):
        copy = tmp_path / "scripts" / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text((SCRIPTS / name).read_text())
        copy.chmod(0o755)
    (tmp_path / "scripts/bootstrap").write_text("#!/bin/sh\necho broken machine\nexit 1\n")
    (tmp_path / "scripts/bootstrap").chmod(0o755)
    result = run(tmp_path / "scripts/test")
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == "0 passed, 1 failed"
    assert "broken machine" in result.stdout


def test_count_adds_up_over_all_stages(tmp_path):
    """Stand-ins for build, ctest and pytest that report known numbers."""
    tools = tmp_path / "scripts"
    tools.mkdir()
    (tools / "test").write_text((SCRIPTS / "test").read_text())
    stand_ins = {
        "scripts/build": "exit 0",
        "scripts/lint": "exit 0",
        "scripts/python": 'for last; do :; done\necho \'<testsuites><testsuite name="pytest" '
                          'errors="1" failures="1" skipped="2" tests="10"></testsuite>'
                          '</testsuites>\' >"$last"\nexit 1',
        "bin/ctest": 'for last; do :; done\nprintf \'<testsuite name="x"\\n\\ttests="20"\\n\\t'
                     'failures="0"\\n\\tdisabled="1"\\n\\tskipped="3"\\n>\' >"$last"',
    }
    (tmp_path / "bin").mkdir()
    for name, body in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
    for path in [*tools.iterdir(), tmp_path / "bin/ctest"]:
        path.chmod(0o755)
    result = run(tools / "test", "--no-install", PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    # 2 builds, 2 x 16 of ctest, 6 of pytest, format, tidy
    assert result.stdout.splitlines()[-1] == "42 passed, 2 failed, 10 skipped"
    assert result.returncode == 1
    result = run(tools / "test", "--no-install", "--quick",
                 PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    assert result.stdout.splitlines()[-1] == "24 passed, 2 failed, 6 skipped"
