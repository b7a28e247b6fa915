//! `dxctl cost`

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api::{Call, Consent};
use crate::aws::DirectConnect;
use crate::cli::{CostArgs, Global};
use crate::cost::{Month, Port, PortKind, Prices, SHIPPED};
use crate::output::{Listing, note};
use crate::{Refused, Verdict, site};

pub(super) async fn run(args: CostArgs, global: &Global) -> anyhow::Result<Verdict> {
    let prices = prices(&args)?;
    let (ports, region) = if args.ports.is_empty() {
        (
            of_account(&args, global).await?,
            region(&args, global).await?,
        )
    } else {
        let region = args.in_region.clone();
        let region = region.ok_or_else(|| Refused::usage("--port needs --in-region too"))?;
        (args.ports.clone(), region)
    };
    if ports.is_empty() {
        return Err(Refused::new("there is no connection and no LAG to count").into());
    }
    let gb = match &args.measured {
        Some(interface) => measured(interface, args.measure_for).await?,
        None => args.transfer_gb,
    };
    let month = prices.month(&ports, &region, gb).map_err(Refused::new)?;
    let answer = json!({ "currency": prices.currency, "source": prices.source, "date": prices.date,
        "transfer_gb": gb, "month": month });
    global
        .reader()
        .show(&answer, |_| table(&month, &prices, gb))?;
    Ok(Verdict::Fine)
}

fn prices(args: &CostArgs) -> anyhow::Result<Prices> {
    let Some(file) = &args.prices else {
        return Prices::read(SHIPPED).map_err(anyhow::Error::msg);
    };
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    Prices::read(&text).map_err(|error| anyhow::anyhow!("the price table {name}: {error}"))
}

async fn region(args: &CostArgs, global: &Global) -> anyhow::Result<String> {
    match &args.in_region {
        Some(region) => Ok(region.clone()),
        None => Ok(global.aws().await?.region().to_owned()),
    }
}

/// The ports that AWS has, or those of them that the site file names.
async fn of_account(args: &CostArgs, global: &Global) -> anyhow::Result<Vec<Port>> {
    let wanted = args.file.as_deref().map(site::load).transpose()?;
    let is_wanted = |name: &str, id: &str| {
        wanted.as_ref().is_none_or(|site| {
            site.carriers.iter().any(|carrier| match &carrier.id {
                Some(own) => own == id,
                None => carrier.name == name,
            })
        })
    };
    let list = async |operation: &str, key: &str| -> anyhow::Result<Vec<Value>> {
        let call = Call {
            operation,
            input: json!({}),
        };
        let mut answer = call.make(global, Consent::Given).await?;
        Ok(answer[key]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default())
    };
    let mut ports = Vec::new();
    for connection in list("DescribeConnections", "connections").await? {
        let (name, id) = (
            text(&connection, "connectionName"),
            text(&connection, "connectionId"),
        );
        let gone =
            ["deleted", "deleting", "rejected"].contains(&text(&connection, "connectionState"));
        // A LAG's members are counted with it.
        if gone || !text(&connection, "lagId").is_empty() || !is_wanted(name, id) {
            continue;
        }
        ports.push(Port {
            what: format!("{name} ({id})"),
            // Only a hosted connection comes with its VLAN.
            kind: match connection["vlan"].as_u64() {
                Some(1..) => PortKind::Hosted,
                _ => PortKind::Dedicated,
            },
            bandwidth: text(&connection, "bandwidth").to_owned(),
            count: 1,
        });
    }
    for lag in list("DescribeLags", "lags").await? {
        let (name, id) = (text(&lag, "lagName"), text(&lag, "lagId"));
        if ["deleted", "deleting"].contains(&text(&lag, "lagState")) || !is_wanted(name, id) {
            continue;
        }
        let links = lag["numberOfConnections"].as_u64().unwrap_or_default();
        ports.push(Port {
            what: format!("{name} ({id})"),
            kind: PortKind::Dedicated,
            bandwidth: text(&lag, "connectionsBandwidth").to_owned(),
            count: u32::try_from(links).unwrap_or(u32::MAX),
        });
    }
    Ok(ports)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// GB a month, at the rate at which an interface receives now: what AWS sends.
async fn measured(interface: &str, time: Duration) -> anyhow::Result<f64> {
    let before = received(interface)?;
    let begun = Instant::now();
    note(format_args!(
        "measuring what {interface} receives for {} s …",
        time.as_secs()
    ));
    tokio::time::sleep(time).await;
    let octets = received(interface)?.saturating_sub(before);
    let rate = octets as f64 / begun.elapsed().as_secs_f64();
    Ok(rate * SECONDS_PER_MONTH / OCTETS_PER_GB)
}

fn received(interface: &str) -> anyhow::Result<u64> {
    if interface.contains('/') {
        return Err(Refused::new(format!("{interface} is no interface")).into());
    }
    let file = format!("/sys/class/net/{interface}/statistics/rx_bytes");
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Refused::new(format!(
            "interface {interface} can't be measured: {file}: {error}"
        ))
    })?;
    Ok(text.trim().parse()?)
}

fn table(month: &Month, prices: &Prices, gb: f64) -> String {
    let currency = &prices.currency;
    let mut listing = Listing::new(&["WHAT", "AMOUNT", "PRICE", currency]);
    for line in &month.lines {
        listing.row(vec![
            line.what.clone(),
            line.amount.clone(),
            line.price.to_string(),
            format!("{:.2}", line.month),
        ]);
    }
    listing.row(vec![
        "a month".into(),
        String::new(),
        String::new(),
        format!("{:.2}", month.total),
    ]);
    let even = match month.break_even_gb {
        Some(at) => format!("Direct Connect is cheaper from {at:.0} GB a month on."),
        None => "At these prices Direct Connect is never cheaper.".to_owned(),
    };
    format!(
        "{}\nThe same {gb:.0} GB over the internet: {:.2} {currency}. {even}\nPrices of {}: {}\n",
        listing.text(),
        month.internet,
        prices.date,
        prices.source
    )
}

const SECONDS_PER_MONTH: f64 = 730.0 * 3600.0;
const OCTETS_PER_GB: f64 = 1024.0 * 1024.0 * 1024.0;
