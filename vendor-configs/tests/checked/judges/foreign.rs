//! The platforms' own software, where it runs here: it reads the text and says
//! what it makes of it. Debian's packages bird2, frr, gobgpd, openbgpd.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ipnet::IpNet;
use tempfile::TempDir;
use vendor_configs::indented::{self, Node};

use super::Complaint;

/// bgpd refuses what its commands make of each other.
pub(crate) fn frr_bgpd(text: &str) -> Vec<Complaint> {
    let own = only(&indented::parse(text), text, |line| {
        [
            "router bgp",
            "route-map",
            "ip prefix-list",
            "ipv6 prefix-list",
            "bgp ",
            "ip community-list",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    });
    let file = File::new("frr.conf", &own);
    file.open_to_all();
    let output = run(Command::new("/usr/lib/frr/bgpd").args(["-C", "-f", &file.path]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("can't open"), "bgpd: {said}");
    said.lines()
        .filter(|line| {
            line.starts_with("% ")
                || line.contains("onfig line")
                || line.contains("No such command")
        })
        .map(|line| {
            Complaint::at(
                line_number(line, "line ").unwrap_or(0),
                format!("bgpd: {line}"),
            )
        })
        .collect()
}

/// `vtysh -C` knows every command of FRR.
pub(crate) fn vtysh(text: &str) -> Vec<Complaint> {
    let file = File::new("frr.conf", text);
    let output = run(Command::new("vtysh").args(["-C", "-f", &file.path]));
    let said = both(&output);
    let lines: Vec<Complaint> = said
        .lines()
        .filter(|line| line.contains('%') || line.contains("rror"))
        .map(|line| {
            Complaint::at(
                line_number(line, "line ").unwrap_or(0),
                format!("vtysh: {line}"),
            )
        })
        .collect();
    unless_silent(lines, &output, &said, "vtysh")
}

/// The BGP part of an IOS text, in FRR's words where they differ.
pub(crate) fn frr_on_ios(text: &str) -> Vec<Complaint> {
    let mut below_vrf = None;
    let mut inside = false;
    let mut own = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let content = line.trim_end();
        if indent == 0 {
            inside = [
                "router bgp",
                "route-map",
                "ip prefix-list",
                "ipv6 prefix-list",
                "ip community-list",
            ]
            .iter()
            .any(|start| content.starts_with(start));
        }
        // FRR writes a VRF's family as a router of its own.
        if content.trim_start().starts_with("address-family") {
            below_vrf = content.contains(" vrf ").then_some(indent);
        }
        if inside && below_vrf.is_none() {
            let line = content
                .replace(" password 0 ", " password ")
                .replace(" fall-over bfd single-hop", " bfd")
                .replace(" fall-over bfd", " bfd")
                .replace("ip community-list ", "bgp community-list ")
                .replace(" send-community both", " send-community all");
            own.push_str(&line);
        }
        if content.trim() == "exit-address-family" {
            below_vrf = None;
        }
        own.push('\n');
    }
    vtysh(&own)
}

pub(crate) fn bird(text: &str) -> Vec<Complaint> {
    let file = File::new("bird.conf", text);
    let output = run(Command::new("bird").args(["-p", "-c", &file.path]));
    let said = both(&output);
    if output.status.success() {
        return Vec::new();
    }
    said.lines()
        .map(|line| {
            Complaint::at(
                line_number(line, "bird.conf:").unwrap_or(0),
                line.to_owned(),
            )
        })
        .collect()
}

pub(crate) fn openbgpd(text: &str) -> Vec<Complaint> {
    let file = File::new("bgpd.conf", text);
    let output = run(Command::new("/usr/sbin/bgpd").args(["-n", "-f", &file.path]));
    let said = both(&output);
    let hosts = host_bits(text);
    let lines: Vec<Complaint> = said
        .lines()
        .filter(|line| !line.contains("configuration OK"))
        .map(|line| {
            Complaint::at(
                line_number(line, "bgpd.conf:").unwrap_or(0),
                line.to_owned(),
            )
        })
        .collect();
    if output.status.success() && said.contains("configuration OK") {
        return hosts;
    }
    unless_silent(lines, &output, &said, "bgpd -n")
}

pub(crate) fn gobgp(text: &str) -> Vec<Complaint> {
    let file = File::new("gobgpd.toml", text);
    let output = run(Command::new("gobgpd").args(["-d", "-f", &file.path]));
    let said = both(&output);
    let mut complaints: Vec<Complaint> = said
        .lines()
        .filter(|line| !line.contains("\"level\":\"info\"") && !line.is_empty())
        .map(|line| Complaint::whole(line.to_owned()))
        .collect();
    if !output.status.success() && complaints.is_empty() {
        complaints.push(Complaint::whole(format!("gobgpd: {}", output.status)));
    }
    complaints
}

/// OpenBGPD cuts off what stands behind a prefix's length.
fn host_bits(text: &str) -> Vec<Complaint> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_start().starts_with('#'));
    lines
        .flat_map(|(index, line)| {
            let words = line.split(|c: char| c.is_whitespace() || "{},".contains(c));
            let nets = words.filter_map(|word| word.parse::<IpNet>().ok());
            nets.filter(|net| net.trunc() != *net)
                .map(move |net| Complaint::at(index + 1, format!("{net} has host bits")))
        })
        .collect()
}

/// A checker that fails without a word is no acceptance.
fn unless_silent(
    mut lines: Vec<Complaint>,
    output: &Output,
    said: &str,
    who: &str,
) -> Vec<Complaint> {
    if lines.is_empty() && !output.status.success() {
        lines.push(Complaint::whole(format!(
            "{who}: {}: {said}",
            output.status
        )));
    }
    lines
}

/// The blocks whose first line is wanted, each at its own line.
fn only(nodes: &[Node], text: &str, wanted: impl Fn(&str) -> bool) -> String {
    let mut kept = vec![false; text.lines().count() + 1];
    let mut keep = |node: &Node| mark(node, &mut kept);
    nodes
        .iter()
        .filter(|node| wanted(&node.text))
        .for_each(&mut keep);
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            if kept[index + 1] {
                format!("{line}\n")
            } else {
                "\n".to_owned()
            }
        })
        .collect()
}

fn mark(node: &Node, kept: &mut [bool]) {
    kept[node.line] = true;
    node.children.iter().for_each(|child| mark(child, kept));
}

fn line_number(text: &str, before: &str) -> Option<usize> {
    let (_, after) = text.split_once(before)?;
    let digits = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    after[..digits].parse().ok()
}

fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    // A daemon that ends neither by itself nor by its option is ended.
    let mut bounded = Command::new("timeout");
    bounded.arg("20").arg(&program).args(command.get_args());
    bounded.stdin(Stdio::null());
    let output = bounded
        .output()
        .unwrap_or_else(|error| panic!("timeout {program:?}: {error}"));
    assert!(
        !matches!(output.status.code(), Some(124..=127)),
        "{program:?} did not run or did not end: {}; it comes with Debian's packages \
         bird2, frr, gobgpd, openbgpd: {}",
        output.status,
        both(&output)
    );
    output
}

fn both(output: &Output) -> String {
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    said
}

/// A configuration that only its owner can read: OpenBGPD asks for that.
struct File {
    path: String,
    directory: TempDir,
}

impl File {
    fn new(name: &str, text: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a temporary file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file of ours");
        Self {
            path: path.to_str().expect("a path in UTF-8").to_owned(),
            directory,
        }
    }

    /// For a daemon that becomes another user before it reads.
    fn open_to_all(&self) {
        for (path, mode) in [
            (self.directory.path(), 0o755),
            (Path::new(&self.path), 0o644),
        ] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of ours");
        }
    }
}
