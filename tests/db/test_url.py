from __future__ import annotations

import pytest

from db.url import DatabaseUrlError, connect_arguments, parse


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_usual_spelling(scheme: str) -> None:
    url = parse(f"{scheme}://brand:p%40ss@db.example:6432/sartiq?sslmode=require")
    assert url.drivername == "postgresql+asyncpg"
    assert connect_arguments(url) == {
        "host": "db.example",
        "port": 6432,
        "user": "brand",
        "password": "p@ss",
        "database": "sartiq",
        "ssl": "require",
    }


def test_unix_socket() -> None:
    arguments = connect_arguments(parse("postgresql://postgres@/sartiq?host=/var/run/pg"))
    assert arguments == {"host": "/var/run/pg", "user": "postgres", "database": "sartiq"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://root@localhost/x", "mysql"),
        ("not a url", "cannot be read"),
        ("postgresql://localhost/x?options=-c", "unknown parameters: options"),
    ],
)
def test_what_cannot_work_is_refused(url: str, reason: str) -> None:
    with pytest.raises(DatabaseUrlError, match=reason):
        parse(url)


def test_errors_do_not_tell_the_password() -> None:
    with pytest.raises(DatabaseUrlError) as caught:
        parse("mysql://root:secret@localhost/x")
    assert "secret" not in str(caught.value)
