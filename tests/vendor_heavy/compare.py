"""compare.py PLATFORM…: the golden texts of vendor-configs beside what another
generator writes for the same links. What they differ by is explained, and every
explanation holds for as many lines as it says. Then the comparison itself: it refuses
each golden with one line left out or one word misspelt. Prints `ok …` or `FAILED …`
for each."""

import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

from differences import DIFFERENCES
from lines import compare, lines_of
from links import LINKS

# The module that fills the generator's model, and its name for the platform.
GENERATORS = {
    "arista_eos": ("eos", "eos"),
    "cisco_ios_xe": ("cisco", "iosxe"),
    "cisco_ios_xr": ("cisco", "iosxr"),
    "cisco_nxos": ("cisco", "nxos"),
}

SOURCES = Path(__file__).parents[2] / "vendor-configs" / "src"


def main(platforms):
    for platform in platforms:
        module, os = GENERATORS[platform]
        build = import_module(module).build
        goldens = {case: (SOURCES / platform / "golden" / f"{case}.txt").read_text() for case in LINKS}
        theirs = {case: lines_of(build(link, os)) for case, link in LINKS.items()}
        agrees(platform, goldens, theirs)
        refuses(f"{platform}: goldens without a line", without_one, platform, goldens, theirs)
        refuses(f"{platform}: goldens with a misspelt word", misspelt, platform, goldens, theirs)


def agrees(platform, goldens, theirs):
    counts = Counter()
    for case, golden in goldens.items():
        ours = lines_of(golden)
        faults, explained = compare(ours, theirs[case], DIFFERENCES[platform])
        counts += explained
        both = len(ours & theirs[case])
        report(not faults, f"{platform} {case}: {both} of our {len(ours)} lines are theirs too", faults)
    wrong = [
        f"{difference.lines} lines, but it is {counts[difference]}: {difference.reason}"
        for difference in DIFFERENCES[platform]
        if counts[difference] != difference.lines or difference.lines == 0
    ]
    report(not wrong, f"{platform}: every difference explains as many lines as it says", wrong)


def refuses(what, mistakes, platform, goldens, theirs):
    accepted, tried = [], 0
    for case, golden in goldens.items():
        ours = lines_of(golden)
        right = compare(ours, theirs[case], DIFFERENCES[platform])
        for text in mistakes(golden):
            wrong = lines_of(text)
            if wrong == ours:
                continue
            tried += 1
            if compare(wrong, theirs[case], DIFFERENCES[platform]) == right:
                accepted.append(f"{case}, accepted without: {sorted(ours - wrong)}")
    report(tried and not accepted, f"{what}: {tried - len(accepted)} of {tried} refused", accepted)


def without_one(golden):
    lines = golden.splitlines()
    for place in range(len(lines)):
        yield "\n".join(lines[:place] + lines[place + 1 :])


def misspelt(golden):
    """Each word in turn, its last letter twice."""
    lines = golden.splitlines()
    for place, line in enumerate(lines):
        words = line.split(" ")
        for position, word in enumerate(words):
            if word and not line.startswith("!"):
                wrong = " ".join([*words[:position], word + word[-1], *words[position + 1 :]])
                yield "\n".join([*lines[:place], wrong, *lines[place + 1 :]])


def report(passed, what, details):
    if not passed:
        print(*(f"    {detail}" for detail in details), sep="\n")
    print("ok" if passed else "FAILED", what, flush=True)


main(sys.argv[1:])
