"""The links that the golden cases of vendor-configs/tests/cases/mod.rs describe, in
no platform's words: what each foreign generator's model is filled from."""

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface, ip_network


@dataclass(frozen=True)
class Session:
    """One family's: addresses, the policies' names, what is announced and what isn't taken."""

    local: IPv4Interface | IPv6Interface
    peer: str
    advertise: list

    @property
    def version(self):
        return self.local.version

    @property
    def inbound(self):
        return "DX-PROD-IN" + self.suffix

    @property
    def outbound(self):
        return "DX-PROD-OUT" + self.suffix

    @property
    def suffix(self):
        return "" if self.version == 4 else "-V6"

    @property
    def longest(self):
        return self.local.max_prefixlen

    @property
    def inside(self):
        """What AWS may send."""
        if self.version == 4:
            ranges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
        else:
            ranges = ["fc00::/7", "2000::/3"]
        return [ip_network(text) for text in ranges]


@dataclass(frozen=True)
class Link:
    sessions: list
    mtu: int = 1500
    # Of the preference: toward AWS, and of what it sends.
    community: str | None = None
    local_preference: int | None = None
    vlan: int = 101
    asn: int = 65010
    peer_asn: int = 64512
    description: str = "AWS Direct Connect prod"
    key: str = "example-key"
    keepalive: int = 30
    hold: int = 90
    # Milliseconds.
    bfd_interval: int = 300
    bfd_multiplier: int = 3
    receive_limit: int = 1000
    advertise_limit: int = 100
    # Minutes until a session that was over the limit is tried again.
    restart: int = 5
    warn_percent: int = 90
    drained: str = "DX-PROD-DRAINED"
    graceful_shutdown: str = "65535:0"
    # Any real route beats the discard route.
    discard_distance: int = 254


def session(local, peer, advertise):
    return Session(ip_interface(local), peer, [ip_network(text) for text in advertise])


LINKS = {
    "private": Link(
        [session("169.254.10.2/30", "169.254.10.1", ["10.20.0.0/16"])],
        community="7224:7300",
        local_preference=300,
    ),
    "dual-stack": Link(
        [
            session("169.254.10.2/30", "169.254.10.1", ["10.20.0.0/16", "10.21.0.0/16"]),
            session("2001:db8:0:1::6/125", "2001:db8:0:1::5", ["fd00:20::/48"]),
        ],
        mtu=9001,
    ),
}
