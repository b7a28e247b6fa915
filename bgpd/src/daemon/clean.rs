//! `bgpd clean FILE`: takes away what bgpd has made on this machine.

use std::io;

use anyhow::{Context, bail};
use bgp_core::config::{Config, OnShutdown};
use tokio::sync::mpsc;

use super::claim::Claim;
use crate::netlink::{Batch, Socket, nexthop};
use crate::{control, fastpath, fib, interface, nat, router};

/// Whether to only say what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clean {
    List,
    Remove,
}

/// Lists, and removes if asked, routes and nexthops with our protocol's mark
/// and interfaces with our alias. Refused while a daemon runs.
pub async fn clean(config: &Config, what: Clean) -> anyhow::Result<Vec<String>> {
    if control::is_answered(&config.daemon.control).await {
        bail!(
            "a bgpd is running ({} answers); stop it first",
            config.daemon.control.display()
        );
    }
    let _claim = Claim::take(config.daemon.kernel.protocol)?;
    let interfaces = interface::made().await.context("can't list interfaces")?;
    let mut lines = remove_routes(config, what).await?;
    let protocol = config.daemon.kernel.protocol;
    // A kernel without nftables has no table.
    if nat::is_there(protocol).unwrap_or(false) {
        lines.push(format!("nftables table inet {}", nat::table(protocol)));
        if what == Clean::Remove {
            nat::remove(protocol).context("can't remove the nftables table")?;
        }
    }
    for name in &interfaces {
        lines.push(format!("interface {name}"));
        if what == Clean::Remove {
            interface::remove_vif(name)
                .await
                .with_context(|| format!("can't remove interface {name}"))?;
        }
    }
    match (lines.is_empty(), what) {
        (true, _) => lines.push("nothing of bgpd's is here".to_owned()),
        (false, Clean::List) => {
            lines.push("nothing was removed; add --yes to remove all of this".to_owned())
        }
        (false, Clean::Remove) => lines.push("removed".to_owned()),
    }
    Ok(lines)
}

async fn remove_routes(config: &Config, what: Clean) -> anyhow::Result<Vec<String>> {
    let kernel = config.daemon.kernel.clone();
    let nexthops = count_nexthops(kernel.protocol).context("can't list nexthops")?;
    let (events, _unheard) = mpsc::unbounded_channel();
    let (router, _inbox) = router::channel();
    let fastpath = fastpath::spawn(&kernel, events).context("can't list nexthops")?;
    let fib = fib::spawn(kernel.clone(), fastpath.clone(), router).context("can't list routes")?;
    let removed = tokio::task::spawn_blocking(move || {
        // Its answer comes after the first look at the kernel.
        let _ = fib.carried();
        let status = fib.status();
        fib.shutdown(match what {
            Clean::List => OnShutdown::Keep,
            Clean::Remove => OnShutdown::Remove,
        });
        let gone = if what == Clean::Remove {
            fastpath.remove_all().map(|_| ())
        } else {
            Ok(())
        };
        gone.map(|()| status)
    });
    let status = removed
        .await
        .context("the routes' thread failed")?
        .context("can't remove nexthops")?;
    let mut lines = Vec::new();
    if status.routes > 0 {
        lines.push(format!(
            "{} routes with protocol {} in table {}",
            status.routes, kernel.protocol, kernel.table
        ));
    }
    if nexthops > 0 {
        lines.push(format!(
            "{nexthops} nexthops and groups with protocol {}",
            kernel.protocol
        ));
    }
    Ok(lines)
}

fn count_nexthops(protocol: u8) -> io::Result<usize> {
    let mut count = 0;
    let mut batch = Batch::new();
    nexthop::dump(&mut batch);
    Socket::new()?.dump(&mut batch, |message| {
        let seen = nexthop::Seen::read(&message);
        count += usize::from(seen.is_some_and(|seen| seen.protocol == protocol));
    })?;
    Ok(count)
}
