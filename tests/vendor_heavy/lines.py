"""A configuration as the set of its lines, each with what it stands in, and what two
such sets differ by."""

import re
from collections import Counter
from dataclasses import dataclass

CLOSERS = {"exit", "end", "endif", "end-set", "end-policy", "exit-address-family"}


def lines_of(text):
    """As `router bgp 65010 > address-family ipv4 > network 10.0.0.0/8`, comments left out."""
    found, stack = set(), []
    for line in text.splitlines():
        words = " ".join(line.split()).removesuffix(",")
        if not words or words[0] in "!#" or words in CLOSERS:
            continue
        indent = len(line) - len(line.lstrip())
        while stack and stack[-1][0] >= indent:
            stack.pop()
        stack.append((indent, words))
        found.add(" > ".join(words for _, words in stack))
    return found


@dataclass(frozen=True)
class Difference:
    """Whole lines that only we or only they have, as regular expressions, how many
    they are in all the cases together, and why. Where both sides have some, their
    groups catch the same on either."""

    lines: int
    reason: str
    ours: str | None = None
    theirs: str | None = None


def compare(ours, theirs, differences):
    """What no difference explains, one line each, and how many lines each explains."""
    only = {"ours": ours - theirs, "theirs": theirs - ours}
    explained, faults, counts = {"ours": set(), "theirs": set()}, [], Counter()
    for difference in differences:
        caught = {}
        for side, lines in only.items():
            if pattern := getattr(difference, side):
                matches = [match for line in lines if (match := re.fullmatch(pattern, line))]
                explained[side] |= {match[0] for match in matches}
                caught[side] = {match.groups() for match in matches}
                counts[difference] += len(matches)
        if len({frozenset(groups) for groups in caught.values()}) > 1:
            faults.append(f"not the same on both sides: {difference.reason}: {caught}")
    for side, lines in only.items():
        faults += [f"only {side}: {line}" for line in sorted(lines - explained[side])]
    return faults, counts
