//! Connections, LAGs, MACsec keys, proposals, resiliency groups and tags: each
//! verb is one operation of the API. Answers are as AWS gives them, in JSON.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::api::{Call, Consent, Keys, show};
use crate::aws::Tag;
use crate::cli::{
    ConnectionCommand, EncryptionMode, Global, HostArgs, LagCommand, LagCreateArgs, MacsecCommand,
    ProposalCommand, ResiliencyCommand, TagCommand,
};
use crate::output::note;
use crate::{Refused, Verdict};

/// What a verb comes down to.
struct Verb {
    operation: &'static str,
    input: Value,
    consent: Consent,
}

fn verb(operation: &'static str, input: Value) -> Verb {
    Verb {
        operation,
        input: without_nulls(input),
        consent: Consent::Given,
    }
}

/// One that cuts traffic, or deletes.
fn cutting(operation: &'static str, input: Value, yes: bool) -> Verb {
    let consent = match yes {
        true => Consent::Given,
        false => Consent::Ask,
    };
    Verb {
        consent,
        ..verb(operation, input)
    }
}

async fn perform(verb: Verb, global: &Global) -> anyhow::Result<Verdict> {
    let call = Call {
        operation: verb.operation,
        input: verb.input,
    };
    show(call.make(global, verb.consent).await?, Keys::Redacted)
}

pub(super) async fn connection(
    command: ConnectionCommand,
    global: &Global,
) -> anyhow::Result<Verdict> {
    match &command {
        ConnectionCommand::Loa { id, out, provider } => {
            loa(id, out, provider.as_deref(), global).await
        }
        other => perform(connection_verb(other), global).await,
    }
}

fn connection_verb(command: &ConnectionCommand) -> Verb {
    match command {
        ConnectionCommand::List { hosted_on: None } => verb("DescribeConnections", json!({})),
        ConnectionCommand::List {
            hosted_on: Some(id),
        } => verb("DescribeHostedConnections", json!({ "connectionId": id })),
        ConnectionCommand::Confirm { id } => {
            verb("ConfirmConnection", json!({ "connectionId": id }))
        }
        ConnectionCommand::Host(args) => verb("AllocateHostedConnection", host(args)),
        ConnectionCommand::Loa { id, provider, .. } => verb(
            "DescribeLoa",
            json!({ "connectionId": id, "providerName": provider, "loaContentType": PDF }),
        ),
        ConnectionCommand::Delete { id, yes } => {
            cutting("DeleteConnection", json!({ "connectionId": id }), *yes)
        }
    }
}

fn host(args: &HostArgs) -> Value {
    json!({ "connectionId": args.on, "ownerAccount": args.account, "connectionName": args.name,
        "vlan": args.vlan.id(), "bandwidth": args.bandwidth })
}

/// The Letter of Authorization and Connecting Facility Assignment.
async fn loa(
    id: &str,
    out: &Path,
    provider: Option<&str>,
    global: &Global,
) -> anyhow::Result<Verdict> {
    let asked = ConnectionCommand::Loa {
        id: id.to_owned(),
        out: out.to_owned(),
        provider: provider.map(str::to_owned),
    };
    let asked = connection_verb(&asked);
    let call = Call {
        operation: asked.operation,
        input: asked.input,
    };
    let answer = call.make(global, asked.consent).await?;
    let content = answer["loaContent"].as_str().unwrap_or_default();
    let Some(document) = BASE64_STANDARD
        .decode(content)
        .ok()
        .filter(|document| !document.is_empty())
    else {
        return Err(Refused::new(format!(
            "AWS has no letter for {id} yet: it is there once the port is assigned, up to 72 hours after the order"
        ))
        .into());
    };
    std::fs::write(out, &document)
        .map_err(|error| anyhow::anyhow!("{}: {error}", out.display()))?;
    note(format_args!(
        "{} octets of PDF are in {}",
        document.len(),
        out.display()
    ));
    Ok(Verdict::Fine)
}

pub(super) async fn lag(command: LagCommand, global: &Global) -> anyhow::Result<Verdict> {
    perform(lag_verb(&command), global).await
}

fn lag_verb(command: &LagCommand) -> Verb {
    let pair = |lag: &str, connection: &str| json!({ "lagId": lag, "connectionId": connection });
    match command {
        LagCommand::List => verb("DescribeLags", json!({})),
        LagCommand::Create(args) => verb("CreateLag", lag_request(args)),
        LagCommand::Add {
            lag,
            connection,
            yes,
        } => cutting("AssociateConnectionWithLag", pair(lag, connection), *yes),
        LagCommand::Remove {
            lag,
            connection,
            yes,
        } => cutting("DisassociateConnectionFromLag", pair(lag, connection), *yes),
        LagCommand::Update {
            lag,
            name,
            minimum_links,
        } => verb(
            "UpdateLag",
            json!({ "lagId": lag, "lagName": name, "minimumLinks": minimum_links }),
        ),
        LagCommand::Delete { lag, yes } => cutting("DeleteLag", json!({ "lagId": lag }), *yes),
    }
}

fn lag_request(args: &LagCreateArgs) -> Value {
    json!({ "lagName": args.name, "location": args.location, "connectionsBandwidth": args.bandwidth,
        "numberOfConnections": args.connections, "connectionId": args.around,
        "requestMACSec": args.macsec.then_some(true), "tags": tags(&args.tags) })
}

pub(super) async fn macsec(command: MacsecCommand, global: &Global) -> anyhow::Result<Verdict> {
    perform(macsec_verb(&command), global).await
}

fn macsec_verb(command: &MacsecCommand) -> Verb {
    match command {
        MacsecCommand::Add { id, secret } => verb(
            "AssociateMacSecKey",
            json!({ "connectionId": id, "secretARN": secret }),
        ),
        MacsecCommand::Remove { id, secret, yes } => cutting(
            "DisassociateMacSecKey",
            json!({ "connectionId": id, "secretARN": secret }),
            *yes,
        ),
        MacsecCommand::Mode { id, mode, yes } => {
            let mode = match mode {
                EncryptionMode::No => "no_encrypt",
                EncryptionMode::Should => "should_encrypt",
                EncryptionMode::Must => "must_encrypt",
            };
            let (operation, member) = match id.starts_with("dxlag-") {
                true => ("UpdateLag", "lagId"),
                false => ("UpdateConnection", "connectionId"),
            };
            cutting(
                operation,
                json!({ member: id, "encryptionMode": mode }),
                *yes,
            )
        }
    }
}

pub(super) async fn proposal(command: ProposalCommand, global: &Global) -> anyhow::Result<Verdict> {
    perform(proposal_verb(&command), global).await
}

fn proposal_verb(command: &ProposalCommand) -> Verb {
    match command {
        ProposalCommand::List => verb(
            "DescribeDirectConnectGatewayAssociationProposals",
            json!({}),
        ),
        ProposalCommand::Create {
            gateway,
            owner,
            target,
            allow,
        } => verb(
            "CreateDirectConnectGatewayAssociationProposal",
            json!({ "directConnectGatewayId": gateway, "directConnectGatewayOwnerAccount": owner,
                "gatewayId": target, "addAllowedPrefixesToDirectConnectGateway": prefixes(allow) }),
        ),
        ProposalCommand::Accept {
            id,
            gateway,
            owner,
            allow,
        } => verb(
            "AcceptDirectConnectGatewayAssociationProposal",
            json!({ "proposalId": id, "directConnectGatewayId": gateway, "associatedGatewayOwnerAccount": owner,
                "overrideAllowedPrefixesToDirectConnectGateway": prefixes(allow) }),
        ),
        ProposalCommand::Delete { id, yes } => cutting(
            "DeleteDirectConnectGatewayAssociationProposal",
            json!({ "proposalId": id }),
            *yes,
        ),
    }
}

pub(super) async fn resiliency(
    command: ResiliencyCommand,
    global: &Global,
) -> anyhow::Result<Verdict> {
    perform(resiliency_verb(&command), global).await
}

fn resiliency_verb(command: &ResiliencyCommand) -> Verb {
    let with = |group: &str, connections: &[String]| json!({ "resiliencyGroupId": group, "connectionIdentifiers": connections });
    match command {
        ResiliencyCommand::List => verb("ListResiliencyGroups", json!({})),
        ResiliencyCommand::Show { group } => {
            verb("GetResiliencyGroup", json!({ "resiliencyGroupId": group }))
        }
        ResiliencyCommand::Create { name, model } => verb(
            "CreateResiliencyGroup",
            json!({ "resiliencyGroupName": name, "intendedResiliencyModel": model }),
        ),
        ResiliencyCommand::Add { group, connections } => verb(
            "AssociateConnectionsToResiliencyGroup",
            with(group, connections),
        ),
        // No traffic depends on a group.
        ResiliencyCommand::Remove { group, connections } => verb(
            "DisassociateConnectionsFromResiliencyGroup",
            with(group, connections),
        ),
        ResiliencyCommand::Delete { group, yes } => cutting(
            "DeleteResiliencyGroup",
            json!({ "resiliencyGroupId": group }),
            *yes,
        ),
    }
}

pub(super) async fn tag(command: TagCommand, global: &Global) -> anyhow::Result<Verdict> {
    perform(tag_verb(&command), global).await
}

fn tag_verb(command: &TagCommand) -> Verb {
    match command {
        TagCommand::List { arn } => verb("DescribeTags", json!({ "resourceArns": [arn] })),
        TagCommand::Set { arn, tags: given } => verb(
            "TagResource",
            json!({ "resourceArn": arn, "tags": tags(given) }),
        ),
        TagCommand::Remove { arn, keys } => verb(
            "UntagResource",
            json!({ "resourceArn": arn, "tagKeys": keys }),
        ),
    }
}

pub(super) fn tags(tags: &[Tag]) -> Option<Vec<Value>> {
    let json = |tag: &Tag| json!({ "key": tag.key, "value": tag.value });
    (!tags.is_empty()).then(|| tags.iter().map(json).collect())
}

pub(super) fn prefixes(prefixes: &[IpNet]) -> Option<Vec<Value>> {
    let json = |prefix: &IpNet| json!({ "cidr": prefix.to_string() });
    (!prefixes.is_empty()).then(|| prefixes.iter().map(json).collect())
}

/// A member that isn't given is left out.
pub(super) fn without_nulls(input: Value) -> Value {
    match input {
        Value::Object(members) => {
            let given = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(given.collect::<Map<_, _>>())
        }
        other => other,
    }
}

const PDF: &str = "application/pdf";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    /// What a command line asks of AWS.
    fn asked(line: &str) -> Verb {
        let words = std::iter::once("dxctl").chain(line.split_whitespace());
        match Cli::parse_from(words).command {
            Command::Connection(command) => connection_verb(&command),
            Command::Lag(command) => lag_verb(&command),
            Command::Macsec(command) => macsec_verb(&command),
            Command::Proposal(command) => proposal_verb(&command),
            Command::Resiliency(command) => resiliency_verb(&command),
            Command::Tag(command) => tag_verb(&command),
            _ => unreachable!("invariant: {line} is none of this module's verbs"),
        }
    }

    #[test]
    fn every_verbs_request_fits_the_model() {
        let secret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:a";
        let group = "dxrg-0123456789abcdef0";
        let lines = [
            "connection list",
            "connection list --hosted-on dxcon-1",
            "connection confirm dxcon-1",
            "connection host --on dxcon-1 --account 111122223333 --name a --vlan 7 --bandwidth 1Gbps",
            "connection loa dxcon-1 --out loa.pdf --provider us",
            "connection delete dxcon-1",
            "lag list",
            "lag create --name a --location EqFA5 --bandwidth 10Gbps --connections 2 --around dxcon-1 --macsec --tag a=b",
            "lag add dxlag-1 dxcon-1",
            "lag remove dxlag-1 dxcon-1",
            "lag update dxlag-1 --name b --minimum-links 1",
            "lag delete dxlag-1",
            &format!("macsec add dxcon-1 --secret {secret}"),
            &format!("macsec remove dxcon-1 --secret {secret}"),
            "macsec mode dxcon-1 must-encrypt",
            "macsec mode dxlag-1 should-encrypt",
            "proposal list",
            "proposal create --gateway g --owner 111122223333 --target vgw-1 --allow 10.0.0.0/8,10.1.0.0/16",
            "proposal accept p --gateway g --owner 111122223333 --allow 10.0.0.0/8",
            "proposal delete p",
            "resiliency list",
            &format!("resiliency show {group}"),
            "resiliency create --name a --model maximum-resiliency",
            &format!("resiliency add {group} dxcon-1 dxcon-2"),
            &format!("resiliency remove {group} dxcon-1"),
            &format!("resiliency delete {group}"),
            "tag list arn:aws:directconnect:eu-central-1:111122223333:dxcon/dxcon-1",
            "tag set arn:aws:directconnect:eu-central-1:111122223333:dxcon/dxcon-1 a=b",
            "tag remove arn:aws:directconnect:eu-central-1:111122223333:dxcon/dxcon-1 a",
        ];
        for line in lines {
            let verb = asked(line);
            let call = Call {
                operation: verb.operation,
                input: verb.input,
            };
            assert_eq!(call.check(), Ok(()), "{line}");
        }
    }

    #[test]
    fn what_cuts_traffic_is_asked_first() {
        for line in [
            "connection delete dxcon-1",
            "lag add dxlag-1 dxcon-1",
            "macsec mode dxcon-1 must-encrypt",
        ] {
            assert_eq!(asked(line).consent, Consent::Ask, "{line}");
            let consented = asked(&format!("{line} --yes"));
            assert_eq!(consented.consent, Consent::Given, "{line}");
        }
    }
}
