//! Medians, ratios, and how they are shown.

use std::fmt::Write;

use serde::Serialize;

use super::figures::{Figures, Quantity};

/// All that was measured.
#[derive(Default, Serialize)]
pub struct Report {
    pub cases: Vec<Measured>,
}

/// All rounds of one case.
#[derive(Serialize)]
pub struct Measured {
    pub scenario: &'static str,
    pub title: String,
    /// What is wanted of the first entrant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<&'static str>,
    /// Why some have not taken part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The first is the one that the others are compared with.
    pub entrants: Vec<Rounds>,
}

#[derive(Serialize)]
pub struct Rounds {
    pub name: &'static str,
    pub median: Figures,
    pub rounds: Vec<Figures>,
}

impl Rounds {
    pub fn new(name: &'static str, rounds: Vec<Figures>) -> Self {
        let first = rounds.first().cloned().unwrap_or_default();
        let medians = first.0.iter().filter_map(|(quantity, _)| {
            let values = rounds.iter().filter_map(|round| round.value(*quantity));
            Some((*quantity, median(values.collect())?))
        });
        Self {
            name,
            median: Figures(medians.collect()),
            rounds,
        }
    }

    fn range(&self, quantity: Quantity) -> (f64, f64) {
        let values = self.rounds.iter().filter_map(|round| round.value(quantity));
        values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        })
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

/// The first entrant's figure as a multiple of another's.
pub struct Ratio {
    pub quantity: Quantity,
    pub other: &'static str,
    pub value: f64,
}

impl Measured {
    /// A table for people: medians with the range behind them, then ratios.
    pub fn table(&self) -> String {
        let quantities: Vec<Quantity> = self.quantities();
        let mut text = format!("{}: {}\n{:<14}", self.scenario, self.title, "");
        for quantity in &quantities {
            let _ = write!(text, " {:>22}", quantity.title());
        }
        text.push('\n');
        for rounds in &self.entrants {
            let _ = write!(text, "{:<14}", rounds.name);
            for quantity in &quantities {
                let _ = write!(text, " {:>22}", cell(rounds, *quantity));
            }
            text.push('\n');
        }
        for other in self.entrants.iter().skip(1) {
            let first = self.entrants[0].name;
            let _ = write!(text, "{:<14}", format!("{first}/{}", other.name));
            for quantity in &quantities {
                let ratio = self.ratio(*quantity, other);
                let _ = write!(
                    text,
                    " {:>22}",
                    ratio.map_or("–".into(), |r| format!("{r:.2}x"))
                );
            }
            text.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        if let Some(goal) = self.goal {
            let _ = writeln!(text, "{:<14} {goal}", "goal");
        }
        text
    }

    /// Every quantity of the first entrant beside every other's.
    pub fn ratios(&self) -> Vec<Ratio> {
        let others = self.entrants.iter().skip(1);
        let ratios = others.flat_map(|other| {
            let quantities = self.quantities().into_iter();
            quantities.filter_map(|quantity| {
                Some(Ratio {
                    quantity,
                    other: other.name,
                    value: self.ratio(quantity, other)?,
                })
            })
        });
        ratios.collect()
    }

    fn quantities(&self) -> Vec<Quantity> {
        let mut all: Vec<Quantity> = vec![];
        for rounds in &self.entrants {
            for (quantity, _) in &rounds.median.0 {
                if !all.contains(quantity) {
                    all.push(*quantity);
                }
            }
        }
        all
    }

    fn ratio(&self, quantity: Quantity, other: &Rounds) -> Option<f64> {
        let first = self.entrants.first()?.median.value(quantity)?;
        let second = other.median.value(quantity)?;
        let comparable = second > 0.0 && first.is_finite() && second.is_finite();
        comparable.then(|| first / second)
    }
}

fn cell(rounds: &Rounds, quantity: Quantity) -> String {
    let digits = quantity.digits;
    let Some(median) = rounds.median.value(quantity) else {
        return "–".into();
    };
    let shown = |value: f64| {
        if value.is_finite() {
            format!("{value:.digits$}")
        } else {
            "never".to_owned()
        }
    };
    if rounds.rounds.len() < 2 {
        return shown(median);
    }
    let (low, high) = rounds.range(quantity);
    format!("{} ({}–{})", shown(median), shown(low), shown(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Quantity = Quantity::seconds("convergence");

    fn rounds(name: &'static str, values: &[f64]) -> Rounds {
        let rounds = values.iter().map(|value| Figures(vec![(TIME, *value)]));
        Rounds::new(name, rounds.collect())
    }

    #[test]
    fn the_median_is_not_moved_by_one_slow_round() {
        let median_of = |values| rounds("bgpd", values).median.value(TIME);
        assert_eq!(median_of(&[1.0, 90.0, 2.0]), Some(2.0));
        assert_eq!(median_of(&[1.0, 2.0]), Some(1.5));
        assert_eq!(median_of(&[]), None);
    }

    #[test]
    fn ratios_say_how_many_times_the_others_bgpd_takes() {
        let measured = Measured {
            scenario: "table",
            title: "two prefixes".into(),
            goal: Some("at most BIRD's"),
            notes: vec!["FRR: – (it is not installed)".into()],
            entrants: vec![rounds("bgpd", &[3.0]), rounds("BIRD", &[2.0])],
        };
        let table = measured.table();
        assert!(table.contains("bgpd/BIRD"), "{table}");
        assert!(table.contains("1.50x"), "{table}");
        assert!(table.contains("at most BIRD's"), "{table}");
        assert!(table.contains("FRR: –"), "{table}");
        let ratios = measured.ratios();
        assert!(matches!(&ratios[..], [ratio] if ratio.other == "BIRD" && ratio.value == 1.5));
    }
}
