"""Watch over files: in-place writes, renames, exchanged symbolic links, and files that come and go."""

from pathlib import Path

from ringway.file_watch import REST_S, FileWatch


def watched(*paths: Path) -> FileWatch:
    return FileWatch([str(path) for path in paths])


def test_what_is_there_at_the_start_is_no_change(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one")
    watch = watched(file, tmp_path / "missing")
    assert watch.is_at_rest(0.0)
    assert not watch.changed


def test_a_change_counts_when_the_file_rests(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one")
    watch = watched(file)
    file.write_text("half")
    assert not watch.is_at_rest(10.0)
    file.write_text("half, and the rest")
    assert not watch.is_at_rest(10.0 + REST_S)
    assert not watch.is_at_rest(10.0 + 2 * REST_S - 0.01)
    assert watch.is_at_rest(10.0 + 2 * REST_S)
    assert watch.changed
    watch.accept()
    assert not watch.changed


def test_a_rename_is_a_change_also_if_size_and_time_are_equal(tmp_path: Path) -> None:
    file, other = tmp_path / "secret", tmp_path / "new"
    file.write_text("one")
    watch = watched(file)
    other.write_text("two")
    other.rename(file)
    watch.is_at_rest(0.0)
    assert watch.changed


def test_a_symbolic_link_that_kubernetes_exchanges_is_a_change(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "secret").write_text(f"number {number}")
    data, file = tmp_path / "..data", tmp_path / "secret"
    data.symlink_to("..1")
    file.symlink_to("..data/secret")
    watch = watched(file)
    assert not watch.changed
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(data)
    watch.is_at_rest(0.0)
    assert watch.changed


def test_a_file_that_goes_and_comes_back_is_a_change_each_time(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one")
    watch = watched(file)
    file.unlink()
    assert not watch.is_at_rest(1.0)
    assert watch.changed
    watch.accept()
    file.write_text("one")
    assert not watch.is_at_rest(2.0)
    assert watch.changed
