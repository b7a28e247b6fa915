//! `[[router]]`.

use std::path::{Path, PathBuf};

use bgp_core::config::table::{At, Keys, Table};
use bgp_core::config::value;

use super::{Backup, Entry, Platform, Router};

const KEYS: Keys = Keys {
    known: &[
        "name",
        "platform",
        "parent",
        "router_id",
        "directory",
        "control",
        "metrics",
        "file",
        "backup",
    ],
    refused: &[],
};

const BACKUP_KEYS: Keys = Keys {
    known: &["interface", "gateways"],
    refused: &[],
};

/// What `platform` says for our own daemon.
const BGPD: &str = "bgpd";

pub(super) fn read<'t>(top: &Table<'t>, folder: &Path) -> Vec<Entry<'t, Router>> {
    let tables = top.tables("router", &KEYS).into_iter();
    tables.map(|table| one(table, folder)).collect()
}

fn one<'t>(table: Table<'t>, folder: &Path) -> Entry<'t, Router> {
    let name = table.parsed("name", |text| value::name(text).map(str::to_owned));
    let name = table.required("name", name, "\"edge-1\"");
    let parent = table.parsed("parent", interface);
    let router_id = table.parsed("router_id", value::router_id);
    let backup = backup(&table);
    let platform = platform(&table, folder, name.as_ref());
    let read = name.as_ref().zip(platform).map(|(name, platform)| Router {
        name: name.value.clone(),
        platform,
        parent: parent.map(|at| at.value),
        router_id: router_id.map(|at| at.value),
        backup,
    });
    Entry { table, name, read }
}

fn platform(table: &Table<'_>, folder: &Path, name: Option<&At<String>>) -> Option<Platform> {
    let vendor = table.parsed("platform", |text| match text {
        BGPD => Ok(None),
        other => other
            .parse()
            .map(Some)
            .map_err(|error: vendor_configs::UnknownPlatform| {
                format!("{error} (or \"{BGPD}\", this product's own)")
            }),
    });
    let vendor = table.required("platform", vendor, "\"bgpd\"")?.value;
    let Some(platform) = vendor else {
        refuse(table, &["file"], "bgpd has a `directory`");
        let directory = table.parsed("directory", value::absolute_path);
        let control = table.parsed("control", value::absolute_path);
        let metrics = table.parsed("metrics", value::socket_address);
        return Some(Platform::Bgpd {
            directory: directory.map_or_else(|| PathBuf::from("/etc/bgpd"), |at| at.value),
            control: control.map(|at| at.value),
            metrics: metrics.map(|at| at.value),
        });
    };
    refuse(
        table,
        &["directory", "control", "metrics"],
        "it is bgpd's; another platform's text goes into `file`",
    );
    let file = table.parsed("file", |text| {
        match text.is_empty() || text.contains('\0') {
            true => Err("the name of a file is missing".to_owned()),
            false => Ok(folder.join(text)),
        }
    });
    Some(Platform::Vendor {
        platform,
        file: match file {
            Some(file) => file.value,
            None => folder.join(format!("{}.conf", name?.value)),
        },
    })
}

/// Other makers' names are longer than Linux takes; on a router with bgpd,
/// `check` looks at that.
pub(super) fn interface(text: &str) -> Result<String, String> {
    let name: Result<vendor_configs::InterfaceName, _> = text.parse();
    name.map(|_| text.to_owned())
        .map_err(|mistake| mistake.to_string())
}

fn refuse(table: &Table<'_>, keys: &[&str], why: &str) {
    for key in keys.iter().filter(|key| table.has(key)) {
        table.mistake(
            table.place(key),
            format_args!("`{key}` can't be used here: {why}"),
        );
    }
}

fn backup(table: &Table<'_>) -> Option<Backup> {
    let own = table.table("backup", &BACKUP_KEYS)?;
    let interface = own.parsed("interface", value::interface);
    let interface = own.required("interface", interface, "\"eth0\"");
    let gateways = own.list("gateways", value::address);
    let any = own.required("gateways", gateways.first().copied(), "[\"203.0.113.1\"]");
    any?;
    Some(Backup {
        interface: interface?.value,
        gateways: gateways.into_iter().map(|at| at.value).collect(),
    })
}
