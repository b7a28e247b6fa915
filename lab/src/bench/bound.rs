//! Bounds on ratios, for a test that is to fail when bgpd becomes slow.

use std::str::FromStr;

use super::report::Report;

/// bgpd's figure may be at most so many times each other speaker's.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    quantity: String,
    ratio: f64,
}

/// `convergence=0.75`
impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (quantity, ratio) = text
            .split_once('=')
            .ok_or("write a quantity and a ratio: convergence=0.75")?;
        let ratio = ratio
            .parse()
            .map_err(|_| format!("`{ratio}` is not a number"))?;
        Ok(Self {
            quantity: quantity.to_owned(),
            ratio,
        })
    }
}

impl Bound {
    /// A line for each figure that is beyond it, and one if there is no such
    /// figure at all: a bound that bounds nothing is a mistake.
    pub fn broken_by(&self, report: &Report) -> Vec<String> {
        let Self { quantity, ratio } = self;
        let mut known = false;
        let mut broken = vec![];
        for measured in &report.cases {
            let ratios = measured.ratios().into_iter();
            for found in ratios.filter(|found| found.quantity.name == quantity) {
                known = true;
                if found.value > *ratio {
                    broken.push(format!(
                        "{}, {}: {quantity} is {:.2} of {}'s, more than {ratio}",
                        measured.scenario, measured.title, found.value, found.other
                    ));
                }
            }
        }
        if !known {
            broken.push(format!("nothing measured is called `{quantity}`"));
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bench::figures::{Figures, Quantity};
    use crate::bench::report::{Measured, Rounds};

    #[test]
    fn what_is_beyond_a_bound_is_told_and_what_is_unknown_too() {
        let entrant = |name, seconds| {
            let figures = Figures(vec![(Quantity::seconds("convergence"), seconds)]);
            Rounds::new(name, vec![figures])
        };
        let report = Report {
            cases: vec![Measured {
                scenario: "table",
                title: "small".into(),
                goal: None,
                notes: vec![],
                entrants: vec![entrant("bgpd", 3.0), entrant("BIRD", 4.0)],
            }],
        };
        let broken = |text: &str| text.parse::<Bound>().unwrap().broken_by(&report);
        assert!(broken("convergence=0.75").is_empty());
        let told = broken("convergence=0.7");
        assert_eq!(
            told,
            ["table, small: convergence is 0.75 of BIRD's, more than 0.7"]
        );
        assert_eq!(broken("speed=1"), ["nothing measured is called `speed`"]);
        assert!("convergence".parse::<Bound>().is_err());
    }
}
