//! The verbs that take a site file: `validate`, `plan`, `apply`, `destroy`, and
//! `import`, which writes one.

mod import;
mod routers;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::vif::confirm;
use crate::apply::{Apply, Journal, Made, Mark, OurEnd, known_keys, observe};
use crate::aws::{Client, DirectConnect, Filter};
use crate::cli::{ApplyArgs, Consent, DestroyArgs, Global, PlanArgs, Run, ValidateArgs};
use crate::output::{note, print};
use crate::pick::Detail;
use crate::plan::{self, Keys, Plan, Wanted};
use crate::site::{self, SCHEMA, Site};
use crate::{Refused, Verdict};

pub(super) use import::run as import;

pub(super) fn validate(args: &ValidateArgs, global: &Global) -> anyhow::Result<Verdict> {
    let Some(file) = args.file.as_deref().filter(|_| !args.schema) else {
        print(SCHEMA)?;
        return Ok(Verdict::Fine);
    };
    let site = site::load(file)?;
    let answer = json!({
        "site": site.name,
        "connections": site.carriers.len(),
        "gateways": site.gateways.len(),
        "vifs": site.vifs.len(),
        "routers": site.routers.len(),
    });
    global.reader().show(&answer, |_| {
        format!(
            "{}: no mistakes ({} virtual interfaces)\n",
            file.display(),
            site.vifs.len()
        )
    })?;
    Ok(Verdict::Fine)
}

pub(super) async fn plan(args: PlanArgs, global: &Global) -> anyhow::Result<Verdict> {
    let site = site::load(&args.file)?;
    let aws = connect(&site, global).await?;
    let keys = known_keys(&site, &aws).await?;
    let mut observed = observe(&aws, &site).await?;
    observed.begun = Journal::begun_in(&beside(&args.file));
    let wanted = Wanted {
        site: &site,
        keys: &keys,
    };
    let plan = plan::plan(wanted, &observed)?;
    let detail = args.explain.detail();
    tell(&plan, detail);
    global
        .reader()
        .show(&plan::to_json(&plan, detail), |_| plan::listing(&plan))?;
    Ok(if plan.is_empty() {
        Verdict::Fine
    } else {
        Verdict::Differs
    })
}

pub(super) async fn apply(args: ApplyArgs, global: &Global) -> anyhow::Result<Verdict> {
    let site = site::load(&args.file)?;
    let aws = connect(&site, global).await?;
    let keys = known_keys(&site, &aws).await?;
    let mut apply = start(&aws, &site, &keys, &args.file, &args.run, global).await?;
    let mut observed = observe(&aws, &site).await?;
    observed.begun = apply.journal.begun();
    let plan = plan::plan(apply.wanted, &observed)?;
    tell(&plan, args.explain.detail());
    if !plan.is_empty() {
        note(plan::listing(&plan).trim_end());
        consented(&plan, &args.consent, "Make these changes?")?;
    }
    apply.execute(&plan).await?;
    if !plan.is_empty() {
        apply.verify().await?;
    }
    let Made {
        vifs: ids,
        restarted,
        ..
    } = apply.made;
    let all = aws.virtual_interfaces(Filter::All).await?;
    // Keys that were made on the way are here now.
    let keys = known_keys(&site, &aws).await?;
    let written = routers::write(&site, &keys, &all, &ids, &args.consent, global)?;
    let wrong = if args.verify.is_zero() {
        Vec::new()
    } else {
        routers::bring_up(&written, &aws, args.verify).await?
    };
    apply.journal.finish()?;
    let restarts = outages(&restarted).await;
    let answer = json!({
        "changes": plan.steps.len(),
        "restarts": restarts.iter().map(|(session, seconds)| json!({
            "session": session,
            "outage_seconds": seconds,
        })).collect::<Vec<_>>(),
        "routers": written.iter().map(|one| &one.json).collect::<Vec<_>>(),
        "problems": wrong,
    });
    global.reader().show(&answer, |_| {
        let mut text = match plan.steps.len() {
            0 => "nothing to change at AWS\n".to_owned(),
            steps => format!("done: {steps} changes at AWS\n"),
        };
        written.iter().for_each(|one| text.push_str(&one.lines));
        for (session, seconds) in &restarts {
            text.push_str(&match seconds {
                Some(seconds) => format!("session {session}: up again, down for {seconds:.1} s\n"),
                None => format!("session {session}: how long it was down is not known\n"),
            });
        }
        for problem in &wrong {
            text.push_str(&format!("{problem}\n"));
        }
        text
    })?;
    Ok(if wrong.is_empty() {
        Verdict::Fine
    } else {
        Verdict::Differs
    })
}

/// For how many seconds each was down, where bgpd says.
async fn outages(restarted: &[(OurEnd, Mark)]) -> Vec<(&str, Option<f64>)> {
    let mut outages = Vec::new();
    for (ours, mark) in restarted {
        outages.push((ours.session.as_str(), ours.outage(*mark).await));
    }
    outages
}

pub(super) async fn destroy(args: DestroyArgs, global: &Global) -> anyhow::Result<Verdict> {
    let site = site::load(&args.file)?;
    let aws = connect(&site, global).await?;
    let keys = Keys::new();
    let mut apply = start(&aws, &site, &keys, &args.file, &args.run, global).await?;
    let observed = observe(&aws, &site).await?;
    let plan = plan::destroy(&site, &observed)?;
    if !plan.is_empty() {
        note(plan::listing(&plan).trim_end());
        consented(&plan, &args.consent, "Delete all this?")?;
        apply.execute(&plan).await?;
    }
    apply.journal.finish()?;
    let answer = json!({ "changes": plan.steps.len() });
    global.reader().show(&answer, |_| match plan.steps.len() {
        0 => "nothing of it is there\n".to_owned(),
        steps => format!("done: {steps} deletions at AWS\n"),
    })?;
    Ok(Verdict::Fine)
}

/// Locked, and with what a killed run left looked for.
async fn start<'a>(
    aws: &'a Client,
    site: &'a Site,
    keys: &'a Keys,
    file: &Path,
    run: &Run,
    global: &Global,
) -> anyhow::Result<Apply<'a, Client>> {
    let path = run.journal.clone().unwrap_or_else(|| beside(file));
    let apply = Apply {
        aws,
        wanted: Wanted { site, keys },
        journal: Journal::open(&path, run.lock_timeout)?,
        limit: run.timeout,
        socket: global.socket.clone(),
        made: Made::default(),
    };
    apply.settle(run.settle).await?;
    Ok(apply)
}

/// `.site.toml.journal` for `site.toml`.
fn beside(file: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(".journal");
    file.with_file_name(name)
}

/// The file's Region, unless --region says the same.
async fn connect(site: &Site, global: &Global) -> Result<Client, Refused> {
    let mut access = global.access();
    match (&access.region, &site.region) {
        (Some(given), Some(own)) if given != own => {
            return Err(Refused::new(format!(
                "the site file is about {own}, and --region says {given}"
            )));
        }
        (None, Some(own)) => access.region = Some(own.clone()),
        _ => {}
    }
    Client::connect(&access).await
}

fn tell(plan: &Plan, detail: Detail) {
    for choice in plan::choices(plan, detail) {
        note(format_args!("note: {}", choice.text(detail)));
    }
    for text in &plan.notes {
        note(format_args!("note: {text}"));
    }
}

/// What cuts traffic needs its own word; the rest one word for all.
fn consented(plan: &Plan, consent: &Consent, question: &str) -> anyhow::Result<()> {
    let missing = plan.unconsented(&consent.allow);
    if !missing.is_empty() {
        let mut words: Vec<String> = missing.iter().map(|cut| cut.consent()).collect();
        words.sort();
        words.dedup();
        return Err(Refused::new(format!(
            "this cuts traffic, and nothing was changed. If it may: --allow {}",
            words.join(" --allow ")
        ))
        .into());
    }
    if consent.yes {
        return Ok(());
    }
    confirm(&format!("{question} [y/N] "))
}
