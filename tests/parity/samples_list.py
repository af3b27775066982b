"""The checked-in list of samples on which convgrad and PyTorch differ, and how it is written anew.

A line of ``samples_failing.txt`` is ``operator | check dtype | samples | reason``; ``all`` stands for every
sample of that check. ``PYTHONPATH=src:. python tests/parity/samples_list.py`` runs everything and writes the
list, keeping the reasons it has. A new line has what went wrong after a question mark, until someone has
mended it or found the reason: the test accepts no question marks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from tests.parity.samples import MISSING, OPERATORS, Outcome, counterpart, report

LIST = Path(__file__).with_name("samples_failing.txt")
HEAD = """# PyTorch's samples on which convgrad differs: operator | check dtype | samples | reason.
# This list may only shrink: a listed sample that agrees fails the test. samples_list.py writes it.
"""

#: what PyTorch has and convgrad does not aim at: sparse, private and kernel-level functions, rare decompositions
OUT_OF_SCOPE = re.compile(
    r"_|torch\.|jiterator|sparse|to_sparse|masked\.|signal\.|native_|unsafe_|hash_tensor|stft|istft|lu|ldl|geqrf"
    r"|ormqr|svd_lowrank|pca_lowrank|cauchy|geometric|log_normal|exponential|uniform|cholesky_|linalg\.(lu|ldl"
    r"|householder|cholesky_ex|inv_ex|solve_ex|eig$|eigvals$|tensor)|special\.(airy|bessel|chebyshev|hermite|laguerre"
    r"|legendre|modified|scaled|shifted|spherical|zeta)|grid_sampler|max_pool2d_with|nonzero_static|empty_permuted"
    r"|constant_pad_nd|nn\.functional\.(linear_cross|fractional|multi_head|ctc|rrelu|upsample)|\w+_copy$|chalf"
    r"|histogramdd|matrix_exp|slice$|igamma|mvlgamma|__rdiv__",
)
KEPT = ("index_copy", "__getitem__")


def in_scope(name: str) -> bool:
    """Whether an operator belongs to the set convgrad aims at."""
    plain = name.partition("/")[0]
    if plain in KEPT or (plain.startswith("__r") and plain != "__rdiv__"):
        return True
    return not OUT_OF_SCOPE.match(plain)


def judged() -> list[str]:
    """The operators that are compared: those in scope, and whatever else convgrad has."""
    return [name for name, op in OPERATORS.items() if in_scope(name) or counterpart(op) is not None]


Entry = tuple[str, str, str]


def read() -> dict[Entry, tuple[set[int] | None, str]]:
    """(operator, check, dtype) -> (sample numbers, None for all; the reason)."""
    entries = {}
    for line in LIST.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, check, numbers, reason = [part.strip() for part in line.split("|", 3)]
            kind, dtype = check.split()
            entries[name, kind, dtype] = (
                None if numbers == "all" else set(map(int, numbers.split())),
                reason,
            )
    return entries


def lines(name: str, outcomes: list[Outcome], known: dict[Entry, tuple[set[int] | None, str]]) -> list[str]:
    """The lines of one operator."""
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.check, outcome.dtype].append(outcome)
    made = []
    for (check, dtype), group in groups.items():
        bad = [o for o in group if o.error is not None]
        if not bad:
            continue
        numbers = "all" if len(bad) == len(group) else " ".join([str(o.index) for o in bad])
        entry = known.get((name, check, dtype))
        reason = entry[1] if entry and not entry[1].startswith("?") else guess(bad[0])
        made.append(f"{name} | {check} {dtype} | {numbers} | {reason}")
    return made


def guess(outcome: Outcome) -> str:
    """The reason, where it is plain from what went wrong; else that, behind a question mark."""
    text = " ".join(f"{type(outcome.error).__name__}: {outcome.error}".split())
    if outcome.check == MISSING:
        return "not there yet"
    if text.startswith(f"AssertionError: {MISSING}"):
        return f"no form {outcome.check!r} yet" if outcome.check != "out" else "takes no out= yet"
    if "argument 'out'" in text:
        return "takes no out= yet"
    return f"? {text[:150]}"


def main() -> None:
    """Write the list anew."""
    known = read() if LIST.exists() else {}
    made, passed, total = [], 0, 0
    for name in judged():
        outcomes = report(name)
        made += lines(name, outcomes, known)
        passed += sum([o.error is None for o in outcomes])
        total += sum([o.check != MISSING for o in outcomes])
    LIST.write_text(HEAD + "\n".join(made) + "\n")
    print(f"{passed} of {total} checks of samples agree; {len(made)} lines")


if __name__ == "__main__":
    main()
