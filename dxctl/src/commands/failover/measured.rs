//! What probes say of each part of a course. Pure.

use std::net::IpAddr;

use serde::Serialize;

use super::traffic::Probe;

/// A run of probes without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Outage {
    pub(super) target: IpAddr,
    /// When the first lost one was sent, in seconds since the beginning.
    pub(super) at: f64,
    /// Until the first answered one was sent.
    pub(super) seconds: f64,
    pub(super) lost: u64,
}

/// The probes to one target that were sent in one part of the course. Times are
/// seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Stretch {
    pub(super) target: IpAddr,
    pub(super) sent: u64,
    pub(super) lost: u64,
    /// That began in it.
    pub(super) longest_outage: f64,
    /// The longest that this program itself sent nothing: what it can't have seen.
    pub(super) longest_pause: f64,
    pub(super) rtt_min: Option<f64>,
    pub(super) rtt_p50: Option<f64>,
    pub(super) rtt_p99: Option<f64>,
    pub(super) rtt_max: Option<f64>,
}

/// In order of time. One that has not ended counts to the last probe.
pub(super) fn outages(target: IpAddr, probes: &[Probe]) -> Vec<Outage> {
    let mut all: Vec<Outage> = Vec::new();
    let mut open: Option<Outage> = None;
    for probe in probes {
        match (probe.rtt, &mut open) {
            (None, Some(outage)) => {
                outage.lost += 1;
                outage.seconds = probe.sent - outage.at;
            }
            (None, none) => {
                *none = Some(Outage {
                    target,
                    at: probe.sent,
                    seconds: 0.0,
                    lost: 1,
                });
            }
            (Some(_), some) => {
                if let Some(mut outage) = some.take() {
                    outage.seconds = probe.sent - outage.at;
                    all.push(outage);
                }
            }
        }
    }
    all.extend(open);
    all
}

/// Of the probes sent from one time to another.
pub(super) fn stretch(target: IpAddr, probes: &[Probe], from: f64, to: f64) -> Stretch {
    let within = |at: f64| (from..to).contains(&at);
    let sent: Vec<&Probe> = probes.iter().filter(|probe| within(probe.sent)).collect();
    let mut times: Vec<f64> = sent.iter().filter_map(|probe| probe.rtt).collect();
    times.sort_by(f64::total_cmp);
    let rank = |percent: usize| {
        let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(at).copied()
    };
    let began_here = outages(target, probes)
        .into_iter()
        .filter(|outage| within(outage.at));
    let pauses = sent.windows(2).map(|pair| match pair {
        [before, after] => after.sent - before.sent,
        _ => 0.0,
    });
    Stretch {
        target,
        longest_pause: pauses.fold(0.0, f64::max),
        sent: sent.len() as u64,
        lost: (sent.len() - times.len()) as u64,
        longest_outage: began_here.map(|outage| outage.seconds).fold(0.0, f64::max),
        rtt_min: times.first().copied(),
        rtt_p50: rank(50),
        rtt_p99: rank(99),
        rtt_max: times.last().copied(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const TARGET: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A probe every 10 ms; `.` answered, `x` lost.
    fn probes(picture: &str) -> Vec<Probe> {
        let one = |(at, mark): (usize, char)| Probe {
            sent: at as f64 * 0.01,
            rtt: (mark == '.').then_some(0.001),
        };
        picture.chars().enumerate().map(one).collect()
    }

    #[test]
    fn an_outage_lasts_from_the_first_lost_to_the_next_answered() {
        let found = outages(TARGET, &probes("..xxx..x."));
        let short: Vec<_> = found
            .iter()
            .map(|outage| (outage.lost, (outage.seconds * 1000.0).round()))
            .collect();
        assert_eq!(short, [(3, 30.0), (1, 10.0)]);
    }

    #[test]
    fn an_outage_without_end_counts_to_the_last_probe() {
        let found = outages(TARGET, &probes("..xxxx"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].seconds * 1000.0).round(), 30.0);
        assert!(outages(TARGET, &[]).is_empty());
    }

    #[test]
    fn an_outage_belongs_to_where_it_began() {
        let all = probes("...xxxx...");
        let away = stretch(TARGET, &all, 0.0, 0.05);
        let back = stretch(TARGET, &all, 0.05, 1.0);
        assert_eq!((away.sent, away.lost, back.sent, back.lost), (5, 2, 5, 2));
        assert_eq!((away.longest_outage * 1000.0).round(), 40.0);
        assert_eq!(back.longest_outage, 0.0);
    }

    #[test]
    fn a_pause_of_the_sender_is_no_outage_but_told() {
        let mut all = probes("......");
        all.retain(|probe| !(0.015..0.035).contains(&probe.sent));
        let one = stretch(TARGET, &all, 0.0, 1.0);
        assert_eq!((one.longest_pause * 1000.0).round(), 30.0);
        assert_eq!(one.longest_outage, 0.0);
    }

    #[test]
    fn nothing_sent_is_nothing_measured() {
        let empty = stretch(TARGET, &[], 0.0, 1.0);
        assert_eq!((empty.sent, empty.lost, empty.rtt_p99), (0, 0, None));
    }
}
