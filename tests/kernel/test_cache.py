"""The cache of per-case results."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from medomicslab_nb.cache import Cache, pack, unpack


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    return {
        "a": pd.DataFrame({"x": [1.0, None], "y": ["b", None]}),
        "empty": pd.DataFrame({"z": pd.Series([], dtype="int64")}),
    }


def test_pack_is_deterministic_and_reversible(tables: dict[str, pd.DataFrame]) -> None:
    payload = pack(tables)
    assert payload == pack(tables)
    for name, frame in unpack(payload).items():
        pd.testing.assert_frame_equal(frame, tables[name])


def test_get_and_put(tmp_path: Path, tables: dict[str, pd.DataFrame]) -> None:
    cache = Cache(tmp_path)
    assert cache.get("ab" * 32) is None
    cache.put("ab" * 32, pack(tables))
    found = cache.get("ab" * 32)
    assert found is not None and list(found) == ["a", "empty"]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:40], lambda b: b"", lambda b: b[:50] + b"x" + b[51:]]
)
def test_damaged_entry_counts_as_missing_and_goes(
    tmp_path: Path, tables: dict[str, pd.DataFrame], damage: object
) -> None:
    cache = Cache(tmp_path)
    cache.put("ab" * 32, pack(tables))
    (path,) = tmp_path.rglob("*.zip")
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert cache.get("ab" * 32) is None
    assert not path.exists()


def test_key_changes_with_everything_that_changes_the_result() -> None:
    key = Cache.key(["aa"], {"bin_width": 25}, 1, ("numpy",))
    assert key == Cache.key(["aa"], {"bin_width": 25}, 1, ("numpy",))
    assert (
        len(
            {
                key,
                Cache.key(["ab"], {"bin_width": 25}, 1, ("numpy",)),
                Cache.key(["aa"], {"bin_width": 24}, 1, ("numpy",)),
                Cache.key(["aa"], {"bin_width": 25}, 2, ("numpy",)),
                Cache.key(["aa"], {"bin_width": 25}, 1, ("pandas",)),
            }
        )
        == 5
    )
