//! What `--help` shows below the options.

pub(super) const EXAMPLES: &str = "\
Examples:
  dxctl vif create --kind private --connection dxcon-fg31dyv6 --name prod \\
      --gateway vgw-0a1b2c3d --wait
  dxctl bgpd-config prod --parent eth1 --advertise 10.20.0.0/16
  dxctl status

Data goes to standard output, talk to standard error. Exit status: 0 fine, 1 refused or
something differs from what it should be, 2 broken (no connection, wrong usage).";

pub(super) const ASN_EXAMPLES: &str = "\
Examples:
  dxctl asn pick
  dxctl asn pick --bits 32 --seed frankfurt-1
  dxctl vif create --asn \"$(dxctl asn pick)\" …";

pub(super) const VLAN_EXAMPLES: &str = "\
Examples:
  dxctl vlan pick --connection dxcon-fg31dyv6
  dxctl vlan pick --connection dxlag-ffrhowd9 --from 100 --json";

pub(super) const ADDRESS_EXAMPLES: &str = "\
Examples:
  dxctl address pick
  dxctl address pick --pool 10.255.0.0/24 --length 31
  dxctl vif create --addresses \"$(dxctl address pick)\" …";

pub(super) const VIF_CREATE_EXAMPLES: &str = "\
Examples:
  dxctl vif create --kind private --connection dxcon-fg31dyv6 --name prod \\
      --gateway vgw-0a1b2c3d --wait
  dxctl vif create --kind transit --connection dxcon-fg31dyv6 --name hub --vlan 102 --asn 65010 \\
      --gateway 5f294f92-bafb-4011-916d-9b0bdb83f3b5 --mtu 8500 \\
      --generate-auth-key --key-out /etc/bgpd/keys/hub
  dxctl vif create --kind public --connection dxcon-fg31dyv6 --name pub --asn 64500 \\
      --addresses 203.0.113.1/30,203.0.113.2/30 --route-filter-prefix 203.0.113.0/24

A new interface is `down` until BGP is up: that is a success.";

pub(super) const VIF_ADD_PEER_EXAMPLES: &str = "\
Examples:
  dxctl vif add-peer prod
  dxctl vif add-peer dxvif-fg3f2a1b --family ipv4 --auth-key-file /etc/bgpd/keys/prod";

pub(super) const VIF_ROTATE_KEY_EXAMPLES: &str = "\
Examples:
  dxctl vif rotate-key prod
  dxctl vif rotate-key prod --family ipv6 --yes
  dxctl vif rotate-key prod --auth-key-from secretsmanager:bgp/prod#md5

AWS changes no key: its end of the session is deleted and made anew, then bgpd gets the key. The
session restarts once; how long it was down is measured. Killed in between, run it again: it goes
on with the key that it had. Run on the host of bgpd.";

pub(super) const VIF_ALLOCATE_EXAMPLES: &str = "\
Examples:
  dxctl vif allocate --to-account 111122223333 --kind private --connection dxcon-fg31dyv6 \\
      --name branch
  dxctl vif allocate --to-account 111122223333 --kind transit --connection dxcon-fg31dyv6 \\
      --name hub --vlan 102 --asn 65010 --generate-auth-key --key-out /etc/bgpd/keys/hub

The other account confirms it: dxctl vif confirm";

pub(super) const VIF_CONFIRM_EXAMPLES: &str = "\
Examples:
  dxctl vif confirm dxvif-fg3f2a1b --gateway vgw-0a1b2c3d
  dxctl vif confirm branch --gateway 5f294f92-bafb-4011-916d-9b0bdb83f3b5";

pub(super) const VIF_LIST_EXAMPLES: &str = "\
Examples:
  dxctl vif list
  dxctl vif list --connection dxcon-fg31dyv6 --json";

pub(super) const VIF_SHOW_EXAMPLES: &str = "\
Examples:
  dxctl vif show dxvif-fg3f2a1b
  dxctl vif show prod --json";

pub(super) const VIF_WAIT_EXAMPLES: &str = "\
Examples:
  dxctl vif wait prod
  dxctl vif wait prod --for up --timeout 120";

pub(super) const VIF_DELETE_EXAMPLES: &str = "\
Examples:
  dxctl vif delete dxvif-fg3f2a1b
  dxctl vif delete prod --yes --wait";

pub(super) const ROUTER_CONFIG_EXAMPLES: &str = "\
Examples:
  dxctl router-config --list-platforms
  dxctl router-config prod --platform cisco_ios_xe --parent TenGigabitEthernet0/0/0 \\
      --advertise 10.20.0.0/16
  dxctl router-config prod --platform juniper_junos --set --parent xe-0/0/0 --reveal > prod.set
  dxctl router-config a b --pair --platform arista_eos --preference a=high --preference b=low
  dxctl router-config --link edge1.toml --platform frr --rollback
  dxctl router-config prod --platform cisco_ios_xe --check running-config.txt

The MD5 key is left out of the text unless --reveal is given. Exit status 1: refused, or --check
or --diff found something that matters.";

pub(super) const BGPD_CONFIG_EXAMPLES: &str = "\
Examples:
  dxctl bgpd-config prod --parent eth1 --advertise 10.20.0.0/16
  dxctl bgpd-config prod --parent eth1 --advertise 10.20.0.0/16 \\
      --backup-interface eth0 --backup-gateway 203.0.113.1
  dxctl bgpd-config prod hub --parent prod=eth1 --parent hub=eth2 --advertise 10.20.0.0/16 \\
      --preference prod=high --preference hub=low";

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  dxctl status
  dxctl status prod --json
  dxctl status --local-only --socket /run/bgpd/bgpd.sock

Exit status 1: something is wrong, and the text says what.";

pub(super) const ROUTES_EXAMPLES: &str = "\
Examples:
  dxctl routes
  dxctl routes --peer prod --within 10.0.0.0/8
  dxctl routes --advertised prod
  dxctl routes explain 10.0.0.0/16
  dxctl routes explain 10.0.3.7";
