//! `dxctl router-config`: virtual interfaces as text for another maker's router.

mod check;
mod from_aws;
mod link_file;
mod plan;
mod templates;

use std::io::IsTerminal;

use serde_json::json;
use vendor_configs::{
    KeyText, Part, Platform, RenderError, Router, RouterPlan, SessionKey, Wanted, check_pair,
    render,
};

use super::find_vif;
use crate::aws::VirtualInterface;
use crate::cli::{BackupArgs, Global, OfVifArgs, RouterConfigArgs};
use crate::output::{Listing, note};
use crate::{Refused, Verdict};
use plan::{Given, NoKey, Routers};

pub(super) async fn run(args: RouterConfigArgs, global: &Global) -> anyhow::Result<Verdict> {
    if args.list_platforms {
        return list_platforms(global);
    }
    if let Some(router_type) = &args.from_aws {
        return from_aws::run(&args.vifs, router_type, global).await;
    }
    let platform = args
        .platform
        .ok_or_else(|| Refused::new("give --platform; --list-platforms shows them"))?;
    if let Some(directory) = &args.export_templates {
        templates::export(platform, directory)?;
        return Ok(Verdict::Fine);
    }
    let plans = plans(&args, global).await?;
    if let Some(file) = &args.check {
        return check::check(&plans, platform, file, global);
    }
    let routers = routers(plans)?;
    if args.pair {
        pair(&routers)?;
    }
    write(&routers, platform, &args, global)
}

/// From AWS, or from files; one a router.
async fn plans(args: &RouterConfigArgs, global: &Global) -> anyhow::Result<Vec<RouterPlan>> {
    let plans: Vec<RouterPlan> = if args.link.is_empty() {
        let aws = global.aws().await?;
        let mut vifs: Vec<VirtualInterface> = Vec::new();
        for wanted in &args.vifs {
            vifs.push(find_vif(&aws, wanted).await?);
        }
        let no_key = args.of_vif.allow_no_key || args.check.is_some();
        let given = Given {
            of_vif: &args.of_vif,
            backup: &args.backup,
            routers: if args.pair {
                Routers::Pair
            } else {
                Routers::One
            },
            // Only comparing needs none.
            keys: if no_key {
                NoKey::LeaveOut
            } else {
                NoKey::Refuse
            },
        };
        plan::plans(&vifs, &given)?
    } else {
        let read = args.link.iter().map(|file| link_file::read(file));
        read.collect::<Result<_, _>>()?
    };
    match (args.pair, plans.len()) {
        (true, 2) | (false, 1) => Ok(plans),
        (true, _) => {
            Err(Refused::new("--pair is for two: the primary first, then the backup").into())
        }
        (false, _) => {
            Err(Refused::new("several --link files are several routers: give --pair").into())
        }
    }
}

/// The text of one router, without keys.
pub(super) fn text(
    vifs: &[VirtualInterface],
    platform: Platform,
    of_vif: &OfVifArgs,
    backup: &BackupArgs,
) -> anyhow::Result<String> {
    let given = Given {
        of_vif,
        backup,
        routers: Routers::One,
        keys: NoKey::LeaveOut,
    };
    let routers = routers(plan::plans(vifs, &given)?)?;
    let wanted = Wanted {
        part: Part::Whole,
        form: None,
        keys: KeyText::Redact,
    };
    let templates = templates::read(None)?;
    let texts = routers
        .iter()
        .map(|router| render(router, platform, &templates, wanted))
        .collect::<Result<Vec<_>, RenderError>>()
        .map_err(|error| Refused::new(error.to_string()))?;
    Ok(texts.concat())
}

fn routers(plans: Vec<RouterPlan>) -> Result<Vec<Router>, Refused> {
    let routers = plans.into_iter().map(Router::new);
    routers
        .collect::<Result<_, _>>()
        .map_err(|mistakes| Refused::new(mistakes.to_string()))
}

fn pair(routers: &[Router]) -> Result<(), Refused> {
    let [primary, backup] = routers else {
        return Ok(());
    };
    check_pair(primary, backup).map_err(|mistakes| Refused::new(mistakes.to_string()))
}

fn write(
    routers: &[Router],
    platform: Platform,
    args: &RouterConfigArgs,
    global: &Global,
) -> anyhow::Result<Verdict> {
    let templates = templates::read(args.template_dir.as_deref())?;
    let wanted = Wanted {
        part: args.text.part(),
        form: args.text.form(),
        // A difference of keys is told, the keys never are.
        keys: if args.text.reveal || args.diff.is_some() {
            KeyText::Reveal
        } else {
            KeyText::Redact
        },
    };
    let texts = routers
        .iter()
        .map(|router| render(router, platform, &templates, wanted))
        .collect::<Result<Vec<_>, RenderError>>()
        .map_err(|error| Refused::new(error.to_string()))?;
    if let Some(file) = &args.diff {
        return check::diff(&texts.concat(), platform, file, global);
    }
    tell(routers, args);
    let answer: Vec<_> = routers
        .iter()
        .zip(&texts)
        .map(|(router, text)| {
            let links = router.links().iter();
            json!({
                "hostname": router.plan().hostname.as_ref().map(ToString::to_string),
                "vifs": links.map(|link| link.name.as_str()).collect::<Vec<_>>(),
                "text": text,
            })
        })
        .collect();
    let answer = json!({
        "platform": platform.name(),
        "key": if args.text.reveal { "in the text" } else { "redacted" },
        "routers": answer,
    });
    global.reader().show(&answer, |_| texts.join("\n"))?;
    Ok(Verdict::Fine)
}

fn list_platforms(global: &Global) -> anyhow::Result<Verdict> {
    let platforms: Vec<_> = Platform::all()
        .map(|platform| {
            json!({
                "platform": platform.name(),
                "title": platform.title(),
                "forms": platform.forms().collect::<Vec<_>>(),
            })
        })
        .collect();
    global.reader().show(&platforms, |_| {
        let mut table = Listing::new(&["PLATFORM", "FOR", "OTHER FORMS"]);
        for platform in Platform::all() {
            let forms: Vec<&str> = platform.forms().collect();
            table.row(vec![
                platform.name().to_owned(),
                platform.title().to_owned(),
                forms.join(", "),
            ]);
        }
        table.text()
    })?;
    Ok(Verdict::Fine)
}

/// What the reader of the text has to know, away from the text.
fn tell(routers: &[Router], args: &RouterConfigArgs) {
    if args.text.part() != Part::Whole {
        return;
    }
    let links = || routers.iter().flat_map(Router::links);
    let lacks_key = links()
        .flat_map(|link| &link.sessions)
        .any(|session| session.key == SessionKey::LeftOut);
    if lacks_key {
        note("note: an MD5 key is missing in the text; without it the session won't come up");
    } else if !args.text.reveal {
        note("note: the MD5 key is left out of the text: replace <auth-key>, or give --reveal");
    } else if std::io::stdout().is_terminal() {
        note("note: the text holds the MD5 key in clear");
    }
    if links().any(|link| link.advertise.is_empty()) {
        note("note: nothing is announced to AWS: give --advertise PREFIX");
    }
    if links().any(|link| link.parent.is_none()) {
        note("note: the physical interface is the platform's usual first one: give --parent");
    }
}
