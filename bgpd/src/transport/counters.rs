//! The kernel's own counts of segments that TCP-MD5 has made it drop, for all
//! peers of this network namespace together.

use std::io;

/// `TcpExt` of /proc/net/netstat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// Unsigned, where we have a key.
    pub(super) not_found: u64,
    /// Signed, where we have no key.
    pub(super) unexpected: u64,
    /// Signed with another key.
    pub(super) failure: u64,
}

impl Counters {
    pub(super) fn read() -> io::Result<Self> {
        // Of the calling thread's network namespace, unlike /proc/net.
        std::fs::read_to_string("/proc/thread-self/net/netstat").map(|text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("TcpExt: "));
        let (names, values) = (
            lines.next().unwrap_or_default(),
            lines.next().unwrap_or_default(),
        );
        let mut counters = Self::default();
        for (name, value) in names
            .split_ascii_whitespace()
            .zip(values.split_ascii_whitespace())
        {
            let value = value.parse().unwrap_or(0);
            match name {
                "TCPMD5NotFound" => counters.not_found = value,
                "TCPMD5Unexpected" => counters.unexpected = value,
                "TCPMD5Failure" => counters.failure = value,
                _ => {}
            }
        }
        counters
    }

    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            not_found: self.not_found.saturating_sub(earlier.not_found),
            unexpected: self.unexpected.saturating_sub(earlier.unexpected),
            failure: self.failure.saturating_sub(earlier.failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let text = "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPSackShifted\n\
                    TcpExt: 9 1 2 3 9\nIpExt: InNoRoutes\nIpExt: 7\n";
        let expected = Counters {
            not_found: 1,
            unexpected: 2,
            failure: 3,
        };
        assert_eq!(Counters::parse(text), expected);
    }

    #[test]
    fn a_kernel_without_the_counters_counts_nothing() {
        assert_eq!(
            Counters::parse("TcpExt: SyncookiesSent\nTcpExt: 9\n"),
            Counters::default()
        );
        assert_eq!(Counters::parse(""), Counters::default());
    }
}
