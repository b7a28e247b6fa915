//! `[bgpd]`, and how its routes reach the kernel.

use std::path::PathBuf;
use std::time::Duration;

use super::table::{Keys, Table};
use super::{Daemon, Kernel, OnShutdown, value};
use crate::Asn;

pub(super) const KEYS: Keys = Keys {
    known: &[
        "router_id",
        "asn",
        "listen",
        "control",
        "metrics",
        "shutdown_message",
        "drain_delay",
        "kernel",
    ],
    refused: &[],
};
const KERNEL_KEYS: Keys = Keys {
    known: &["install", "table", "metric", "protocol", "on_shutdown"],
    refused: &[],
};
const CONTROL: &str = "/run/bgpd/bgpd.sock";
/// Far ends converge within seconds; until then both ways work.
const DRAIN_DELAY: Duration = Duration::from_secs(3);
const LONGEST_DRAIN_DELAY: Duration = Duration::from_secs(300);
const SHUTDOWN_MESSAGE: &str = "bgpd is shutting down";
/// RT_TABLE_MAIN, and RTPROT_BGP of `/etc/iproute2/rt_protos`.
const MAIN_TABLE: u32 = 254;
const LOCAL_TABLE: u32 = 255;
const PROTOCOL: u8 = 186;
const METRIC: u32 = 20;

pub(super) fn read(table: &Table<'_>, asn: Option<Asn>) -> Option<Daemon> {
    let router_id = table.required(
        "router_id",
        table.parsed("router_id", value::router_id),
        "\"192.0.2.1\"",
    );
    let kernel = table
        .table("kernel", &KERNEL_KEYS)
        .map_or_else(Kernel::default, |table| kernel(&table));
    let listen = if table.has("listen") {
        table
            .list("listen", value::socket_address)
            .into_iter()
            .map(|at| at.value)
            .collect()
    } else {
        Daemon::default_listen()
    };
    Some(Daemon {
        listen,
        control: table
            .parsed("control", value::socket_path)
            .map_or_else(|| PathBuf::from(CONTROL), |at| at.value),
        metrics: table
            .parsed("metrics", value::socket_address)
            .map(|at| at.value),
        shutdown_message: table
            .parsed("shutdown_message", value::shutdown_message)
            .map_or_else(|| SHUTDOWN_MESSAGE.to_owned(), |at| at.value),
        drain_delay: table
            .duration("drain_delay", Duration::ZERO..=LONGEST_DRAIN_DELAY)
            .map_or(DRAIN_DELAY, |at| at.value),
        kernel,
        router_id: router_id?.value,
        asn: asn?,
    })
}

impl Default for Kernel {
    fn default() -> Self {
        Self {
            install: true,
            table: MAIN_TABLE,
            metric: METRIC,
            protocol: PROTOCOL,
            on_shutdown: OnShutdown::Keep,
        }
    }
}

fn kernel(table: &Table<'_>) -> Kernel {
    let default = Kernel::default();
    let number = table.integer("table", 1..=u32::MAX);
    if let Some(number) = number.filter(|at| at.value == LOCAL_TABLE) {
        table.mistake(
            number.offset,
            "`table` 255 is the kernel's own (`local`); 254 is `main`",
        );
    }
    // Below 5 are the kernel's and the administrator's own (rtnetlink.h).
    let protocol = table
        .integer("protocol", 5..=255)
        .and_then(|at| u8::try_from(at.value).ok());
    let on_shutdown = table.parsed("on_shutdown", |text| match text {
        "keep" => Ok(OnShutdown::Keep),
        "remove" => Ok(OnShutdown::Remove),
        _ => Err(format!(
            "{text:?} is neither \"keep\" (forwarding goes on) nor \"remove\""
        )),
    });
    Kernel {
        install: table.flag("install").map_or(default.install, |at| at.value),
        table: number.map_or(default.table, |at| at.value),
        metric: table
            .integer("metric", 1..=u32::MAX)
            .map_or(default.metric, |at| at.value),
        protocol: protocol.unwrap_or(default.protocol),
        on_shutdown: on_shutdown.map_or(default.on_shutdown, |at| at.value),
    }
}
