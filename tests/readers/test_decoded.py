from coverslip.readers.decoded import Decoded


def test_what_was_not_used_for_longest_goes_first() -> None:
    kept: Decoded[str] = Decoded(10)
    kept.keep("a", "A", 4)
    kept.keep("b", "B", 4)
    assert kept.get("a") == "A"
    kept.keep("c", "C", 4)
    assert [kept.get(key) for key in "abc"] == ["A", None, "C"]


def test_a_value_kept_twice_counts_once() -> None:
    kept: Decoded[str] = Decoded(10)
    kept.keep("a", "A", 6)
    kept.keep("a", "newer", 6)
    kept.keep("b", "B", 4)
    assert [kept.get(key) for key in "ab"] == ["newer", "B"]


def test_what_is_larger_than_everything_is_not_kept_and_drives_nothing_out() -> None:
    kept: Decoded[str] = Decoded(10)
    kept.keep("a", "A", 6)
    kept.keep("huge", "H", 11)
    assert [kept.get(key) for key in ("a", "huge")] == ["A", None]
    kept.clear()
    assert kept.get("a") is None
