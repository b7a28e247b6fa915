//! FRR: bgpd alone, or with zebra where the kernel is filled.

use std::fmt::Write;

use super::{ASN, Kernel, Setup};
use crate::bench::lane::{Neighbor, ROUTER_ID, Takes};
use crate::foreign::frr::{self, Zebra};
use crate::world::{Namespace, Process};

pub(super) fn start(namespace: &Namespace, setup: &Setup<'_>) -> anyhow::Result<Vec<Process>> {
    let zebra = match setup.kernel {
        Kernel::Untouched => Zebra::Without,
        Kernel::Filled => Zebra::With { options: &[] },
    };
    let frr = frr::start(namespace, setup.directory, &config(setup), zebra)?;
    Ok(std::iter::once(frr.bgpd).chain(frr.zebra).collect())
}

fn config(setup: &Setup<'_>) -> String {
    let (hold_time, keepalive) = (setup.hold_time, setup.hold_time / 3);
    let mut text = format!(
        "hostname measured\nrouter bgp {ASN}\n bgp router-id {ROUTER_ID}\n \
         no bgp ebgp-requires-policy\n no bgp default ipv4-unicast\n timers bgp {keepalive} {hold_time}\n"
    );
    for Neighbor { address, asn, .. } in setup.neighbors {
        let _ = write!(
            text,
            " neighbor {address} remote-as {asn}\n neighbor {address} passive\n"
        );
    }
    let _ = writeln!(text, " address-family {} unicast", setup.family);
    for Neighbor { address, takes, .. } in setup.neighbors {
        let _ = writeln!(text, "  neighbor {address} activate");
        if *takes == Takes::Nothing {
            let _ = writeln!(text, "  neighbor {address} route-map nothing out");
        }
    }
    text + " exit-address-family\nroute-map nothing deny 1\n" + setup.more
}
