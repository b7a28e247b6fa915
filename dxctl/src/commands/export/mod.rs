//! `dxctl export terraform`: what exists at AWS, as configuration for the
//! hashicorp/aws provider, with a block to import each thing.

mod hcl;
mod terraform;

use std::io::Write as _;

use anyhow::Context;
use serde_json::{Value, json};

use super::api::{Call, Consent};
use crate::aws::DirectConnect;
use crate::cli::{ExportCommand, Global, TerraformArgs};
use crate::output::{note, print};
use crate::{Refused, Verdict};

pub(super) async fn run(command: ExportCommand, global: &Global) -> anyhow::Result<Verdict> {
    let ExportCommand::Terraform(args) = command;
    let found = gather(&args, global).await?;
    let region = global.aws().await?.region().to_owned();
    let text = terraform::write(&region, &found);
    let Some(directory) = &args.out else {
        print(&text)?;
        return Ok(Verdict::Fine);
    };
    let file = directory.join("directconnect.tf");
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let mut new = std::fs::File::create_new(&file)
        .with_context(|| format!("{} (an existing file is never replaced)", file.display()))?;
    new.write_all(text.as_bytes())
        .with_context(|| file.display().to_string())?;
    note(format_args!("{}: written", file.display()));
    Ok(Verdict::Fine)
}

/// As AWS describes them. Virtual interfaces hold keys in clear: no `Debug`.
struct Found {
    connections: Vec<Value>,
    lags: Vec<Value>,
    vifs: Vec<Value>,
    gateways: Vec<Value>,
    associations: Vec<Value>,
}

async fn gather(args: &TerraformArgs, global: &Global) -> anyhow::Result<Found> {
    let list = async |operation: &str, key: &str, input: Value| -> anyhow::Result<Vec<Value>> {
        let mut answer = Call { operation, input }
            .make(global, Consent::Given)
            .await?;
        Ok(match answer[key].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        })
    };
    let mut found = Found {
        connections: list("DescribeConnections", "connections", json!({})).await?,
        lags: list("DescribeLags", "lags", json!({})).await?,
        vifs: list("DescribeVirtualInterfaces", "virtualInterfaces", json!({})).await?,
        gateways: list(
            "DescribeDirectConnectGateways",
            "directConnectGateways",
            json!({}),
        )
        .await?,
        associations: Vec::new(),
    };
    found.keep(args.connection.as_deref())?;
    for gateway in &found.gateways {
        let input = json!({ "directConnectGatewayId": gateway["directConnectGatewayId"] });
        let more = list(
            "DescribeDirectConnectGatewayAssociations",
            "directConnectGatewayAssociations",
            input,
        );
        found.associations.extend(more.await?);
    }
    found
        .associations
        .retain(|one| is_there(one, "associationState"));
    Ok(found)
}

impl Found {
    /// Without what is gone, and of the rest only what `carrier` has to do with.
    fn keep(&mut self, carrier: Option<&str>) -> Result<(), Refused> {
        self.connections
            .retain(|one| is_there(one, "connectionState"));
        self.lags.retain(|one| is_there(one, "lagState"));
        self.vifs
            .retain(|one| is_there(one, "virtualInterfaceState"));
        self.gateways
            .retain(|one| is_there(one, "directConnectGatewayState"));
        let Some(id) = carrier else { return Ok(()) };
        self.connections
            .retain(|one| one["connectionId"] == id || one["lagId"] == id);
        self.lags.retain(|one| one["lagId"] == id);
        if self.connections.is_empty() && self.lags.is_empty() {
            return Err(Refused::new(format!(
                "no {id} in this account and Region: check --region and --profile"
            )));
        }
        self.vifs.retain(|one| one["connectionId"] == id);
        let vifs = &self.vifs;
        self.gateways.retain(|gateway| {
            let id = &gateway["directConnectGatewayId"];
            vifs.iter().any(|vif| vif["directConnectGatewayId"] == *id)
        });
        Ok(())
    }
}

fn is_there(one: &Value, state: &str) -> bool {
    const GONE: [&str; 5] = [
        "deleting",
        "deleted",
        "rejected",
        "disassociating",
        "disassociated",
    ];
    !one[state]
        .as_str()
        .is_some_and(|state| GONE.contains(&state))
}
