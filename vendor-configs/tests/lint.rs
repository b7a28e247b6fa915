//! What the check finds in a configuration that somebody else wrote: nothing in
//! ours, and each of the usual mistakes at its line.

#![allow(clippy::unwrap_used)]

mod cases;

use Severity::{Error, Warning};
use vendor_configs::{
    Finding, KeyText, Part, Platform, RouterLink, Severity, Templates, Wanted, lint, render,
};

const PLATFORMS: [&str; 4] = ["cisco_ios", "cisco_ios_xe", "juniper_junos", "juniper_srx"];

fn platform(name: &str) -> Platform {
    name.parse().unwrap()
}

fn text(router: &vendor_configs::Router, platform: Platform, form: Option<&str>) -> Option<String> {
    let wanted = Wanted {
        part: Part::Whole,
        form,
        keys: KeyText::Reveal,
    };
    render(router, platform, &Templates::built_in(), wanted).ok()
}

fn check(link: &RouterLink, name: &str, text: &str) -> Vec<Finding> {
    lint(link, platform(name), text).unwrap()
}

#[test]
fn what_we_write_has_nothing_against_it() {
    for name in PLATFORMS {
        let platform = platform(name);
        let forms = std::iter::once(None).chain(platform.forms().map(Some));
        for form in forms {
            for (case, router) in cases::all() {
                let Some(text) = text(&router, platform, form) else {
                    continue;
                };
                for link in router.links() {
                    let found = check(link, name, &text);
                    let said: Vec<String> = found.iter().map(Finding::to_string).collect();
                    assert!(
                        found.is_empty(),
                        "{name}, {case}, {form:?}: {}",
                        said.join("\n")
                    );
                }
            }
        }
    }
}

/// What to change in our own text, and what then is said of which line.
struct Change {
    from: &'static str,
    to: &'static str,
    severity: Severity,
    says: &'static str,
    /// The words of the line that it points at.
    at: &'static str,
}

const fn change(
    from: &'static str,
    to: &'static str,
    severity: Severity,
    says: &'static str,
    at: &'static str,
) -> Change {
    Change {
        from,
        to,
        severity,
        says,
        at,
    }
}

const IOS: [Change; 30] = [
    change(
        "dot1Q 101",
        "dot1Q 110",
        Error,
        "has VLAN 110, the VIF has 101",
        "dot1Q 110",
    ),
    change(
        " encapsulation dot1Q 101\n",
        "",
        Error,
        "has no VLAN",
        "interface",
    ),
    change(
        "255.255.255.252",
        "255.255.255.248",
        Error,
        "has the mask /29, the VIF has /30",
        "ip address",
    ),
    change(
        "ip address 169.254.10.2",
        "ip address 169.254.10.1",
        Error,
        "is AWS's address",
        "ip address",
    ),
    change(
        "ip address 169.254.10.2",
        "ip address 169.254.11.2",
        Error,
        "has 169.254.11.2/30, the VIF has",
        "ip address",
    ),
    change(
        "ip mtu 1500",
        "ip mtu 9001",
        Error,
        "up to 9001 octets",
        "ip mtu",
    ),
    change(
        "ip mtu 1500",
        "ip mtu 1400",
        Warning,
        "up to 1400 octets",
        "ip mtu",
    ),
    change(
        " no shutdown\n",
        " shutdown\n",
        Error,
        "shut down",
        " shutdown",
    ),
    change(
        "bfd interval 300",
        "no bfd interval 300",
        Warning,
        "has no BFD",
        "interface",
    ),
    change(
        "neighbor 169.254.10.1",
        "neighbor 169.254.10.9",
        Error,
        "no BGP neighbor 169.254.10.1",
        "",
    ),
    change(
        "neighbor 169.254.10.1",
        "neighbor 169.254.10.2",
        Error,
        "is our own address",
        "neighbor 169.254.10.2",
    ),
    change(
        "remote-as 64512",
        "remote-as 64513",
        Error,
        "has AS 64513, AWS's side has 64512",
        "remote-as",
    ),
    change(
        "router bgp 65010",
        "router bgp 65011",
        Error,
        "BGP runs as AS 65011",
        "router bgp",
    ),
    change(
        "password 0 example-key",
        "password 0 another-key",
        Error,
        "is not the VIF's",
        "password",
    ),
    change(
        " neighbor 169.254.10.1 password 0 example-key\n",
        "",
        Error,
        "has no MD5 key",
        "neighbor 169.254.10.1",
    ),
    change(
        "password 0 example-key",
        "password 7 0822455D0A16",
        Severity::Note,
        "in a disguise",
        "password",
    ),
    change(
        " neighbor 169.254.10.1 fall-over bfd\n",
        "",
        Warning,
        "has no BFD",
        "neighbor 169.254.10.1",
    ),
    change("timers 30 90", "timers 0 0", Error, "hold time", "timers"),
    change(
        "timers 30 90",
        "timers 60 180",
        Severity::Note,
        "hold time",
        "timers",
    ),
    change(
        "  neighbor 169.254.10.1 activate\n",
        "",
        Error,
        "not activated",
        "neighbor 169.254.10.1",
    ),
    change(
        "  neighbor 169.254.10.1 route-map DX-PROD-IN in\n",
        "",
        Error,
        "nothing filters what 169.254.10.1 sends",
        "neighbor",
    ),
    change(
        "  neighbor 169.254.10.1 route-map DX-PROD-OUT out\n",
        "",
        Error,
        "nothing filters what is announced",
        "neighbor",
    ),
    change(
        "route-map DX-PROD-IN in",
        "route-map DX-PORD-IN in",
        Error,
        "DX-PORD-IN of 169.254.10.1 is not defined",
        "DX-PORD-IN",
    ),
    change(
        "  neighbor 169.254.10.1 maximum-prefix",
        "  no neighbor 169.254.10.1 maximum-prefix",
        Warning,
        "no limit",
        "neighbor",
    ),
    change(
        "90 restart 5",
        "90 warning-only",
        Warning,
        "only warns",
        "maximum-prefix",
    ),
    change(
        "activate",
        "default-originate",
        Error,
        "a default route is announced",
        "default-originate",
    ),
    change(
        "permit 10.0.0.0/8 le 32",
        "permit 0.0.0.0/0 le 32",
        Warning,
        "default route from 169.254.10.1 is accepted",
        "DX-PROD-IN in",
    ),
    change(
        "seq 5 permit 10.20.0.0/16",
        "seq 5 permit 0.0.0.0/0 le 32",
        Error,
        "lets a default route",
        "DX-PROD-OUT out",
    ),
    change(
        "seq 5 permit 10.20.0.0/16",
        "seq 5 permit 10.0.0.0/8 le 24",
        Error,
        "more than asked for",
        "DX-PROD-OUT out",
    ),
    change(
        "  neighbor 169.254.10.1 send-community\n",
        "",
        Warning,
        "communities are not sent",
        "neighbor",
    ),
];

const JUNOS: [Change; 24] = [
    change(
        "vlan-id 101",
        "vlan-id 110",
        Error,
        "has VLAN 110, the VIF has 101",
        "vlan-id",
    ),
    change("        vlan-tagging;\n", "", Error, "takes no tags", ""),
    change(
        "169.254.10.2/30",
        "169.254.10.2/29",
        Error,
        "has the mask /29, the VIF has /30",
        "address",
    ),
    change(
        "address 169.254.10.2/30",
        "address 169.254.10.1/30",
        Error,
        "is AWS's address",
        "address",
    ),
    change("mtu 1500", "mtu 9001", Error, "up to 9001 octets", "mtu"),
    change(
        "vlan-id 101;",
        "vlan-id 101; disable;",
        Error,
        "shut down",
        "disable",
    ),
    change(
        "neighbor 169.254.10.1 {",
        "neighbor 169.254.10.9 {",
        Error,
        "no BGP neighbor 169.254.10.1",
        "",
    ),
    change(
        "neighbor 169.254.10.1 {",
        "inactive: neighbor 169.254.10.1 {",
        Error,
        "no BGP neighbor 169.254.10.1",
        "",
    ),
    change(
        "peer-as 64512",
        "peer-as 64513",
        Error,
        "has AS 64513, AWS's side has 64512",
        "peer-as",
    ),
    change(
        "autonomous-system 65010",
        "autonomous-system 65011",
        Error,
        "BGP runs as AS 65011",
        "autonomous-system",
    ),
    change(
        "authentication-key \"example-key\"",
        "authentication-key \"another-key\"",
        Error,
        "is not the VIF's",
        "authentication-key",
    ),
    change(
        "                authentication-key \"example-key\";\n",
        "",
        Error,
        "has no MD5 key",
        "",
    ),
    change(
        "\"example-key\"",
        "\"$9$abcdef\"",
        Severity::Note,
        "in a disguise",
        "authentication-key",
    ),
    change(
        "bfd-liveness-detection",
        "inactive: bfd-liveness-detection",
        Warning,
        "has no BFD",
        "",
    ),
    change(
        "                import DX-PROD-IN;\n",
        "",
        Error,
        "nothing filters what 169.254.10.1 sends",
        "",
    ),
    change(
        "                export DX-PROD-OUT;\n",
        "",
        Error,
        "nothing filters what is announced",
        "",
    ),
    change(
        "import DX-PROD-IN;",
        "import DX-PORD-IN;",
        Error,
        "DX-PORD-IN of 169.254.10.1 is not defined",
        "import",
    ),
    change(
        "prefix-limit {",
        "inactive: prefix-limit {",
        Warning,
        "no limit",
        "",
    ),
    change(
        "teardown 90 idle-timeout 5;",
        "",
        Warning,
        "only warns",
        "maximum",
    ),
    change(
        "family inet {\n                    unicast",
        "family inet6 {\n                    unicast",
        Error,
        "not activated",
        "",
    ),
    change(
        "route-filter 10.0.0.0/8 orlonger;\n                route-filter 172.16.0.0/12 orlonger;\n                route-filter 192.168.0.0/16 orlonger;\n                route-filter 100.64.0.0/10 orlonger;\n            }\n            then {\n                local-preference 300",
        "route-filter 0.0.0.0/0 orlonger;\n            }\n            then {\n                local-preference 300",
        Warning,
        "default route from 169.254.10.1 is accepted",
        "import",
    ),
    change(
        "route-filter 10.20.0.0/16 exact",
        "route-filter 0.0.0.0/0 orlonger",
        Error,
        "lets a default route",
        "export",
    ),
    change(
        "route-filter 10.20.0.0/16 exact",
        "route-filter 10.20.0.0/15 orlonger",
        Error,
        "more than asked for",
        "export",
    ),
    change(
        "members [ 7224:7300 ]",
        "members [ 7224:7100 ]",
        Warning,
        "lacks the community 7224:7300",
        "export",
    ),
];

#[test]
fn each_mistake_is_found_at_its_line() {
    let router = cases::router(vec![cases::private()]);
    let changes = IOS.iter().map(|one| ("cisco_ios_xe", one));
    let changes = changes.chain(JUNOS.iter().map(|one| ("juniper_junos", one)));
    for (name, change) in changes {
        let good = text(&router, platform(name), None).unwrap();
        assert!(
            good.contains(change.from),
            "{name}: no `{}` in\n{good}",
            change.from
        );
        let bad = good.replace(change.from, change.to);
        let found = check(&cases::private(), name, &bad);
        let said: Vec<String> = found.iter().map(Finding::to_string).collect();
        let hit = found.iter().find(|finding| {
            let line = finding
                .line
                .map_or("", |line| bad.lines().nth(line - 1).unwrap());
            finding.severity == change.severity
                && finding.what.contains(change.says)
                && line.contains(change.at)
        });
        assert!(
            hit.is_some(),
            "{name}, `{}` → `{}`:\n{}",
            change.from,
            change.to,
            said.join("\n")
        );
        assert!(!said.join("").contains("example-key") && !said.join("").contains("another-key"));
    }
}

#[test]
fn settings_of_a_peer_group_count() {
    let router = cases::router(vec![cases::private()]);
    let good = text(&router, platform("cisco_ios_xe"), None).unwrap();
    let grouped = good
        .replace(" neighbor 169.254.10.1 remote-as 64512\n", " neighbor DX peer-group\n neighbor DX remote-as 64512\n neighbor 169.254.10.1 peer-group DX\n")
        .replace(" neighbor 169.254.10.1 password", " neighbor DX password")
        .replace(" neighbor 169.254.10.1 fall-over", " neighbor DX fall-over");
    assert_eq!(check(&cases::private(), "cisco_ios_xe", &grouped), []);
}

#[test]
fn a_text_without_the_link_says_so_first() {
    for (name, text) in [
        ("cisco_ios_xe", "hostname edge\n"),
        ("juniper_junos", "system { host-name edge; }"),
    ] {
        let found = check(&cases::private(), name, text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found
                .iter()
                .all(|one| one.severity == Error && one.line.is_none())
        );
    }
}

#[test]
fn junos_text_that_ends_in_the_middle_is_an_error_with_its_line() {
    let error = lint(
        &cases::private(),
        platform("juniper_junos"),
        "system {\n host-name edge;\n",
    )
    .unwrap_err();
    assert!(error.to_string().starts_with("line 1:"), "{error}");
    let error = lint(&cases::private(), platform("frr"), "").unwrap_err();
    assert!(error.to_string().contains("cisco_ios_xe"), "{error}");
}
