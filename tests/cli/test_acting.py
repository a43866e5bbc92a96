"""What is kept of a command with what it did."""

import pytest

from coverslip.cli import acting


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["clean", "annotations", "--all"], "coverslip clean annotations --all"),
        (
            ["undo", "1f", "--db-uri", "postgresql://ada:sec:ret@db.example:5432/lab"],
            "coverslip undo 1f --db-uri postgresql://ada:***@db.example:5432/lab",
        ),
        (["purge", "--db-uri=postgresql://:x@db/lab"], "coverslip purge --db-uri=postgresql://:***@db/lab"),
        (["import", "s3://bucket/a:b@c"], "coverslip import s3://bucket/a:b@c"),
    ],
)
def test_a_command_is_kept_without_passwords(words: list[str], kept: str) -> None:
    assert acting.command(words) == kept
