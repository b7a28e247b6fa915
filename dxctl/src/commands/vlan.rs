//! `dxctl vlan pick`

use serde_json::json;

use crate::aws::{Carrier, DirectConnect, Filter};
use crate::cli::{Global, VlanPickArgs};
use crate::output::note;
use crate::pick::{self, Detail};
use crate::{Refused, Verdict};

pub(super) async fn pick(args: VlanPickArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let carrier = find_carrier(&aws, &args.connection).await?;
    let vifs = aws.virtual_interfaces(Filter::Carrier(&carrier.id)).await?;
    let picked = pick::vlan(&carrier, &vifs, args.from)?;
    let detail = args.explain.detail();
    let mut answer =
        json!({ "vlan": picked.value, "connection": carrier.id, "reason": picked.reason });
    if detail == Detail::Everything {
        answer["excluded"] = json!(picked.excluded);
    }
    global.reader().show(&answer, |_| {
        note(picked.choice("VLAN").text(detail));
        format!("{}\n", picked.value)
    })?;
    Ok(Verdict::Fine)
}

pub(super) async fn find_carrier(aws: &impl DirectConnect, id: &str) -> anyhow::Result<Carrier> {
    if !(id.starts_with("dxcon-") || id.starts_with("dxlag-")) {
        return Err(Refused::usage(format!(
            "`{id}` is no connection: give the identifier of a connection (dxcon-…) or LAG (dxlag-…)"
        ))
        .into());
    }
    let found = aws.carrier(id).await?;
    let missing = || {
        Refused::new(format!(
            "no {id} in this account and Region: check --region and --profile"
        ))
    };
    Ok(found.ok_or_else(missing)?)
}
