//! Ranges as the Monitoring Plugins' development guidelines write them.

use std::fmt;
use std::str::FromStr;

/// What can be measured and judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Milliseconds.
    Rtt,
    /// Milliseconds.
    Jitter,
    /// Per cent.
    Loss,
    /// Accepted from a session.
    Prefixes,
}

impl Figure {
    pub(super) const ALL: [Self; 4] = [Self::Rtt, Self::Jitter, Self::Loss, Self::Prefixes];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rtt => "rtt",
            Self::Jitter => "jitter",
            Self::Loss => "loss",
            Self::Prefixes => "prefixes",
        }
    }

    /// Unit of measurement in performance data.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Rtt | Self::Jitter => "ms",
            Self::Loss => "%",
            Self::Prefixes => "",
        }
    }
}

/// `rtt=10:20`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Threshold {
    pub(super) figure: Figure,
    pub(super) range: Range,
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, range)) = text.split_once('=') else {
            return Ok(Self {
                figure: Figure::Rtt,
                range: text.parse()?,
            });
        };
        let figure = Figure::ALL.into_iter().find(|figure| figure.name() == name);
        Ok(Self {
            figure: figure.ok_or_else(|| {
                format!("`{name}` is no figure: there are rtt, jitter, loss, prefixes")
            })?,
            range: range.parse()?,
        })
    }
}

/// `[@][START:]END`: what is outside alerts; with `@`, what is inside. Both ends
/// belong to the inside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range {
    inverted: bool,
    start: f64,
    end: f64,
}

impl Range {
    pub(super) fn alerts(&self, value: f64) -> bool {
        (self.start..=self.end).contains(&value) == self.inverted
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no range: write 10, 10:, ~:10, 10:20 or @10:20 (START at most END)"
            )
        };
        let (inverted, rest) = match text.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let number = |text: &str| {
            let value = text.parse::<f64>().ok();
            value.filter(|value| value.is_finite()).ok_or_else(wrong)
        };
        let (start, end) = match rest.split_once(':') {
            None => (0.0, number(rest)?),
            Some((start, end)) => (
                match start {
                    "~" => f64::NEG_INFINITY,
                    "" => 0.0,
                    start => number(start)?,
                },
                match end {
                    "" => f64::INFINITY,
                    end => number(end)?,
                },
            ),
        };
        if start > end {
            return Err(wrong());
        }
        Ok(Self {
            inverted,
            start,
            end,
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inverted {
            f.write_str("@")?;
        }
        if self.start == f64::NEG_INFINITY {
            f.write_str("~:")?;
        } else if self.start != 0.0 || self.end == f64::INFINITY {
            write!(f, "{}:", self.start)?;
        }
        if self.end == f64::INFINITY {
            Ok(())
        } else {
            write!(f, "{}", self.end)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The table of the guidelines, value by value.
    #[test]
    fn ranges_alert_as_the_guidelines_say() {
        let table: &[(&str, &[f64], &[f64])] = &[
            ("10", &[-0.1, 10.1], &[0.0, 10.0]),
            ("10:", &[9.9], &[10.0, 1e9]),
            ("~:10", &[10.1], &[-1e9, 10.0]),
            ("10:20", &[9.9, 20.1], &[10.0, 20.0]),
            ("@10:20", &[10.0, 20.0], &[9.9, 20.1]),
            ("@10", &[0.0, 10.0], &[-0.1, 10.1]),
            ("-5:-1", &[-6.0, 0.0], &[-5.0, -1.0]),
        ];
        for (text, alerting, quiet) in table {
            let range: Range = text.parse().unwrap();
            assert!(alerting.iter().all(|value| range.alerts(*value)), "{text}");
            assert!(!quiet.iter().any(|value| range.alerts(*value)), "{text}");
            assert_eq!(range.to_string(), *text);
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "20:10", "a", "1:b", "~", "@", "nan", "inf", "1:2:3"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_threshold_is_of_the_round_trip_unless_it_says_otherwise() {
        assert_eq!("5".parse::<Threshold>().unwrap().figure, Figure::Rtt);
        assert_eq!("loss=1".parse::<Threshold>().unwrap().figure, Figure::Loss);
        assert!("lost=1".parse::<Threshold>().is_err());
    }
}
