from __future__ import annotations

import time
from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.storage.signing import UrlSigner, origin, own_path

SIGNER = UrlSigner("secret")


def test_verifies_what_it_signed() -> None:
    expires = int(time.time()) + 60
    signature = SIGNER.signature("a/b.png", expires)
    assert SIGNER.verify("a/b.png", str(expires), signature)
    assert not SIGNER.verify("a/c.png", str(expires), signature)
    assert not SIGNER.verify("a/b.png", str(expires + 1), signature)
    assert not UrlSigner("another").verify("a/b.png", str(expires), signature)


def test_the_past_is_over() -> None:
    expires = int(time.time()) - 1
    assert not SIGNER.verify("a.png", str(expires), SIGNER.signature("a.png", expires))


def test_numbers_have_one_spelling() -> None:
    expires = int(time.time()) + 60
    signature = SIGNER.signature("a.png", expires)
    for text in (f" {expires}", f"+{expires}", f"{expires}.0", f"{expires}_0", "", "٣", None):
        assert not SIGNER.verify("a.png", text, signature)
    assert not SIGNER.verify("a.png", expires, None)


@given(st.text(max_size=60), st.text(max_size=20))
def test_garbage_is_refused_and_never_raises(signature: str, expires: str) -> None:
    assert not SIGNER.verify("a.png", expires, signature)


@given(st.text(max_size=80))
def test_any_text_may_be_asked_about(url: str) -> None:
    assert own_path(url, ["http://127.0.0.1:8000"]) is None
    assert not SIGNER.verify_url(url, ["http://127.0.0.1:8000"])


def test_repeated_parameters_are_refused() -> None:
    base = "http://127.0.0.1:8000"
    url = SIGNER.sign("a.png", expires_in=60, base_url=base)
    assert SIGNER.verify_url(url, [base])
    assert not SIGNER.verify_url(f"{url}&expires=99999999999", [base])


def test_origins_compare_as_browsers_do() -> None:
    assert origin("HTTP://Example.com/a") == origin("http://example.com:80")
    assert origin("https://example.com") != origin("http://example.com")


def test_reading_and_writing_are_different_rights() -> None:
    query = {"expires_in": 60, "base_url": "http://a"}
    read, write = (
        dict(parse_qsl(urlsplit(url).query))
        for url in (SIGNER.sign("a.png", **query), SIGNER.sign_upload("a.png", **query))
    )
    assert SIGNER.verify_upload("a.png", write["expires"], write["signature"])
    assert not SIGNER.verify_upload("b.png", write["expires"], write["signature"])
    assert not SIGNER.verify_upload("a.png", read["expires"], read["signature"])
    assert not SIGNER.verify("a.png", write["expires"], write["signature"])
