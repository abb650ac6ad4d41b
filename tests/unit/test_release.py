"""What is released: wheel and source archive hold what they should, and both work in an environment of their own."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from datetime import date, datetime
from pathlib import Path
from pkgutil import resolve_name

import pytest

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCES = ("src", "tests", "docs", "benchmarks", "examples", "papers", "changes", "requirements")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and source archive, built from a copy, so that nothing is left in the tree."""
    copy, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    junk = shutil.ignore_patterns("__pycache__", "_build", "results", "*.pyc")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=junk)
    for path in ROOT.iterdir():
        if path.is_file() and (path.suffix in (".md", ".toml", ".cff", ".py") or path.name in ("Makefile", "LICENSE")):
            shutil.copy(path, copy)
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def test_wheel_and_archive_carry_the_version_everywhere(built):
    wheel, archive = built
    citation = (ROOT / "CITATION.cff").read_text()

    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
    assert wheel.name == f"anyk-{PROJECT['version']}-py3-none-any.whl"
    assert archive.name == f"anyk-{PROJECT['version']}.tar.gz"
    assert f"\nversion: {PROJECT['version']}\n" in citation


def test_the_newest_release_in_the_changes_has_this_version_and_the_date_of_the_citation():
    heads = re.findall(r"^## (\d+\.\d+\.\d+), (\d+) (\w+) (\d+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    version, *day = heads[0]
    (released,) = re.findall(r"^date-released: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)

    assert version == PROJECT["version"]
    assert date.fromisoformat(released) == datetime.strptime(" ".join(day), "%d %B %Y").date()


def test_every_name_in_the_changes_exists():
    names = set(re.findall(r"`(anyk(?:\.\w+)+)", (ROOT / "CHANGELOG.md").read_text()))

    assert len(names) >= 15
    for name in names:
        if name.startswith("anyk.nn"):
            pytest.importorskip("torch")
        resolve_name(name)


def test_the_wheel_holds_the_package_and_nothing_else(built):
    names = zipfile.ZipFile(built[0]).namelist()
    files = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src/anyk").rglob("*") if path.is_file()}
    wanted = {name for name in files if "__pycache__" not in name and "/." not in name}

    assert "anyk/py.typed" in names
    assert wanted <= set(names)
    assert {name.split("/")[0] for name in names} == {"anyk", f"anyk-{PROJECT['version']}.dist-info"}


def test_the_archive_holds_what_tests_and_manual_need(built):
    with tarfile.open(built[1]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}

    for name in SOURCES:
        assert any(each.startswith(f"{name}/") for each in names), name
    assert {
        "README.md",
        "LICENSE",
        "CITATION.cff",
        "CHANGELOG.md",
        "Makefile",
        "conftest.py",
        "pyproject.toml",
    } <= names
    assert not any("_build" in name or "__pycache__" in name for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "archive"])
def test_it_works_in_a_clean_environment(built, kind, tmp_path):
    """Everything but anyk itself is borrowed from here, so that no index is asked."""
    home = tmp_path / "clean"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=60)
    python = home / "bin/python"
    scheme = {"base": str(home), "platbase": str(home)}
    packages = Path(sysconfig.get_path("purelib", vars=scheme))
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")  # its own .pth files are not read
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    more = ["--no-build-isolation"] if kind == "archive" else []
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
    subprocess.run([*pip, *more, str(built[kind == "archive"])], check=True, timeout=110, env=clean)

    def said(*command, status=0):
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=110)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    program = (
        "import anyk, numpy as np; C = anyk.matmul(np.eye(8), np.eye(8), anyk.codes.matdot(2, 4)); "
        "print(anyk.__file__, C.error < 1e-12)"
    )
    assert said(python, "-c", program).split() == [str(packages / "anyk/__init__.py"), "True"]
    assert said(home / "bin/anyk", "--version") == f"anyk {PROJECT['version']}\n"
    assert "matdot" in said(python, "-m", "anyk", "codes")
    assert "not installed with the package" in said(home / "bin/anyk", "reproduce", "codenet", status=2)
    (tmp_path / "user.py").write_text("import anyk\nreveal_type(anyk.codes.matdot(2, 4).recovery_threshold)\n")
    if shutil.which("mypy") or (Path(sys.executable).parent / "mypy").exists():
        checked = said(sys.executable, "-m", "mypy", "--python-executable", python, "--no-incremental", "user.py")
        assert 'Revealed type is "builtins.int"' in checked or 'Revealed type is "int"' in checked
    shell = "_ANYK_COMPLETE=bash_source " + str(home / "bin/anyk")
    assert "complete" in said("bash", "-c", shell)
