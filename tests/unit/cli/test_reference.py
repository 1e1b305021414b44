from pathlib import Path

from ringway.cli.reference import main, pages

DOCS = Path(__file__).parents[3] / "docs" / "reference"


def test_the_reference_pages_are_up_to_date(capsys):
    assert main(["--check", str(DOCS)]) == 0, capsys.readouterr().err


def test_pages_are_written_and_checked(tmp_path, capsys):
    assert main(["--check", str(tmp_path)]) == 1
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(name for name, _ in pages())
