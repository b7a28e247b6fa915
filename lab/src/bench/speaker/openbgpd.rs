//! OpenBGPD.

use std::fmt::Write;

use bgp_core::Family;

use super::{ASN, Kernel, Setup};
use crate::bench::lane::{Neighbor, ROUTER_ID, Takes, local};
use crate::foreign::openbgpd;
use crate::world::{Namespace, Process, Result};

pub(super) fn start(namespace: &Namespace, setup: &Setup<'_>) -> Result<Vec<Process>> {
    let openbgpd = openbgpd::start(namespace, setup.directory, &config(setup))?;
    Ok(vec![openbgpd])
}

fn config(setup: &Setup<'_>) -> String {
    let local = local(setup.family);
    let family = match setup.family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    };
    let fib = match setup.kernel {
        Kernel::Untouched => "no",
        Kernel::Filled => "yes",
    };
    let mut text = format!(
        "AS {ASN}\nrouter-id {ROUTER_ID}\nsocket \"{}\"\nfib-update {fib}\nholdtime {}\nlisten on {local}\n",
        openbgpd::socket(setup.directory).display(),
        setup.hold_time
    );
    for Neighbor { address, asn, .. } in setup.neighbors {
        let _ = write!(
            text,
            "neighbor {address} {{\n remote-as {asn}\n local-address {local}\n passive\n announce {family} unicast\n}}\n"
        );
    }
    text += "allow from any\nallow to any\n";
    for Neighbor { address, takes, .. } in setup.neighbors {
        if *takes == Takes::Nothing {
            let _ = writeln!(text, "deny to {address}");
        }
    }
    text + setup.more
}
