//! Cisco IOS-XR: ASR 9000, NCS 5500.

use crate::check::{Mistake, Router};
use crate::platform::{Entry, dotted, templates};
use crate::quoting::Quoting;

pub(crate) static ENTRY: Entry = Entry {
    name: "cisco_ios_xr",
    title: "Cisco IOS-XR",
    default_parent: "TenGigE0/0/0/0",
    interface: dotted,
    comment: "!",
    // `!` begins a comment, `|` leads output elsewhere.
    description: Quoting {
        quote: None,
        escaped: "",
        refused: "?!|\"",
    },
    key: Quoting {
        quote: None,
        escaped: "",
        refused: "? !|\"\\",
    },
    longest_policy: 48,
    templates: templates!["policy.j2"],
    forms: &[],
    check,
};

fn check(router: &Router) -> Vec<Mistake> {
    let slow = router.links().iter().filter_map(|link| {
        let bfd = link.bfd.filter(|bfd| bfd.multiplier > 16)?;
        Some(Mistake::new(format!(
            "VIF {}: IOS-XR has a BFD multiplier of 16 at most, not {}",
            link.name, bfd.multiplier
        )))
    });
    slow.collect()
}
