//! `hold`, `hold_max` and `health = { … }` of a `[[vif]]`, `[[peer]]` or `[[path]]`:
//! when its path counts as bad, and how long it is not trusted then.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::table::{At, Keys, Table};
use crate::path::Settings;

const KEYS: Keys = Keys {
    known: &["loss", "latency", "prefixes", "quick"],
    refused: &[
        ("hold", "it stands beside `health`, not in it"),
        ("hold_max", "it stands beside `health`, not in it"),
        ("interval", "how often is asked is `probe`'s `interval`"),
    ],
};

/// 0: a path carries traffic again as soon as it is well.
const HOLD: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
/// A single queue that fills adds some milliseconds.
const LATENCY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);
const QUICK: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);

pub(super) fn read(table: &Table<'_>) -> Settings {
    let default = Settings::default();
    let hold = table.duration("hold", HOLD);
    let hold_max = table.duration("hold_max", HOLD);
    let value = |at: Option<At<Duration>>| at.map(|at| at.value);
    let first = value(hold).unwrap_or(default.hold);
    if let Some(longest) = hold_max.filter(|longest| longest.value < first) {
        table.mistake(
            longest.offset,
            format_args!(
                "`hold_max` {:?} is shorter than `hold` {first:?}, which is where it begins",
                longest.value
            ),
        );
    }
    let hold_max = value(hold_max).unwrap_or(default.hold_max.max(first));
    let settings = Settings {
        hold: first,
        hold_max,
        ..default
    };
    match table.table("health", &KEYS) {
        Some(health) => thresholds(&health, settings),
        None => settings,
    }
}

fn thresholds(table: &Table<'_>, settings: Settings) -> Settings {
    let loss = table.parsed("loss", percent).filter(|loss| {
        let fits = (1..=90).contains(&loss.value);
        if !fits {
            let why = "`loss` is outside 1% to 90%: less is usual on any line, more is an outage";
            table.mistake(loss.offset, why);
        }
        fits
    });
    let prefixes = table.parsed("prefixes", percent);
    let duration = |key, range| table.duration(key, range).map(|at| at.value);
    let share = |at: At<u8>| f64::from(at.value) / 100.0;
    Settings {
        loss: loss.map_or(settings.loss, share),
        latency: duration("latency", LATENCY).unwrap_or(settings.latency),
        prefixes: prefixes.map_or(settings.prefixes, share),
        quick: duration("quick", QUICK).unwrap_or(settings.quick),
        ..settings
    }
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').map(str::trim_end);
    let number = number.and_then(|number| number.parse().ok());
    number
        .filter(|number| *number <= 100)
        .ok_or_else(|| format!("{text:?} is no share; write for example \"10%\""))
}
