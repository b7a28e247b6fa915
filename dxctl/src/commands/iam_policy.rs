//! `dxctl iam-policy`: the least privileges for what verbs do.

use std::collections::BTreeSet;

use dx_model::MODEL;
use serde_json::{Value, json};

use crate::Verdict;
use crate::cli::{IamPolicyArgs, VerbSet};
use crate::output::{json as pretty, print};

pub(super) fn run(args: &IamPolicyArgs) -> anyhow::Result<Verdict> {
    let sets: BTreeSet<VerbSet> = match args.sets.as_slice() {
        [] => OF_VERBS.into_iter().collect(),
        some => some.iter().copied().collect(),
    };
    print(&pretty(&policy(&sets)))?;
    Ok(Verdict::Fine)
}

fn policy(sets: &BTreeSet<VerbSet>) -> Value {
    let statements: Vec<Value> = sets
        .iter()
        .map(|set| {
            json!({ "Sid": sid(*set), "Effect": "Allow", "Action": actions(*set), "Resource": "*" })
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn sid(set: VerbSet) -> &'static str {
    match set {
        VerbSet::Read => "DxctlRead",
        VerbSet::Apply => "DxctlApply",
        VerbSet::Destroy => "DxctlDestroy",
        VerbSet::FailoverTest => "DxctlFailoverTest",
        VerbSet::Hosted => "DxctlHosted",
        VerbSet::Keys => "DxctlKeys",
        VerbSet::Api => "DxctlApi",
    }
}

fn actions(set: VerbSet) -> Vec<String> {
    let direct_connect = |operation: &str| format!("directconnect:{operation}");
    match set {
        VerbSet::Keys => KEYS.map(str::to_owned).to_vec(),
        VerbSet::Api => {
            let others: Vec<&str> = [READ, APPLY, DESTROY, FAILOVER_TEST, HOSTED].concat();
            let own = MODEL.operations().filter(|name| !others.contains(name));
            own.map(direct_connect).collect()
        }
        VerbSet::Hosted => HOSTED.iter().map(|name| direct_connect(name)).collect(),
        VerbSet::Read => READ.iter().map(|name| direct_connect(name)).collect(),
        VerbSet::Apply => {
            let own = APPLY.iter().map(|name| direct_connect(name));
            own.chain(OF_EC2.map(str::to_owned)).collect()
        }
        VerbSet::Destroy => DESTROY.iter().map(|name| direct_connect(name)).collect(),
        VerbSet::FailoverTest => {
            let own = FAILOVER_TEST.iter();
            own.map(|name| direct_connect(name)).collect()
        }
    }
}

/// All that a verb of its own is there for.
const OF_VERBS: [VerbSet; 6] = [
    VerbSet::Read,
    VerbSet::Apply,
    VerbSet::Destroy,
    VerbSet::FailoverTest,
    VerbSet::Hosted,
    VerbSet::Keys,
];

const READ: &[&str] = &[
    "DescribeConnections",
    "DescribeDirectConnectGatewayAssociations",
    "DescribeDirectConnectGateways",
    "DescribeLags",
    "DescribeRouterConfiguration",
    "DescribeTags",
    "DescribeVirtualInterfaces",
];

const APPLY: &[&str] = &[
    "AssociateMacSecKey",
    "CreateBGPPeer",
    "CreateDirectConnectGateway",
    "CreateDirectConnectGatewayAssociation",
    "CreatePrivateVirtualInterface",
    "CreatePublicVirtualInterface",
    "CreateTransitVirtualInterface",
    "DeleteBGPPeer",
    "TagResource",
    "UntagResource",
    "UpdateDirectConnectGatewayAssociation",
    "UpdateVirtualInterfaceAttributes",
];

/// AWS asks for these on behalf of who attaches a virtual private gateway or a
/// transit gateway.
const OF_EC2: [&str; 2] = ["ec2:DescribeVpnGateways", "ec2:DescribeTransitGateways"];

const DESTROY: &[&str] = &[
    "DeleteDirectConnectGateway",
    "DeleteDirectConnectGatewayAssociation",
    "DeleteVirtualInterface",
    "DisassociateMacSecKey",
];

const FAILOVER_TEST: &[&str] = &["StartBgpFailoverTest", "StopBgpFailoverTest"];

const HOSTED: &[&str] = &[
    "AcceptDirectConnectGatewayAssociationProposal",
    "AllocateHostedConnection",
    "AllocatePrivateVirtualInterface",
    "AllocatePublicVirtualInterface",
    "AllocateTransitVirtualInterface",
    "AssociateConnectionWithLag",
    "AssociateConnectionsToResiliencyGroup",
    "AssociateMacSecKey",
    "ConfirmConnection",
    "ConfirmPrivateVirtualInterface",
    "ConfirmPublicVirtualInterface",
    "ConfirmTransitVirtualInterface",
    "CreateDirectConnectGatewayAssociationProposal",
    "CreateLag",
    "CreateResiliencyGroup",
    "DeleteConnection",
    "DeleteDirectConnectGatewayAssociationProposal",
    "DeleteLag",
    "DeleteResiliencyGroup",
    "DescribeDirectConnectGatewayAssociationProposals",
    "DescribeHostedConnections",
    "DescribeLoa",
    "DisassociateConnectionFromLag",
    "DisassociateConnectionsFromResiliencyGroup",
    "DisassociateMacSecKey",
    "GetResiliencyGroup",
    "ListResiliencyGroups",
    "UpdateConnection",
    "UpdateLag",
];

/// `kms:Decrypt` where the secret has a key of its own.
const KEYS: [&str; 3] = [
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "kms:Decrypt",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::is_read_only;

    fn all_actions() -> Vec<String> {
        let sets = OF_VERBS.into_iter().chain([VerbSet::Api]);
        sets.flat_map(actions).collect()
    }

    #[test]
    fn every_action_is_an_operation_and_every_operation_is_in_a_set() {
        let all = all_actions();
        let ours: Vec<&str> = all
            .iter()
            .filter_map(|action| action.strip_prefix("directconnect:"))
            .collect();
        for name in &ours {
            assert!(MODEL.has(name), "{name}");
        }
        for name in MODEL.operations() {
            assert!(ours.contains(&name), "{name}");
        }
        for action in actions(VerbSet::Api) {
            let sets = all.iter().filter(|own| **own == action).count();
            assert_eq!(sets, 1, "{action} is a verb's");
        }
    }

    #[test]
    fn who_may_read_may_change_nothing() {
        for action in actions(VerbSet::Read) {
            let name = action.trim_start_matches("directconnect:");
            assert!(is_read_only(name), "{name}");
        }
    }
}
