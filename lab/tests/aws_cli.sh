#!/bin/sh
# The simulated Direct Connect API as the real `aws` command line and botocore
# see it. Installs both from PyPI into VENV unless they are there.
#   lab/tests/aws_cli.sh LAB VENV       runs the checks
#   lab/tests/aws_cli.sh --install VENV only installs
set -eu

install() {
    [ -x "$1/bin/aws" ] && "$1/bin/python" -c 'import boto3' 2>/dev/null && return
    "$(dirname "$0")/../setup" python3-venv
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check awscli boto3
}
if [ "$1" = --install ]; then install "$2"; exit; fi
lab=$1 venv=$2
install "$venv"

run=$(mktemp -d /tmp/aws-cli.XXXXXX)
pids=
trap 'for pid in $pids; do kill $pid 2>/dev/null; done; wait; rm -rf "$run"' EXIT
trap 'exit 130' INT TERM
# serve FILE ARGUMENTS…: a simulated AWS whose URL is in FILE.
serve() {
    url=$1; shift
    "$lab" aws --listen 127.0.0.1:0 "$@" >"$url" 2>>"$run/log" &
    pids="$pids $!"
    while [ ! -s "$url" ]; do
        kill -0 $! 2>/dev/null || { cat "$run/log" >&2; exit 1; }
        sleep 0.1
    done
}
serve "$run/url" --time-scale 20 --fault lost:CreateConnection

export AWS_ACCESS_KEY_ID=AKIALABLABLABLABLAB1
export AWS_SECRET_ACCESS_KEY=lab/of/no/worth/lab/of/no/worth/lab/0001
export AWS_DEFAULT_REGION=eu-central-1 AWS_MAX_ATTEMPTS=1 AWS_DEFAULT_OUTPUT=text
AWS_ENDPOINT_URL_DIRECT_CONNECT=$(cat "$run/url")
export AWS_ENDPOINT_URL_DIRECT_CONNECT
checks=0

fail() { echo "FAILED: $*" >&2; cat "$run/log" >&2; exit 1; }
dx() { "$venv/bin/aws" directconnect "$@"; }
# gives EXPECTED ARGUMENTS…: the call succeeds and prints that.
gives() {
    expected=$1; shift
    answer=$(dx "$@" 2>&1) || fail "$*: $answer"
    [ "$answer" = "$(printf '%b' "$expected")" ] || fail "$*: $answer instead of $expected"
    checks=$((checks + 1))
}
# refuses TEXT ARGUMENTS…: the call fails with that in its message.
refuses() {
    expected=$1; shift
    answer=$(dx "$@" 2>&1) && fail "$* was taken"
    case $answer in *"$expected"*) ;; *) fail "$*: $answer instead of $expected" ;; esac
    checks=$((checks + 1))
}
new() { echo "virtualInterfaceName=$1,vlan=$2,asn=65010,virtualGatewayId=vgw-0123456789abcdef0"; }

gives 'EqFA5' describe-locations --query 'locations[0].locationCode'
gives 'dxcon-fglab001\tavailable' describe-connections \
    --query 'connections[0].[connectionId,connectionState]'
connection='create-connection --location EqFA5 --bandwidth 10Gbps --connection-name second'
# shellcheck disable=SC2086 # words
refuses '(DirectConnectServerException)' $connection
gives 'lab\tsecond' describe-connections --query 'connections[].connectionName'
gives 'vgw-0123456789abcdef0' describe-virtual-gateways --query 'virtualGateways[].virtualGatewayId'
gives 'pending\t169.254.1.2/30\t64512' create-private-virtual-interface \
    --connection-id dxcon-fglab001 --new-private-virtual-interface "$(new prod 101),authKey=labkey-0101" \
    --query '[virtualInterfaceState,customerAddress,amazonSideAsn]'
refuses '(DirectConnectClientException)' create-private-virtual-interface \
    --connection-id dxcon-fglab001 --new-private-virtual-interface "$(new again 101)"
refuses 'VLAN 101 is already in use' create-private-virtual-interface \
    --connection-id dxcon-fglab001 --new-private-virtual-interface "$(new again 101)"
refuses '(ValidationException)' create-private-virtual-interface --connection-id dxcon-fglab001 \
    --new-private-virtual-interface "$(new again 102),addressFamily=ipx"
vif=$(dx describe-virtual-interfaces --query 'virtualInterfaces[0].virtualInterfaceId')
gives 'labkey-0101\t0\t4200000001' create-bgp-peer --virtual-interface-id "$vif" \
    --new-bgp-peer asnLong=4200000001,addressFamily=ipv6 \
    --query 'virtualInterface.[bgpPeers[0].authKey,bgpPeers[1].asn,bgpPeers[1].asnLong]'
sleep 1.2
gives 'down' describe-virtual-interfaces --virtual-interface-id "$vif" \
    --query 'virtualInterfaces[].virtualInterfaceState'
gives '9001' update-virtual-interface-attributes --virtual-interface-id "$vif" --mtu 9001 --query mtu
gives 'NX-OS 5.1+' describe-router-configuration --virtual-interface-id "$vif" \
    --router-type-identifier CiscoSystemsInc-Nexus7000SeriesSwitches-NXOS51 --query router.software
arn="arn:aws:directconnect:eu-central-1:123456789012:dxvif/$vif"
gives '' tag-resource --resource-arn "$arn" --tags key=team,value=net
gives 'team\tnet' describe-tags --resource-arns "$arn" --query 'resourceTags[].tags[].[key,value]'
refuses '(DuplicateTagKeysException)' tag-resource --resource-arn "$arn" --tags key=a key=a
gateway=$(dx create-direct-connect-gateway --direct-connect-gateway-name edge \
    --query directConnectGateway.directConnectGatewayId)
gives 'associating' create-direct-connect-gateway-association --direct-connect-gateway-id "$gateway" \
    --gateway-id tgw-0123456789abcdef0 \
    --add-allowed-prefixes-to-direct-connect-gateway cidr=10.0.0.0/8 \
    --query directConnectGatewayAssociation.associationState
gives 'pending\t1500' create-transit-virtual-interface --connection-id dxcon-fglab001 \
    --new-transit-virtual-interface "virtualInterfaceName=transit,vlan=102,asn=65010,directConnectGatewayId=$gateway" \
    --query 'virtualInterface.[virtualInterfaceState,mtu]'
gives 'TransitVirtualInterface' describe-direct-connect-gateway-attachments \
    --direct-connect-gateway-id "$gateway" --query 'directConnectGatewayAttachments[].attachmentType'
gives 'verifying\t7224' create-public-virtual-interface --connection-id dxcon-fglab001 \
    --new-public-virtual-interface virtualInterfaceName=public,vlan=103,asn=65010,amazonAddress=203.0.113.1/30,customerAddress=203.0.113.2/30,routeFilterPrefixes='[{cidr=198.51.100.0/24}]' \
    --query '[virtualInterfaceState,amazonSideAsn]'
gives 'in_progress' start-bgp-failover-test --virtual-interface-id "$vif" \
    --test-duration-in-minutes 30 --query virtualInterfaceTest.status
gives 'testing' describe-virtual-interfaces --virtual-interface-id "$vif" \
    --query 'virtualInterfaces[].virtualInterfaceState'
gives 'cancelled' stop-bgp-failover-test --virtual-interface-id "$vif" --query virtualInterfaceTest.status
gives 'deleting' delete-virtual-interface --virtual-interface-id "$vif"
refuses 'Could not find Connection with ID dxcon-none' describe-connections --connection-id dxcon-none
# By the command's own paginator: it prints a line a page.
dx create-direct-connect-gateway --direct-connect-gateway-name second >/dev/null
gives 'edge\nsecond' describe-direct-connect-gateways --page-size 1 \
    --query 'directConnectGateways[].directConnectGatewayName'
AWS_SECRET_ACCESS_KEY=wrong refuses '(InvalidSignatureException)' describe-locations
AWS_ACCESS_KEY_ID=AKIASTRANGER refuses '(UnrecognizedClientException)' describe-locations
AWS_DEFAULT_REGION=us-east-1 refuses "here 'eu-central-1'" describe-locations

# Every operation by botocore's own parser and its newest model.
serve "$run/fresh" --time-scale 50
judged=$(timeout 300 "$venv/bin/python" "$(dirname "$0")/aws_boto3.py" "$(cat "$run/fresh")" 2>&1) || fail "$judged"
grep -q 'labkey-0101' "$run/log" && fail "a key is in the log"
echo "$judged"
echo "aws_cli: $checks checks with $("$venv/bin/aws" --version 2>&1 | cut -d' ' -f1): ok"
