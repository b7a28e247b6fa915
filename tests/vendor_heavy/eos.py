"""A link by pyavd's model of Arista EOS."""

import pyavd

PORT = "Ethernet1.101"


def build(link, _os):
    checked = pyavd.validate_structured_config(model(link))
    if checked.validated_data is None:
        raise SystemExit(f"pyavd refuses the model: {checked.validation_result}")
    return pyavd.get_device_config(checked.validated_data)


def model(link):
    return {
        "hostname": "edge",
        "ip_routing": True,
        "ipv6_unicast_routing": any(s.version == 6 for s in link.sessions),
        "ethernet_interfaces": [interface(link)],
        "ip_community_lists": [
            {"name": link.drained, "entries": [{"action": "permit", "communities": [link.graceful_shutdown]}]}
        ],
        "prefix_lists": [entry for s in link.sessions if s.version == 4 for entry in prefix_lists(s)],
        "ipv6_prefix_lists": [entry for s in link.sessions if s.version == 6 for entry in prefix_lists(s)],
        "route_maps": [entry for s in link.sessions for entry in route_maps(link, s)],
        "static_routes": discard_routes(link, 4),
        "ipv6_static_routes": discard_routes(link, 6),
        "router_bgp": {
            "as": str(link.asn),
            "bgp": {"default": {"ipv4_unicast": False}},
            "neighbors": [neighbor(link, s) for s in link.sessions],
            **{f"address_family_ipv{s.version}": address_family(s) for s in link.sessions},
        },
    }


def interface(link):
    model = {
        "name": PORT,
        "description": link.description,
        "mtu": link.mtu,
        "encapsulation_dot1q": {"vlan": link.vlan},
        "shutdown": False,
        "bfd": {
            "echo": False,
            "interval": link.bfd_interval,
            "min_rx": link.bfd_interval,
            "multiplier": link.bfd_multiplier,
        },
    }
    for s in link.sessions:
        if s.version == 4:
            model["ip_address"] = str(s.local)
        else:
            model |= {"ipv6_addresses": [str(s.local)], "ipv6_nd": {"ra": {"disabled": True}}}
    return model


def prefix_lists(s):
    or_longer = f"le {s.longest}"
    inbound = [f"deny {net} {or_longer}" for net in s.advertise] + [f"permit {net} {or_longer}" for net in s.inside]
    outbound = [f"permit {net}" for net in s.advertise]
    return [
        {"name": s.inbound, "sequence_numbers": numbered(inbound)},
        {"name": s.outbound, "sequence_numbers": numbered(outbound)},
    ]


def numbered(actions):
    return [{"sequence": 5 * place, "action": action} for place, action in enumerate(actions, 1)]


def route_maps(link, s):
    matches = ("ip" if s.version == 4 else "ipv6") + " address prefix-list "
    taken = {"sequence": 20, "type": "permit", "match": [matches + s.inbound]}
    sent = {"sequence": 10, "type": "permit", "match": [matches + s.outbound]}
    if link.local_preference:
        taken["set"] = [f"local-preference {link.local_preference}"]
    if link.community:
        sent["set"] = [f"community {link.community}"]
    drained = {
        "sequence": 10,
        "type": "permit",
        "match": [matches + s.inbound, f"community {link.drained}"],
        "set": ["local-preference 0"],
    }
    return [
        {"name": s.inbound, "sequence_numbers": [drained, taken]},
        {"name": s.outbound, "sequence_numbers": [sent]},
    ]


def discard_routes(link, version):
    return [
        {"prefix": str(net), "interface": "Null0", "distance": link.discard_distance}
        for s in link.sessions
        if s.version == version
        for net in s.advertise
    ]


def neighbor(link, s):
    return {
        "ip_address": s.peer,
        "remote_as": str(link.peer_asn),
        "description": link.description,
        "bfd": True,
        "timers": f"{link.keepalive} {link.hold}",
        "rib_in_pre_policy_retain": {"enabled": True},
        "password": link.key,
        "send_community": "standard",
        "maximum_routes": link.receive_limit,
        "maximum_routes_warning_limit": f"{link.warn_percent} percent",
        "maximum_advertised_routes": link.advertise_limit,
    }


def address_family(s):
    return {
        "neighbors": [
            {"ip_address": s.peer, "activate": True, "route_map_in": s.inbound, "route_map_out": s.outbound}
        ],
        "networks": [{"prefix": str(net)} for net in s.advertise],
    }
