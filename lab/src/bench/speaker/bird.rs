//! BIRD 2.

use std::fmt::Write;
use std::path::Path;

use bgp_core::Family;

use super::{ASN, Kernel, Setup};
use crate::bench::lane::{Neighbor, ROUTER_ID, Takes, local};
use crate::foreign;
use crate::world::{Namespace, Process, Result};

pub(super) fn start(
    program: &Path,
    namespace: &Namespace,
    setup: &Setup<'_>,
) -> Result<Vec<Process>> {
    let bird = foreign::bird::start(program, namespace, setup.directory, &config(setup), &[])?;
    Ok(vec![bird])
}

fn config(setup: &Setup<'_>) -> String {
    let channel = match setup.family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    };
    let local = local(setup.family);
    let mut text = format!("router id {ROUTER_ID};\nprotocol device {{}}\n");
    if setup.kernel == Kernel::Filled {
        let _ = writeln!(text, "protocol kernel {{ {channel} {{ export all; }}; }}");
    }
    for Neighbor {
        address,
        asn,
        takes,
        ..
    } in setup.neighbors
    {
        let export = match takes {
            Takes::Everything => "all",
            Takes::Nothing => "none",
        };
        let _ = write!(
            text,
            "protocol bgp as{asn} {{\n  local {local} as {ASN};\n  neighbor {address} as {asn};\n  \
             passive yes;\n  hold time {};\n  {channel} {{ import all; export {export}; }};\n}}\n",
            setup.hold_time
        );
    }
    text + setup.more
}
