//! `dxctl import`: a site file from what AWS has.

use crate::Verdict;
use crate::cli::{Global, ImportArgs};

pub(in crate::commands) async fn run(args: ImportArgs, global: &Global) -> anyhow::Result<Verdict> {
    let _ = (args, global);
    Ok(Verdict::Fine)
}
