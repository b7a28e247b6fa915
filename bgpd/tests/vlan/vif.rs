//! VIFs as an operator configures them.

#![allow(dead_code)]

use bgp_core::config::{self, Vif};

pub(crate) fn vif(parent: &str, vlan: u16, mtu: u32) -> Vif {
    configured(&format!(
        "parent = \"{parent}\"\nvlan = {vlan}\nmtu = {mtu}\n"
    ))
}

/// `keys` beside those that every VIF has.
pub(crate) fn configured(keys: &str) -> Vif {
    let text = format!(
        r#"
        [bgpd]
        router_id = "192.0.2.1"
        asn = 65010

        [[vif]]
        name = "prod"
        kind = "private"
        local = "169.254.10.2/30"
        peer = "169.254.10.1"
        peer_asn = 64512
        ipv6 = {{ local = "2001:db8::2/125", peer = "2001:db8::1" }}
        {keys}
        "#
    );
    config::parse(&text)
        .expect("a configuration")
        .vifs
        .remove(0)
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}
