//! Clients of the control socket and of the metrics that stall, trickle or come by
//! the thousand; and a second bgpd beside the first.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::Context;
use lab::wait;

use super::neighbourhood::{Neighbourhood, Setup};
use crate::Bench;
use crate::cases::Case;
use crate::ours::PATIENCE;
use crate::rogue::networks;

pub(super) fn all() -> Vec<Case> {
    vec![
        Case::new(
            "a thousand clients that stall keep nobody from the control socket",
            control,
        ),
        Case::new(
            "a thousand slow scrapes keep nobody from the metrics",
            metrics,
        ),
        Case::new(
            "a second bgpd for the same routes is refused with the first one's pid",
            second,
        ),
    ]
}

const CLIENTS: usize = 1000;
/// What a server may have open for them, with a margin.
const FILES: usize = 150;

fn control(bench: &Bench) -> anyhow::Result<()> {
    let mut neighbourhood = Neighbourhood::start(bench, Setup::default())?;
    let feeder = neighbourhood.feed(&networks(0, 20_000))?;
    let before = neighbourhood.usage()?;
    let path = neighbourhood.ours.control.socket().to_owned();
    let halves: [&[u8]; 4] = [
        b"",
        b"GET /v1/sta",
        b"GET /v1/routes?limit=20000 HTTP/1.1\r\nHost: bgpd\r\n\r\n",
        b"POST /v1/reload HTTP/1.1\r\nHost: bgpd\r\nContent-Length: 1000\r\n\r\n{",
    ];
    let mut clients = Vec::new();
    for half in (0..CLIENTS).map(|number| halves[number % halves.len()]) {
        let mut client = UnixStream::connect(&path)?;
        // The oldest are closed for the youngest.
        let _closed = client.write_all(half);
        clients.push(client);
    }
    let observed = neighbourhood.observe(Duration::from_secs(3))?;
    observed.ensure_calm()?;
    wait::ensure(
        observed.files < before.files + FILES && observed.memory < before.memory + 200,
        "files and memory are bounded",
        format!(
            "{before:?}, then {} MB, {} files",
            observed.memory, observed.files
        ),
    )?;
    drop(clients);
    wait::until("a list of routes is answered again", PATIENCE, || {
        let routes = neighbourhood.ours.control.routes("limit=10");
        routes.map(drop).map_err(|error| error.to_string())
    })?;
    drop(feeder);
    Ok(())
}

fn metrics(bench: &Bench) -> anyhow::Result<()> {
    let setup = Setup {
        daemon: "metrics = \"10.9.0.1:9179\"\n",
        ..Setup::default()
    };
    let mut neighbourhood = Neighbourhood::start(bench, setup)?;
    let before = neighbourhood.usage()?;
    let pair = neighbourhood.pair.clone();
    let connect = || -> anyhow::Result<TcpStream> {
        Ok(pair
            .theirs
            .enter(|| TcpStream::connect(("10.9.0.1", 9179)))??)
    };
    let mut slow = (0..CLIENTS)
        .map(|_| connect())
        .collect::<anyhow::Result<Vec<_>>>()?;
    for letter in "GET /metrics HTT".bytes() {
        for client in &mut slow {
            let _closed = client.write_all(&[letter]);
        }
    }
    let observed = neighbourhood.observe(Duration::from_secs(2))?;
    observed.ensure_calm()?;
    wait::ensure(
        observed.files < before.files + FILES,
        "files are bounded",
        format!("{before:?}, then {} files", observed.files),
    )?;
    let (asked, mut answer) = (Instant::now(), String::new());
    let mut client = connect()?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    client.read_to_string(&mut answer)?;
    wait::ensure(
        answer.contains("bgpd_session_up{peer=\"them\"} 1")
            && asked.elapsed() < Duration::from_secs(2),
        "a scrape is answered meanwhile",
        format!("after {:?}: {answer}", asked.elapsed()),
    )?;
    Ok(())
}

fn second(bench: &Bench) -> anyhow::Result<()> {
    let neighbourhood = Neighbourhood::start(bench, Setup::default())?;
    let config = bench.directory.join("second.toml");
    let text = format!(
        "[bgpd]\nrouter_id = \"10.9.0.9\"\nasn = 65009\nlisten = [\"127.0.0.1:1179\"]\ncontrol = \"{}\"\n",
        bench.directory.join("second.sock").display()
    );
    std::fs::write(&config, text).context("the second one's configuration")?;
    let config = config.to_str().context("a path in UTF-8")?;
    let ours = &neighbourhood.pair.ours;
    let first = format!("pid {}", neighbourhood.ours.process.id());
    for arguments in [["run", config], ["clean", config]] {
        let refused = ours.exec(bench.program("bgpd"), &arguments);
        let said = refused.err().map(|error| error.to_string());
        wait::ensure(
            said.as_ref()
                .is_some_and(|said| said.contains(&first) && said.contains("protocol 186")),
            format!("`bgpd {}` is refused, naming {first}", arguments[0]),
            format!("{said:?}"),
        )?;
    }
    neighbourhood.healthy()
}
