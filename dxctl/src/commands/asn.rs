//! `dxctl asn pick`

use serde_json::json;

use super::asns_in_use;
use crate::Verdict;
use crate::aws::{DirectConnect, Filter};
use crate::cli::{AsnBits, AsnPickArgs, Global};
use crate::output::note;
use crate::pick::{self, AsnRange, AsnUse, Detail};

pub(super) async fn pick(args: AsnPickArgs, global: &Global) -> anyhow::Result<Verdict> {
    let mut used = AsnUse::default();
    args.avoid
        .iter()
        .for_each(|asn| used.add(*asn, "given with --avoid"));
    if !args.offline {
        let aws = global.aws().await?;
        let vifs = aws.virtual_interfaces(Filter::All).await?;
        used.extend(asns_in_use(&aws, &vifs).await?);
    }
    let range = match args.bits {
        AsnBits::Sixteen => AsnRange::TwoOctets,
        AsnBits::ThirtyTwo => AsnRange::FourOctets,
    };
    let picked = pick::asn(range, &used, args.seed.as_deref())?;
    let detail = args.explain.detail();
    let mut answer = json!({ "asn": picked.value, "reason": picked.reason });
    if detail == Detail::Everything {
        answer["excluded"] = json!(picked.excluded);
    }
    global.reader().show(&answer, |_| {
        note(picked.choice("AS").text(detail));
        format!("{}\n", picked.value)
    })?;
    Ok(Verdict::Fine)
}
