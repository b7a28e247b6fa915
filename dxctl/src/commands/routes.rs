//! `dxctl routes`, `dxctl routes explain`

use bgp_core::api::{Route, RoutePath, Routes, RoutesQuery};

use super::{answered, or_dash};
use crate::Verdict;
use crate::cli::{Global, RoutesArgs, RoutesCommand};
use crate::control::Control;
use crate::output::{Listing, note};

pub(super) async fn run(args: RoutesArgs, global: &Global) -> anyhow::Result<Verdict> {
    let control = Control::at(&global.socket);
    if let Some(RoutesCommand::Explain { destination }) = args.command {
        return explain(&control, &destination, global).await;
    }
    let query = RoutesQuery {
        peer: args.peer,
        advertised: args.advertised,
        family: args.family,
        within: args.within,
        limit: Some(args.limit),
    };
    let routes = answered(control.routes(&query).await)?;
    if routes.routes.is_empty() {
        check_peer(&control, &query).await?;
    }
    global.reader().show(&routes, table)?;
    if routes.truncated {
        note(format_args!(
            "note: these are the first {} prefixes; more matched (--limit, --within)",
            routes.routes.len()
        ));
    }
    Ok(Verdict::Fine)
}

async fn explain(control: &Control, destination: &str, global: &Global) -> anyhow::Result<Verdict> {
    let route = answered(control.route(destination).await)?;
    global.reader().show(&route, page)?;
    let has_best = route.paths.iter().any(|path| path.best);
    Ok(if has_best {
        Verdict::Fine
    } else {
        Verdict::Differs
    })
}

/// No routes of a peer that isn't there is a slip, and said so.
async fn check_peer(control: &Control, query: &RoutesQuery) -> anyhow::Result<()> {
    let Some(wanted) = query.peer.as_ref().or(query.advertised.as_ref()) else {
        return Ok(());
    };
    let status = control.status().await?;
    let names: Vec<&str> = status.peers.iter().map(|peer| peer.name.as_str()).collect();
    if wanted == "local" || names.contains(&wanted.as_str()) {
        return Ok(());
    }
    Err(crate::Refused::new(format!(
        "bgpd has no peer {wanted}; it has: {}",
        names.join(", ")
    ))
    .into())
}

fn table(routes: &Routes) -> String {
    let mut table = Listing::new(&[
        "",
        "PREFIX",
        "FROM",
        "NEXT-HOP",
        "AS-PATH",
        "MED",
        "PREF",
        "COMMUNITIES",
    ]);
    for route in &routes.routes {
        for path in &route.paths {
            table.row(vec![
                marks(path),
                route.prefix.to_string(),
                path.peer.clone(),
                or_dash(path.next_hop),
                as_path(path),
                or_dash(path.med),
                or_dash(path.local_pref),
                communities(path),
            ]);
        }
    }
    table.text()
}

fn page(route: &Route) -> String {
    let mut table = Listing::new(&[
        "",
        "FROM",
        "NEXT-HOP",
        "AS-PATH",
        "ORIGIN",
        "MED",
        "PREF",
        "COMMUNITIES",
        "WHY NOT BEST",
    ]);
    for path in &route.paths {
        let why = match &path.why_not_best {
            Some(why) => why.clone(),
            None if path.best => "is best".to_owned(),
            None => "-".to_owned(),
        };
        table.row(vec![
            marks(path),
            path.peer.clone(),
            or_dash(path.next_hop),
            as_path(path),
            path.origin.clone(),
            or_dash(path.med),
            or_dash(path.local_pref),
            communities(path),
            why,
        ]);
    }
    format!("{}\n{}", route.prefix, table.text())
}

/// `*` best, `s` stale.
fn marks(path: &RoutePath) -> String {
    let best = if path.best { "*" } else { " " };
    let stale = if path.stale { "s" } else { "" };
    format!("{best}{stale}")
}

fn as_path(path: &RoutePath) -> String {
    if path.as_path.is_empty() {
        "-".to_owned()
    } else {
        path.as_path.clone()
    }
}

fn communities(path: &RoutePath) -> String {
    let all = [
        &path.communities,
        &path.large_communities,
        &path.extended_communities,
    ];
    let all: Vec<&str> = all.into_iter().flatten().map(String::as_str).collect();
    if all.is_empty() {
        "-".to_owned()
    } else {
        all.join(",")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(peer: &str, why: Option<&str>) -> RoutePath {
        RoutePath {
            peer: peer.into(),
            best: why.is_none(),
            stale: false,
            why_not_best: why.map(str::to_owned),
            next_hop: "169.254.10.1".parse().ok(),
            as_path: "64512".into(),
            origin: "igp".into(),
            med: None,
            local_pref: Some(300),
            communities: vec!["7224:7300".into()],
            large_communities: Vec::new(),
            extended_communities: Vec::new(),
        }
    }

    #[test]
    fn each_losing_path_says_where_it_lost() {
        let route = Route {
            prefix: "10.0.0.0/16".parse().unwrap(),
            paths: vec![
                path("prod", None),
                path("spare", Some("lower LOCAL_PREF: 100 < 300")),
            ],
        };
        insta::assert_snapshot!(page(&route), @r"
        10.0.0.0/16
           FROM   NEXT-HOP      AS-PATH  ORIGIN  MED  PREF  COMMUNITIES  WHY NOT BEST
        *  prod   169.254.10.1  64512    igp     -    300   7224:7300    is best
           spare  169.254.10.1  64512    igp     -    300   7224:7300    lower LOCAL_PREF: 100 < 300
        ");
    }

    #[test]
    fn a_table_has_a_line_for_each_path() {
        let routes = Routes {
            routes: vec![Route {
                prefix: "10.0.0.0/16".parse().unwrap(),
                paths: vec![path("prod", None)],
            }],
            truncated: false,
        };
        insta::assert_snapshot!(table(&routes), @r"
           PREFIX       FROM  NEXT-HOP      AS-PATH  MED  PREF  COMMUNITIES
        *  10.0.0.0/16  prod  169.254.10.1  64512    -    300   7224:7300
        ");
    }
}
