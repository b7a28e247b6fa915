//! What a link needs, and whether a text gives it.

use std::net::IpAddr;

use bgp_core::aws;
use bgp_core::config::VifKind;
use ipnet::IpNet;

use super::policy::Answer;
use super::seen::{Filter, Interface, Key, Limit, Neighbor, Seen, Words};
use super::{Finding, Severity};
use crate::plan::{RouterLink, Session, SessionKey};

pub(super) fn compare(link: &RouterLink, seen: &Seen, words: &Words) -> Vec<Finding> {
    let mut rules = Rules {
        link,
        words,
        findings: Vec::new(),
    };
    rules.interface(seen);
    for session in &link.sessions {
        match seen.neighbors.iter().find(|one| one.peer == session.peer) {
            Some(neighbor) => rules.neighbor(session, neighbor),
            None => rules.no_neighbor(session, seen),
        }
    }
    rules.findings
}

struct Rules<'a> {
    link: &'a RouterLink,
    words: &'a Words,
    findings: Vec<Finding>,
}

impl Rules<'_> {
    fn say(
        &mut self,
        severity: Severity,
        line: impl Into<Option<usize>>,
        what: impl Into<String>,
        why: &str,
        fix: impl Into<String>,
    ) {
        self.findings.push(Finding {
            line: line.into(),
            severity,
            what: what.into(),
            why: why.to_owned(),
            fix: fix.into(),
        });
    }

    fn error(
        &mut self,
        line: impl Into<Option<usize>>,
        what: impl Into<String>,
        why: &str,
        fix: impl Into<String>,
    ) {
        self.say(Severity::Error, line, what, why, fix);
    }

    fn warning(
        &mut self,
        line: impl Into<Option<usize>>,
        what: impl Into<String>,
        why: &str,
        fix: impl Into<String>,
    ) {
        self.say(Severity::Warning, line, what, why, fix);
    }

    fn interface(&mut self, seen: &Seen) {
        let vlan = u32::from(self.link.vlan.id());
        let ours = |interface: &&Interface| {
            let own = |session: &Session| {
                interface
                    .addresses
                    .iter()
                    .any(|at| at.value.addr() == session.local.addr())
            };
            self.link.sessions.iter().any(own)
        };
        let on_vlan = |interface: &&Interface| interface.vlan.is_some_and(|at| at.value == vlan);
        let interfaces = || seen.interfaces.iter();
        let found = interfaces()
            .find(|one| ours(one) && on_vlan(one))
            .or_else(|| interfaces().find(ours))
            .or_else(|| interfaces().find(on_vlan));
        let Some(interface) = found else {
            return self.error(
                None,
                format!("no interface has VLAN {vlan} or an address of ours"),
                "without it nothing reaches AWS",
                (self.words.vlan)(self.link.vlan.id()),
            );
        };
        self.vlan(interface, vlan);
        for session in &self.link.sessions {
            self.address(interface, session);
        }
        self.mtu(interface);
        if let Some(line) = interface.shutdown {
            self.error(
                line,
                format!("{} is shut down", interface.name),
                "nothing passes it",
                "no shutdown",
            );
        }
        if let (Some(command), None, Some(_)) =
            (self.words.interface_bfd, interface.bfd, self.link.bfd)
        {
            self.warning(
                interface.line,
                format!("{} has no BFD", interface.name),
                "the neighbor's BFD does not start without the interface's timers",
                command,
            );
        }
    }

    fn vlan(&mut self, interface: &Interface, vlan: u32) {
        let fix = (self.words.vlan)(self.link.vlan.id());
        match interface.vlan {
            Some(at) if at.value == vlan => {}
            Some(at) => self.error(
                at.line,
                format!(
                    "{} has VLAN {}, the VIF has {vlan}",
                    interface.name, at.value
                ),
                "AWS drops frames of other VLANs",
                fix,
            ),
            None => self.error(
                interface.line,
                format!("{} has no VLAN, the VIF has {vlan}", interface.name),
                "AWS drops frames without a tag",
                fix,
            ),
        }
        if interface.untagged {
            self.error(
                interface.line,
                format!("the port of {} takes no tags", interface.name),
                "its VLANs stay down",
                self.words.untagged,
            );
        }
    }

    fn address(&mut self, interface: &Interface, session: &Session) {
        let wanted = session.local;
        let fix = (self.words.address)(wanted);
        let same_family = |net: IpNet| net.addr().is_ipv6() == wanted.addr().is_ipv6();
        let mut own = interface
            .addresses
            .iter()
            .filter(|at| same_family(at.value));
        let exact = own.clone().find(|at| at.value.addr() == wanted.addr());
        match exact.or_else(|| own.next()) {
            Some(at) if at.value == wanted => {}
            Some(at) if at.value.addr() == wanted.addr() => self.error(
                at.line,
                format!(
                    "{} has the mask /{}, the VIF has /{}",
                    at.value.addr(),
                    at.value.prefix_len(),
                    wanted.prefix_len()
                ),
                "AWS's address may lie outside, or others' inside",
                fix,
            ),
            Some(at) if at.value.addr() == session.peer => self.error(
                at.line,
                format!("{} is AWS's address, ours is {wanted}", session.peer),
                "both ends answer for one address",
                fix,
            ),
            Some(at) => self.error(
                at.line,
                format!("{} has {}, the VIF has {wanted}", interface.name, at.value),
                "AWS only speaks to the address that the VIF names",
                fix,
            ),
            None => self.error(
                interface.line,
                format!("{} lacks {wanted}", interface.name),
                "AWS only speaks to the address that the VIF names",
                fix,
            ),
        }
    }

    fn mtu(&mut self, interface: &Interface) {
        let wanted = self.link.mtu;
        for session in &self.link.sessions {
            let ipv6 = session.local.addr().is_ipv6();
            let given = interface.mtu[usize::from(ipv6)];
            let Some(mtu) = given.map(|at| at.value).or(self.words.usual_mtu) else {
                continue;
            };
            let line = given.map_or(interface.line, |at| at.line);
            let fix = (self.words.mtu)(wanted, ipv6);
            let what = format!(
                "{} sends packets of up to {mtu} octets, the VIF takes {wanted}",
                interface.name
            );
            if mtu > wanted {
                self.error(
                    line,
                    what,
                    "longer packets vanish without a word: sessions come up and then hang",
                    fix,
                );
            } else if mtu < wanted {
                self.warning(
                    line,
                    what,
                    "AWS's longer packets are dropped or cut to pieces",
                    fix,
                );
            }
        }
    }

    fn no_neighbor(&mut self, session: &Session, seen: &Seen) {
        let fix = (self.words.neighbor)(session.peer, session.peer_asn.0);
        let near = seen
            .neighbors
            .iter()
            .find(|one| session.local.contains(&one.peer));
        match near {
            Some(one) if one.peer == session.local.addr() => self.error(
                one.line,
                format!(
                    "the neighbor {} is our own address, AWS's is {}",
                    one.peer, session.peer
                ),
                "the session has nobody at its other end",
                fix,
            ),
            near => self.error(
                near.map(|one| one.line),
                format!("there is no BGP neighbor {}", session.peer),
                "without it there is no session",
                fix,
            ),
        }
    }

    fn neighbor(&mut self, session: &Session, neighbor: &Neighbor) {
        let peer = session.peer;
        self.asns(session, neighbor);
        self.key(session, neighbor);
        if let Some(line) = neighbor.shutdown {
            self.error(
                line,
                format!("the neighbor {peer} is shut down"),
                "the session stays down",
                "take it out",
            );
        }
        if !neighbor.activated {
            self.error(
                neighbor.line,
                format!("the neighbor {peer} is not activated for its own family"),
                "the session comes up and carries no routes",
                "activate it in its address family",
            );
        }
        if let Some(line) = neighbor.ttl_security {
            self.warning(
                line,
                format!("the neighbor {peer} asks for TTL security"),
                "it drops packets that don't arrive with a TTL of 255, and AWS does not promise any",
                "take it out",
            );
        }
        if self.link.bfd.is_some() && neighbor.bfd.is_none() {
            self.warning(
                neighbor.line,
                format!("the neighbor {peer} has no BFD"),
                "a cut beyond the next switch is noticed after the hold time, up to 90 s later",
                (self.words.bfd)(peer),
            );
        }
        self.hold_time(session, neighbor);
        self.inbound(session, neighbor);
        self.outbound(session, neighbor);
        self.limit(session, neighbor);
    }

    fn asns(&mut self, session: &Session, neighbor: &Neighbor) {
        let fix = (self.words.neighbor)(session.peer, session.peer_asn.0);
        match neighbor.peer_asn {
            Some(at) if at.value == session.peer_asn.0 => {}
            Some(at) => self.error(
                at.line,
                format!(
                    "the neighbor {} has AS {}, AWS's side has {}",
                    session.peer, at.value, session.peer_asn
                ),
                "AWS's OPEN is refused: bad peer AS",
                fix,
            ),
            None => self.error(
                neighbor.line,
                format!("the neighbor {} has no AS", session.peer),
                "the session never starts",
                fix,
            ),
        }
        let wanted = self.link.local_asn;
        if let Some(at) = neighbor.local_asn.filter(|at| at.value != wanted.0) {
            self.error(
                at.line,
                format!("BGP runs as AS {}, the VIF has {wanted}", at.value),
                "AWS refuses our OPEN: bad peer AS",
                format!(
                    "speak as AS {wanted} to {} (local AS), or make the VIF's BGP peer with {}",
                    session.peer, at.value
                ),
            );
        }
    }

    fn key(&mut self, session: &Session, neighbor: &Neighbor) {
        let fix = (self.words.key)(session.peer);
        match (&neighbor.key, &session.key) {
            (Key::Missing, SessionKey::LeftOut) => {}
            (Key::Missing, _) => self.error(
                neighbor.line,
                format!("the neighbor {} has no MD5 key", session.peer),
                "AWS drops every packet without one: the session stays in Connect",
                fix,
            ),
            (Key::Clear(at), SessionKey::Md5(key)) if at.value != key.expose() => self.error(
                at.line,
                format!(
                    "the key of {} is not the VIF's (neither is shown)",
                    session.peer
                ),
                "each end drops the other's packets: the session stays in Connect",
                fix,
            ),
            (Key::Disguised(line), SessionKey::Md5(_)) => self.say(
                Severity::Note,
                *line,
                format!("the key of {} is written in a disguise", session.peer),
                "it can't be compared with the VIF's",
                "if the session stays in Connect, write it anew",
            ),
            _ => {}
        }
    }

    fn hold_time(&mut self, session: &Session, neighbor: &Neighbor) {
        let timers = self.link.timers;
        let fix = (self.words.timers)(session.peer, timers.keepalive, timers.hold);
        let Some(at) = neighbor.hold_time else {
            return;
        };
        if at.value == 0 {
            self.error(
                at.line,
                format!("the hold time of {} is 0", session.peer),
                "a session whose other end is gone stays up for ever",
                fix,
            );
        } else if at.value > u32::from(timers.hold) {
            self.say(
                Severity::Note,
                at.line,
                format!("the hold time of {} is {} s", session.peer, at.value),
                "AWS proposes 90 s, and the shorter one counts",
                fix,
            );
        }
    }

    fn inbound(&mut self, session: &Session, neighbor: &Neighbor) {
        let peer = session.peer;
        let fix = (self.words.inbound)(peer);
        let why = "a mistake at AWS's side, or of somebody who shares the gateway, moves all of your traffic";
        match &neighbor.inbound {
            Filter::Missing => self.error(neighbor.line, format!("nothing filters what {peer} sends"), why, fix),
            Filter::Undefined(at) => self.error(
                at.line,
                format!("the inbound filter {} of {peer} is not defined", at.value),
                "what an undefined filter does depends on the release: everything passes, or nothing",
                fix,
            ),
            Filter::Policy(at) => {
                if let Some(may) = passes(at.value.accepts(default_route(peer))) {
                    self.warning(
                        at.line,
                        format!("a default route from {peer} {may} accepted"),
                        "AWS sends one when somebody adds 0.0.0.0/0 to a gateway's allowed prefixes, and the internet path is lost",
                        "refuse the default route before the rest",
                    );
                }
                let own = self.link.advertise.iter().copied();
                let taken: Vec<IpNet> = own
                    .filter(|net| net.addr().is_ipv6() == peer.is_ipv6())
                    .filter(|net| at.value.accepts(*net) == Answer::Yes)
                    .collect();
                if let Some(net) = taken.first() {
                    self.warning(
                        at.line,
                        format!("our own network {net} is accepted from {peer}"),
                        "another link that announces it would pull our own traffic to AWS",
                        "refuse your own networks before the rest",
                    );
                }
                if self.link.kind == VifKind::Public && at.value.accepts(bogon(peer)) == Answer::Yes {
                    self.warning(
                        at.line,
                        format!("private addresses are accepted from {peer}"),
                        "a public VIF carries none, and yours would be hidden",
                        fix,
                    );
                }
            }
        }
    }

    fn outbound(&mut self, session: &Session, neighbor: &Neighbor) {
        let peer = session.peer;
        let fix = (self.words.outbound)(peer);
        if let Some(line) = neighbor.default_originate {
            self.error(
                line,
                format!("a default route is announced to {peer}"),
                DEFAULT_OUT,
                "take it out",
            );
        }
        match &neighbor.outbound {
            Filter::Missing => self.error(
                neighbor.line,
                format!("nothing filters what is announced to {peer}"),
                "everything in BGP goes to AWS: past its limit it drops the session, and you may carry others' traffic",
                fix,
            ),
            Filter::Undefined(at) => self.error(
                at.line,
                format!("the outbound filter {} of {peer} is not defined", at.value),
                "what an undefined filter does depends on the release: everything passes, or nothing",
                fix,
            ),
            Filter::Policy(at) => {
                if passes(at.value.accepts(default_route(peer))).is_some() {
                    self.error(at.line, format!("the outbound filter lets a default route to {peer}"), DEFAULT_OUT, &fix);
                } else if let Some(net) = probes(peer, &self.link.advertise)
                    .into_iter()
                    .find(|net| at.value.accepts(*net) == Answer::Yes)
                {
                    self.error(
                        at.line,
                        format!("more than asked for may be announced to {peer}: {net}, for one, would pass"),
                        "what BGP learns elsewhere goes to AWS: past its limit it drops the session, and you may carry others' traffic",
                        &fix,
                    );
                }
                let refused = self.link.advertise.iter().filter(|net| {
                    net.addr().is_ipv6() == peer.is_ipv6() && at.value.accepts(**net) == Answer::No
                });
                for net in refused.copied().collect::<Vec<_>>() {
                    self.error(
                        at.line,
                        format!("{net} is refused by the outbound filter of {peer}"),
                        "AWS has no way back to it",
                        &fix,
                    );
                }
            }
        }
        self.originated(session, neighbor);
        self.communities(session, neighbor);
    }

    fn originated(&mut self, session: &Session, neighbor: &Neighbor) {
        let Some(originated) = &neighbor.originated else {
            return;
        };
        let lacking = self.link.advertise.iter().filter(|net| {
            net.addr().is_ipv6() == session.peer.is_ipv6() && !originated.contains(net)
        });
        for net in lacking.copied().collect::<Vec<_>>() {
            self.warning(
                neighbor.line,
                format!("nothing puts {net} into BGP"),
                "it is announced only if another protocol or peer brings it",
                (self.words.originate)(net),
            );
        }
    }

    fn communities(&mut self, session: &Session, neighbor: &Neighbor) {
        let Some(preference) = self
            .link
            .preference
            .filter(|_| self.link.kind != VifKind::Public)
        else {
            return;
        };
        let wanted = preference.community();
        let why = "AWS then chooses among your links by its own rules, not by yours";
        let line = match &neighbor.outbound {
            Filter::Policy(at) => at.line,
            _ => neighbor.line,
        };
        if !neighbor.communities.contains(&wanted) {
            self.warning(
                line,
                format!("what goes to {} lacks the community {wanted}", session.peer),
                why,
                format!("set {wanted} in the outbound filter"),
            );
        } else if !neighbor.send_community {
            self.warning(
                neighbor.line,
                format!("communities are not sent to {}", session.peer),
                why,
                format!("neighbor {} send-community", session.peer),
            );
        }
    }

    fn limit(&mut self, session: &Session, neighbor: &Neighbor) {
        let peer = session.peer;
        let fix = (self.words.limit)(peer, self.link.limits.receive);
        let why = "a flood of routes from the other side fills this router's memory";
        match &neighbor.limit {
            Limit::Missing => self.warning(
                neighbor.line,
                format!("the neighbor {peer} has no limit of prefixes"),
                why,
                fix,
            ),
            Limit::OnlyWarns(line) => self.warning(
                *line,
                format!("the limit of prefixes of {peer} only warns"),
                why,
                fix,
            ),
            Limit::Acts(at) if at.value < aws::default_advertise_limit(self.link.kind) => self.say(
                Severity::Note,
                at.line,
                format!("the limit of prefixes of {peer} is {}", at.value),
                "AWS can send more than that, and the session drops",
                fix,
            ),
            Limit::Acts(_) => {}
        }
    }
}

const DEFAULT_OUT: &str = "every network behind the gateway sends its internet traffic to you";

fn passes(answer: Answer) -> Option<&'static str> {
    match answer {
        Answer::Yes => Some("is"),
        Answer::Maybe => Some("may be"),
        Answer::No => None,
    }
}

fn default_route(peer: IpAddr) -> IpNet {
    aws::DEFAULT_ROUTES[usize::from(peer.is_ipv6())]
}

fn net(text: &str) -> IpNet {
    text.parse().expect("invariant: a prefix")
}

fn bogon(peer: IpAddr) -> IpNet {
    net(if peer.is_ipv6() {
        "2001:db8:7::/48"
    } else {
        "10.77.0.0/16"
    })
}

/// Networks that nobody means to announce: strangers', and those around ours.
fn probes(peer: IpAddr, ours: &[IpNet]) -> Vec<IpNet> {
    let strangers: &[&str] = if peer.is_ipv6() {
        &["2600:77::/32", "fd77:77::/48", "2001:db8:77::/48"]
    } else {
        &[
            "8.8.8.0/24",
            "10.77.77.0/24",
            "172.29.77.0/24",
            "192.168.77.0/24",
        ]
    };
    let own = ours
        .iter()
        .filter(|net| net.addr().is_ipv6() == peer.is_ipv6());
    let around = own.flat_map(|net| {
        let longer = net.subnets(net.prefix_len() + 1).into_iter().flatten();
        net.supernet().into_iter().chain(longer)
    });
    let all = strangers.iter().map(|text| net(text)).chain(around);
    all.filter(|net| !ours.contains(net)).collect()
}
