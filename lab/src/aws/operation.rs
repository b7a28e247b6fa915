//! From an operation's name to what carries it out.

use bgp_core::config::VifKind::{Private, Public, Transit};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::{ApiError, ErrorKind};
use super::simulator::{Account, Simulator};

/// Carries out an operation whose input fits the model.
pub fn dispatch(
    aws: &mut Simulator,
    caller: &Account,
    operation: &str,
    input: Value,
) -> Result<Value, ApiError> {
    let nested = |vif: Value| json!({ "virtualInterface": vif });
    match operation {
        "CreateConnection" => aws.create_connection(caller, parse(input)?),
        "DescribeConnections" => aws.describe_connections(caller, &parse(input)?),
        "UpdateConnection" => aws.update_connection(caller, parse(input)?),
        "DeleteConnection" => aws.delete_connection(caller, &parse(input)?),
        "UpdateConnectionsBillingMode" => aws.update_billing(caller, &parse(input)?),
        "DescribeLocations" => Ok(aws.describe_locations()),
        "DescribeLoa" => aws.describe_loa(caller, &parse(input)?),
        "DescribeConnectionLoa" | "DescribeInterconnectLoa" => {
            let loa = aws.describe_loa(caller, &parse(input)?)?;
            Ok(json!({ "loa": loa }))
        }
        "AssociateMacSecKey" => aws.associate_key(caller, parse(input)?),
        "DisassociateMacSecKey" => aws.disassociate_key(caller, &parse(input)?),
        "DescribeCustomerMetadata" => Ok(aws.describe_customer(caller)),
        "ConfirmCustomerAgreement" => aws.confirm_agreement(caller, &parse(input)?),

        "CreateLag" => aws.create_lag(caller, parse(input)?),
        "DescribeLags" => aws.describe_lags(caller, &parse(input)?),
        "UpdateLag" => aws.update_lag(caller, parse(input)?),
        "DeleteLag" => aws.delete_lag(caller, &parse(input)?),
        "AssociateConnectionWithLag" => aws.associate_with_lag(caller, &parse(input)?),
        "DisassociateConnectionFromLag" => aws.disassociate_from_lag(caller, &parse(input)?),

        "CreateInterconnect" => aws.create_interconnect(caller, parse(input)?),
        "DescribeInterconnects" => aws.describe_interconnects(caller, &parse(input)?),
        "DeleteInterconnect" => aws.delete_interconnect(caller, &parse(input)?),
        "AllocateConnectionOnInterconnect" | "AllocateHostedConnection" => {
            aws.allocate_hosted(caller, parse(input)?)
        }
        "ConfirmConnection" => aws.confirm_connection(caller, &parse(input)?),
        "DescribeConnectionsOnInterconnect" | "DescribeHostedConnections" => {
            aws.describe_hosted(caller, &parse(input)?)
        }
        "AssociateHostedConnection" => aws.associate_hosted(caller, &parse(input)?),

        "CreateResiliencyGroup" => aws.once(caller, operation, input, |aws, input| {
            aws.create_group(caller, parse(input)?)
        }),
        "GetResiliencyGroup" => aws.group(caller, &parse(input)?),
        "ListResiliencyGroups" => aws.list_groups(caller, &parse(input)?),
        "UpdateResiliencyGroup" => aws.once(caller, operation, input, |aws, input| {
            aws.update_group(caller, parse(input)?)
        }),
        "DeleteResiliencyGroup" => aws.delete_group(caller, &parse(input)?),
        "ListResiliencyGroupAssociations" => aws.list_members(caller, &parse(input)?),
        "AssociateConnectionsToResiliencyGroup" => {
            aws.once(caller, operation, input, |aws, input| {
                aws.associate_members(caller, &parse(input)?)
            })
        }
        "DisassociateConnectionsFromResiliencyGroup" => {
            aws.once(caller, operation, input, |aws, input| {
                aws.disassociate_members(caller, &parse(input)?)
            })
        }

        // Flat for private and public, nested for transit: so the model has it.
        "CreatePrivateVirtualInterface" => aws.create_vif(caller, Private, parse(input)?),
        "CreatePublicVirtualInterface" => aws.create_vif(caller, Public, parse(input)?),
        "CreateTransitVirtualInterface" => {
            aws.create_vif(caller, Transit, parse(input)?).map(nested)
        }
        "AllocatePrivateVirtualInterface" => aws.allocate_vif(caller, Private, parse(input)?),
        "AllocatePublicVirtualInterface" => aws.allocate_vif(caller, Public, parse(input)?),
        "AllocateTransitVirtualInterface" => {
            aws.allocate_vif(caller, Transit, parse(input)?).map(nested)
        }
        "ConfirmPrivateVirtualInterface" => aws.confirm_vif(caller, Private, &parse(input)?),
        "ConfirmPublicVirtualInterface" => aws.confirm_vif(caller, Public, &parse(input)?),
        "ConfirmTransitVirtualInterface" => aws.confirm_vif(caller, Transit, &parse(input)?),
        "DescribeVirtualInterfaces" => aws.describe_vifs(caller, &parse(input)?),
        "AssociateVirtualInterface" => aws.move_vif(caller, &parse(input)?),
        "UpdateVirtualInterfaceAttributes" => aws.update_vif(caller, &parse(input)?),
        "DeleteVirtualInterface" => aws.delete_vif(caller, &parse(input)?),
        "CreateBGPPeer" => aws.create_bgp_peer(caller, parse(input)?),
        "DeleteBGPPeer" => aws.delete_bgp_peer(caller, &parse(input)?),
        "DescribeRouterConfiguration" => aws.describe_router_configuration(caller, &parse(input)?),
        "StartBgpFailoverTest" => aws.start_test(caller, parse(input)?),
        "StopBgpFailoverTest" => aws.stop_test(caller, &parse(input)?),
        "ListVirtualInterfaceTestHistory" => aws.list_tests(caller, &parse(input)?),
        "ListVirtualInterfaceRoutes" => aws.list_routes(caller, &parse(input)?),

        "CreateDirectConnectGateway" => aws.create_gateway(caller, parse(input)?),
        "DescribeDirectConnectGateways" => aws.describe_gateways(caller, &parse(input)?),
        "UpdateDirectConnectGateway" => aws.update_gateway(caller, parse(input)?),
        "DeleteDirectConnectGateway" => aws.delete_gateway(caller, &parse(input)?),
        "DescribeDirectConnectGatewayAttachments" => {
            aws.describe_attachments(caller, &parse(input)?)
        }
        "DescribeVirtualGateways" => Ok(aws.describe_virtual_gateways(caller)),
        "CreateDirectConnectGatewayAssociation" => aws.create_association(caller, parse(input)?),
        "DescribeDirectConnectGatewayAssociations" => {
            aws.describe_associations(caller, &parse(input)?)
        }
        "UpdateDirectConnectGatewayAssociation" => aws.update_association(caller, &parse(input)?),
        "DeleteDirectConnectGatewayAssociation" => aws.delete_association(caller, &parse(input)?),

        "CreateDirectConnectGatewayAssociationProposal" => {
            aws.create_proposal(caller, parse(input)?)
        }
        "DescribeDirectConnectGatewayAssociationProposals" => {
            aws.describe_proposals(caller, &parse(input)?)
        }
        "AcceptDirectConnectGatewayAssociationProposal" => {
            aws.accept_proposal(caller, &parse(input)?)
        }
        "DeleteDirectConnectGatewayAssociationProposal" => {
            aws.delete_proposal(caller, &parse(input)?)
        }

        "TagResource" => aws.tag_resource(caller, parse(input)?),
        "UntagResource" => aws.untag_resource(caller, parse(input)?),
        "DescribeTags" => aws.describe_tags(caller, &parse(input)?),

        _ => Err(ApiError::new(
            ErrorKind::Server,
            format!("{operation} is in the model, and the simulator lacks it."),
        )),
    }
}

/// The request as the operation's own type. The model has passed it, so what
/// fails here is only a number out of a type's range.
fn parse<T: DeserializeOwned>(input: Value) -> Result<T, ApiError> {
    // serde's message may quote a value, and a value may be a key.
    serde_json::from_value(input)
        .map_err(|_| ApiError::serialization("A member's value is out of range."))
}
