"""Leakage: rows that are copies of others, and rows of one patient on both sides of a split."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betainc
from scipy.stats import binom
from sklearn.neighbors import NearestNeighbors

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.leak_basis import MIN_PATIENTS, Finding, numbers, standardised

DUPLICATED = "duplicated_rows"
FOLDS = "patient_in_two_folds"

_HARMFUL = 0.02  # share of the rows from which copies change a result
_FEW = 3
_NEARLY_ALL, _FEW_VISITS = 0.8, 10  # rows that share a label, rows of one label
_NOTABLE = 0.2  # share of rows whose identifiers must resemble another's, when nothing else does
_AXES = 200  # random projections by which distances in wide tables are kept
_COUNTED = 60  # columns up to which chance agreement of whole rows is estimated
_SOMETHING = 3  # cells that differ from the column's commonest value
_LARGEST_GROUP = 8
_NEIGHBOURS = 20
_CHANCE = 1e-3
_MIXED = 1e-6
_KNOWN = 0.5  # share of its values that a row must have to be compared
_CONTINUOUS = 0.3  # different values per patient
_TODO_ROWS = "Keep one row of each, or give the groups so that copies stay in one fold"
_TODO_FOLDS = "Split by patient (groups), so that all rows of a patient are in the same fold"

# What people append to the identifier of a patient for a second row: visits, lesions, scans, readers, copies.
_WORD = (r"visit|vis|time|timepoint|tp|lesion|les|scan|session|ses|rep|replicate|copy|dup|duplicate|aug|augmented|bis|"
         r"ter|pre|post|baseline|bl|fu|followup|slice|sl|roi|week|month|day|tumou?r|node|sample|image|img|patch|tile")
_SUFFIX = re.compile(rf"^(?P<base>.*\d.*?)(?:[\s_.\-/#:]*(?:{_WORD})[\s_.\-]*\d{{0,3}}|"  # 12_visit2, 12-pre
                     r"[\s_.\-/#:]+[a-z]\d{1,2}|(?<=\d)[vtlsr]\d{1,2}|"  # 12-v2, 12t1
                     r"[\s_.\-/#:]+\d{1,2}|(?<=\d)[a-h]|[\s_.\-/#:]+[a-h]|\s*\(\d+\))$")  # 12_2, 12b, 12-b, 12 (2)


# -- copies -----------------------------------------------------------------------------------------------------------


def duplicated_rows(frame: pd.DataFrame, endpoint: Endpoint, categorical: Sequence[str] = ()) -> list[Finding]:
    """Rows that are equal, nearly equal, scaled copies or mixtures of other rows.

    Equal rows count only as far as they are more than patients with few, coarse values share by chance: that number
    is estimated from the pairs that differ in one column alone. Nearly equal rows are those whose nearest neighbours
    are far nearer than the next ones, given how distances grow in this table [1]_. Mixtures (as oversampling makes
    them) lie exactly between two others.

    References
    ----------
    .. [1] Facco et al., Estimating the intrinsic dimension of datasets by a minimal neighborhood information,
       Scientific Reports 2017; 7:12140.
    """
    if len(frame) < MIN_PATIENTS or frame.shape[1] < 2:
        return []
    copies, first = _equal(frame, endpoint)
    rest = frame[first]
    continuous = _continuous(rest, categorical)
    similar = _similar(continuous) if continuous.shape[1] >= 5 and len(rest) >= 2 * MIN_PATIENTS else []
    return [*copies, *similar]


def _equal(frame: pd.DataFrame, endpoint: Endpoint) -> tuple[list[Finding], np.ndarray]:
    """Findings on rows that are equal, and which rows are the first of their kind."""
    cells, outcome = _cells(frame), _cells(_outcome(endpoint))
    cells = cells[:, (cells != cells[:1]).any(axis=0)]
    if not cells.shape[1]:
        return [], np.ones(len(frame), dtype=bool)
    rows = _row_keys(cells)
    first = ~pd.Series(rows).duplicated().to_numpy()
    if first.all():
        return [], first
    told = ~_usual(frame) if frame.shape[1] > _COUNTED else np.ones(len(frame), dtype=bool)
    with_outcome = np.column_stack([cells, outcome])
    for name, part in (("predictors and outcome", with_outcome), ("predictors", cells)):
        key, chance = _row_keys(part)[told], _chance_pairs(part)
        excess, pairs = int(pd.Series(key).duplicated().sum()), _pairs(key)
        if not excess or pairs <= 3 * chance + 1:
            continue
        share = excess * (1 - chance / pairs) / len(frame)
        harmful = share >= _HARMFUL and excess >= _FEW and name == "predictors and outcome"
        return [Finding(DUPLICATED, "alarm" if harmful else "notice",
                        f"{excess} of {len(frame)} rows have the same {name} as an earlier row.", "rows", _TODO_ROWS,
                        round(share, 4), len(frame))], first
    return [], first


def _usual(frame: pd.DataFrame) -> np.ndarray:
    """Rows of wide tables with (nearly) nothing but each column's commonest value: no mutation, no copy-number change.

    They are equal because nothing was found, not because they are of one patient.
    """
    values = [frame.iloc[:, position].astype(object) for position in range(frame.shape[1])]
    modes = [column.mode(dropna=False).iloc[0] for column in values]
    commonest = pd.Series(modes, dtype=object).mode(dropna=False).iloc[0]
    # Unlike the column's commonest value, and unlike what means "nothing" all over the table (0 in most of them).
    unlike = [np.stack([~_equals(column, mode), ~_equals(column, commonest)]) for column, mode in
              zip(values, modes, strict=True)]
    return np.asarray(np.sum(unlike, axis=0).min(axis=0) < _SOMETHING)


def _equals(column: pd.Series, value: Any) -> np.ndarray:
    return (column.isna() if pd.isna(value) else column.eq(value)).to_numpy(dtype=bool)


def _outcome(endpoint: Endpoint) -> pd.DataFrame:
    parts = {"outcome": endpoint.outcome}
    return pd.DataFrame(parts if endpoint.time is None else {**parts, "time": endpoint.time})


def _cells(frame: pd.DataFrame) -> np.ndarray:
    """Every cell as a number that is the same for equal values: numbers to six digits, codes of the rest. (n, p)."""
    numeric = numbers(frame)
    values = numeric.to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = 10.0 ** (np.floor(np.log10(np.abs(values))) - 5)
        rounded = np.where(values == 0, 0.0, np.round(values / unit) * unit)
    rounded = np.where(np.isnan(values), -1.0e300, rounded)
    others = [pd.factorize(frame[name].astype(str))[0].astype(float) for name in frame.columns.difference(
        numeric.columns, sort=False)]
    return np.column_stack([rounded, *others])


def _row_keys(cells: np.ndarray) -> np.ndarray:
    """One number for each row, equal for equal rows."""
    content = np.ascontiguousarray(cells)
    return pd.factorize(pd.Series([row.tobytes() for row in content], dtype=object))[0]


def _pairs(key: np.ndarray) -> int:
    counts = pd.Series(key).value_counts().to_numpy()
    return int((counts * (counts - 1) // 2).sum())


def _chance_pairs(cells: np.ndarray) -> float:
    """Pairs of equal rows to expect by chance, from the pairs that differ in one column only.

    Where two patients agree in all other columns and values are drawn independently, the odds of agreeing in this one
    as well are those of agreeing in it at all. The largest such number over the columns is taken.
    """
    n, p = cells.shape
    if p > _COUNTED:
        return 0.0
    same, expected = _pairs(_row_keys(cells)), 0.0
    for position in range(p):
        agree = _pairs(cells[:, position]) / (n * (n - 1) / 2)
        differing = _pairs(_row_keys(np.delete(cells, position, axis=1))) - same
        if agree < 0.9:
            expected = max(expected, differing * agree / (1 - agree))
    return expected


def _continuous(frame: pd.DataFrame, categorical: Sequence[str]) -> pd.DataFrame:
    numeric = numbers(frame, categorical)
    return numeric.loc[:, numeric.nunique() >= max(10, _CONTINUOUS * len(numeric))]


def _similar(continuous: pd.DataFrame) -> list[Finding]:
    """Nearly equal rows, scaled copies and mixtures; at most one finding of each."""
    # Patients who lack most values are alike, and lie on lines, because they are filled with means.
    continuous = continuous[continuous.notna().mean(axis=1) >= _KNOWN]
    if len(continuous) < MIN_PATIENTS:
        return []
    matrix = _narrow(standardised(continuous.to_numpy()))
    findings: list[Finding] = []
    rows = _near_copies(matrix)
    findings.extend(_finding_rows(rows, len(matrix), "are nearly equal to another row: far nearer to it than to any "
                                  "other"))
    scaled = _near_copies(_narrow(_without_scale(continuous.to_numpy()))) & ~rows
    findings.extend(_finding_rows(scaled, len(matrix), "are another row times a factor"))
    mixed = _mixtures(matrix) & ~rows & ~scaled
    findings.extend(_finding_rows(mixed, len(matrix), "lie exactly between two other rows, as oversampling makes "
                                  "them"))
    return findings


def _finding_rows(rows: np.ndarray, n: int, words: str) -> Iterator[Finding]:
    count = int(rows.sum())
    if count:
        level = "alarm" if count >= max(_FEW, 2 * _HARMFUL * n) else "notice"
        yield Finding(DUPLICATED, "alarm" if level == "alarm" else "notice", f"{count} of {n} rows {words}.", "rows",
                      _TODO_ROWS, round(count / n, 4), n)


def _without_scale(values: np.ndarray) -> np.ndarray:
    """Rows brought to the same length, columns weighing the same; for copies that differ by a factor."""
    filled = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    size = np.sqrt((filled**2).mean(axis=0))
    scaled = filled / np.where(size > 0, size, 1.0)
    length = np.sqrt((scaled**2).sum(axis=1, keepdims=True))
    return standardised(scaled / np.where(length > 0, length, 1.0))


def _narrow(matrix: np.ndarray) -> np.ndarray:
    """Wide tables by random projections: distances, and what lies on a line, stay."""
    if matrix.shape[1] <= _AXES:
        return matrix
    axes = np.random.default_rng(0).normal(size=(matrix.shape[1], _AXES)) / np.sqrt(_AXES)
    return matrix @ axes


def _near_copies(matrix: np.ndarray) -> np.ndarray:
    """Rows in groups that are far closer together than their distance to the next row; bool, shape (n,).

    In a table of intrinsic dimension m, (d_j / d_(j+1)) ** (m j) is uniform for the distance d_j to the j-th
    neighbour. m is taken from farther neighbours, which groups of up to eight copies do not reach.
    """
    n = len(matrix)
    reach = min(4 * _LARGEST_GROUP, n - 1)
    distance, neighbour = NearestNeighbors(n_neighbors=reach + 1).fit(matrix).kneighbors(matrix)
    distance, neighbour = distance[:, 1:], neighbour[:, 1:]
    dimension = _dimension(distance)
    flagged = np.zeros(n, dtype=bool)
    for size in range(1, min(_LARGEST_GROUP, reach - 1)):
        near, far = distance[:, size - 1], distance[:, size]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(far > 0, near / far, 1.0)
        gap = (ratio ** (dimension * size) < _CHANCE / (n * _LARGEST_GROUP)) & (ratio < 0.7)
        members = [{row, *neighbour[row, :size]} for row in range(n)]
        flagged |= np.array([gap[row] and all(gap[other] and members[other] == members[row]
                                              for other in neighbour[row, :size]) for row in range(n)])
    return flagged


def _dimension(distance: np.ndarray) -> float:
    """Intrinsic dimension: the smaller of the estimates from two ranges of neighbours beyond small groups.

    The ratio of the distances to the k-th and the 2k-th neighbour, to the power m, follows Beta(k, k).
    """
    reach = distance.shape[1]
    estimates = []
    for first, second in ((reach // 4, reach // 2), (reach // 2, reach)):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.median(distance[:, first - 1] / distance[:, second - 1])
        # Median of Beta(k, K - k) is near (k - 1/3) / (K - 2/3).
        share = (first - 1 / 3) / (second - 2 / 3)
        if 0 < ratio < 1:
            estimates.append(np.log(share) / np.log(ratio))
    return float(min(estimates, default=0.0))


def _mixtures(matrix: np.ndarray) -> np.ndarray:
    """Rows on the line between two of their neighbours; bool, shape (n,)."""
    n, p = matrix.shape
    reach = min(_NEIGHBOURS, n - 1)
    neighbour = NearestNeighbors(n_neighbors=reach + 1).fit(matrix).kneighbors(matrix, return_distance=False)[:, 1:]
    found = np.zeros(n, dtype=bool)
    for row in range(n):
        arms = matrix[neighbour[row]] - matrix[row]
        length = np.sqrt((arms**2).sum(axis=1))
        arms = arms[length > 1e-9] / length[length > 1e-9, None]
        if len(arms) < 2:
            continue
        opposite = float((arms @ arms.T).min())
        # Chance that two of the arms point that exactly apart in p directions.
        apart = max(1 - opposite**2, 0.0)
        chance = betainc((p - 1) / 2, 0.5, apart) / 2 * reach**2 / 2 * n
        found[row] = opposite < -1 + _MIXED or (opposite < -0.999 and chance < 1e-6 and p >= 10)
    return found


# -- folds ------------------------------------------------------------------------------------------------------------


def patient_in_two_folds(frame: pd.DataFrame, endpoint: Endpoint, *, groups: Any = None,
                         splits: Any = None, categorical: Sequence[str] = ()) -> list[Finding]:
    """Rows of one patient in training and test, or several rows per patient and nothing that keeps them together.

    Parameters
    ----------
    groups : array-like, shape (n,), optional
        Patient of each row. Without it, identifiers in the index are compared without case, separators, leading
        zeros, and what people append for visits, lesions and copies.
    splits : optional
        What :func:`fold_pairs` understands.
    """
    pairs = fold_pairs(splits, frame, endpoint)
    findings = list(_shared_rows(pairs))
    labelled = _labels(frame, groups)
    for words, labels, certain in labelled:
        shared = pd.Series(labels).duplicated(keep=False).to_numpy()
        if not shared.any():
            continue
        crossing = _crossing(labels, pairs)
        if pairs and not crossing:
            continue
        alike = certain or _alike(frame, endpoint, labels, categorical)
        grave = alike and (bool(pairs) or groups is None)
        if not alike and shared.mean() < _NOTABLE:
            continue
        what = (f"{crossing:.0%} of the tested rows belong to a patient who is trained on as well" if pairs else
                f"{int(shared.sum())} of {len(frame)} rows belong to patients with several rows")
        findings.append(Finding(FOLDS, "alarm" if grave else "notice", f"{what} ({words}).",
                                "splits" if pairs else "rows", _TODO_FOLDS,
                                round(crossing if pairs else float(shared.mean()), 4), len(frame)))
        break
    return findings


def fold_pairs(splits: Any, frame: pd.DataFrame, endpoint: Endpoint) -> list[tuple[np.ndarray, np.ndarray]]:
    """Splits as positions of training and test rows.

    Parameters
    ----------
    splits : None, array-like of shape (n,), DataFrame, a scikit-learn splitter, or a list of (train, test)
        Fold of each row; a table (patient, repeat, fold); something with ``split``; positions, or masks.
    """
    if splits is None:
        return []
    if isinstance(splits, pd.DataFrame):
        return [pair for _, part in splits.groupby("repeat" if "repeat" in splits else np.zeros(len(splits)))
                for pair in _by_fold(_fold_of_rows(part, frame))]
    if hasattr(splits, "split"):
        return [(np.asarray(train), np.asarray(test)) for train, test in
                splits.split(np.zeros((len(frame), 1)), endpoint.strata)]
    content = list(splits)
    if content and all(isinstance(item, tuple | list) and len(item) == 2 for item in content) and (
            np.ndim(content[0][0]) == 1):
        return [(_positions(train), _positions(test)) for train, test in content]
    return _by_fold(np.asarray(content))


def _fold_of_rows(part: pd.DataFrame, frame: pd.DataFrame) -> np.ndarray:
    """Fold of each row of the frame; by position where patients repeat and there is one fold for each row."""
    if part["patient"].duplicated().any() and len(part) == len(frame):
        return part["fold"].to_numpy()
    return part.drop_duplicates("patient").set_index("patient")["fold"].reindex(frame.index).to_numpy()


def _by_fold(fold: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    known = ~pd.isna(fold)
    return [(np.flatnonzero(known & (fold != value)), np.flatnonzero(known & (fold == value)))
            for value in pd.unique(fold[known])]


def _positions(rows: Any) -> np.ndarray:
    values = np.asarray(rows)
    return np.flatnonzero(values) if values.dtype == bool else values.astype(int)


def _shared_rows(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Iterator[Finding]:
    share = max((float(np.isin(test, train).mean()) for train, test in pairs if len(test)), default=0.0)
    if share:
        yield Finding(FOLDS, "alarm", f"{share:.0%} of the tested rows are trained on.", "splits",
                      "Make splits in which training and test rows are different rows", round(share, 4),
                      max(len(test) for _, test in pairs))


def _crossing(labels: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Share of tested rows of which another row is trained on: the largest over the splits."""
    return max((float(pd.Series(labels[test]).isin(labels[train]).mean()) for train, test in pairs if len(test)),
               default=0.0)


def _labels(frame: pd.DataFrame, groups: Any) -> list[tuple[str, np.ndarray, bool]]:
    """Which rows may be of one patient: how it is known, a label for each row, and whether that is certain."""
    if groups is not None:
        texts = _plain(pd.Series(np.asarray(groups)))
        return [("by the groups given", texts, True)]
    found = [("by the column '" + str(name) + "'", _plain(frame[name]), True) for name in frame.columns
             if _names_patients(str(name), frame[name])]
    index = pd.Series(frame.index.to_numpy())
    if isinstance(frame.index, pd.RangeIndex):
        return found
    found.append(("identifiers repeat", index.astype(str).to_numpy(dtype=object), True))
    if pd.api.types.is_numeric_dtype(index):
        return found
    found.append(("identifiers differ in case, separators or leading zeros only", _plain(index), False))
    bases = index.astype(str).str.strip().str.lower().map(_base)
    sizes = bases.value_counts()
    if (sizes > 1).any() and sizes.max() <= 24:
        found.append(("identifiers differ in what is appended only", _plain(bases), False))
    return found


def _names_patients(name: str, column: pd.Series) -> bool:
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    named = bool(words) and words[0] in {"patient", "subject", "pid", "mrn", "case", "participant", "patientid",
                                         "subjectid", "ipp"} and set(words[1:]) <= {"id", "number", "no", "nr", "code",
                                                                                    "identifier", "name"}
    return named and len(column) / 10 <= column.nunique() < len(column) - 1


def _plain(values: pd.Series) -> np.ndarray:
    """Identifiers without case, spaces, separators and leading zeros."""
    def plain(text: str) -> str:
        text = re.sub(r"\.0$", "", text.strip().lower())
        return "|".join(re.sub(r"^0+(?=\d)", "", part) for part in re.findall(r"[^\W\d_]+|\d+", text))
    return values.astype(str).map(plain).to_numpy(dtype=object)


def _base(text: str) -> str:
    match = _SUFFIX.match(text)
    return match["base"] if match else text


def _alike(frame: pd.DataFrame, endpoint: Endpoint, labels: np.ndarray, categorical: Sequence[str]) -> bool:
    """Whether rows with one label are of one patient.

    They are closer than rows of two patients are, beyond chance, and have one outcome, or nearly all rows are in
    groups of a few.

    Patients of one centre may have similar identifiers and be alike too; but their outcomes differ now and then, and
    other patients have no such neighbour.
    """
    first, second = _label_pairs(labels)
    if not len(first):
        return False
    agree = _agree(endpoint, first, second)
    sizes = pd.Series(labels).map(pd.Series(labels).value_counts())
    if not agree and ((sizes > 1).mean() < _NEARLY_ALL or sizes.max() > _FEW_VISITS):
        return False
    continuous = numbers(frame, categorical)
    if not continuous.shape[1]:
        return agree
    matrix = standardised(continuous.to_numpy())
    distance = np.sqrt(((matrix[first] - matrix[second]) ** 2).sum(axis=1))
    others = np.random.default_rng(0).integers(len(frame), size=(2, 2_000))
    usual = np.sqrt(((matrix[others[0]] - matrix[others[1]]) ** 2).sum(axis=1))
    below = int((distance < np.median(usual)).sum())
    return float(binom.sf(below - 1, len(distance), 0.5)) < (_CHANCE if agree else _MIXED)


def _label_pairs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row with the next one of its label: positions, so that pairs of a label are few."""
    order = np.argsort(labels, kind="stable")
    same = labels[order][1:] == labels[order][:-1]
    return order[:-1][same], order[1:][same]


def _agree(endpoint: Endpoint, first: np.ndarray, second: np.ndarray) -> bool:
    """Whether (nearly) all pairs have the same outcome, beyond chance."""
    values = endpoint.outcome if endpoint.time is None else endpoint.time
    shares = pd.Series(values).value_counts(normalize=True).to_numpy()
    equal = int((values[first] == values[second]).sum())
    return equal >= 0.95 * len(first) and float(
        binom.sf(equal - 1, len(first), float((shares**2).sum()))) < _CHANCE
