//! `[[connection]]` and `[[lag]]`.

use bgp_core::config::table::{Keys, Table};

use super::{Carrier, CarrierKind, Entry, tags};

const KEYS: Keys = Keys {
    known: &["name", "id", "macsec", "tags"],
    refused: &[],
};

/// Both lists: to a virtual interface they are the same.
pub(super) fn read<'t>(top: &Table<'t>) -> Vec<Entry<'t, Carrier>> {
    let connections = top.tables("connection", &KEYS);
    let connections = connections
        .into_iter()
        .map(|table| one(table, CarrierKind::Connection));
    let lags = top.tables("lag", &KEYS);
    let lags = lags.into_iter().map(|table| one(table, CarrierKind::Lag));
    connections.chain(lags).collect()
}

fn one(table: Table<'_>, what: CarrierKind) -> Entry<'_, Carrier> {
    let name = table.parsed("name", |text| match text.is_empty() {
        true => Err("a name has at least 1 character".to_owned()),
        false => Ok(text.to_owned()),
    });
    let name = table.required("name", name, "\"frankfurt-a\"");
    let prefix = match what {
        CarrierKind::Connection => "dxcon-",
        CarrierKind::Lag => "dxlag-",
    };
    let id = table.parsed("id", |text| match text.starts_with(prefix) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is not of the form \"{prefix}…\"")),
    });
    let keys = table.list("macsec", secret);
    let macsec = table
        .has("macsec")
        .then(|| keys.into_iter().map(|at| at.value).collect());
    let tags = tags(&table);
    let wrong_id = table.has("id") && id.is_none();
    let read = name.as_ref().filter(|_| !wrong_id).map(|name| Carrier {
        name: name.value.clone(),
        what,
        id: id.map(|at| at.value),
        macsec,
        tags,
    });
    Entry { table, name, read }
}

/// Never the key itself, and never quoted: it may be one.
fn secret(text: &str) -> Result<String, String> {
    let mut parts = text.split(':');
    let is_arn = parts.next() == Some("arn") && parts.nth(1) == Some("secretsmanager");
    match is_arn {
        true => Ok(text.to_owned()),
        false => Err(
            "a MACsec key is named by its secret's ARN: \"arn:aws:secretsmanager:…\"; the key itself never stands here"
                .to_owned(),
        ),
    }
}
