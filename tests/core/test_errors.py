"""Kinds of errors and their statuses."""

from poe2openai.core.errors import ErrorKind, GatewayError


def test_every_kind_has_its_own_code_and_an_error_status() -> None:
    codes = [kind.code for kind in ErrorKind]
    assert len(set(codes)) == len(codes)
    assert all(400 <= kind.status < 600 for kind in ErrorKind)


def test_poes_faults_are_never_told_as_the_clients() -> None:
    assert all(kind.status >= 500 for kind in ErrorKind if kind.code.startswith("upstream"))


def test_an_error_reads_as_its_message() -> None:
    assert str(GatewayError(ErrorKind.RATE_LIMIT, "Slow down.", retry_after=2.0)) == "Slow down."
