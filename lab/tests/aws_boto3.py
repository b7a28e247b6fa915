"""The simulated Direct Connect judged by botocore: every operation of its model is
called as two accounts in two Regions, and every answer is held against the model as
the bytes came, before botocore's parser drops what it doesn't know.

    aws_boto3.py URL        prints how many checks were made, or what is wrong
"""

import json
import os
import sys
import time
import urllib.request

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

URL = sys.argv[1]
OWNER, PARTNER = "123456789012", "210987654321"
CONNECTION, VGW = "dxcon-fglab001", "vgw-0123456789abcdef0"
THEIR_VGW, TGW = "vgw-0fedcba9876543210", "tgw-0123456789abcdef0"
checks = 0
answered = set()


def fail(text):
    sys.exit(f"FAILED: {text}")


def expect(seen, wanted, what):
    global checks
    checks += 1
    if seen != wanted:
        fail(f"{what}: {seen!r} instead of {wanted!r}")


# ── answers against the model ──────────────────────────────────────────────────


def wrong(shape, value, at):
    """What in a JSON value does not fit its shape."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{at} is no structure"]
        found = [f"{at}.{name} is missing" for name in shape.required_members if name not in value]
        for name, member in value.items():
            if name not in shape.members:
                found.append(f"{at}.{name} is not in the model")
            else:
                found += wrong(shape.members[name], member, f"{at}.{name}")
        return found
    if kind == "list":
        if not isinstance(value, list):
            return [f"{at} is no list"]
        return [w for n, item in enumerate(value) for w in wrong(shape.member, item, f"{at}[{n}]")]
    types = {"string": str, "boolean": bool, "integer": int, "long": int, "blob": str}
    if kind == "timestamp":
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    else:
        fits = isinstance(value, types[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if not fits:
        return [f"{at} is no {kind}: {value!r}"]
    if kind == "string" and shape.enum and value not in shape.enum:
        return [f"{at} is {value!r}, none of {shape.enum}"]
    if kind == "integer" and not -(2**31) <= value < 2**31:
        return [f"{at} does not fit 32 bits"]
    return []


def judge(operation_model, response_dict, **_):
    if response_dict["status_code"] != 200:
        return
    global checks
    checks += 1
    answered.add(operation_model.name)
    body = json.loads(response_dict["body"])
    output = operation_model.output_shape
    found = wrong(output, body, operation_model.name) if output else []
    if "x-amzn-requestid" not in response_dict["headers"]:
        found.append("no request id")
    if found:
        fail("; ".join(found))


def client(number, region="eu-central-1", **config):
    made = boto3.client(
        "directconnect",
        region_name=region,
        endpoint_url=URL,
        aws_access_key_id=f"AKIALABLABLABLABLAB{number}",
        aws_secret_access_key=f"lab/of/no/worth/lab/of/no/worth/lab/000{number}",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )
    made.meta.events.register("before-parse.directconnect.*", judge)
    return made


owner, partner, elsewhere = client(1), client(2), client(1, "eu-west-1")
model = owner.meta.service_model


def refused(code, text, call, **parameters):
    """The call fails with this error and this in its message."""
    global checks
    checks += 1
    try:
        call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] != code or text not in error.response["Error"]["Message"]:
            fail(f"{error} instead of {code}: {text}")
        declared = [shape.name for shape in model.operation_model(error.operation_name).error_shapes]
        if code not in declared + ["ValidationException", "ThrottlingException", "SerializationException"]:
            fail(f"{error.operation_name} does not declare {code}")
        return error
    fail(f"{parameters} was taken: expected {code}: {text}")


def client_error(text, call, **parameters):
    return refused("DirectConnectClientException", text, call, **parameters)


def door(method, path, body=b""):
    request = urllib.request.Request(f"{URL}/lab/{path}", data=body or None, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def until(what, ask, wanted):
    """Simulated time runs fast: a state comes within moments."""
    for _ in range(600):
        seen = ask()
        if seen == wanted:
            break
        time.sleep(0.05)
    expect(seen, wanted, what)


# ── the operations, in the order of somebody's day ─────────────────────────────


def ports():
    places = owner.describe_locations()["locations"]
    expect([p["region"] for p in places], ["eu-central-1"] * 3, "locations")
    order = dict(location="EqFA5", bandwidth="10Gbps", connectionName="new", requestMACSec=True)
    new = owner.create_connection(**order, tags=[{"key": "team", "value": "net"}])
    id = new["connectionId"]
    expect((new["connectionState"], new["macSecCapable"]), ("requested", True), "a new connection")
    client_error("not available yet", owner.describe_loa, connectionId=id)
    state = lambda: owner.describe_connections(connectionId=id)["connections"][0]["connectionState"]
    until("the connection", state, "available")
    loa = owner.describe_loa(connectionId=id, loaContentType="application/pdf")
    expect(loa["loaContent"][:5], b"%PDF-", "the LOA")
    expect(loa["loaContent"].rstrip()[-5:], b"%%EOF", "the LOA's end")
    expect(owner.describe_connection_loa(connectionId=id)["loa"]["loaContent"], loa["loaContent"], "the old LOA call")
    renamed = owner.update_connection(connectionId=id, connectionName="renamed", encryptionMode="must_encrypt")
    expect((renamed["connectionName"], renamed["encryptionMode"]), ("renamed", "must_encrypt"), "an update")
    client_error("MACsec is not supported", owner.update_connection, connectionId=CONNECTION, encryptionMode="must_encrypt")
    key = owner.associate_mac_sec_key(connectionId=id, ckn="a1" * 32, cak="b2" * 32)["macSecKeys"][0]
    expect(key["state"], "associating", "a MACsec key")
    secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:macsec-a1b2c3"
    owner.associate_mac_sec_key(connectionId=id, secretARN=secret)
    client_error("not both", owner.associate_mac_sec_key, connectionId=id, secretARN=secret, ckn="a1" * 32, cak="b2" * 32)
    client_error("64 hexadecimal", owner.associate_mac_sec_key, connectionId=id, ckn="x", cak="b2" * 32)
    left = owner.disassociate_mac_sec_key(connectionId=id, secretARN=key["secretARN"])["macSecKeys"]
    expect([k["state"] for k in left][0], "disassociating", "a MACsec key on its way out")
    billed = owner.update_connections_billing_mode(connectionIds=[id], billingMode="FlatRateTier1")
    expect(billed["connections"][0]["billingMode"], "FlatRateTier1", "billing")
    client_error("not available here", owner.update_connections_billing_mode, connectionIds=[id], billingMode="FlatRateTier5")
    client_error("does not exist", elsewhere.create_connection, **order)
    expect(elsewhere.describe_connections()["connections"], [], "connections in the other Region")
    expect(owner.delete_connection(connectionId=id)["connectionState"], "deleting", "deletion")
    client_error("quota", lambda: [owner.create_connection(**order) for _ in range(12)])


def lags():
    lag = owner.create_lag(
        numberOfConnections=2, location="EqFA5", connectionsBandwidth="1Gbps", lagName="two",
        connectionId=CONNECTION, childConnectionTags=[{"key": "child"}],
    )
    id = lag["lagId"]
    expect((lag["lagState"], lag["numberOfConnections"], lag["minimumLinks"]), ("available", 2, 0), "a LAG")
    client_error("1 to 2 connections", owner.create_lag, numberOfConnections=3, location="EqMU1",
                 connectionsBandwidth="100Gbps", lagName="fast")
    member = next(c["connectionId"] for c in lag["connections"] if c["connectionId"] != CONNECTION)
    state = lambda: owner.describe_connections(connectionId=member)["connections"][0]["connectionState"]
    until("the LAG's new member", state, "available")
    expect(owner.update_lag(lagId=id, minimumLinks=2, lagName="both")["minimumLinks"], 2, "minimum links")
    client_error("minimumLinks must be", owner.update_lag, lagId=id, minimumLinks=3)
    client_error("minimum links", owner.disassociate_connection_from_lag, lagId=id, connectionId=member)
    owner.update_lag(lagId=id, minimumLinks=1)
    alone = owner.disassociate_connection_from_lag(lagId=id, connectionId=member)
    expect(alone.get("lagId"), None, "a connection on its own")
    expect(owner.associate_connection_with_lag(lagId=id, connectionId=member)["lagId"], id, "a member again")
    new = dict(virtualInterfaceName="on-lag", vlan=700, asn=65010, virtualGatewayId=VGW)
    client_error("use that", owner.create_private_virtual_interface, connectionId=CONNECTION, newPrivateVirtualInterface=new)
    vif = owner.create_private_virtual_interface(connectionId=id, newPrivateVirtualInterface=new)
    client_error("virtual interfaces or hosted", owner.delete_lag, lagId=id)
    owner.disassociate_connection_from_lag(lagId=id, connectionId=CONNECTION)
    on_lag = owner.describe_virtual_interfaces(connectionId=id)["virtualInterfaces"]
    expect(len(on_lag) > 5, True, "what was on the connection is on the LAG")
    for each in on_lag:
        if each["virtualInterfaceState"] != "deleted":
            moved = owner.associate_virtual_interface(virtualInterfaceId=each["virtualInterfaceId"], connectionId=CONNECTION)
            expect(moved["connectionId"], CONNECTION, "a VIF that moved")
    expect(owner.describe_lags(lagId=id)["lags"][0]["lagState"], "available", "the LAG with one link")
    expect(owner.delete_lag(lagId=id)["lagState"], "deleting", "a LAG's end")
    owner.delete_virtual_interface(virtualInterfaceId=vif["virtualInterfaceId"])
    client_error("Could not find Lag", owner.describe_lags, lagId="dxlag-none")


def hosted():
    client_error("not a Direct Connect Partner", owner.create_interconnect,
                 interconnectName="x", bandwidth="10Gbps", location="IXFR8")
    new = dict(interconnectName="ic", bandwidth="10Gbps", location="IXFR8")
    id = partner.create_interconnect(**new)["interconnectId"]
    other = partner.create_interconnect(**new)["interconnectId"]
    state = lambda: partner.describe_interconnects(interconnectId=other)["interconnects"][0]["interconnectState"]
    until("the interconnect", state, "available")
    expect(partner.describe_interconnect_loa(interconnectId=id)["loa"]["loaContentType"], "application/pdf", "LOA")
    give = dict(ownerAccount=OWNER, bandwidth="500Mbps", connectionName="hosted")
    allocated = partner.allocate_hosted_connection(connectionId=id, vlan=300, **give)
    connection = allocated["connectionId"]
    expect((allocated["connectionState"], allocated["vlan"]), ("ordering", 300), "a hosted connection")
    client_error("VLAN 300", partner.allocate_hosted_connection, connectionId=id, vlan=300, **give)
    client_error("Bandwidth 3Mbps", partner.allocate_hosted_connection, connectionId=id, vlan=301, **{**give, "bandwidth": "3Mbps"})
    old = partner.allocate_connection_on_interconnect(interconnectId=id, vlan=301, **give)["connectionId"]
    client_error("Could not find", partner.confirm_connection, connectionId=connection)
    expect(owner.confirm_connection(connectionId=connection)["connectionState"], "pending", "a confirmed one")
    client_error("not ordering", owner.confirm_connection, connectionId=connection)
    expect(owner.delete_connection(connectionId=old)["connectionState"], "rejected", "one that nobody wanted")
    listed = partner.describe_hosted_connections(connectionId=id)["connections"]
    expect([c["connectionId"] for c in listed], [connection], "hosted connections")
    listed = partner.describe_connections_on_interconnect(interconnectId=id)["connections"]
    expect([c["vlan"] for c in listed], [300], "connections on the interconnect")
    moved = partner.associate_hosted_connection(connectionId=connection, parentConnectionId=other)
    expect(moved["connectionId"], connection, "a hosted connection that moved")
    client_error("has hosted connections", partner.delete_interconnect, interconnectId=other)
    expect(partner.delete_interconnect(interconnectId=id)["interconnectState"], "deleting", "an interconnect's end")
    state = lambda: owner.describe_connections(connectionId=connection)["connections"][0]["connectionState"]
    until("the hosted connection", state, "available")
    vif = dict(virtualInterfaceName="one", vlan=301, asn=65010, virtualGatewayId=VGW)
    client_error("has VLAN 300", owner.create_private_virtual_interface, connectionId=connection, newPrivateVirtualInterface=vif)
    expect(owner.describe_customer_metadata()["nniPartnerType"], "nonPartner", "the owner")
    expect(partner.describe_customer_metadata()["nniPartnerType"], "v2", "the partner")
    expect(owner.confirm_customer_agreement()["status"], "signed", "the agreement")
    client_error("does not exist", owner.confirm_customer_agreement, agreementName="none")


def gateways():
    """A Direct Connect gateway of the owner; the partner's VPC by proposal."""
    made = owner.create_direct_connect_gateway(directConnectGatewayName="edge", amazonSideAsn=64600)
    id = made["directConnectGateway"]["directConnectGatewayId"]
    renamed = owner.update_direct_connect_gateway(directConnectGatewayId=id, newDirectConnectGatewayName="core")
    expect(renamed["directConnectGateway"]["directConnectGatewayName"], "core", "a gateway's name")
    seen = [g["directConnectGatewayId"] for g in elsewhere.describe_direct_connect_gateways()["directConnectGateways"]]
    expect(seen, [id], "a gateway is of no Region")
    client_error("not valid", owner.create_direct_connect_gateway, directConnectGatewayName="x", amazonSideAsn=7224)
    expect([g["virtualGatewayId"] for g in owner.describe_virtual_gateways()["virtualGateways"]], [VGW], "own gateways")
    expect(elsewhere.describe_virtual_gateways()["virtualGateways"], [], "gateways elsewhere")
    associate = owner.create_direct_connect_gateway_association
    client_error("does not exist", associate, directConnectGatewayId=id, gatewayId=THEIR_VGW)
    made = associate(directConnectGatewayId=id, gatewayId=VGW)["directConnectGatewayAssociation"]
    expect(made["allowedPrefixesToDirectConnectGateway"][0], {"cidr": "172.31.0.0/16"}, "a VPC is allowed whole")
    client_error("at once", associate, directConnectGatewayId=id, gatewayId=TGW)
    changed = owner.update_direct_connect_gateway_association(
        associationId=made["associationId"], addAllowedPrefixesToDirectConnectGateway=[{"cidr": "10.0.0.0/8"}],
        removeAllowedPrefixesToDirectConnectGateway=[{"cidr": "172.31.0.0/16"}])
    expect(changed["directConnectGatewayAssociation"]["associationState"], "updating", "an update")

    propose = dict(directConnectGatewayId=id, directConnectGatewayOwnerAccount=OWNER)
    client_error("does not exist", partner.create_direct_connect_gateway_association_proposal, gatewayId=VGW, **propose)
    give = partner.create_direct_connect_gateway_association_proposal
    proposal = give(gatewayId=THEIR_VGW, **propose)["directConnectGatewayAssociationProposal"]
    expect(proposal["proposalState"], "requested", "a proposal")
    client_error("already", give, gatewayId=THEIR_VGW, **propose)
    gone = partner.delete_direct_connect_gateway_association_proposal(proposalId=proposal["proposalId"])
    expect(gone["directConnectGatewayAssociationProposal"]["proposalState"], "deleted", "a proposal withdrawn")
    proposal = give(gatewayId=THEIR_VGW, **propose)["directConnectGatewayAssociationProposal"]["proposalId"]
    client_error("does not exist", partner.accept_direct_connect_gateway_association_proposal,
                 directConnectGatewayId=id, proposalId=proposal, associatedGatewayOwnerAccount=PARTNER)
    accepted = owner.accept_direct_connect_gateway_association_proposal(
        directConnectGatewayId=id, proposalId=proposal, associatedGatewayOwnerAccount=PARTNER,
        overrideAllowedPrefixesToDirectConnectGateway=[{"cidr": "10.99.0.0/16"}])
    expect(accepted["directConnectGatewayAssociation"]["associatedGateway"]["ownerAccount"], PARTNER, "accepted")
    owner.describe_direct_connect_gateway_association_proposals(directConnectGatewayId=id)
    theirs = partner.describe_direct_connect_gateway_associations()["directConnectGatewayAssociations"]
    expect([a["virtualGatewayId"] for a in theirs], [THEIR_VGW], "what the partner sees")
    return id, made["associationId"]


def virtual_interfaces(gateway, association):
    private = dict(virtualInterfaceName="prod", vlan=101, asnLong=65010, authKey="labkey-0101",
                   directConnectGatewayId=gateway, enableSiteLink=True, rateLimit="500Mbps", mtu=9001)
    create = owner.create_private_virtual_interface
    client_error("exceeds", create, connectionId=CONNECTION, newPrivateVirtualInterface={**private, "rateLimit": "2Gbps"})
    on_vgw = {k: v for k, v in private.items() if k != "directConnectGatewayId"} | {"virtualGatewayId": VGW}
    client_error("SiteLink", create, connectionId=CONNECTION, newPrivateVirtualInterface=on_vgw)
    vif = create(connectionId=CONNECTION, newPrivateVirtualInterface=private)
    id = vif["virtualInterfaceId"]
    expect((vif["rateLimit"], vif["siteLinkEnabled"]), ("500Mbps", True), "rate limit and SiteLink")
    client_error("already in use", create, connectionId=CONNECTION, newPrivateVirtualInterface=private)
    refused("ValidationException", "enum value set", create, connectionId=CONNECTION,
            newPrivateVirtualInterface={**private, "vlan": 5, "addressFamily": "ipx"})
    refused("DuplicateTagKeysException", "twice", create, connectionId=CONNECTION,
            newPrivateVirtualInterface={**private, "vlan": 5, "tags": [{"key": "a"}, {"key": "a"}]})
    limited = owner.describe_connections(connectionId=CONNECTION)["connections"][0]["rateLimiterStatus"]
    expect((limited["inUse"], limited["totalBandwidth"]), (1, "500Mbps"), "rate limiters")
    public = dict(virtualInterfaceName="public", vlan=102, asn=65010, amazonAddress="203.0.113.1/30",
                  customerAddress="203.0.113.2/30", routeFilterPrefixes=[{"cidr": "198.51.100.0/24"}])
    owner.create_public_virtual_interface(connectionId=CONNECTION, newPublicVirtualInterface=public)
    transit_gateway = owner.create_direct_connect_gateway(directConnectGatewayName="transit")
    transit_gateway = transit_gateway["directConnectGateway"]["directConnectGatewayId"]
    transit = dict(virtualInterfaceName="transit", vlan=103, asn=65010)
    made = owner.create_transit_virtual_interface(
        connectionId=CONNECTION, newTransitVirtualInterface={**transit, "directConnectGatewayId": transit_gateway})
    expect(made["virtualInterface"]["virtualInterfaceType"], "transit", "a transit VIF")

    give = dict(connectionId=CONNECTION, ownerAccount=PARTNER)
    allocated = [
        owner.allocate_private_virtual_interface(
            **give, newPrivateVirtualInterfaceAllocation=dict(virtualInterfaceName="h1", vlan=111, asn=65020)),
        owner.allocate_public_virtual_interface(
            **give, newPublicVirtualInterfaceAllocation={**public, "virtualInterfaceName": "h2", "vlan": 112,
                                                         "amazonAddress": "203.0.113.5/30", "customerAddress": "203.0.113.6/30"}),
        owner.allocate_transit_virtual_interface(
            **give, newTransitVirtualInterfaceAllocation={**transit, "vlan": 113})["virtualInterface"],
    ]
    expect([v["virtualInterfaceState"] for v in allocated], ["confirming"] * 3, "allocated VIFs")
    first, second, third = (v["virtualInterfaceId"] for v in allocated)
    client_error("to confirm", owner.confirm_private_virtual_interface, virtualInterfaceId=first, virtualGatewayId=VGW)
    confirmed = partner.confirm_private_virtual_interface(virtualInterfaceId=first, virtualGatewayId=THEIR_VGW)
    expect(confirmed["virtualInterfaceState"], "pending", "a confirmed VIF")
    expect(partner.confirm_public_virtual_interface(virtualInterfaceId=second)["virtualInterfaceState"], "verifying", "public")
    client_error("does not exist", partner.confirm_transit_virtual_interface, virtualInterfaceId=third, directConnectGatewayId=transit_gateway)
    own = partner.create_direct_connect_gateway(directConnectGatewayName="theirs")["directConnectGateway"]
    own = own["directConnectGatewayId"]
    partner.confirm_transit_virtual_interface(virtualInterfaceId=third, directConnectGatewayId=own)

    state = lambda: owner.describe_virtual_interfaces(virtualInterfaceId=id)["virtualInterfaces"][0]["virtualInterfaceState"]
    until("the VIF", state, "down")
    peers = owner.create_bgp_peer(virtualInterfaceId=id, newBGPPeer=dict(asnLong=4200000001, addressFamily="ipv6"))
    peers = peers["virtualInterface"]["bgpPeers"]
    expect((peers[1]["asn"], peers[1]["asnLong"]), (0, 4200000001), "a 4-byte ASN")
    left = owner.delete_bgp_peer(virtualInterfaceId=id, bgpPeerId=peers[1]["bgpPeerId"])
    expect(left["virtualInterface"]["bgpPeers"][1]["bgpPeerState"], "deleting", "a peer's end")
    client_error("last BGP peer", owner.delete_bgp_peer, virtualInterfaceId=id, bgpPeerId=peers[0]["bgpPeerId"])
    updated = owner.update_virtual_interface_attributes(
        virtualInterfaceId=id, mtu=8500, rateLimit="1Gbps", enableSiteLink=False, virtualInterfaceName="renamed")
    expect((updated["mtu"], updated["rateLimit"], updated["siteLinkEnabled"]), (8500, "1Gbps", False), "an update")
    text = owner.describe_router_configuration(
        virtualInterfaceId=id, routerTypeIdentifier="CiscoSystemsInc-2900SeriesRouters-IOS124")
    expect("labkey-0101" in text["customerRouterConfig"], True, "router text")
    expect(owner.list_virtual_interface_routes(virtualInterfaceId=id)["routes"], [], "no routes without a router")
    expect(owner.start_bgp_failover_test(virtualInterfaceId=id)["virtualInterfaceTest"]["testDurationInMinutes"], 180, "a test")
    expect(state(), "testing", "a VIF under test")
    client_error("testing", owner.start_bgp_failover_test, virtualInterfaceId=id)
    expect(owner.stop_bgp_failover_test(virtualInterfaceId=id)["virtualInterfaceTest"]["status"], "cancelled", "its end")
    history = owner.list_virtual_interface_test_history(virtualInterfaceId=id)["virtualInterfaceTestHistory"]
    expect(history[0]["startTime"] < history[0]["endTime"], True, "times")
    attached = owner.describe_direct_connect_gateway_attachments(directConnectGatewayId=gateway)
    expect([a["virtualInterfaceId"] for a in attached["directConnectGatewayAttachments"]], [id], "attachments")
    arn = f"arn:aws:directconnect:eu-central-1:{OWNER}:dxvif/{id}"
    owner.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "net"}, {"key": "bare"}])
    refused("TooManyTagsException", "50", owner.tag_resource, resourceArn=arn, tags=[{"key": f"k{n}"} for n in range(49)])
    owner.untag_resource(resourceArn=arn, tagKeys=["bare"])
    expect(owner.describe_tags(resourceArns=[arn])["resourceTags"][0]["tags"], [{"key": "team", "value": "net"}], "tags")
    client_error("does not exist", partner.describe_tags, resourceArns=[arn])
    client_error("has virtual interfaces", owner.delete_connection, connectionId=CONNECTION)
    client_error("attached", owner.delete_direct_connect_gateway, directConnectGatewayId=gateway)

    paginated()

    expect(owner.delete_virtual_interface(virtualInterfaceId=id)["virtualInterfaceState"], "deleting", "a VIF's end")
    until("the VIF", state, "deleted")
    gone = owner.delete_direct_connect_gateway_association(associationId=association)
    expect(gone["directConnectGatewayAssociation"]["associationState"], "disassociating", "an association's end")
    spare = owner.create_direct_connect_gateway(directConnectGatewayName="spare")["directConnectGateway"]
    gone = owner.delete_direct_connect_gateway(directConnectGatewayId=spare["directConnectGatewayId"])
    expect(gone["directConnectGateway"]["directConnectGatewayState"], "deleting", "a gateway's end")


def groups():
    new = dict(resiliencyGroupName="pair", intendedResiliencyModel="high-resiliency", clientToken="t1",
               tags=[{"key": "team"}])
    group = owner.create_resiliency_group(**new)["resiliencyGroup"]
    id = group["resiliencyGroupId"]
    expect(owner.create_resiliency_group(**new)["resiliencyGroup"]["resiliencyGroupId"], id, "the same token again")
    client_error("clientToken", owner.create_resiliency_group, **{**new, "resiliencyGroupName": "other"})
    state = lambda: owner.get_resiliency_group(resiliencyGroupId=id)["resiliencyGroup"]["state"]
    until("the group", state, "available")
    members = dict(resiliencyGroupId=id, connectionIdentifiers=[CONNECTION])
    made = owner.associate_connections_to_resiliency_group(**members)["resiliencyGroupAssociations"]
    expect(made[0]["state"], "associating", "a member")
    client_error("Could not find", owner.associate_connections_to_resiliency_group,
                 resiliencyGroupId=id, connectionIdentifiers=["dxcon-none"])
    client_error("already", owner.associate_connections_to_resiliency_group, **members)
    client_error("has connections", owner.delete_resiliency_group, resiliencyGroupId=id)
    items = owner.list_resiliency_group_associations(resiliencyGroupId=id)["items"]
    expect(items[0]["connectionArn"], f"arn:aws:directconnect:eu-central-1:{OWNER}:dxcon/{CONNECTION}", "members")
    renamed = owner.update_resiliency_group(resiliencyGroupId=id, resiliencyGroupName="both")
    expect(renamed["resiliencyGroup"]["resiliencyGroupName"], "both", "a group's name")
    expect([g["resiliencyGroupId"] for g in owner.list_resiliency_groups()["items"]], [id], "groups")
    expect(elsewhere.list_resiliency_groups()["items"], [], "groups elsewhere")
    gone = owner.disassociate_connections_from_resiliency_group(**members)["resiliencyGroupAssociations"]
    expect(gone[0]["state"], "disassociating", "a member's end")
    count = lambda: len(owner.list_resiliency_group_associations(resiliencyGroupId=id)["items"])
    until("the members", count, 0)
    expect(owner.delete_resiliency_group(resiliencyGroupId=id)["resiliencyGroup"]["state"], "deleting", "a group's end")


def paginated():
    """Every list one item a page is the list as a whole."""
    interconnect = partner.describe_interconnects()["interconnects"][-1]["interconnectId"]
    gateway = owner.describe_direct_connect_gateways()["directConnectGateways"][0]["directConnectGatewayId"]
    vif = owner.describe_virtual_interfaces()["virtualInterfaces"][0]["virtualInterfaceId"]
    needed = {
        "DescribeHostedConnections": dict(connectionId=interconnect),
        "DescribeDirectConnectGatewayAttachments": dict(directConnectGatewayId=gateway),
        "ListVirtualInterfaceRoutes": dict(virtualInterfaceId=vif),
    }
    pages = 0
    for name in sorted(OURS):
        operation = model.operation_model(name)
        asks = operation.input_shape.members if operation.input_shape else {}
        if "nextToken" not in asks or name == "ListResiliencyGroupAssociations":
            continue
        by = partner if name in ("DescribeHostedConnections", "DescribeInterconnects") else owner
        call = getattr(by, {v: k for k, v in by.meta.method_to_api_mapping.items()}[name])
        parameters = needed.get(name, {})
        key = next(k for k, s in operation.output_shape.members.items() if s.type_name == "list")
        whole = call(**parameters)[key]
        token, seen = {}, []
        while True:
            page = call(**parameters, maxResults=1, **token)
            if len(page[key]) > 1:
                fail(f"{name}: {len(page[key])} on a page of 1")
            seen += page[key]
            pages += 1
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        expect(seen, whole, f"{name} one a page")
        client_error("nextToken", call, **parameters, nextToken="nonsense")
    if pages < 20:
        fail(f"only {pages} pages in all: the lists are too short to tell anything")


def faults():
    """Each fault as a client meets it, and what it has left behind."""
    names = lambda: [c["connectionName"] for c in partner.describe_connections()["connections"]]
    quick = client(2, read_timeout=2)
    for number, (fault, code, effect) in enumerate([
        ("throttle", "ThrottlingException", False),
        ("error", "DirectConnectServerException", False),
        ("lost", "DirectConnectServerException", True),
        ("cut-before", ConnectionClosedError, False),
        ("cut", ConnectionClosedError, True),
        ("slow=20000", ReadTimeoutError, True),
        ("hold", ReadTimeoutError, False),
        ("hold-after", ReadTimeoutError, True),
    ]):
        name = f"fault-{number}"
        door("POST", "faults", f"{fault}:CreateConnection".encode())
        order = dict(location="IXFR8", bandwidth="1Gbps", connectionName=name)
        if isinstance(code, str):
            refused(code, "", partner.create_connection, **order)
        else:
            try:
                quick.create_connection(**order)
                fail(f"{fault}: answered")
            except code:
                pass
        expect(name in names(), effect, f"the effect of {fault}")
    plain = boto3.client("directconnect", region_name="eu-central-1", endpoint_url=URL,
                         aws_access_key_id="AKIALABLABLABLABLAB1",
                         aws_secret_access_key="lab/of/no/worth/lab/of/no/worth/lab/0001")
    door("POST", "faults", b"unknown-state:*\nunknown-enum:*")
    strange = plain.describe_virtual_interfaces()["virtualInterfaces"][0]
    expect((strange["virtualInterfaceState"], strange["addressFamily"]), ("lab-unknown", "ipv4"), "unknown-state")
    strange = plain.describe_virtual_interfaces()["virtualInterfaces"][0]
    expect((strange["virtualInterfaceState"] != "lab-unknown", strange["addressFamily"]), (True, "lab-unknown"), "unknown-enum")
    calls = door("GET", "calls")["calls"]
    expect(calls[-1]["fault"], "unknown-enum", "the record of calls")
    door("DELETE", "faults")
    expect(door("GET", "calls")["calls"], [], "a cleared record")


def strangers():
    for number, region, code in [(3, "eu-central-1", "UnrecognizedClientException"), (1, "us-east-1", "InvalidSignatureException")]:
        try:
            client(number, region).describe_locations()
            fail("a stranger was served")
        except ClientError as error:
            expect(error.response["Error"]["Code"], code, f"credentials {number} in {region}")


with open(os.path.join(os.path.dirname(__file__), "../model/dx-api-model.json")) as file:
    OURS = set(json.load(file)["operations"])
expect(sorted(OURS - set(model.operation_names)), [], "operations that botocore lacks")
hosted()
gateway, association = gateways()
virtual_interfaces(gateway, association)
groups()
lags()
ports()
faults()
strangers()
expect(sorted(OURS - answered), [], "operations that were never answered")
print(f"aws_boto3: {checks} checks, all {len(answered)} operations by botocore {botocore.__version__}: ok")
