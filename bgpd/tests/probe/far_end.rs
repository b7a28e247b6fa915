//! A far end in a namespace of its own, with servers of all kinds.

#![allow(dead_code)]

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::sync::mpsc;
use std::thread;

use bgpd::probe::stamp::reflector::{Options, Reflector};

use crate::support::ip;

/// Does what it is asked to in its namespace, which ends with it.
pub(crate) struct FarEnd {
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

impl FarEnd {
    /// `link` is ours: 10.0.1.1 and fd00:1::1; the far end has 10.0.1.2 and fd00:1::2.
    pub(crate) fn behind(link: &str) -> Self {
        own_sysfs();
        let far = format!("{link}-far");
        ip(&format!("link add {link} type veth peer name {far}"));
        ip(&format!("addr add 10.0.1.1/24 dev {link}"));
        ip(&format!("addr add fd00:1::1/64 dev {link} nodad"));
        ip(&format!("link set {link} up"));
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let (process, thread) = (std::process::id(), nix::unistd::gettid());
            tell.send(format!("/proc/{process}/task/{thread}/ns/net"))
                .unwrap();
            inbox.iter().for_each(|job| job());
        });
        let namespace = told.recv().unwrap();
        ip(&format!("link set {far} netns {namespace}"));
        let end = Self { jobs };
        end.inside(move || {
            ip("link set lo up");
            ip(&format!("addr add 10.0.1.2/24 dev {far}"));
            ip(&format!("addr add fd00:1::2/64 dev {far} nodad"));
            ip(&format!("link set {far} up"));
            // RFC 1812 §4.3.2.8's limits would look like loss.
            set("ipv4/icmp_ratelimit", "0");
            set("ipv6/icmp/ratelimit", "0");
        });
        end
    }

    /// Runs something in the far end's namespace.
    pub(crate) fn inside<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, result) = mpsc::channel();
        let job = Box::new(move || answer.send(job()).unwrap());
        self.jobs.send(job).unwrap();
        result.recv().unwrap()
    }

    pub(crate) fn answer_echoes(&self, answer: bool) {
        let ignore = if answer { "0" } else { "1" };
        self.inside(move || {
            set("ipv4/icmp_echo_ignore_all", ignore);
            set("ipv6/icmp/echo_ignore_all", ignore);
        });
    }

    /// Echoes UDP, accepts TCP, reflects STAMP.
    pub(crate) fn serve(&self) {
        self.inside(|| {
            for host in ["10.0.1.2", "fd00:1::2"] {
                let host: std::net::IpAddr = host.parse().unwrap();
                let echo = UdpSocket::bind((host, ECHO)).unwrap();
                thread::spawn(move || {
                    let mut packet = [0; 2000];
                    while let Ok((length, from)) = echo.recv_from(&mut packet) {
                        let _ = echo.send_to(&packet[..length], from);
                    }
                });
                let listener = TcpListener::bind((host, LISTENING)).unwrap();
                thread::spawn(move || listener.incoming().for_each(drop));
            }
            let options = Options {
                listen: vec![
                    format!("0.0.0.0:{STAMP}").parse().unwrap(),
                    format!("[::]:{STAMP}").parse().unwrap(),
                ],
                allow: vec!["10.0.1.0/24".parse().unwrap(), "fd00::/8".parse().unwrap()],
                rate: 1000,
            };
            let reflector = Reflector::open(&options).unwrap();
            thread::spawn(|| reflector.run());
        });
    }

    /// TCP handshakes that the far end waits to be finished.
    pub(crate) fn half_open(&self) -> usize {
        self.inside(|| {
            let tables = ["tcp", "tcp6"]
                .map(|table| fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap());
            let lines = tables.iter().flat_map(|table| table.lines());
            // State 03: SYN_RECV (proc(5)).
            lines
                .filter(|line| line.split_whitespace().nth(3) == Some("03"))
                .count()
        })
    }
}

/// A sysfs that shows this namespace's interfaces, as `ip netns exec` makes one.
fn own_sysfs() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
    for arguments in [
        &["--make-rprivate", "/"][..],
        &["-t", "sysfs", "sysfs", "/sys"],
    ] {
        let mount = std::process::Command::new("mount").args(arguments).status();
        assert!(mount.unwrap().success(), "mount {arguments:?}");
    }
}

fn set(name: &str, value: &str) {
    fs::write(format!("/proc/sys/net/{name}"), value).unwrap();
}

pub(crate) const ECHO: u16 = 7;
pub(crate) const LISTENING: u16 = 443;
pub(crate) const STAMP: u16 = 862;
