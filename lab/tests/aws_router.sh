#!/bin/sh
# The AWS-side router behind a simulated VIF, seen from a customer's BIRD: VLAN,
# MD5, both families, routes both ways, bgpStatus in the API, deletion.
# Needs root, bird2 and iproute2; runs where the kernel has 802.1Q. VENV is what
# aws_cli.sh makes (`aws_cli.sh --install VENV`).
#   lab/with-vlan lab/tests/aws_router.sh LAB BGPD VENV
set -eu

lab=$1 bgpd=$2 venv=$3
run=$(mktemp -d /tmp/aws-router.XXXXXX)
router=awsr$$-aws customer=awsr$$-edge
pids=

fail() {
    echo "FAILED: $*" >&2
    for log in "$run"/*.log "$run"/aws/bgpd.log; do
        [ -f "$log" ] && { echo "--- $log" >&2; tail -20 "$log" >&2; }
    done
    exit 1
}
clean() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    ip netns delete "$router" 2>/dev/null || true
    ip netns delete "$customer" 2>/dev/null || true
    rm -rf "$run"
}
trap clean EXIT
trap 'exit 130' INT TERM

# until_ok SECONDS COMMAND…: waits for a command to succeed.
until_ok() {
    end=$(($(date +%s) + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.2
    done
}

ip netns add "$router"
ip netns add "$customer"
ip -n "$router" link add dx0 type veth peer name eth1 netns "$customer"
for end in "$router dx0" "$customer eth1"; do
    set -- $end
    ip -n "$1" link set lo up
    ip -n "$1" link set "$2" mtu 9100 up
    ip netns exec "$1" sysctl -qw net.ipv4.nexthop_compat_mode=0 net.ipv6.conf.default.accept_dad=0
done
ip -n "$router" address add 172.31.0.1/24 dev lo
ip -n "$customer" address add 10.20.0.1/24 dev lo

cat >"$run/state.toml" <<EOF
[[connection]]
id = "dxcon-fglab001"
name = "lab"
location = "EqFA5"
bandwidth = "1Gbps"
trunk = "dx0"
EOF
"$lab" aws --listen 127.0.0.1:0 --state "$run/state.toml" --time-scale 50 \
    --router bgpd --namespace "$router" --bgpd "$bgpd" --directory "$run/aws" \
    >"$run/url" 2>"$run/lab.log" &
pids="$pids $!"
until_ok 10 test -s "$run/url" || fail "the API does not start"

export AWS_ACCESS_KEY_ID=AKIALABLABLABLABLAB1
export AWS_SECRET_ACCESS_KEY=lab/of/no/worth/lab/of/no/worth/lab/0001
export AWS_DEFAULT_REGION=eu-central-1 AWS_MAX_ATTEMPTS=1
AWS_ENDPOINT_URL_DIRECT_CONNECT=$(cat "$run/url")
export AWS_ENDPOINT_URL_DIRECT_CONNECT
dx() { "$venv/bin/aws" --output text directconnect "$@"; }

vif=$(dx create-private-virtual-interface --connection-id dxcon-fglab001 \
    --query virtualInterfaceId --new-private-virtual-interface \
    virtualInterfaceName=prod,vlan=101,asn=65010,mtu=8500,authKey=labkey-0101,virtualGatewayId=vgw-0123456789abcdef0)
dx create-bgp-peer --virtual-interface-id "$vif" \
    --new-bgp-peer asn=65010,addressFamily=ipv6,authKey=labkey-0106 >/dev/null
peers=$(dx describe-virtual-interfaces --virtual-interface-id "$vif" \
    --query 'virtualInterfaces[0].bgpPeers[].[customerAddress,amazonAddress]')
set -- $peers
ours4=$1 theirs4=$2 ours6=$3 theirs6=$4

ip -n "$customer" link add link eth1 name eth1.101 type vlan id 101
ip -n "$customer" link set eth1.101 mtu 8500 up
ip -n "$customer" address add "$ours4" dev eth1.101
ip -n "$customer" address add "$ours6" dev eth1.101 nodad
cat >"$run/bird.conf" <<EOF
router id 192.0.2.1;
protocol device {}
protocol kernel { ipv4 { export all; }; }
protocol static { ipv4; route 10.20.0.0/16 blackhole; }
protocol static six { ipv6; route fd00:20::/48 blackhole; }
protocol bgp four {
  local ${ours4%/*} as 65010; neighbor ${theirs4%/*} as 64512; password "labkey-0101";
  ipv4 { import all; export where source = RTS_STATIC; };
}
protocol bgp six {
  local ${ours6%/*} as 65010; neighbor ${theirs6%/*} as 64512; password "labkey-0106";
  ipv6 { import all; export where proto = "six"; };
}
EOF
sed -i 's/protocol bgp six/protocol bgp peer6/; s/protocol bgp four/protocol bgp peer4/' "$run/bird.conf"
ip netns exec "$customer" bird -f -c "$run/bird.conf" -s "$run/bird.ctl" >"$run/bird.log" 2>&1 &
pids="$pids $!"

state() { dx describe-virtual-interfaces --virtual-interface-id "$vif" --query "$1"; }
is() { [ "$(state "$1")" = "$2" ]; }
until_ok 60 is 'virtualInterfaces[0].bgpPeers[].bgpStatus' "$(printf 'up\tup')" ||
    fail "sessions: $(state 'virtualInterfaces[0].bgpPeers[].bgpStatus')"
is 'virtualInterfaces[0].virtualInterfaceState' available || fail "the VIF is not available"

bird_has() { birdc -s "$run/bird.ctl" show route protocol "$1" | grep -q "$2"; }
until_ok 10 bird_has peer4 '172.31.0.0/16' || fail "no IPv4 route from AWS"
until_ok 10 bird_has peer6 'fd00:172:31::/56' || fail "no IPv6 route from AWS"
until_ok 10 ip netns exec "$customer" ping -c1 -W1 -I 10.20.0.1 172.31.0.1 ||
    fail "no traffic over the VIF"
# The aws command line doesn't have this operation yet; botocore does.
routes() {
    "$venv/bin/python" - "$vif" <<'EOF'
import sys, boto3
client = boto3.client("directconnect")
for route in client.list_virtual_interface_routes(virtualInterfaceId=sys.argv[1])["routes"]:
    print(route["routeDirection"], route["cidr"], route["asPath"][0]["path"])
EOF
}
has_routes() {
    routes >"$run/routes" || return 1
    for route in 'accepted 10.20.0.0/16 [65010]' 'accepted fd00:20::/48 [65010]' \
        'advertised 172.31.0.0/16 [64512]' 'advertised fd00:172:31::/56 [64512]'; do
        grep -qxF "$route" "$run/routes" || return 1
    done
}
until_ok 20 has_routes || fail "routes: $(cat "$run/routes")"
[ "$(stat -c %a "$run"/aws/keys/*)" = "$(printf '600\n600')" ] || fail "key files are not 0600"
grep -rq 'labkey' "$run"/*.log "$run/aws/bgpd.log" "$run/aws/bgpd.toml" && fail "a key is in a log"

dx start-bgp-failover-test --virtual-interface-id "$vif" --test-duration-in-minutes 60 >/dev/null
until_ok 20 is 'virtualInterfaces[0].bgpPeers[].bgpStatus' "$(printf 'down\tdown')" ||
    fail "the failover test does not hold the sessions down"
is 'virtualInterfaces[0].virtualInterfaceState' testing || fail "the VIF is not testing"
dx stop-bgp-failover-test --virtual-interface-id "$vif" >/dev/null
until_ok 60 is 'virtualInterfaces[0].virtualInterfaceState' available || fail "not back after the test"

dx delete-virtual-interface --virtual-interface-id "$vif" >/dev/null
gone() { ! ip -n "$router" link show dx0.101; }
until_ok 10 gone || fail "the VLAN interface is still there"
[ -z "$(ls "$run/aws/keys")" ] || fail "key files are left"
echo "aws_router: VLAN, MD5, IPv4 and IPv6, routes both ways, failover test, deletion: ok"
