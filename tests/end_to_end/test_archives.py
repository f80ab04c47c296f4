"""The operations of archives and compressed files: what Python's modules write is read, and the other way round; what is
hostile is refused, and leaves nothing."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib

import pytest

from operation import caller

CODECS = {"gz": gzip, "bz2": bz2, "xz": lzma}
TREE = {"a.txt": b"a", "d/b": b"b" * 100_000, "d/e/\u00e9": b"", ".hidden": b"h"}


@pytest.fixture
def call(weir, tmp_path):
    return caller(weir, tmp_path)


def plant(folder, tree):
    for name, data in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(done, *words):
    """It failed, and said so."""
    assert not isinstance(done, dict), done
    for word in words:
        assert word in done.stderr
    return True


def leftovers(folder):
    return [str(path) for path in folder.rglob("*") if ".weir-" in path.name]


# --- compressed files


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("data", [b"", b"weir\n" * 300_000, os.urandom(200_000)], ids=["empty", "text", "noise"])
def test_what_is_compressed_comes_back(call, tmp_path, codec, data):
    (tmp_path / "in").write_bytes(data)
    given = {"input_file_path": "in", "output_file_path": f"packed.{codec}"}
    assert call(f"{codec}_compress", given) == {"output_path": f"packed.{codec}"}
    assert CODECS[codec].decompress((tmp_path / f"packed.{codec}").read_bytes()) == data
    given = {"input_file_path": f"packed.{codec}", "output_file_path": "out"}
    assert call(f"{codec}_decompress", given) == {"output_path": "out"}
    assert (tmp_path / "out").read_bytes() == data
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("codec", CODECS)
def test_members_one_behind_the_other(call, tmp_path, codec):
    pack = CODECS[codec].compress
    (tmp_path / "in").write_bytes(pack(b"one ") + pack(b"") + pack(b"two") + b"\0" * 8)
    call(f"{codec}_decompress", {"input_file_path": "in", "output_file_path": "out"})
    assert (tmp_path / "out").read_bytes() == b"one two"


def test_the_older_lzma_is_read(call, tmp_path):
    (tmp_path / "in").write_bytes(lzma.compress(b"old", format=lzma.FORMAT_ALONE))
    call("xz_decompress", {"input_file_path": "in", "output_file_path": "out"})
    assert (tmp_path / "out").read_bytes() == b"old"


def test_the_same_bytes_each_time(call, tmp_path):
    (tmp_path / "in").write_bytes(b"same")
    for name in ("one", "two"):
        call("gz_compress", {"input_file_path": "in", "output_file_path": name})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("damage", ["cut", "changed", "other", "behind", "nothing"])
def test_damaged_files_are_refused(call, tmp_path, codec, damage):
    packed = CODECS[codec].compress(os.urandom(50_000))
    middle = len(packed) // 2
    (tmp_path / "in").write_bytes({
        "cut": packed[:-5],
        "changed": packed[:middle] + bytes([packed[middle] ^ 1]) + packed[middle + 1 :],
        "other": b"plain text, and more of it",
        "behind": packed + b"garbage behind it",
        "nothing": b"",
    }[damage])
    (tmp_path / "out").write_bytes(b"before")
    assert refused(call(f"{codec}_decompress", {"input_file_path": "in", "output_file_path": "out"}), "in: ")
    assert (tmp_path / "out").read_bytes() == b"before"
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("codec", CODECS)
def test_bombs_are_refused(call, tmp_path, codec):
    (tmp_path / "in").write_bytes(CODECS[codec].compress(bytes(5_000_000)))
    given = {"input_file_path": "in", "output_file_path": "out"}
    assert refused(call(f"{codec}_decompress", given, {"max_bytes": 4_999_999}), "max_bytes", "4999999")
    assert not (tmp_path / "out").exists() and not leftovers(tmp_path)
    assert call(f"{codec}_decompress", given, {"max_bytes": 5_000_000}) == {"output_path": "out"}
    assert refused(call(f"{codec}_decompress", given, {"max_bytes": 0}), "from 1")


def test_a_bomb_is_refused_without_being_told(call, tmp_path):
    """A gigabyte and a bit of zeros, in a few kilobytes."""
    one = bz2.compress(bytes(64 << 20))
    (tmp_path / "in").write_bytes(one * 16 + bz2.compress(b"more"))
    assert refused(call("bz2_decompress", {"input_file_path": "in", "output_file_path": "out"}), "1073741824 bytes")
    assert not (tmp_path / "out").exists() and not leftovers(tmp_path)


def test_an_xz_that_asks_for_memory_is_refused(call, tmp_path):
    """Its header says a dictionary of 1 GiB: the property byte of LZMA2, under the header's checksum (xz format, 3.1)."""
    packed = bytearray(lzma.compress(b"x" * 1000))
    header, size = 12, (packed[12] + 1) * 4
    packed[packed.index(b"\x21\x01", header) + 2] = 36
    packed[header + size - 4 : header + size] = zlib.crc32(packed[header : header + size - 4]).to_bytes(4, "little")
    (tmp_path / "in").write_bytes(packed)
    assert refused(call("xz_decompress", {"input_file_path": "in", "output_file_path": "out"}), "512 MiB of memory")


def test_wrong_paths_are_said(call, tmp_path):
    (tmp_path / "in").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, given, words in [
        ("gz_compress", ("none", "out"), ["none: No such file"]),
        ("gz_compress", ("folder", "out"), ["folder: not a file"]),
        ("gz_compress", ("pipe", "out"), ["pipe: not a file"]),
        ("gz_compress", ("in", "folder"), ["folder: is there already, and not a file"]),
        ("gz_compress", ("in", "none/out"), ["none/out: No such file"]),
        ("extract_tar_archive", ("pipe", "out"), ["pipe: not a file"]),
        ("make_zip_archive", ("none", "out"), ["none: No such file"]),
        ("make_zip_archive", ("in", "out"), ["in: Not a directory"]),
    ]:
        first = "input_directory_path" if name.startswith("make") else "input_file_path"
        last = "output_directory_path" if name.startswith("extract") else "output_file_path"
        assert refused(call(name, {first: given[0], last: given[1]}), *words)
    assert refused(call("gz_compress", {"input_file_path": 1, "output_file_path": "out"}), "input_file_path")
    assert sorted(os.listdir(tmp_path)) == ["call.json", "folder", "in", "pipe"]


def test_a_link_stays_a_link(call, tmp_path):
    (tmp_path / "in").write_bytes(b"x")
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "out").symlink_to("real")
    call("gz_compress", {"input_file_path": "in", "output_file_path": "out"})
    assert (tmp_path / "out").is_symlink() and gzip.decompress((tmp_path / "real").read_bytes()) == b"x"


# --- making archives


@pytest.mark.parametrize("format", ["zip", "tar"])
def test_an_archive_is_made_and_extracted(call, tmp_path, format):
    plant(tmp_path / "tree", TREE)
    (tmp_path / "tree/empty").mkdir()
    (tmp_path / "tree/a.txt").chmod(0o640)
    given = {"input_directory_path": "tree", "output_file_path": f"made.{format}"}
    assert call(f"make_{format}_archive", given) == {"output_path": f"made.{format}"}
    if format == "zip":
        with zipfile.ZipFile(tmp_path / "made.zip") as made:
            assert made.testzip() is None and made.namelist() == sorted(TREE)
    else:
        with tarfile.open(tmp_path / "made.tar") as made:
            assert made.getnames() == sorted(TREE)
    given = {"input_file_path": f"made.{format}", "output_directory_path": "out/"}
    assert call(f"extract_{format}_archive", given) == {"output_path": "out/"}
    assert files(tmp_path / "out") == TREE
    assert stat.S_IMODE((tmp_path / "out/a.txt").stat().st_mode) == 0o640
    assert not leftovers(tmp_path)


def test_an_archive_in_its_own_directory(call, tmp_path):
    plant(tmp_path / "tree", {"a": b"a"})
    for _ in range(2):
        call("make_zip_archive", {"input_directory_path": "tree", "output_file_path": "tree/made.zip"})
        with zipfile.ZipFile(tmp_path / "tree/made.zip") as made:
            assert made.namelist() == ["a"]


def test_a_tar_is_not_replaced(call, tmp_path):
    plant(tmp_path / "tree", {"a": b"a"})
    (tmp_path / "made.tar").write_bytes(b"before")
    given = {"input_directory_path": "tree", "output_file_path": "made.tar"}
    assert refused(call("make_tar_archive", given), "is there already")
    assert (tmp_path / "made.tar").read_bytes() == b"before"


def test_links_are_archived(call, tmp_path):
    plant(tmp_path / "tree", {"d/a": b"a"})
    (tmp_path / "tree/link").symlink_to("d/a")
    (tmp_path / "tree/folder").symlink_to("d")
    os.mkfifo(tmp_path / "tree/pipe")
    call("make_zip_archive", {"input_directory_path": "tree", "output_file_path": "made.zip"})
    with zipfile.ZipFile(tmp_path / "made.zip") as made:
        assert made.namelist() == ["d/a", "link"] and made.read("link") == b"a"
    call("make_tar_archive", {"input_directory_path": "tree", "output_file_path": "made.tar"})
    call("extract_tar_archive", {"input_file_path": "made.tar", "output_directory_path": "out"})
    assert os.readlink(tmp_path / "out/link") == "d/a" and (tmp_path / "out/link").read_bytes() == b"a"


@pytest.mark.parametrize("format", ["zip", "tar"])
@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "nowhere"])
def test_links_out_are_not_archived(call, tmp_path, format, target):
    plant(tmp_path / "tree", {"a": b"a"})
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "tree/link").symlink_to(target)
    given = {"input_directory_path": "tree", "output_file_path": "made"}
    assert refused(call(f"make_{format}_archive", given), "tree/link: the link leads out")
    assert not (tmp_path / "made").exists() and not leftovers(tmp_path)


# --- extracting what others made


def entry(name, kind=tarfile.REGTYPE, target="", data=b"x"):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, 0o4755
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def tar(path, *entries, mode="w"):
    with tarfile.open(path, mode) as made:
        for info, data in entries:
            made.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tars_of_others(call, tmp_path, mode):
    link, hard = entry("d/link", tarfile.SYMTYPE, "../a"), entry("hard", tarfile.LNKTYPE, "a")
    tar(tmp_path / "t", entry("./", tarfile.DIRTYPE), entry("./a"), link, hard, entry("a", data=b"later"),
        entry("empty/", tarfile.DIRTYPE), entry("d/\u00e9"), entry("n" * 200), mode=mode)
    call("extract_tar_archive", {"input_file_path": "t", "output_directory_path": "out"})
    out = tmp_path / "out"
    assert files(out) == {"a": b"later", "d/link": b"later", "hard": b"x", "d/\u00e9": b"x", "n" * 200: b"x"}
    assert (out / "empty").is_dir() and os.readlink(out / "d/link") == "../a"
    assert stat.S_IMODE((out / "a").stat().st_mode) & 0o7022 == 0


HOSTILE = {
    "up": [entry("../x")],
    "up inside": [entry("a/../../x")],
    "absolute": [entry("/tmp/x")],
    "link up": [entry("l", tarfile.SYMTYPE, "../secret")],
    "link absolute": [entry("l", tarfile.SYMTYPE, "/etc/passwd")],
    "link nowhere": [entry("l", tarfile.SYMTYPE, "missing/../../secret")],
    "through a link": [entry("l", tarfile.SYMTYPE, ".."), entry("l/x")],
    "chain": [entry("a", tarfile.SYMTYPE, "."), entry("b", tarfile.SYMTYPE, "a/..")],
    "folders that are links": [entry("d/e", tarfile.SYMTYPE, ".."), entry("f", tarfile.SYMTYPE, "d/e/../secret")],
    "link below a link": [entry("l", tarfile.SYMTYPE, ".."), entry("l/m", tarfile.SYMTYPE, "x")],
    "loop": [entry("l", tarfile.SYMTYPE, "l")],
    "hard up": [entry("h", tarfile.LNKTYPE, "../secret")],
    "hard absolute": [entry("h", tarfile.LNKTYPE, "/etc/passwd")],
    "hard through a link": [entry("l", tarfile.SYMTYPE, "../secret"), entry("h", tarfile.LNKTYPE, "l")],
    "pipe": [entry("p", tarfile.FIFOTYPE)],
    "device": [entry("p", tarfile.CHRTYPE)],
    "a file as folder": [entry("a"), entry("a/b")],
    "a folder as file": [entry("a/b"), entry("a")],
    "deep": [entry("d/" * 200 + "x")],
    "nameless": [entry("./.")],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_leaves_the_directory_is_refused(call, tmp_path, case):
    (tmp_path / "secret").write_bytes(b"s")
    tar(tmp_path / "t", entry("first"), *HOSTILE[case])
    before = files(tmp_path)
    assert refused(call("extract_tar_archive", {"input_file_path": "t", "output_directory_path": "out"}))
    after = files(tmp_path)
    after.pop("call.json")
    assert after == before and not (tmp_path / "out").exists() and not leftovers(tmp_path)


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x"])
def test_zips_that_leave_are_refused(call, tmp_path, name):
    with zipfile.ZipFile(tmp_path / "z", "w") as made:
        made.writestr("first", "1")
        made.writestr(name, "x")
    assert refused(call("extract_zip_archive", {"input_file_path": "z", "output_directory_path": "out"}), name)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format", ["zip", "tar"])
@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"no archive" * 100, lambda data: b""])
def test_damaged_archives_are_refused(call, tmp_path, format, damage):
    plant(tmp_path / "tree", {"a": os.urandom(50_000), "b": os.urandom(50_000)})
    call(f"make_{format}_archive", {"input_directory_path": "tree", "output_file_path": "made"})
    (tmp_path / "made").write_bytes(damage((tmp_path / "made").read_bytes()))
    given = {"input_file_path": "made", "output_directory_path": "out"}
    assert refused(call(f"extract_{format}_archive", given), "made: ")
    assert not (tmp_path / "out").exists() and not leftovers(tmp_path)


def test_archives_have_limits(call, tmp_path):
    with zipfile.ZipFile(tmp_path / "z", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros", bytes(1_000_000))
        made.writestr("more", b"1")
    given = {"input_file_path": "z", "output_directory_path": "out"}
    assert refused(call("extract_zip_archive", given, {"max_bytes": 1_000_000}), "max_bytes")
    assert refused(call("extract_zip_archive", given, {"max_files": 1}), "more than 1 files", "max_files")
    assert not (tmp_path / "out").exists()
    assert call("extract_zip_archive", given, {"max_bytes": 1_000_001, "max_files": 2}) == {"output_path": "out"}


def test_a_directory_that_has_something(call, tmp_path):
    tar(tmp_path / "t", entry("a"), entry("d/b"), entry("new/c"))
    plant(tmp_path / "out", {"a": b"old", "d/other": b"kept"})
    call("extract_tar_archive", {"input_file_path": "t", "output_directory_path": "out"})
    assert files(tmp_path / "out") == {"a": b"x", "d/b": b"x", "d/other": b"kept", "new/c": b"x"}
    assert not leftovers(tmp_path)


def test_links_in_the_directory_are_not_followed(call, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/d").symlink_to("../elsewhere")
    (tmp_path / "out/a").symlink_to("../secret")
    tar(tmp_path / "t", entry("a"), entry("d/b"))
    given = {"input_file_path": "t", "output_directory_path": "out"}
    assert refused(call("extract_tar_archive", given), "`d` is there already, and not a folder")
    assert (tmp_path / "out/a").is_symlink() and not list((tmp_path / "elsewhere").iterdir())
    (tmp_path / "out/d").unlink()
    call("extract_tar_archive", given)
    assert not (tmp_path / "secret").exists() and files(tmp_path / "out") == {"a": b"x", "d/b": b"x"}
    assert not leftovers(tmp_path)


def test_a_folder_in_the_way_leaves_all_as_it_was(call, tmp_path):
    tar(tmp_path / "t", entry("a"), entry("b"))
    plant(tmp_path / "out", {"b/c": b"c"})
    given = {"input_file_path": "t", "output_directory_path": "out"}
    assert refused(call("extract_tar_archive", given), "`b` is a folder there")
    assert files(tmp_path / "out") == {"b/c": b"c"} and not leftovers(tmp_path)
