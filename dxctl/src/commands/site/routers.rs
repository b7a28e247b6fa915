//! What `apply` writes for our own side, and whether the sessions come up.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use bgp_core::config::AuthKey;
use serde_json::{Value, json};
use vendor_configs::InterfaceName;

use crate::Refused;
use crate::aws::{DirectConnect, Filter, PeerKey, VirtualInterface};
use crate::cli::{BackupArgs, BgpdConfigArgs, Consent, Global, OfVifArgs, PerVif};
use crate::commands::{bgpd_config, router_config, status};
use crate::control::Control;
use crate::output::note;
use crate::plan::Keys;
use crate::site::{Platform, Router, Site, Vif};

/// One router's part, as AWS describes it now.
struct Share<'a> {
    router: &'a Router,
    /// The file's and AWS's, side by side.
    vifs: Vec<(&'a Vif, VirtualInterface)>,
}

/// Writes every router's text. Answers what was written, and the names of the
/// routers that run bgpd.
pub(super) fn write(
    site: &Site,
    keys: &Keys,
    all: &[VirtualInterface],
    ids: &std::collections::BTreeMap<String, String>,
    consent: &Consent,
    global: &Global,
) -> anyhow::Result<Vec<Written>> {
    let mut written = Vec::new();
    for router in &site.routers {
        let share = share(router, site, keys, all, ids);
        if share.vifs.is_empty() {
            continue;
        }
        written.push(match &router.platform {
            Platform::Bgpd { .. } => bgpd(&share, consent, global)?,
            Platform::Vendor { platform, file } => vendor(&share, *platform, file)?,
        });
    }
    Ok(written)
}

pub(super) struct Written {
    pub(super) lines: String,
    pub(super) json: Value,
    /// Where to ask whether its sessions are up.
    pub(super) control: Option<Control>,
    pub(super) vif_ids: Vec<String>,
    changed: bool,
}

fn share<'a>(
    router: &'a Router,
    site: &'a Site,
    keys: &Keys,
    all: &[VirtualInterface],
    ids: &std::collections::BTreeMap<String, String>,
) -> Share<'a> {
    let mut vifs = Vec::new();
    for vif in &site.vifs {
        if vif.router.as_deref() != Some(&router.name) {
            continue;
        }
        let there = all
            .iter()
            .find(|there| Some(&there.id) == ids.get(&vif.name));
        match there {
            Some(there) if there.state != "verifying" => {
                vifs.push((vif, with_keys(there, vif, keys)));
            }
            _ => note(format_args!(
                "note: {} is not provisioned yet: left out of router {:?}; run apply again when it is",
                vif.name, router.name
            )),
        }
    }
    Share { router, vifs }
}

/// A key of ours counts even where AWS doesn't show it.
fn with_keys(there: &VirtualInterface, vif: &Vif, keys: &Keys) -> VirtualInterface {
    let mut there = there.clone();
    for peer in &mut there.peers {
        let own: Option<&AuthKey> = keys.get(&(vif.name.clone(), peer.family));
        if let Some(key) = own {
            peer.key = PeerKey::Known(key.clone());
        }
    }
    there
}

impl Share<'_> {
    fn per_vif<T>(&self, of: impl Fn(&Vif) -> Vec<T>) -> Vec<PerVif<T>> {
        let each = self.vifs.iter().flat_map(|(vif, there)| {
            of(vif).into_iter().map(|value| PerVif {
                vif: Some(there.id.clone()),
                value,
            })
        });
        each.collect()
    }

    fn parents(&self) -> Vec<PerVif<String>> {
        let own = |vif: &Vif| vif.parent.clone().or_else(|| self.router.parent.clone());
        self.per_vif(|vif| own(vif).into_iter().collect())
    }

    fn described(&self) -> Vec<VirtualInterface> {
        self.vifs.iter().map(|(_, there)| there.clone()).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.vifs
            .iter()
            .map(|(_, there)| there.id.clone())
            .collect()
    }
}

fn bgpd(share: &Share<'_>, consent: &Consent, global: &Global) -> anyhow::Result<Written> {
    let Platform::Bgpd {
        directory,
        control,
        metrics,
    } = &share.router.platform
    else {
        return Err(Refused::new(format!("router {:?} runs no bgpd", share.router.name)).into());
    };
    let backup = share.router.backup.as_ref();
    let args = BgpdConfigArgs {
        vifs: share.ids(),
        parent: share.parents(),
        advertise: share.per_vif(|vif| vif.advertise.clone()),
        preference: share.per_vif(|vif| vif.preference.into_iter().collect()),
        backup_interface: backup.map(|backup| backup.interface.clone()),
        backup_gateway: backup
            .map(|backup| backup.gateways.clone())
            .unwrap_or_default(),
        backup_name: "internet".to_owned(),
        backup_probe: 200,
        router_id: share.router.router_id,
        metrics: *metrics,
        control: control.clone(),
        out_dir: directory.clone(),
        yes: consent.yes,
        // The site file says which key it is.
        force: true,
        dry_run: false,
    };
    let placed = bgpd_config::place(&share.described(), &args)
        .with_context(|| format!("router {:?}", share.router.name))?;
    let socket = control.as_ref().unwrap_or(&global.socket);
    Ok(Written {
        lines: placed.lines(),
        json: json!({ "router": share.router.name, "platform": "bgpd", "files": placed.to_json() }),
        control: Some(Control::at(socket)),
        vif_ids: share.ids(),
        changed: placed.is_changed(),
    })
}

fn vendor(
    share: &Share<'_>,
    platform: vendor_configs::Platform,
    file: &std::path::Path,
) -> anyhow::Result<Written> {
    let name = &share.router.name;
    let mut parent = Vec::new();
    for own in share.parents() {
        let value: InterfaceName = own
            .value
            .parse()
            .map_err(|mistake| Refused::new(format!("router {name:?}: {mistake}")))?;
        parent.push(PerVif {
            vif: own.vif,
            value,
        });
    }
    let of_vif = OfVifArgs {
        parent,
        advertise: share.per_vif(|vif| vif.advertise.clone()),
        preference: share.per_vif(|vif| vif.preference.into_iter().collect()),
        hostname: name.parse().into_iter().collect(),
        router_id: share.router.router_id,
        ..OfVifArgs::default()
    };
    let mut backup = BackupArgs::default();
    if let Some(own) = &share.router.backup {
        backup.backup_gateway.clone_from(&own.gateways);
        backup.backup_interface = own.interface.parse().ok();
    }
    let text = router_config::text(&share.described(), platform, &of_vif, &backup)
        .with_context(|| format!("router {name:?}"))?;
    let same = fs::read_to_string(file).is_ok_and(|old| old == text);
    if !same {
        fs::write(file, &text).with_context(|| format!("writing {}", file.display()))?;
        note(format_args!(
            "next: load {} into {name}, with the key in place of <auth-key> (dxctl router-config --reveal writes it)",
            file.display()
        ));
    }
    let word = if same { "unchanged" } else { "written" };
    Ok(Written {
        lines: format!("{}: {word}\n", file.display()),
        json: json!({
            "router": name,
            "platform": platform.name(),
            "files": { "config": file.display().to_string(), "change": word },
        }),
        control: None,
        vif_ids: share.ids(),
        changed: !same,
    })
}

/// Has each bgpd that runs here read its file, and waits until its sessions are
/// up. Answers what is wrong with those that aren't.
pub(super) async fn bring_up(
    written: &[Written],
    aws: &impl DirectConnect,
    patience: Duration,
) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for one in written {
        let Some(control) = &one.control else {
            continue;
        };
        if let Err(error) = control.status().await {
            note(format_args!(
                "note: whether the sessions come up was not looked at: {error}"
            ));
            continue;
        }
        if one.changed {
            control.reload().await?;
            note("bgpd has read its configuration again");
        }
        wrong.extend(sessions(one, control, aws, patience).await?);
    }
    Ok(wrong)
}

async fn sessions(
    one: &Written,
    control: &Control,
    aws: &impl DirectConnect,
    patience: Duration,
) -> anyhow::Result<Vec<String>> {
    let until = Instant::now() + patience;
    loop {
        let mut vifs = aws.virtual_interfaces(Filter::All).await?;
        vifs.retain(|vif| one.vif_ids.contains(&vif.id));
        let wrong = status::problems(&vifs, &control.status().await?);
        if wrong.is_empty() || Instant::now() >= until {
            return Ok(wrong);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(1);
