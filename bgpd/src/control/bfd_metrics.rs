//! What BFD has seen, for Prometheus.

use std::time::Duration;

use bgp_core::api::{BfdStatus, PeerStatus};
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::metrics::register;

/// Only of peers that have BFD.
pub(super) fn bfd(peers: &[PeerStatus], registry: &Registry) -> prometheus::Result<()> {
    let counter = |name: &str, help: &str| {
        let counter = IntCounterVec::new(Opts::new(name, help), &["peer"])?;
        register(registry, counter)
    };
    let up = IntGaugeVec::new(Opts::new("bgpd_bfd_up", "The BFD session is Up"), &["peer"])?;
    let up = register(registry, up)?;
    let detection = GaugeVec::new(
        Opts::new(
            "bgpd_bfd_detection_seconds",
            "Silence after which the session is down, as negotiated",
        ),
        &["peer"],
    )?;
    let detection = register(registry, detection)?;
    let flaps = counter("bgpd_bfd_flaps_total", "Times that BFD went down")?;
    let sent = counter("bgpd_bfd_packets_sent_total", "BFD packets sent")?;
    let received = counter("bgpd_bfd_packets_received_total", "BFD packets received")?;
    let late = counter(
        "bgpd_bfd_late_total",
        "Times that a timer was looked at so late that silence got a second chance",
    )?;
    let discarded = IntCounterVec::new(
        Opts::new(
            "bgpd_bfd_packets_discarded_total",
            "BFD packets thrown away, by what was wrong with them",
        ),
        &["peer", "reason"],
    )?;
    let discarded = register(registry, discarded)?;
    let with_bfd = |peer: &PeerStatus| -> Option<(String, BfdStatus)> {
        Some((peer.name.clone(), peer.bfd.clone()?))
    };
    for (name, bfd) in peers.iter().filter_map(with_bfd) {
        let name = [name.as_str()];
        up.with_label_values(&name)
            .set(i64::from(bfd.state == "Up"));
        detection
            .with_label_values(&name)
            .set(Duration::from_micros(bfd.detection_time).as_secs_f64());
        flaps.with_label_values(&name).inc_by(bfd.flaps);
        sent.with_label_values(&name).inc_by(bfd.packets_sent);
        received
            .with_label_values(&name)
            .inc_by(bfd.packets_received);
        late.with_label_values(&name).inc_by(bfd.late_loops);
        for (reason, packets) in &bfd.discarded_by_reason {
            discarded
                .with_label_values(&[name[0], reason])
                .inc_by(*packets);
        }
    }
    Ok(())
}
