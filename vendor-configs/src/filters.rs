//! What AWS may send: refused ranges first, then what passes. What no line
//! names is refused.

use bgp_core::config::VifKind;
use bgp_core::{Family, aws};
use ipnet::IpNet;

/// One line of a prefix filter: what is inside `net` and as long as this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) permit: bool,
    pub(crate) net: IpNet,
    pub(crate) min_len: u8,
    pub(crate) max_len: u8,
}

/// The inbound filter of one family: `own` is all that this router announces.
pub(crate) fn inbound(kind: VifKind, own: &[IpNet], family: Family) -> Vec<Filter> {
    let of_family = |net: IpNet| Family::of(net.addr()) == family;
    let own = own.iter().map(|net| refuse_own(kind, *net));
    let bogons: &[aws::Range] = match kind {
        VifKind::Public => &aws::BOGONS,
        VifKind::Private | VifKind::Transit => &[],
    };
    let bogons = bogons.iter().map(|range| line(false, *range));
    let passed = aws::default_accept(kind).iter();
    let passed = passed.map(|range| line(true, *range));
    let mut lines: Vec<Filter> = Vec::new();
    for line in own.chain(bogons).chain(passed) {
        // IOS refuses to have a line twice.
        if of_family(line.net) && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Our network and all that is inside it; but the network alone where it is an
/// aggregate (10.0.0.0/8) that VPCs can rightly be inside of.
fn refuse_own(kind: VifKind, net: IpNet) -> Filter {
    let mut ranges = aws::default_accept(kind).iter();
    let aggregate = ranges.any(|range| net.contains(&range.net));
    Filter {
        permit: false,
        net,
        min_len: net.prefix_len(),
        max_len: if aggregate {
            net.prefix_len()
        } else {
            net.max_prefix_len()
        },
    }
}

fn line(permit: bool, range: aws::Range) -> Filter {
    Filter {
        permit,
        net: range.net,
        min_len: range.min_len,
        max_len: range.net.max_prefix_len(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_announced_aggregate_does_not_shut_out_the_vpcs_inside_it() {
        let own = [
            "10.0.0.0/8".parse().unwrap(),
            "10.9.0.0/16".parse().unwrap(),
        ];
        let filters = inbound(VifKind::Private, &own, Family::Ipv4);
        assert_eq!((filters[0].min_len, filters[0].max_len), (8, 8));
        assert_eq!((filters[1].min_len, filters[1].max_len), (16, 32));
    }

    #[test]
    fn bogons_are_refused_on_public_links_alone_and_stay_in_their_family() {
        let public = inbound(VifKind::Public, &[], Family::Ipv6);
        assert!(public.iter().any(|filter| !filter.permit));
        assert!(public.iter().all(|filter| filter.net.addr().is_ipv6()));
        let private = inbound(VifKind::Private, &[], Family::Ipv4);
        assert!(private.iter().all(|filter| filter.permit));
    }
}
