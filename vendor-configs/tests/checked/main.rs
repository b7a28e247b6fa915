//! Every golden in front of its platform's judge, and every judge in front of
//! texts with a mistake in them. Needs Debian's packages bird2, frr, gobgpd,
//! openbgpd: `tests/run vendor` installs them and runs this.

#![allow(clippy::unwrap_used)]

mod goldens;
mod judges;

use goldens::Golden;

#[test]
fn every_golden_is_accepted() {
    let mut refused = Vec::new();
    for Golden {
        platform,
        path,
        text,
    } in goldens::all()
    {
        let complaints = judges::judge(&platform, &text);
        let complaints = complaints.unwrap_or_else(|| panic!("{platform} has no judge"));
        refused.extend(
            complaints
                .iter()
                .map(|complaint| format!("{path}: {complaint}")),
        );
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
