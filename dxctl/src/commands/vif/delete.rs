//! `dxctl vif delete`

use std::io::{BufRead, IsTerminal};

use serde_json::json;

use super::super::find_vif;
use super::super::view::listing;
use super::wait;
use crate::aws::DirectConnect;
use crate::cli::{Global, Goal, VifDeleteArgs};
use crate::output::note;
use crate::{Refused, Verdict};

pub(super) async fn run(args: VifDeleteArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let vif = find_vif(&aws, &args.vif).await?;
    if !args.yes {
        note(listing(std::slice::from_ref(&vif)).trim_end());
        confirm(&format!(
            "Delete {} ({})? Its traffic stops. [y/N] ",
            vif.id, vif.name
        ))?;
    }
    let state = match vif.state.as_str() {
        "deleted" | "deleting" => vif.state.clone(),
        _ => aws.delete(&vif.id).await?,
    };
    let state = match args.wait {
        Some(limit) => {
            wait::until(&aws, &vif.id, Goal::Deleted, limit)
                .await?
                .state
        }
        None => state,
    };
    let answer = json!({ "id": vif.id, "name": vif.name, "state": state });
    global
        .reader()
        .show(&answer, |_| format!("{} {state}\n", vif.id))?;
    Ok(Verdict::Fine)
}

/// Asks on the terminal; without one, refuses.
pub(in crate::commands) fn confirm(question: &str) -> anyhow::Result<()> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Refused::new("nobody is there to ask: give --yes").into());
    }
    eprint!("{question}");
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Refused::new("not confirmed: nothing was changed").into()),
    }
}
