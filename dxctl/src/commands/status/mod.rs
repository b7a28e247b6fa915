//! `dxctl status`: AWS's view and bgpd's, side by side, and what is wrong.
//!
//! `join` pairs the sessions of both sides; `explain` says what a pair means.

mod explain;
mod join;

use bgp_core::api::{PathStatus, Status};
use serde::Serialize;

use self::explain::Finding;
use self::join::Pair;
use super::{or_dash, vlan_text};
use crate::aws::{DirectConnect, Filter, VirtualInterface};
use crate::cli::{Global, StatusArgs};
use crate::control::Control;
use crate::output::{Listing, ago, microseconds, note};
use crate::{Refused, Verdict};

pub(super) async fn run(args: StatusArgs, global: &Global) -> anyhow::Result<Verdict> {
    let (vifs, local) = both_sides(&args, global).await?;
    let vifs = vifs.map(|all| wanted(all, &args.vifs));
    let rows = rows(vifs.as_deref(), local.as_ref(), &args.vifs);
    if rows.is_empty() && !args.vifs.is_empty() {
        return Err(Refused::new(format!(
            "neither AWS nor bgpd knows {}: see dxctl vif list",
            args.vifs.join(", ")
        ))
        .into());
    }
    let view = View {
        sessions: rows,
        paths: local.as_ref().map(|status| status.paths.as_slice()),
        bgpd: local.as_ref().map(Daemon::of),
    };
    global.reader().show(&view, page)?;
    Ok(if view.is_well() {
        Verdict::Fine
    } else {
        Verdict::Differs
    })
}

/// What is wrong with the sessions of these virtual interfaces, as both sides
/// see them; empty when all are up.
pub(super) fn problems(vifs: &[VirtualInterface], local: &Status) -> Vec<String> {
    let pairs = join::pairs(Some(vifs), Some(local)).into_iter();
    let theirs = pairs.filter(|pair| pair.aws.is_some());
    let told = theirs.flat_map(|pair| {
        let problems = explain::findings(&pair).into_iter();
        problems
            .filter(Finding::is_problem)
            .map(|finding| format!("{}: {finding}", pair.name()))
            .collect::<Vec<_>>()
    });
    told.collect()
}

type Sides = (Option<Vec<VirtualInterface>>, Option<Status>);

/// One side that can't be asked is a note; both are an error.
async fn both_sides(args: &StatusArgs, global: &Global) -> anyhow::Result<Sides> {
    let local = if args.aws_only {
        Ok(None)
    } else {
        Control::at(&global.socket)
            .status()
            .await
            .map(Some)
            .map_err(anyhow::Error::from)
    };
    let remote = if args.local_only {
        Ok(None)
    } else {
        ask_aws(global).await.map(Some)
    };
    match (remote, local) {
        (Ok(remote), Ok(local)) => Ok((remote, local)),
        (Ok(Some(remote)), Err(error)) => {
            note(format_args!("note: only AWS's side is shown: {error:#}"));
            Ok((Some(remote), None))
        }
        (Err(error), Ok(Some(local))) => {
            note(format_args!("note: only bgpd's side is shown: {error:#}"));
            Ok((None, Some(local)))
        }
        (Err(remote), Err(local)) => Err(anyhow::anyhow!(
            "neither side answers:\n  {local:#}\n  {remote:#}"
        )),
        (Ok(None), Err(error)) | (Err(error), Ok(None)) => Err(error),
    }
}

async fn ask_aws(global: &Global) -> anyhow::Result<Vec<VirtualInterface>> {
    let mut vifs = global.aws().await?.virtual_interfaces(Filter::All).await?;
    vifs.retain(|vif| !vif.is_gone());
    Ok(vifs)
}

fn wanted(mut vifs: Vec<VirtualInterface>, names: &[String]) -> Vec<VirtualInterface> {
    if !names.is_empty() {
        vifs.retain(|vif| {
            names
                .iter()
                .any(|name| *name == vif.id || *name == vif.name)
        });
    }
    vifs
}

#[derive(Serialize)]
struct View<'a> {
    sessions: Vec<Row<'a>>,
    paths: Option<&'a [PathStatus]>,
    bgpd: Option<Daemon<'a>>,
}

impl View<'_> {
    fn is_well(&self) -> bool {
        let sessions_are = self
            .sessions
            .iter()
            .all(|row| row.findings.iter().all(|finding| !finding.is_problem()));
        sessions_are
            && self
                .bgpd
                .as_ref()
                .is_none_or(|daemon| daemon.problems.is_empty())
    }
}

impl View<'_> {
    /// bgpd's own list names a session's error again.
    fn tells(&self, problem: &str) -> bool {
        self.sessions.iter().any(|row| {
            let error = row.bgpd.and_then(|peer| peer.last_error.as_deref());
            let told =
                |finding: &Finding| error.is_some_and(|error| finding.to_string().contains(error));
            error.is_some_and(|error| problem.contains(error)) && row.findings.iter().any(told)
        })
    }
}

/// One session, with what each side says of it.
#[derive(Serialize)]
struct Row<'a> {
    name: String,
    vlan: Option<bgp_core::VlanId>,
    family: bgp_core::Family,
    aws: Option<AwsSide<'a>>,
    bgpd: Option<&'a bgp_core::api::PeerStatus>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct AwsSide<'a> {
    id: &'a str,
    state: &'a str,
    bgp: Option<&'a str>,
}

#[derive(Serialize)]
struct Daemon<'a> {
    version: &'a str,
    uptime: f64,
    problems: &'a [String],
    kernel_routes: u64,
}

impl<'a> Daemon<'a> {
    fn of(status: &'a Status) -> Self {
        Self {
            version: &status.version,
            uptime: status.uptime,
            problems: &status.problems,
            kernel_routes: status.kernel.routes,
        }
    }
}

fn rows<'a>(
    vifs: Option<&'a [VirtualInterface]>,
    local: Option<&'a Status>,
    names: &[String],
) -> Vec<Row<'a>> {
    let pairs = join::pairs(vifs, local);
    let shown = pairs.into_iter().filter(|pair| {
        names.is_empty() || pair.aws.is_some() || names.iter().any(|name| pair.is_named(name))
    });
    shown.map(|pair| row(&pair)).collect()
}

fn row<'a>(pair: &Pair<'a>) -> Row<'a> {
    Row {
        name: pair.name(),
        vlan: pair.vlan(),
        family: pair.family,
        aws: pair.aws.map(|aws| AwsSide {
            id: &aws.vif.id,
            state: &aws.vif.state,
            bgp: aws.peer.and_then(|peer| peer.status.as_deref()),
        }),
        bgpd: pair.local.map(|local| local.peer),
        findings: explain::findings(pair),
    }
}

fn page(view: &View<'_>) -> String {
    let mut table = Listing::new(&[
        "SESSION",
        "VLAN",
        "FAMILY",
        "AWS",
        "BGP@AWS",
        "BGPD",
        "FOR",
        "RECEIVED",
        "ACCEPTED",
        "ANNOUNCED",
    ]);
    for row in &view.sessions {
        let count = |of: fn(&bgp_core::api::PrefixCounts) -> u64| {
            or_dash(row.bgpd.map(|peer| of(&peer.prefixes)))
        };
        table.row(vec![
            row.name.clone(),
            vlan_text(row.vlan),
            row.family.to_string(),
            or_dash(row.aws.as_ref().map(|aws| aws.state)),
            or_dash(row.aws.as_ref().and_then(|aws| aws.bgp)),
            or_dash(row.bgpd.map(|peer| &peer.state)),
            or_dash(row.bgpd.map(|peer| ago(peer.since))),
            count(|prefixes| prefixes.received),
            count(|prefixes| prefixes.accepted),
            count(|prefixes| prefixes.advertised),
        ]);
    }
    let mut text = if view.sessions.is_empty() {
        "no sessions\n".to_owned()
    } else {
        table.text()
    };
    if let Some(paths) = view.paths.filter(|paths| !paths.is_empty()) {
        text.push('\n');
        text.push_str(&paths_table(paths));
    }
    let told = view.sessions.iter().flat_map(|row| {
        row.findings
            .iter()
            .map(|finding| format!("{}: {finding}", row.name))
    });
    let of_daemon = view.bgpd.iter().flat_map(|daemon| daemon.problems);
    let untold = of_daemon.filter(|problem| !view.tells(problem)).cloned();
    let lines: Vec<String> = told.chain(untold).collect();
    if !lines.is_empty() {
        text.push('\n');
        lines.iter().for_each(|line| {
            text.push_str(line);
            text.push('\n');
        });
    }
    text
}

fn paths_table(paths: &[PathStatus]) -> String {
    let mut table = Listing::new(&[
        "PATH",
        "INTERFACE",
        "GATEWAY",
        "STATE",
        "CARRIES",
        "RTT",
        "LOSS",
        "WHY",
    ]);
    for path in paths {
        table.row(vec![
            path.name.clone(),
            or_dash(path.interface.as_ref()),
            or_dash(path.gateway),
            if path.up { "up" } else { "down" }.to_owned(),
            path.carries.to_string(),
            or_dash(
                path.best_probe()
                    .and_then(|probe| probe.rtt_avg)
                    .map(microseconds),
            ),
            or_dash(
                path.best_probe()
                    .and_then(super::daemon::loss_percent)
                    .map(|p| format!("{p:.0} %")),
            ),
            or_dash(path.reason.as_ref()),
        ]);
    }
    table.text()
}
