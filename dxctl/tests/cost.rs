//! What a link costs: by the site's ports, by a volume, or as an interface's counters say.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use common::run_dxctl;
use serde_json::Value;

const PORT: &[&str] = &[
    "cost",
    "--port",
    "dedicated:10Gbps:2",
    "--in-region",
    "eu-central-1",
];

fn cost(more: &[&str]) -> Value {
    run_dxctl(&[PORT, more, &["--json"]].concat(), &[]).json()
}

#[test]
fn a_volume_costs_ports_and_transfer() {
    let month = &cost(&["--transfer-gb", "1000"])["month"];
    assert_eq!(month["lines"].as_array().unwrap().len(), 2, "{month}");
    let total = month["total"].as_f64().unwrap();
    assert!(
        (total - (2.0 * 730.0 * 2.25 + 20.0)).abs() < 0.01,
        "{month}"
    );
    assert!(month["break_even_gb"].as_f64().unwrap() > 1000.0, "{month}");
}

/// The loopback interface carries at least what is sent here.
#[test]
fn the_transfer_is_measured_at_an_interface_by_its_counter() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    let sent = std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_secs(4);
        while Instant::now() < until {
            for _ in 0..20 {
                socket.send_to(&[0; 1000], to).unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    std::thread::sleep(Duration::from_millis(200));
    let answer = cost(&["--measured", "lo", "--measure-for", "2"]);
    sent.join().unwrap();
    // A tenth of 2 MB a second, on a machine that is busy: 500 GB a month.
    let gb = answer["transfer_gb"].as_f64().unwrap();
    assert!(gb > 450.0, "{answer}");
    let lines = answer["month"]["lines"].as_array().unwrap();
    let transfer = lines.last().unwrap()["month"].as_f64().unwrap();
    assert!((transfer - 0.02 * gb).abs() < 0.01, "{answer}");
}

#[test]
fn what_can_not_be_counted_is_named() {
    let measured = [PORT, &["--measured", "no-such-interface"]].concat();
    run_dxctl(&measured, &[]).fails(1, "interface no-such-interface can't be measured");
    run_dxctl(&["cost", "--port", "dedicated:10Gbps"], &[]).fails(2, "--in-region");
    run_dxctl(&["cost", "--port", "leased:10Gbps"], &[]).fails(2, "dedicated:10Gbps");
}
