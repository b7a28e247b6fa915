//! `[[gateway]]` and `[[gateway.association]]`.

use bgp_core::Asn;
use bgp_core::config::table::{At, Keys, Table};
use bgp_core::config::value;

use super::{Association, Entry, Gateway, tags};

const KEYS: Keys = Keys {
    known: &["name", "id", "asn", "tags", "association"],
    refused: &[(
        "allowed_prefixes",
        "they belong to an association: put them into [[gateway.association]]",
    )],
};

const ASSOCIATION_KEYS: Keys = Keys {
    known: &["gateway", "allowed_prefixes"],
    refused: &[],
};

pub(super) fn read<'t>(top: &Table<'t>) -> Vec<Entry<'t, Gateway>> {
    top.tables("gateway", &KEYS).into_iter().map(one).collect()
}

fn one(table: Table<'_>) -> Entry<'_, Gateway> {
    let name = table.parsed("name", |text| match text.chars().count() {
        1..=100 => Ok(text.to_owned()),
        _ => Err("a name has 1 to 100 characters".to_owned()),
    });
    let name = table.required("name", name, "\"hub\"");
    let id = table.parsed("id", |text| {
        let looks_other = ["vgw-", "tgw-", "dxcon-", "dxvif-"];
        match looks_other.iter().find(|other| text.starts_with(**other)) {
            None if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(format!(
                "{text:?} is no Direct Connect gateway: its identifier is a UUID"
            )),
        }
    });
    let asn = table.number("asn", amazon_asn);
    let associations = associations(&table);
    let read = name.as_ref().map(|name| Gateway {
        name: name.value.clone(),
        id: id.map(|at| at.value),
        asn: asn.map(|at| at.value),
        tags: tags(&table),
        associations,
    });
    Entry { table, name, read }
}

/// AWS's side of a gateway: private numbers only.
fn amazon_asn(number: u32) -> Result<Asn, String> {
    let asn = value::asn(number)?;
    match asn.is_private() {
        true => Ok(asn),
        false => Err(format!(
            "{asn} is not private: AWS takes 64512 to 65534 and 4200000000 to 4294967294"
        )),
    }
}

fn associations(table: &Table<'_>) -> Vec<Association> {
    let mut all: Vec<(At<String>, Association)> = Vec::new();
    for own in table.tables("association", &ASSOCIATION_KEYS) {
        let target = own.parsed("gateway", target);
        let target = own.required("gateway", target, "\"tgw-0a1b2c3d\"");
        let allowed = own.list("allowed_prefixes", value::prefix);
        let Some(target) = target else { continue };
        if let Some((first, _)) = all.iter().find(|(first, _)| first.value == target.value) {
            let line = own.mistakes().line(first.offset);
            let text = format!("{} is associated already (line {line})", target.value);
            own.mistake(target.offset, text);
        }
        if let Some((first, _)) = all
            .iter()
            .find(|(first, _)| is_transit(&first.value) != is_transit(&target.value))
        {
            let line = own.mistakes().line(first.offset);
            own.mistake(
                target.offset,
                format_args!("{} (line {line}) is of the other kind: a Direct Connect gateway leads to virtual private or to transit gateways, never both", first.value),
            );
        }
        let most = if is_transit(&target.value) { 6 } else { 20 };
        if all.len() == most {
            own.mistake(own.offset, format_args!("AWS takes {most} of this kind"));
        }
        let mut prefixes: Vec<_> = allowed.into_iter().map(|at| at.value).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        let association = Association {
            target: target.value.clone(),
            allowed: own.has("allowed_prefixes").then_some(prefixes),
        };
        all.push((target, association));
    }
    all.into_iter()
        .map(|(_, association)| association)
        .collect()
}

pub(super) fn is_transit(target: &str) -> bool {
    target.starts_with("tgw-")
}

fn target(text: &str) -> Result<String, String> {
    match text.starts_with("vgw-") || is_transit(text) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is neither a virtual private gateway (vgw-…) nor a transit gateway (tgw-…)"
        )),
    }
}
