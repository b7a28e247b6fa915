//! A path's probes, all targets together. One target's trouble is its own: a path
//! is as good as the best of its targets, and one that never answered says nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::latency::Latency;
use super::loss::{Loss, Share};
use super::{EvidenceItem, Kind, OneWay, Outcome, Sample, Settings, Target, item};

#[derive(Clone, Debug, Default)]
pub(super) struct Targets(BTreeMap<Target, Measured>);

#[derive(Clone, Debug)]
struct Measured {
    has_answered: bool,
    loss: Loss,
    latency: Latency,
    one_way: Option<OneWay>,
}

/// What the probes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finding {
    /// Also: no target has ever answered.
    Nothing,
    Suspicion,
    Slow,
    Lossy,
    /// Nothing is answered.
    Dead,
}

impl Targets {
    pub(super) fn note(&mut self, sample: &Sample, settings: &Settings) {
        let measured = self.0.entry(sample.target).or_insert_with(|| Measured {
            has_answered: false,
            loss: Loss::new(),
            latency: Latency::default(),
            one_way: None,
        });
        if let Outcome::Answered(trip) = sample.outcome {
            measured.has_answered = true;
            measured.latency.note(trip.time, sample.interval, settings);
            measured.one_way = trip.delay;
        }
        if measured.has_answered {
            measured.loss.note(sample, settings);
        }
    }

    /// Only these are probed from now on.
    pub(super) fn keep(&mut self, targets: &[Target]) {
        self.0.retain(|target, _| targets.contains(target));
    }

    pub(super) fn finding(&self) -> Finding {
        let findings = self.alive().map(|(_, measured)| measured.finding());
        findings.min().unwrap_or(Finding::Nothing)
    }

    /// How many targets have ever answered.
    pub(super) fn count(&self) -> usize {
        self.alive().count()
    }

    /// More probes, soon, would tell.
    pub(super) fn are_open(&self) -> bool {
        self.count() > 0
            && self
                .alive()
                .all(|(_, measured)| measured.loss.is_open() || measured.latency.is_suspect())
    }

    /// In words, of the target that has the least to complain of.
    pub(super) fn reason(&self, finding: Finding) -> String {
        let Some((target, measured)) = self.best() else {
            return "no probe is answered".to_owned();
        };
        match finding {
            Finding::Dead => format!(
                "none of the last {} probes of {target} was answered",
                measured.loss.run_length()
            ),
            Finding::Lossy => {
                let share = measured.loss.share();
                format!(
                    "{} of the probes of {target} are lost{}",
                    percent(share.lost),
                    way(&share)
                )
            }
            Finding::Slow => {
                let latency = &measured.latency;
                format!(
                    "{target} answers after {}, usual is {}{}",
                    milliseconds(latency.last()),
                    milliseconds(latency.usual()),
                    measured.slow_way()
                )
            }
            Finding::Suspicion | Finding::Nothing => {
                format!("probes of {target} are lost or late")
            }
        }
    }

    pub(super) fn evidence(&self) -> Vec<EvidenceItem> {
        let mut items = Vec::new();
        for (target, measured) in self.alive() {
            let share = measured.loss.share();
            let lost = format!("{} of {}", percent(share.lost), share.of);
            items.push(item(format!("loss to {target}"), lost));
            if share.out + share.back > 0.0 {
                items.push(item("lost on the way out", percent(share.out)));
                items.push(item("lost on the way back", percent(share.back)));
            }
            let latency = &measured.latency;
            let (last, usual) = (latency.last(), latency.usual());
            let trip = format!("{} (usual {})", milliseconds(last), milliseconds(usual));
            items.push(item(format!("round trip to {target}"), trip));
        }
        items
    }

    fn alive(&self) -> impl Iterator<Item = (&Target, &Measured)> {
        self.0.iter().filter(|(_, measured)| measured.has_answered)
    }

    fn best(&self) -> Option<(&Target, &Measured)> {
        self.alive().min_by(|(_, one), (_, other)| {
            let worse = |measured: &Measured| (measured.finding(), measured.loss.share().lost);
            let (one, other) = (worse(one), worse(other));
            one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
        })
    }
}

impl Measured {
    fn finding(&self) -> Finding {
        if self.loss.is_total() {
            Finding::Dead
        } else if self.loss.is_high() {
            Finding::Lossy
        } else if self.latency.is_high() {
            Finding::Slow
        } else if self.loss.is_suspect() || self.latency.is_suspect() {
            Finding::Suspicion
        } else {
            Finding::Nothing
        }
    }

    fn slow_way(&self) -> &'static str {
        match self.one_way {
            Some(delay) if delay.out > 4 * delay.back => ", on the way out",
            Some(delay) if delay.back > 4 * delay.out => ", on the way back",
            _ => "",
        }
    }
}

/// Where the losses are, if nearly all are on the same way.
fn way(share: &Share) -> &'static str {
    match share.lost * 0.8 {
        most if share.out > 0.0 && share.out >= most => ", on the way out",
        most if share.back > 0.0 && share.back >= most => ", on the way back",
        _ => "",
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", 1000.0 * time.as_secs_f64())
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            Kind::Icmp => return self.address.fmt(f),
            Kind::Udp => "UDP",
            Kind::Tcp => "TCP",
            Kind::Stamp => "STAMP",
        };
        write!(f, "{} ({kind} {})", self.address, self.port)
    }
}
