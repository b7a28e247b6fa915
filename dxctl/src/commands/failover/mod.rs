//! `dxctl failover test` and `dxctl failover drill`: a VIF's sessions are taken
//! down on purpose, and what that costs is measured.
//!
//! - `prepare` gathers, `preflight` judges whether the backup can take the traffic.
//! - `fault` takes down and ends it again: by AWS's API, or by bgpd.
//! - `course` leads through it, `traffic` and `links` measure meanwhile.
//! - `measured`, `report`, `html` and `plot` make of it what is read. Pure.

mod course;
mod fault;
mod html;
mod links;
mod measured;
mod plot;
mod preflight;
mod prepare;
mod report;
mod traffic;

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bgp_core::api::Status;

use self::course::Plan;
use self::fault::Fault;
use self::preflight::{Facts, Finding, Fitness, Subject};
use self::report::{Limits, Report};
use self::traffic::Means;
use super::daemon::members;
use super::find_vif;
use super::vif::confirm;
use crate::aws::VirtualInterface;
use crate::cli::{FailoverArgs, FailoverCommand, Global};
use crate::control::Control;
use crate::output::note;
use crate::{Refused, Verdict};

pub(super) async fn run(command: FailoverCommand, global: &Global) -> anyhow::Result<Verdict> {
    let control = Control::at(&global.socket);
    let status = control.status().await?;
    match command {
        FailoverCommand::Drill(args) => {
            let sessions = members(&status, &args.vif)?;
            let subject = Subject::of(&status, &args.vif, sessions);
            let fault = Fault::Drill {
                control: control.clone(),
                name: args.vif.clone(),
            };
            conduct(
                "failover drill",
                &args,
                subject,
                fault,
                (&control, &status),
                global,
            )
            .await
        }
        FailoverCommand::Test(args) => {
            let aws = global.aws().await?;
            let vif = find_vif(&aws, &args.vif).await?;
            let subject = local_side(&status, &vif)?;
            check_aws(&vif)?;
            let fault = Fault::Test {
                aws: Box::new(aws),
                vif: vif.id.clone(),
            };
            conduct(
                "failover test",
                &args,
                subject,
                fault,
                (&control, &status),
                global,
            )
            .await
        }
    }
}

/// bgpd's sessions with AWS's addresses of the virtual interface.
fn local_side(status: &Status, vif: &VirtualInterface) -> Result<Subject, Refused> {
    let is_ours = |remote| {
        let mut peers = vif.peers.iter().filter(|peer| !peer.is_gone());
        peers.any(|peer| peer.amazon_address.map(|net| net.addr()) == Some(remote))
    };
    let peers = status.peers.iter().filter(|peer| is_ours(peer.remote));
    let sessions: Vec<String> = peers.map(|peer| peer.name.clone()).collect();
    if sessions.is_empty() {
        return Err(Refused::new(format!(
            "bgpd has no session of {} ({}): see dxctl status",
            vif.id, vif.name
        )));
    }
    Ok(Subject::of(status, &vif.name, sessions))
}

fn check_aws(vif: &VirtualInterface) -> Result<(), Refused> {
    match vif.state.as_str() {
        "available" | "down" => Ok(()),
        "testing" => Err(Refused::new(format!(
            "a failover test of {} is running already; to end it: aws directconnect stop-bgp-failover-test --virtual-interface-id {}",
            vif.name, vif.id
        ))),
        state => Err(Refused::new(format!(
            "{} is {state}: it can't be tested",
            vif.name
        ))),
    }
}

async fn conduct(
    kind: &'static str,
    args: &FailoverArgs,
    subject: Subject,
    fault: Fault,
    (control, status): (&Control, &Status),
    global: &Global,
) -> anyhow::Result<Verdict> {
    let means = args.udp.map_or(Means::Icmp, Means::Udp);
    fault.check(args.duration)?;
    let prefixes = prepare::prefixes(control, status, &subject).await?;
    let facts = Facts {
        status,
        prefixes,
        links: prepare::links(&subject).await,
    };
    let findings = preflight::findings(&subject, &facts);
    note(report::preflight_text(&findings).trim_end());
    check_fitness(&findings, args)?;
    let targets = prepare::targets(args, means, control, status, &subject, &facts.prefixes).await?;
    for target in &targets {
        let source = target.source.map_or_else(
            || "the route's source address (none of this host's is announced: answers may not come back)".to_owned(),
            |source| source.to_string(),
        );
        note(format_args!(
            "measuring to {}, {} times a second, from {source}",
            target.address, args.rate
        ));
    }
    if !args.yes {
        confirm(&format!(
            "Take down {} ({}) for {:.0} s? [y/N] ",
            subject.name,
            subject.sessions.join(", "),
            args.duration.as_secs_f64()
        ))?;
    }
    if let Some(file) = &args.html {
        check_writable(file)?;
    }
    let plan = Plan {
        carried: subject.carries(status),
        subject: subject.running(status),
        targets,
        means,
        interval: Duration::from_secs(1) / args.rate.max(1),
        duration: args.duration,
        recovery: args.recovery,
    };
    let course = course::run(&plan, &fault, control).await?;
    let limits = Limits {
        outage: args.max_outage,
        return_outage: args.max_return_outage,
    };
    let report = Report::of(kind, &plan, findings, &course, limits);
    let page = html::page(&report, &course);
    global.reader().show(&report, report::text)?;
    if let Some(file) = &args.html {
        std::fs::write(file, page).with_context(|| format!("writing {}", file.display()))?;
        note(format_args!(
            "the report with its plots: {}",
            file.display()
        ));
    }
    Ok(if report.passed {
        Verdict::Fine
    } else {
        Verdict::Differs
    })
}

fn check_fitness(findings: &[Finding], args: &FailoverArgs) -> Result<(), Refused> {
    let unfit: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.verdict == Fitness::Unfit)
        .map(|finding| finding.what)
        .collect();
    if unfit.is_empty() || args.force {
        return Ok(());
    }
    Err(Refused::new(format!(
        "not started, since traffic would be lost ({}): put that right first, or --force",
        unfit.join(", ")
    )))
}

/// Better known before than after.
fn check_writable(file: &Path) -> anyhow::Result<()> {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened
        .map(drop)
        .with_context(|| format!("{} can't be written to", file.display()))
}
