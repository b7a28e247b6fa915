//! The text for Linux makes the link, and takes it out.

use anyhow::Context;
use lab::foreign::write_private;
use lab::wait;
use vendor_configs::Part;

use super::{INTERFACE, private, text};
use crate::Bench;
use crate::ours::PATIENCE;
use crate::pair::{Pair, WIRE};

/// The text for Linux is a script.
pub(super) fn commands(bench: &Bench) -> anyhow::Result<()> {
    let (pair, link) = (Pair::create(bench)?, private()?);
    let session = &link.sessions[0];
    let (aws, customer) = (session.peer, session.local.to_string());
    pair.theirs.ip(&format!(
        "link set dev {WIRE} down\nlink set dev {WIRE} name eth1"
    ))?;
    let script = |part| -> anyhow::Result<()> {
        let path = write_private(bench.directory.join("script"), &text("linux", &link, part)?)?;
        let path = path.to_str().context("a path in UTF-8")?.to_owned();
        pair.theirs.exec("sh", &["-e", &path]).map(drop)?;
        Ok(())
    };
    script(Part::Whole)?;
    let link = pair
        .theirs
        .show(&format!("-details link show dev {INTERFACE}"))?;
    for wanted in ["802.1Q id 101", "mtu 1500", "UP"] {
        wait::ensure(
            link.contains(wanted),
            format!("the link says {wanted}"),
            link.clone(),
        )?;
    }
    let address = pair.theirs.show(&format!("address show dev {INTERFACE}"))?;
    wait::ensure(address.contains(&customer), "it has our address", address)?;
    // Packets pass.
    pair.ours.ip(&format!(
        "link add link {WIRE} name aws type vlan id 101\nlink set dev aws up\naddress add {aws}/30 dev aws"
    ))?;
    wait::until("AWS's end answers", PATIENCE, || {
        let answer = pair
            .theirs
            .exec("ping", &["-c", "1", "-W", "1", &aws.to_string()]);
        answer.map(drop).map_err(|error| error.to_string())
    })?;
    script(Part::Rollback)?;
    let gone = pair.theirs.show(&format!("link show dev {INTERFACE}"));
    wait::ensure(
        gone.is_err(),
        "the link is gone after the rollback",
        format!("{gone:?}"),
    )?;
    Ok(())
}
