//! Every golden in front of its platform's judge, and every judge in front of
//! texts with a mistake in them. Needs Debian's packages bird2, frr, gobgpd,
//! openbgpd: `tests/run vendor` installs them and runs this.

#![allow(clippy::unwrap_used)]

#[path = "../cases/mod.rs"]
mod cases;
mod goldens;
mod injection;
mod judges;
mod mutations;
mod patterns;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::thread;

use goldens::Golden;
use mutations::KINDS;

#[test]
fn every_golden_is_accepted() {
    let mut refused = Vec::new();
    for golden in goldens::all() {
        let complaints = judges::judge(&golden.platform, &golden.text);
        refused.extend(
            complaints
                .iter()
                .map(|complaint| format!("{}: {complaint}", golden.path)),
        );
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// What each judge refuses at least, in percent of the texts with a mistake.
/// README.md says what it was when somebody last looked.
const FLOORS: [(&str, usize); 16] = [
    ("arista_eos", 85),
    ("bird", 85),
    ("cisco_ios", 85),
    ("cisco_ios_xe", 85),
    ("cisco_ios_xr", 85),
    ("cisco_nxos", 85),
    ("fortinet_fortios", 85),
    ("frr", 85),
    ("gobgp", 85),
    ("juniper_junos", 85),
    ("juniper_srx", 85),
    ("linux", 85),
    ("mikrotik_routeros", 85),
    ("openbgpd", 85),
    ("paloalto_panos", 85),
    ("vyos", 85),
];

/// A kind is tried so often on each platform, where it has so many places.
const TRIES: usize = 8;

#[test]
fn mistakes_are_refused() {
    let mut platforms: BTreeMap<String, Vec<Golden>> = BTreeMap::new();
    for golden in goldens::all() {
        platforms
            .entry(golden.platform.clone())
            .or_default()
            .push(golden);
    }
    let scores: Vec<(String, Score)> = thread::scope(|scope| {
        let running: Vec<_> = platforms
            .iter()
            .map(|(platform, goldens)| (platform, scope.spawn(move || score(platform, goldens))))
            .collect();
        let ended = running.into_iter();
        ended
            .map(|(platform, thread)| (platform.clone(), thread.join().unwrap()))
            .collect()
    });
    println!("{}", table(&scores));
    for (platform, score) in &scores {
        let floor = FLOORS.iter().find(|(name, _)| name == platform);
        let (_, floor) = floor.unwrap_or_else(|| panic!("{platform} has no floor"));
        let (refused, tried) = score.sum();
        assert!(tried >= 80, "{platform}: only {tried} mistakes were tried");
        assert!(
            refused * 100 >= floor * tried,
            "{platform}: {refused} of {tried} refused, less than {floor} %; passed:\n{}",
            score.passed.join("\n")
        );
    }
}

/// What one judge refuses hides what the later ones would have let through.
#[test]
fn every_judge_refuses_something_by_itself() {
    for golden in goldens::all() {
        if !golden.path.ends_with("/private.txt") {
            continue;
        }
        let lines: Vec<&str> = golden.text.lines().collect();
        let edits = KINDS
            .iter()
            .flat_map(|kind| mutations::sample((kind.edits)(&lines), TRIES));
        let wrong: Vec<String> = edits.map(|edit| edit.apply(&lines)).collect();
        for (index, judge) in judges::judges(&golden.platform).iter().enumerate() {
            assert!(
                wrong.iter().any(|text| !judge(text).is_empty()),
                "judge {index} of {} takes everything",
                golden.platform
            );
        }
    }
}

#[derive(Default)]
struct Score {
    /// Refused and tried, a kind each.
    kinds: Vec<(usize, usize)>,
    /// What the judge let through.
    passed: Vec<String>,
}

impl Score {
    fn sum(&self) -> (usize, usize) {
        self.kinds
            .iter()
            .fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    }
}

fn score(platform: &str, goldens: &[Golden]) -> Score {
    let mut score = Score::default();
    for kind in &KINDS {
        let all = goldens.iter().flat_map(|golden| {
            let lines: Vec<&str> = golden.text.lines().collect();
            (kind.edits)(&lines)
                .into_iter()
                .map(move |edit| (golden, edit))
        });
        let chosen = mutations::sample(all.collect(), TRIES);
        let mut refused = 0;
        for (golden, edit) in &chosen {
            let lines: Vec<&str> = golden.text.lines().collect();
            if judges::judge(platform, &edit.apply(&lines)).is_empty() {
                score
                    .passed
                    .push(format!("  {}: {}: {edit:?}", kind.name, golden.path));
            } else {
                refused += 1;
            }
        }
        score.kinds.push((refused, chosen.len()));
    }
    score
}

/// For README.md.
fn table(scores: &[(String, Score)]) -> String {
    let mut text = "| platform | refused / tried | what passed |\n|---|---|---|\n".to_owned();
    for (platform, score) in scores {
        let (refused, tried) = score.sum();
        let leaks: Vec<String> = KINDS
            .iter()
            .zip(&score.kinds)
            .filter(|(_, (refused, tried))| refused < tried)
            .map(|(kind, (refused, tried))| format!("{} {}", kind.name, tried - refused))
            .collect();
        writeln!(
            text,
            "| `{platform}` | {refused} / {tried} | {} |",
            leaks.join(", ")
        )
        .unwrap();
    }
    text
}
