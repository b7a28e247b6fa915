"""What parts our text from the other generator's, platform by platform, and why."""

from lines import Difference

BGP = "router bgp 65010 > "
PEER = r"((?:169\.254\.10\.1|2001:db8:0:1::5))"
FAMILY = r"(address-family ipv[46] unicast) > "
# A prefix-list's name, and its address family's word.
LIST = r"(ip|ipv6) prefix-list (\S+)"
INBOUND = r"DX-PROD-IN(?:-V6)?"
V6 = "(?:-V6)?"


def cisco_lists():
    """What genie.libs.conf's prefix lists lack, on IOS-XE as on NX-OS."""
    return [
        Difference(
            28,
            "its prefix lists have no sequence numbers: the router counts by fives then, as we do",
            ours=LIST + r" seq (?:5|10|15|20|25|30) permit (\S+(?: le \d+)?)",
            theirs=LIST + r" permit (\S+(?: le \d+)?)",
        ),
        Difference(
            4,
            "its prefix lists can only permit; our own networks aren't taken back from AWS",
            ours=r"(?:ip prefix-list DX-PROD-IN seq (?:5|10) deny 10\.2[01]\.0\.0/16 le 32"
            r"|ipv6 prefix-list DX-PROD-IN-V6 seq 5 deny fd00:20::/48 le 128)",
        ),
        Difference(
            2,
            "it has no community lists",
            ours="ip community-list standard DX-PROD-DRAINED permit 65535:0",
        ),
        Difference(
            3,
            "it takes a local preference of 0 for one that isn't given; 300 is the same",
            ours=rf"route-map {INBOUND} permit 10 > set local-preference 0",
        ),
    ]


def cisco_bfd(port):
    return [
        Difference(
            2,
            "it has no BFD timers of an interface",
            ours=rf"interface {port} > bfd interval 300 min_rx 300 multiplier 3",
        ),
        Difference(
            2,
            "it knows no BFD echo, which AWS doesn't answer",
            ours=rf"interface {port} > no bfd echo",
        ),
    ]


EOS = [
    Difference(2, "it wants a host name; the router has its own", theirs="hostname edge"),
    Difference(
        6,
        "its passwords are encrypted ones only, types 7 and 8a; ours is in clear, type 0",
        ours=rf"{BGP}neighbor {PEER} password 0 (\S+)",
        theirs=rf"{BGP}neighbor {PEER} password 7 (\S+)",
    ),
    Difference(
        3,
        "it has no idle-restart-timer, without which a session over the limit stays down",
        ours=rf"{BGP}neighbor {PEER} idle-restart-timer 300",
    ),
]

XE_PORT = r"TenGigabitEthernet0/0/0\.101"

IOS_XE = [
    *cisco_lists(),
    *cisco_bfd(XE_PORT),
    Difference(
        4,
        "IOS-XE shows it with a capital Q and reads both",
        ours=rf"interface {XE_PORT} > encapsulation dot1Q (\d+)",
        theirs=rf"interface {XE_PORT} > encapsulation dot1q (\d+)",
    ),
    Difference(
        4,
        "it sets the frame's MTU, which a subinterface has from its port; ours is the packet's",
        ours=rf"interface {XE_PORT} > ip mtu (\d+)",
        theirs=rf"interface {XE_PORT} > mtu (\d+)",
    ),
    Difference(1, "it has no IPv6 packet's MTU", ours=rf"interface {XE_PORT} > ipv6 mtu 9001"),
    Difference(
        6,
        "it has none of what an edge leaves out: redirects, proxy ARP, router advertisements",
        ours=rf"interface {XE_PORT} > (?:no ip redirects|no ip proxy-arp|no ipv6 redirects|ipv6 nd ra suppress all)",
    ),
    Difference(
        3,
        "it has nothing of the whole router but BGP",
        ours="(?:ipv6 unicast-routing|ip bgp-community new-format)",
    ),
    Difference(
        6,
        "0 says that the key is in clear; IOS-XE takes one without a type for that too",
        ours=rf"{BGP}neighbor {PEER} password 0 (\S+)",
        theirs=rf"{BGP}neighbor {PEER} password (\S+)",
    ),
    Difference(
        6,
        "standard communities are what IOS-XE sends where no kind is named",
        ours=rf"{BGP}{FAMILY}neighbor {PEER} send-community",
        theirs=rf"{BGP}{FAMILY}neighbor {PEER} send-community standard",
    ),
    Difference(
        6,
        "it leaves out the space and takes only a length, so that no router would read the line",
        ours=rf"{BGP}address-family ipv4 unicast > network (\S+) mask 255\.255\.0\.0",
        theirs=rf"{BGP}address-family ipv4 unicast > network (\S+)mask 16",
    ),
]

XR_PORT = r"TenGigE0/0/0/0\.101"

IOS_XR = [
    Difference(
        4,
        "IOS-XR reads a mask and a length, and shows the mask",
        ours=rf"interface {XR_PORT} > ipv4 address (\S+) 255\.255\.255\.252",
        theirs=rf"interface {XR_PORT} > ipv4 address (\S+)/30",
    ),
    Difference(
        4,
        "it sets the frame's MTU, which on IOS-XR counts the Ethernet header; ours is the packet's",
        ours=rf"interface {XR_PORT} > ipv4 mtu (\d+)",
        theirs=rf"interface {XR_PORT} > mtu (\d+)",
    ),
    Difference(1, "it has no IPv6 packet's MTU", ours=rf"interface {XR_PORT} > ipv6 mtu 9001"),
    Difference(2, "a subinterface of IOS-XR is up from the start", theirs=rf"interface {XR_PORT} > no shutdown"),
    Difference(1, "it has no router advertisements to leave out", ours=rf"interface {XR_PORT} > ipv6 nd suppress-ra"),
    Difference(
        6,
        "it knows no BFD echo, which AWS doesn't answer",
        ours=rf"bfd(?: > interface {XR_PORT}(?: > echo disable)?)?",
    ),
    Difference(
        27,
        "it has no prefix sets",
        ours=rf"prefix-set (?:DX-PROD-IN{V6}"
        r"(?: > (?:10\.0\.0\.0/8|172\.16\.0\.0/12|192\.168\.0\.0/16|100\.64\.0\.0/10) le 32"
        rf"| > (?:fc00::/7|2000::/3) le 128)?"
        rf"|DX-PROD-OUT{V6}(?: > 10\.2[01]\.0\.0/16| > fd00:20::/48)?"
        rf"|DX-PROD-REFUSED{V6}(?: > 10\.2[01]\.0\.0/16 le 32| > fd00:20::/48 le 128)?)",
    ),
    Difference(
        27,
        "a policy of its is one chain of elseif; ours drops first what is in no set, then looks at communities,"
        " and one community is matched by any and every alike",
        ours=rf"route-policy ({INBOUND}) > (?:if not destination in {INBOUND} then(?: > drop)?"
        r"|if community matches-every \(65535:0\) then(?: > done)?|done)",
        theirs=rf"route-policy ({INBOUND}) > (?:elseif destination in {INBOUND} then(?: > done)?"
        rf"|elseif community matches-any \(65535:0\) and destination in {INBOUND} then(?: > done)?)",
    ),
    Difference(
        2,
        "the same, and the preference is set at the end of ours",
        ours=rf"route-policy ({INBOUND}) > set local-preference (300)",
        theirs=rf"route-policy ({INBOUND}) > elseif destination in {INBOUND} then > set local-preference (300)",
    ),
    Difference(
        3,
        "it takes a local preference of 0 for one that isn't given; 300 is the same",
        ours=rf"route-policy {INBOUND} > if community matches-every \(65535:0\) then > set local-preference 0",
    ),
    Difference(
        3,
        "what a policy of IOS-XR neither passes nor sets is dropped; ours says it",
        ours=rf"route-policy DX-PROD-OUT{V6} > drop",
    ),
    Difference(
        2,
        "it writes Python's brackets around the communities",
        ours=rf"(route-policy DX-PROD-OUT{V6} > if destination in DX-PROD-OUT{V6} then) > set community \((\S+)\)",
        theirs=rf"(route-policy DX-PROD-OUT{V6} > if destination in DX-PROD-OUT{V6} then) > set community \(\['(\S+)'\]\)",
    ),
    Difference(
        6,
        "with always, also where AWS could be asked to send again: what it sent can be looked at",
        ours=rf"{BGP}neighbor {PEER} > {FAMILY}soft-reconfiguration inbound always",
        theirs=rf"{BGP}neighbor {PEER} > {FAMILY}soft-reconfiguration inbound",
    ),
    Difference(
        6,
        "clear says that the key is; IOS-XR takes one without a type for that too",
        ours=rf"{BGP}neighbor {PEER} > password clear (\S+)",
        theirs=rf"{BGP}neighbor {PEER} > password (\S+)",
    ),
]

NX_PORT = r"Ethernet1/1\.101"

NX_OS = [
    *cisco_lists(),
    *cisco_bfd(NX_PORT),
    Difference(2, "it turns only BGP on", ours="feature bfd"),
    Difference(
        2,
        "an odd MTU can't be set on NX-OS",
        ours=rf"interface {NX_PORT} > mtu 9000",
        theirs=rf"interface {NX_PORT} > mtu 9001",
    ),
    Difference(1, "it has no router advertisements to leave out", ours=rf"interface {NX_PORT} > ipv6 nd suppress-ra"),
    Difference(
        2,
        "it writes Python's brackets around the communities",
        ours=rf"(route-map DX-PROD-OUT{V6} permit 10) > set community (\d+:\d+)",
        theirs=rf"(route-map DX-PROD-OUT{V6} permit 10) > set community \['(\S+)'\]",
    ),
    Difference(
        6,
        "NX-OS reads a mask and a length, and shows the length",
        ours=rf"{BGP}address-family ipv4 unicast > network (\S+)/16",
        theirs=rf"{BGP}address-family ipv4 unicast > network (\S+) mask 255\.255\.0\.0",
    ),
    Difference(
        6,
        "it writes no limit at all once there is a threshold or a restart",
        ours=rf"{BGP}neighbor {PEER} > {FAMILY}maximum-prefix (\d+) 90 restart 5",
        theirs=rf"{BGP}neighbor {PEER} > {FAMILY}maximum-prefix (\d+)",
    ),
    Difference(
        6,
        "0 says that the key is in clear; NX-OS takes one without a type for that too",
        ours=rf"{BGP}neighbor {PEER} > password 0 (\S+)",
        theirs=rf"{BGP}neighbor {PEER} > password (\S+)",
    ),
]

DIFFERENCES = {"arista_eos": EOS, "cisco_ios_xe": IOS_XE, "cisco_ios_xr": IOS_XR, "cisco_nxos": NX_OS}
