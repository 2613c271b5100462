"""LOST: builder F overwrote this file by mistake at 04:21:59; its author's text of 04:21:26 is to be put back."""


def test_the_real_tests_are_put_back() -> None:
    raise AssertionError(
        "builder F overwrote these tests (see /tmp/overwritten-tests.md): write them again, do not commit this"
    )
