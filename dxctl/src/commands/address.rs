//! `dxctl address pick`

use bgp_core::Family;
use ipnet::IpNet;
use serde_json::json;

use super::addresses_in_use;
use crate::Verdict;
use crate::aws::{DirectConnect, Filter};
use crate::cli::{AddressPickArgs, Global};
use crate::output::note;
use crate::pick::{self, Detail, Taken};

pub(super) async fn pick(args: AddressPickArgs, global: &Global) -> anyhow::Result<Verdict> {
    if args.family == Family::Ipv6 {
        return say_aws_assigns(global);
    }
    let vifs = if args.offline {
        Vec::new()
    } else {
        global.aws().await?.virtual_interfaces(Filter::All).await?
    };
    let mut taken = addresses_in_use(&vifs);
    let avoid = args
        .avoid
        .iter()
        .filter_map(|net| Taken::new(IpNet::V4(*net), "given with --avoid"));
    taken.extend(avoid);
    let picked = pick::address_pair(args.pool, args.length, &taken)?;
    let detail = args.explain.detail();
    let mut answer = json!({
        "amazon_address": picked.value.amazon,
        "customer_address": picked.value.customer,
        "reason": picked.reason,
    });
    if detail == Detail::Everything {
        answer["excluded"] = json!(picked.excluded);
    }
    global.reader().show(&answer, |_| {
        note(picked.choice("addresses").text(detail));
        format!("{}\n", picked.value)
    })?;
    Ok(Verdict::Fine)
}

/// The word on standard output is what `vif create --addresses` takes.
fn say_aws_assigns(global: &Global) -> anyhow::Result<Verdict> {
    let reason =
        "AWS assigns a /125 out of its own addresses to every IPv6 session and takes no other";
    let answer = json!({ "assigned_by": "aws", "reason": reason });
    global.reader().show(&answer, |_| {
        note(format_args!("IPv6: {reason}"));
        "aws\n".to_owned()
    })?;
    Ok(Verdict::Fine)
}
