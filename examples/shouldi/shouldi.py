"""Should I install it? Operations that look at a package of Python without running anything of it.

pip would run a package's own code to install it, and to learn of what a source distribution depends on: so the file is taken from
the index here, and only unpacked.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib

import weir

FILE_BYTES_MAX = 100 << 20  # of what is fetched
FOLDER_BYTES_MAX = 500 << 20  # of what is in it
FILES_MAX = 50_000


class Unfit(Exception):
    """A file that nobody should unpack."""


@weir.operation(outputs={"release": dict, "folder": str, "problem": str})
def fetch(package: str, index: str):
    "Fetches what pip would take of a package, NAME or NAME==VERSION, and unpacks it into a folder of its own."
    from packaging.requirements import InvalidRequirement, Requirement
    from pypi_simple import DigestMismatchError, NoSuchProjectError, PyPISimple

    try:
        wanted = Requirement(package)
    except InvalidRequirement as error:
        return {"problem": f"{package!r} names no package: {str(error).splitlines()[0]}"}
    with PyPISimple(index) as client:
        try:
            page = client.get_project_page(wanted.name)
        except NoSuchProjectError:
            return {"problem": f"there is no package {wanted.name} at {index}"}
        found = choose(page.packages, wanted)
        if found is None:
            return {"problem": f"{index} has nothing of {wanted} for Python {sys.version_info[0]}.{sys.version_info[1]} here"}
        folder = tempfile.mkdtemp(prefix="weir-shouldi-")
        try:
            file = pathlib.Path(folder, found.filename)
            client.download_package(found, file, progress=limit_of_bytes, timeout=60)  # its digest is checked
            unpack(file, pathlib.Path(folder, "files"))
            file.unlink()
        except (Unfit, DigestMismatchError, zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
            shutil.rmtree(folder)
            return {"problem": f"{found.filename}: {error}"}
        except BaseException:
            shutil.rmtree(folder)
            raise
    release = {"name": wanted.name, "version": found.version, "file": found.filename}
    return {"release": release, "folder": folder}


def choose(packages, wanted):
    """What pip would take: of the newest version that is wanted a wheel that fits here, else the sources. None: there is nothing."""
    from packaging.specifiers import SpecifierSet
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    here, ranks = "%d.%d.%d" % sys.version_info[:3], {tag: -rank for rank, tag in enumerate(sys_tags())}
    exact = any(part.operator in ("==", "===") and "*" not in part.version for part in wanted.specifier)
    fitting = []
    for package in packages:
        try:
            version = Version(package.version or "")
            fits = not package.requires_python or SpecifierSet(package.requires_python).contains(here)
            if package.package_type == "wheel":
                rank = max((ranks[tag] for tag in parse_wheel_filename(package.filename)[3] if tag in ranks), default=None)
            else:
                rank = -len(ranks) - 1 if package.package_type == "sdist" else None
        except (InvalidVersion, InvalidWheelFilename, ValueError):
            continue
        if fits and rank is not None and (exact or not package.is_yanked):
            fitting.append((version, rank, package))
    allowed = set(wanted.specifier.filter({version for version, _, _ in fitting}))
    return max((one for one in fitting if one[0] in allowed), key=lambda one: one[:2], default=(None,) * 3)[2]


class limit_of_bytes:
    """Ends a file that does not end."""

    def __init__(self, size):
        self.left = FILE_BYTES_MAX

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def update(self, count):
        self.left -= count
        if self.left < 0:
            raise Unfit(f"it has more than {FILE_BYTES_MAX:,} bytes")


def unpack(file: pathlib.Path, folder: pathlib.Path) -> None:
    """The regular files of an archive, with limits, and none outside of the folder."""
    folder.mkdir()
    left, count = FOLDER_BYTES_MAX, 0
    for name, content in members(file):
        parts = pathlib.PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\0" in name:
            raise Unfit(f"it would write to {name!r}")
        count += 1
        if count > FILES_MAX:
            raise Unfit(f"it has more than {FILES_MAX:,} files")
        place = folder.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        with content, open(place, "wb") as out:
            while part := content.read(1 << 20):
                left -= len(part)
                if left < 0:
                    raise Unfit(f"in it are more than {FOLDER_BYTES_MAX:,} bytes")
                out.write(part)


def members(file: pathlib.Path):
    """(name, open file) of each regular file."""
    if file.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, archive.open(info)
    else:
        with tarfile.open(file) as archive:
            for info in archive:
                content = archive.extractfile(info) if info.isreg() else None
                if content:
                    yield info.name, content


@weir.operation(outputs={"findings": list})
def bandit(folder: str):
    "What bandit finds in the files of a folder."
    files = os.path.join(folder, "files")
    ran = subprocess.run(
        [sys.executable, "-m", "bandit", "--recursive", "--format", "json", "--quiet", "--exit-zero", files],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(f"bandit ended with {ran.returncode}: {ran.stderr.strip()[-2000:]}")
    report = json.loads(ran.stdout)
    for error in report["errors"]:
        print("bandit could not read", os.path.relpath(error["filename"], files), error["reason"])
    found = [
        {
            "severity": one["issue_severity"].lower(),
            "confidence": one["issue_confidence"].lower(),
            "what": one["issue_text"],
            "id": one["test_id"],
            "where": f"{os.path.relpath(one['filename'], files)}:{one['line_number']}",
        }
        for one in report["results"]
    ]
    weir.metric("findings", len(found), "findings")
    return {"findings": found}


@weir.operation(outputs={"known": dict})
def look_up(release: dict, index: str, database: str):
    "The vulnerabilities of a release that are known to a database, a file as safety-db has it, and to the index; and who was asked."
    asked, known = [], []
    for source, vulnerabilities in (from_database(release, database), from_index(release, index)):
        if source:
            asked.append(source)
            known += vulnerabilities
    return {"known": {"asked": asked, "vulnerabilities": known}}


def from_database(release: dict, database: str):
    from datetime import datetime, timezone
    from importlib.util import find_spec

    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name

    if not database:
        installed = find_spec("safety_db")
        if installed is None:
            return None, []
        database = os.path.join(installed.submodule_search_locations[0], "insecure_full.json")
    with open(database) as file:
        packages = json.load(file)
    stamp = packages.get("$meta", {}).get("timestamp")
    day = f" of {datetime.fromtimestamp(stamp, timezone.utc):%Y-%m-%d}" if stamp else ""
    name = canonicalize_name(release["name"])
    found = [
        {"id": one.get("cve") or one["id"], "what": one["advisory"], "versions": spec}
        for known, entries in packages.items() if canonicalize_name(known) == name
        for one in entries for spec in one["specs"]
        if SpecifierSet(spec).contains(release["version"], prereleases=True)
    ]  # fmt: skip
    return f"{os.path.basename(database)}{day}", found


def from_index(release: dict, index: str):
    """What PyPI, and indexes like it, say of a release."""
    import requests

    base, simple, _ = index.rstrip("/").rpartition("/simple")
    if not simple:
        return None, []
    answer = requests.get(f"{base}/pypi/{release['name']}/{release['version']}/json", timeout=60)
    if answer.status_code == 404:
        return None, []
    answer.raise_for_status()
    vulnerabilities = answer.json().get("vulnerabilities")
    if vulnerabilities is None:
        return None, []
    return base, [
        {"id": one["id"], "what": one.get("summary") or one["details"], "versions": f"fixed in {', '.join(one['fixed_in']) or 'none'}"}
        for one in vulnerabilities
        if not one.get("withdrawn")
    ]


@weir.operation(outputs={"verdict": dict})
def judge(release: dict, findings: list, known: dict, high: int):
    "Whether to install it, and why not."
    severe = [one for one in findings if one["severity"] == "high" and one["confidence"] != "low"]
    reasons = [f"{one['id']}: {one['what']} ({one['versions']})" for one in known["vulnerabilities"]]
    if len(severe) > high:
        reasons += [f"bandit {one['id']} at {one['where']}: {one['what']}" for one in severe]
    if not known["asked"]:
        reasons.append("nobody could be asked whether it is known to be vulnerable")
    counts = {level: sum(one["severity"] == level for one in findings) for level in ("high", "medium", "low")}
    return {"verdict": {"install": not reasons, "reasons": reasons, **release, "findings": counts, "asked": known["asked"]}}


@weir.operation(outputs={"verdict": dict})
def refuse(problem: str):
    "The verdict on what cannot be looked at."
    return {"verdict": {"install": False, "reasons": [problem]}}


@weir.operation(stage="cleanup", outputs=[])
def remove(folder: str):
    "Takes a folder away."
    shutil.rmtree(folder, ignore_errors=True)
