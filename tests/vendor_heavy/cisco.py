"""A link by genie.libs.conf's models of IOS-XE, IOS-XR and NX-OS.

A model holds one network of a family at a time, and one statement of a route-map:
such objects are built once for each, and the texts put together."""

from genie.conf import Genie
from genie.conf.base import Device, Testbed
from genie.libs.conf.bgp import Bgp
from genie.libs.conf.interface import IPv4Addr, IPv6Addr, Interface
from genie.libs.conf.prefix_list import PrefixList
from genie.libs.conf.route_policy import RoutePolicy
from genie.libs.conf.static_routing import StaticRouting

PORTS = {
    "iosxe": "TenGigabitEthernet0/0/0.101",
    "iosxr": "TenGigE0/0/0/0.101",
    "nxos": "Ethernet1/1.101",
}


def build(link, os):
    Genie.testbed = Testbed()
    device = Device(testbed=Genie.testbed, name="edge", os=os)
    texts = [interface(device, link)]
    for s in link.sessions:
        texts += prefix_lists(device, s) if os != "iosxr" else []
        texts += route_policies(device, link, s) if os == "iosxr" else route_maps(device, link, s)
        texts += [discard_route(device, link, s, net) for net in s.advertise]
        texts += [bgp(device, link, s, net) for net in s.advertise]
    return "\n".join(texts)


def text_of(feature, device):
    device.add_feature(feature)
    text = str(feature.build_config(apply=False)[device.name])
    device.remove_feature(feature)
    return text


def interface(device, link):
    port = Interface(device=device, name=PORTS[device.os])
    port.description = link.description
    port.encapsulation = "dot1q"
    port.first_dot1q = str(link.vlan)
    port.mtu = link.mtu
    port.shutdown = False
    for s in link.sessions:
        address = IPv4Addr(device=device) if s.version == 4 else IPv6Addr(device=device)
        setattr(address, f"ipv{s.version}", str(s.local.ip))
        length = "prefix_length" if s.version == 4 else "ipv6_prefix_length"
        setattr(address, length, str(s.local.network.prefixlen))
        (port.add_ipv4addr if s.version == 4 else port.add_ipv6addr)(address)
    return str(port.build_config(apply=False))


def prefix_lists(device, s):
    texts = []
    for name, nets, longer in (
        (s.inbound, s.inside, True),
        (s.outbound, s.advertise, False),
    ):
        for net in nets:
            prefixes = PrefixList(name)
            lengths = f"{net.prefixlen}..{s.longest if longer else net.prefixlen}"
            entry = prefixes.device_attr[device].prefix_attr[str(net)].maxlength_range_attr[lengths]
            entry.protocol = f"ipv{s.version}"
            texts.append(text_of(prefixes, device))
    return texts


def route_maps(device, link, s):
    return [
        route_map(device, s, s.inbound, 10, match_community_list=link.drained, set_local_pref=0),
        route_map(device, s, s.inbound, 20, set_local_pref=link.local_preference),
        route_map(device, s, s.outbound, 10, set_community=link.community and [link.community]),
    ]


def route_map(device, s, name, number, **values):
    policy = RoutePolicy(name=name, policy_definition=name)
    statement = policy.device_attr[device].statement_attr[str(number)]
    statement.route_disposition = "permit"
    values["match_prefix_list" if s.version == 4 else "match_prefix_list_v6"] = name
    fill(statement, values)
    return text_of(policy, device)


def route_policies(device, link, s):
    destination = "match_prefix_list" if s.version == 4 else "match_prefix_list_v6"
    refused, drained, taken = "DX-PROD-REFUSED" + s.suffix, f"({link.graceful_shutdown})", {destination: s.inbound}
    return [
        route_policy(
            device,
            s.inbound,
            {destination: refused, "actions": "drop"},
            {**taken, "match_community_list": drained, "set_local_pref": 0, "actions": "done"},
            {**taken, "set_local_pref": link.local_preference, "actions": "done"},
        ),
        route_policy(
            device,
            s.outbound,
            {destination: s.outbound, "set_community": link.community and [link.community], "actions": "done"},
        ),
    ]


def route_policy(device, name, *statements):
    policy = RoutePolicy(name=name, policy_definition=name)
    for number, values in enumerate(statements, 1):
        fill(policy.device_attr[device].statement_attr[str(number)], values)
    return text_of(policy, device)


def discard_route(device, link, s, net):
    routes = StaticRouting()
    version = StaticRouting.ADDRESS_FAMILY(f"ipv{s.version}")
    family = routes.device_attr[device].vrf_attr["default"].address_family_attr[version]
    # The parts of a path aren't taken from the keys on every platform.
    family.af = version
    route = family.route_attr[str(net)]
    route.route = str(net)
    route.interface_attr["Null0"].if_preference = link.discard_distance
    return text_of(routes, device)


def bgp(device, link, s, net):
    family = f"ipv{s.version} unicast"
    model = Bgp(bgp_id=link.asn)
    model.device_attr[device].enabled = True
    vrf = model.device_attr[device].vrf_attr[None]
    vrf.log_neighbor_changes = True
    vrf.default_choice_ipv4_unicast = True
    if s.version == 4:
        network = {"af_network_number": str(net.network_address)}
        network["af_network_mask"] = net.prefixlen
    else:
        network = {"af_v6_network_number": str(net)}
    fill(vrf.address_family_attr[family], network)
    neighbor = vrf.neighbor_attr[s.peer]
    fill(
        neighbor,
        {
            "nbr_remote_as": link.peer_asn,
            "nbr_description": link.description,
            "nbr_fall_over_bfd": True,
            "nbr_keepalive_interval": link.keepalive,
            "nbr_holdtime": link.hold,
            "nbr_password_text": link.key,
        },
    )
    if device.os == "iosxr":
        fill(neighbor, {"bfd_minimum_interval": link.bfd_interval, "bfd_multiplier": link.bfd_multiplier})
    peer = neighbor.address_family_attr[family]
    fill(
        peer,
        {
            "nbr_af_send_community": "standard",
            "nbr_af_soft_reconfiguration": True,
            "nbr_af_route_map_name_in": s.inbound,
            "nbr_af_route_map_name_out": s.outbound,
            "nbr_af_maximum_prefix_max_prefix_no": link.receive_limit,
        },
    )
    # For NX-OS it writes no limit at all once there is a threshold or a restart.
    if device.os != "nxos":
        fill(
            peer,
            {"nbr_af_maximum_prefix_threshold": link.warn_percent, "nbr_af_maximum_prefix_restart": link.restart},
        )
    return text_of(model, device)


def fill(attributes, values):
    for name, value in values.items():
        if value is not None:
            setattr(attributes, name, value)
