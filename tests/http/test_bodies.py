"""Bodies whose length is not what is said of it."""

from __future__ import annotations

from io import BytesIO

import pytest

from dockrev.bodies import read_body
from dockrev.errors import PayloadTooLarge


@pytest.mark.parametrize("length", ["11", "9" * 5000, "²", "-5", "many", ""])
def test_it_reads_no_more_than_its_limit(length: str) -> None:
    with pytest.raises(PayloadTooLarge):
        read_body({"CONTENT_LENGTH": length, "wsgi.input": BytesIO(b"a" * 11)}, 10)


@pytest.mark.parametrize("length", ["10", "²", "-5", "many", ""])
def test_it_reads_what_there_is(length: str) -> None:
    assert read_body({"CONTENT_LENGTH": length, "wsgi.input": BytesIO(b"abc")}, 10) == b"abc"
