//! Medians, ratios, and how they are shown.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::round::Figures;
use super::speaker::Speaker;

/// All rounds of one benchmark.
#[derive(Default, Serialize)]
pub struct Report {
    pub feeders: u32,
    pub sizes: Vec<Size>,
}

/// All rounds with so many prefixes.
#[derive(Serialize)]
pub struct Size {
    pub prefixes: usize,
    pub speakers: BTreeMap<Speaker, Rounds>,
}

#[derive(Serialize)]
pub struct Rounds {
    pub median: Figures,
    pub rounds: Vec<Figures>,
}

impl Rounds {
    /// `None` without a round.
    pub fn new(rounds: Vec<Figures>) -> Option<Self> {
        let figure = |of: fn(&Figures) -> f64| median(rounds.iter().map(of).collect());
        let median = Figures {
            convergence: figure(|f| f.convergence)?,
            withdrawal: figure(|f| f.withdrawal)?,
            cpu: figure(|f| f.cpu)?,
            peak_memory: figure(|f| f.peak_memory as f64)? as u64,
            updates: figure(|f| f.updates as f64)? as u64,
        };
        Some(Self { median, rounds })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

impl Report {
    /// A table for people: medians with the range behind them, then what bgpd
    /// takes as a multiple of the other's.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:>9}  {:<7} {:>21} {:>21} {:>15} {:>15}\n",
            "prefixes", "speaker", "convergence, s", "withdrawal, s", "CPU, s", "peak, MB"
        );
        for size in &self.sizes {
            for (speaker, rounds) in &size.speakers {
                let _ = writeln!(text, "{}", row(size.prefixes, *speaker, rounds));
            }
            for line in size.ratios() {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }
}

impl Size {
    fn ratios(&self) -> Vec<String> {
        let Some(bgpd) = self.speakers.get(&Speaker::Bgpd) else {
            return vec![];
        };
        let others = self
            .speakers
            .iter()
            .filter(|(speaker, _)| **speaker != Speaker::Bgpd);
        let line = |(speaker, other): (&Speaker, &Rounds)| {
            let ratio = |of: fn(&Figures) -> f64| of(&bgpd.median) / of(&other.median);
            let title = format!("bgpd/{}", speaker.name());
            let (convergence, withdrawal) = (ratio(|f| f.convergence), ratio(|f| f.withdrawal));
            let (cpu, memory) = (ratio(|f| f.cpu), ratio(|f| f.peak_memory as f64));
            format!(
                "{:>9}  {title:<9} {convergence:>18.2}x {withdrawal:>20.2}x {cpu:>14.2}x {memory:>14.2}x",
                ""
            )
        };
        others.map(line).collect()
    }
}

fn row(prefixes: usize, speaker: Speaker, rounds: &Rounds) -> String {
    let median = &rounds.median;
    let ranged = |of: fn(&Figures) -> f64| {
        let values = rounds.rounds.iter().map(of);
        let (low, high) = (
            values.clone().fold(f64::MAX, f64::min),
            values.fold(0.0, f64::max),
        );
        format!("{:.2} ({low:.2}–{high:.2})", of(median))
    };
    format!(
        "{prefixes:>9}  {:<7} {:>21} {:>21} {:>15.2} {:>15.0}",
        speaker.name(),
        ranged(|f| f.convergence),
        ranged(|f| f.withdrawal),
        median.cpu,
        median.peak_memory as f64 / 1e6,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn figures(convergence: f64) -> Figures {
        Figures {
            convergence,
            withdrawal: 1.0,
            cpu: 2.0,
            peak_memory: 100_000_000,
            updates: 5,
        }
    }

    #[test]
    fn the_median_is_not_moved_by_one_slow_round() {
        let rounds = Rounds::new(vec![figures(1.0), figures(90.0), figures(2.0)]).unwrap();
        assert_eq!(rounds.median.convergence, 2.0);
        assert_eq!(median(vec![1.0, 2.0]), Some(1.5));
        assert!(Rounds::new(vec![]).is_none());
    }

    #[test]
    fn ratios_say_how_many_times_the_others_bgpd_takes() {
        let speakers = BTreeMap::from([
            (Speaker::Bgpd, Rounds::new(vec![figures(3.0)]).unwrap()),
            (Speaker::Bird, Rounds::new(vec![figures(2.0)]).unwrap()),
        ]);
        let report = Report {
            feeders: 2,
            sizes: vec![Size {
                prefixes: 1000,
                speakers,
            }],
        };
        let table = report.table();
        assert!(table.contains("bgpd/BIRD"), "{table}");
        assert!(table.contains("1.50x"), "{table}");
    }
}
