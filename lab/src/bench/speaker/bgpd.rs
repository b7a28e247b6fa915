//! Ours.

use std::fmt::Write;
use std::path::Path;

use super::{ASN, Kernel, Setup};
use crate::bench::lane::{Neighbor, ROUTER_ID, Takes, local, prefix_length};
use crate::foreign::write_private;
use crate::world::{Namespace, Process, Result};

pub(super) fn start(
    program: &Path,
    namespace: &Namespace,
    setup: &Setup<'_>,
) -> Result<Vec<Process>> {
    let file = write_private(setup.directory.join("bgpd.toml"), &config(setup))?;
    let mut command = namespace.command(program);
    command.arg("run").arg(file).args(["--log", "warn"]);
    let log = setup.directory.join("bgpd.log");
    Ok(vec![namespace.spawn("bgpd", &mut command, &log)?])
}

fn config(setup: &Setup<'_>) -> String {
    let local = local(setup.family);
    let install = setup.kernel == Kernel::Filled;
    let mut text = format!(
        "[bgpd]\nrouter_id = \"{ROUTER_ID}\"\nasn = {ASN}\nlisten = [\"{}\"]\n\
         control = \"{}\"\n\n[bgpd.kernel]\ninstall = {install}\n",
        std::net::SocketAddr::from((local, 179)),
        setup.directory.join("bgpd.sock").display()
    );
    let length = prefix_length(setup.family);
    for Neighbor {
        address,
        asn,
        takes,
        ..
    } in setup.neighbors
    {
        let export = match takes {
            Takes::Everything => "\"any\"",
            Takes::Nothing => "",
        };
        let _ = write!(
            text,
            "\n[[peer]]\nname = \"as{asn}\"\naddress = \"{address}\"\nasn = {asn}\n\
             local = \"{local}/{length}\"\npassive = true\nhold_time = \"{}s\"\n\
             accept = [\"any\"]\nexport = [{export}]\n",
            setup.hold_time
        );
    }
    text + setup.more
}
