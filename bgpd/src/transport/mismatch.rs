//! Names an MD5 mismatch. A segment with a wrong signature, a missing one or an
//! unexpected one is dropped without a word at whichever end it arrives; what
//! the *peer* sends tells which of the three it is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bgp_core::config::AuthKey;

use super::capture::Capture;
use super::counters::Counters;
use super::tcp_md5::Signature;

/// Watches what arrives from a peer while no session is up.
pub struct Watch {
    remote: SocketAddr,
    sight: Sight,
    /// Segments that were signed otherwise than by our key.
    foreign: u64,
    unsigned: u64,
}

enum Sight {
    Segments(Capture),
    /// Without CAP_NET_RAW, or a place: the kernel's counts, which know no peers.
    Counts(Counters),
}

/// Why segments of a peer are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub kind: MismatchKind,
    pub remote: IpAddr,
    pub segments: u64,
    /// Seen from this peer; else counted by the kernel, for any peer.
    certain: Certainty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MismatchKind {
    KeysDiffer,
    PeerHasNoKey,
    WeHaveNoKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Certainty {
    Seen,
    Counted,
}

impl Watch {
    /// `remote` with the port that the peer listens on.
    pub fn open(remote: SocketAddr, local: Option<IpAddr>) -> Self {
        let sight = match Capture::open(remote, local) {
            Ok(capture) => Sight::Segments(capture),
            Err(error) => {
                tracing::debug!(%remote, %error, "no raw socket: an MD5 mismatch is told from the kernel's counters");
                Sight::Counts(Counters::read().unwrap_or_default())
            }
        };
        Self {
            remote,
            sight,
            foreign: 0,
            unsigned: 0,
        }
    }

    /// What is wrong with all that has come from the peer since `open`.
    pub fn look(&mut self, key: Option<&AuthKey>) -> Option<Mismatch> {
        let certain = match &self.sight {
            Sight::Segments(capture) => {
                capture.drain(|segment| {
                    let bgp = segment.source_port() == self.remote.port()
                        || [BGP_PORT, self.remote.port()].contains(&segment.destination_port());
                    // A reset of nobody's connection is unsigned even where a key is set.
                    if !bgp || segment.is_reset() {
                        return;
                    }
                    match segment.check(key) {
                        Signature::Valid => {}
                        Signature::Missing => self.unsigned += 1,
                        Signature::Foreign => self.foreign += 1,
                    }
                });
                Certainty::Seen
            }
            Sight::Counts(baseline) => {
                let counts = Counters::read().unwrap_or_default().since(*baseline);
                (self.foreign, self.unsigned) = match key {
                    Some(_) => (counts.failure, counts.not_found),
                    None => (counts.unexpected, 0),
                };
                Certainty::Counted
            }
        };
        let (kind, segments) = match (key, self.foreign, self.unsigned) {
            (Some(_), 0, 0) | (None, 0, _) => return None,
            (Some(_), 0, unsigned) => (MismatchKind::PeerHasNoKey, unsigned),
            (Some(_), foreign, _) => (MismatchKind::KeysDiffer, foreign),
            (None, foreign, _) => (MismatchKind::WeHaveNoKey, foreign),
        };
        Some(Mismatch {
            kind,
            remote: self.remote.ip(),
            segments,
            certain,
        })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.segments == 1 { "" } else { "s" };
        write!(f, "{} segment{plural} ", self.segments)?;
        f.write_str(match self.kind {
            MismatchKind::KeysDiffer => "with a wrong MD5 signature",
            MismatchKind::PeerHasNoKey => "without an MD5 signature",
            MismatchKind::WeHaveNoKey => "with an MD5 signature",
        })?;
        match self.certain {
            Certainty::Seen => write!(f, " arrived from {}", self.remote)?,
            Certainty::Counted => write!(
                f,
                " arrived (counted by the kernel, maybe from another peer than {})",
                self.remote
            )?,
        }
        f.write_str(match self.kind {
            MismatchKind::KeysDiffer => {
                ": the MD5 keys differ; compare auth_key_file with the VIF's authKey (or the peer's key)"
            }
            MismatchKind::PeerHasNoKey => {
                ": the peer sends no MD5 signature, and auth_key_file is set here; set the same key at the peer, or remove it here"
            }
            MismatchKind::WeHaveNoKey => {
                ": the peer expects MD5 and we have no key; set auth_key_file to the VIF's authKey (or the peer's key)"
            }
        })
    }
}

const BGP_PORT: u16 = 179;
