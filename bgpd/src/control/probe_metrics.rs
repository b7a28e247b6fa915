//! What probes have measured, for Prometheus: counters and histograms, for a loss of
//! the last few probes is another number at each scrape.

use std::collections::HashMap;
use std::time::Duration;

use bgp_core::api::{PathStatus, ProbeStatus, RTT_BOUNDS};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{IntCounterVec, Opts, Registry};

use super::metrics::register;

pub(super) fn probes(paths: &[PathStatus], registry: &Registry) -> prometheus::Result<()> {
    let counter = |name: &str, help: &str, labels: &[&str]| {
        register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
    };
    let sent = counter("bgpd_probe_sent_total", "Probes sent", &LABELS)?;
    let lost = counter(
        "bgpd_probe_lost_total",
        "Probes that nobody answered, or too late",
        &LABELS,
    )?;
    let lost_in_direction = counter(
        "bgpd_probe_lost_in_direction_total",
        "Probes lost on the way out, and answers lost on the way back (STAMP only)",
        &["path", "target", "kind", "direction"],
    )?;
    let suspected = counter(
        "bgpd_silence_suspected_total",
        "Times that nothing more was received on the path's interface though we sent",
        &["path"],
    )?;
    let confirmed = counter(
        "bgpd_silence_confirmed_total",
        "Times that quick echoes found nobody there either",
        &["path"],
    )?;
    let mut histograms = Vec::new();
    for path in paths {
        let name = path.name.as_str();
        suspected
            .with_label_values(&[name])
            .inc_by(path.silences.suspected);
        confirmed
            .with_label_values(&[name])
            .inc_by(path.silences.confirmed);
        for probe in &path.probes {
            let target = target(probe);
            let labels = [name, &target, &probe.kind];
            sent.with_label_values(&labels).inc_by(probe.total_sent);
            lost.with_label_values(&labels).inc_by(probe.total_lost);
            for (direction, count) in [("out", probe.lost_out), ("back", probe.lost_back)] {
                if let Some(count) = count {
                    let labels = [name, &target, &probe.kind, direction];
                    lost_in_direction.with_label_values(&labels).inc_by(count);
                }
            }
            histograms.push(histogram(labels, probe));
        }
    }
    registry.register(Box::new(RoundTrips::new(histograms)?))
}

/// An address, with its port if it has one.
fn target(probe: &ProbeStatus) -> String {
    match probe.port {
        Some(port) => std::net::SocketAddr::new(probe.target, port).to_string(),
        None => probe.target.to_string(),
    }
}

/// Histograms that were counted elsewhere.
struct RoundTrips {
    description: Desc,
    histograms: Vec<Metric>,
}

impl RoundTrips {
    fn new(histograms: Vec<Metric>) -> prometheus::Result<Self> {
        let labels = LABELS.map(str::to_owned).to_vec();
        Ok(Self {
            description: Desc::new(NAME.into(), HELP.into(), labels, HashMap::new())?,
            histograms,
        })
    }
}

impl Collector for RoundTrips {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(NAME.into());
        family.set_help(HELP.into());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(self.histograms.clone());
        vec![family]
    }
}

fn histogram(labels: [&str; 3], probe: &ProbeStatus) -> Metric {
    let mut so_far = 0;
    let buckets = RTT_BOUNDS.iter().zip(&probe.rtt_counts);
    let buckets = buckets.map(|(bound, count)| {
        so_far += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(Duration::from_micros(*bound).as_secs_f64());
        bucket.set_cumulative_count(so_far);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(probe.rtt_counts.iter().sum());
    histogram.set_sample_sum(Duration::from_micros(probe.rtt_sum).as_secs_f64());
    let pairs = LABELS.iter().zip(labels).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.to_owned());
        pair
    });
    let mut metric = Metric::default();
    metric.set_label(pairs.collect());
    metric.set_histogram(histogram);
    metric
}

const LABELS: [&str; 3] = ["path", "target", "kind"];
const NAME: &str = "bgpd_probe_rtt_seconds";
const HELP: &str = "Round trips of answered probes, by the kernel's timestamps";

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::TextEncoder;

    #[test]
    fn buckets_are_cumulative_and_losses_are_counters() {
        let mut probe = ProbeStatus {
            port: Some(443),
            total_sent: 7,
            total_lost: 3,
            rtt_sum: 1_500_260,
            lost_out: Some(2),
            lost_back: Some(1),
            ..ProbeStatus::new("2001:db8::1".parse().expect("an address"), "tcp")
        };
        probe.rtt_counts = vec![0; RTT_BOUNDS.len() + 1];
        (probe.rtt_counts[1], probe.rtt_counts[2]) = (2, 1);
        probe.rtt_counts[RTT_BOUNDS.len()] = 1;
        let path = PathStatus {
            probes: vec![probe],
            ..path("prod")
        };
        let registry = Registry::new();
        probes(&[path], &registry).expect("names are valid");
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        let text = text.expect("valid");
        let labels = r#"kind="tcp",path="prod",target="[2001:db8::1]:443""#;
        for line in [
            format!(r#"bgpd_probe_sent_total{{{labels}}} 7"#),
            format!(r#"bgpd_probe_lost_total{{{labels}}} 3"#),
            r#"bgpd_silence_confirmed_total{path="prod"} 0"#.to_owned(),
            r#"le="0.00005"} 0"#.to_owned(),
            r#"le="0.0001"} 2"#.to_owned(),
            r#"le="0.0002"} 3"#.to_owned(),
            r#"le="1"} 3"#.to_owned(),
            r#"le="+Inf"} 4"#.to_owned(),
        ] {
            assert!(text.contains(&line), "{line}\n{text}");
        }
        assert!(text.contains("bgpd_probe_rtt_seconds_sum") && text.contains("} 1.50026\n"));
        assert!(text.contains(r#"direction="out""#));
    }

    fn path(name: &str) -> PathStatus {
        serde_json::from_value(serde_json::json!({
            "name": name, "interface": null, "gateway": null, "up": true, "reason": null,
            "carries": 0, "last_swap": null,
        }))
        .expect("a path without details")
    }
}
