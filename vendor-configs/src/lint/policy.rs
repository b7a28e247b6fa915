//! Filters, as far as one can say from outside which routes they let pass.

use ipnet::IpNet;

/// Terms in their order; `last` is what happens to a route that no term decides.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) terms: Vec<Term>,
    pub(super) last: Verdict,
}

#[derive(Clone, Debug)]
pub(super) struct Term {
    /// All have to hold.
    pub(super) conditions: Vec<Condition>,
    /// `None`: the next term decides.
    pub(super) verdict: Option<Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Reject,
}

#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// The first line that fits decides; none: it does not hold.
    List(Vec<Range>),
    /// One of these holds, the one of the longest prefix.
    Longest(Vec<Range>),
    /// About something else than the prefix.
    Other,
}

/// Prefixes inside `net` of a length between `min` and `max`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) verdict: Verdict,
    pub(super) net: IpNet,
    pub(super) min: u8,
    pub(super) max: u8,
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// It depends on more than the prefix.
    Maybe,
}

impl Policy {
    /// Whether a route to `net` passes.
    pub(super) fn accepts(&self, net: IpNet) -> Answer {
        let mut doubtful = false;
        for term in &self.terms {
            let holds = term
                .conditions
                .iter()
                .map(|condition| condition.holds(net))
                .fold(Answer::Yes, both);
            match (holds, term.verdict) {
                (Answer::No, _) | (_, None) => {}
                (Answer::Yes, Some(Verdict::Accept)) => return Answer::Yes,
                (Answer::Yes, Some(Verdict::Reject)) => {
                    return if doubtful { Answer::Maybe } else { Answer::No };
                }
                (Answer::Maybe, Some(Verdict::Accept)) => doubtful = true,
                // Whatever it refuses, something may be left.
                (Answer::Maybe, Some(Verdict::Reject)) => {}
            }
        }
        match (self.last, doubtful) {
            (Verdict::Accept, _) => Answer::Yes,
            (Verdict::Reject, true) => Answer::Maybe,
            (Verdict::Reject, false) => Answer::No,
        }
    }
}

impl Condition {
    fn holds(&self, net: IpNet) -> Answer {
        let fitting = |ranges: &[Range]| -> Vec<Range> {
            let inside = ranges.iter().filter(|range| {
                range.net.contains(&net) && (range.min..=range.max).contains(&net.prefix_len())
            });
            inside.copied().collect()
        };
        let found = match self {
            Self::Other => return Answer::Maybe,
            Self::List(ranges) => fitting(ranges).first().copied(),
            Self::Longest(ranges) => fitting(ranges)
                .into_iter()
                .max_by_key(|range| range.net.prefix_len()),
        };
        match found {
            Some(Range {
                verdict: Verdict::Accept,
                ..
            }) => Answer::Yes,
            _ => Answer::No,
        }
    }
}

fn both(one: Answer, other: Answer) -> Answer {
    match (one, other) {
        (Answer::No, _) | (_, Answer::No) => Answer::No,
        (Answer::Yes, Answer::Yes) => Answer::Yes,
        _ => Answer::Maybe,
    }
}
