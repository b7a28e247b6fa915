//! `dxctl vif …`

mod add_peer;
mod allocate;
mod create;
mod delete;
mod key;
mod rotate;
mod wait;

pub(super) use delete::confirm;
pub(crate) use wait::provisioned;

use super::find_vif;
use super::view::{VifView, listing, page};
use crate::Verdict;
use crate::aws::{DirectConnect, Filter, VirtualInterface};
use crate::cli::{Global, VifCommand, VifListArgs, VifShowArgs};

pub(super) async fn run(command: VifCommand, global: &Global) -> anyhow::Result<Verdict> {
    match command {
        VifCommand::Create(args) => create::run(args, global).await,
        VifCommand::AddPeer(args) => add_peer::run(args, global).await,
        VifCommand::RotateKey(args) => rotate::run(args, global).await,
        VifCommand::Allocate(args) => allocate::allocate(args, global).await,
        VifCommand::Confirm(args) => allocate::confirm(args, global).await,
        VifCommand::List(args) => list(args, global).await,
        VifCommand::Show(args) => show(args, global).await,
        VifCommand::Wait(args) => wait::run(args, global).await,
        VifCommand::Delete(args) => delete::run(args, global).await,
    }
}

async fn list(args: VifListArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let filter = args
        .connection
        .as_deref()
        .map_or(Filter::All, Filter::Carrier);
    let mut vifs = aws.virtual_interfaces(filter).await?;
    if !args.deleted {
        vifs.retain(|vif| vif.state != "deleted");
    }
    vifs.sort_by(|a, b| (&a.carrier, a.vlan, &a.id).cmp(&(&b.carrier, b.vlan, &b.id)));
    let views: Vec<VifView<'_>> = vifs.iter().map(VifView::of).collect();
    global.reader().show(&views, |_| listing(&vifs))?;
    Ok(Verdict::Fine)
}

async fn show(args: VifShowArgs, global: &Global) -> anyhow::Result<Verdict> {
    let aws = global.aws().await?;
    let vif = find_vif(&aws, &args.vif).await?;
    present(&vif, global)
}

/// The result of a command about one virtual interface.
fn present(vif: &VirtualInterface, global: &Global) -> anyhow::Result<Verdict> {
    global.reader().show(&VifView::of(vif), |_| page(vif))?;
    Ok(Verdict::Fine)
}
