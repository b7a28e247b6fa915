//! Collects rows, each with a prefix of its own.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::bytes::Parts;
use crate::row::{Outcome, Row, Session, Stage};

#[derive(Default)]
pub(crate) struct Rows {
    rows: Vec<Row>,
}

impl Rows {
    /// Bytes that have no prefix of interest.
    pub(crate) fn bytes(
        &mut self,
        name: impl Into<String>,
        rule: &str,
        (session, stage): (Session, Stage),
        bytes: Vec<u8>,
        permitted: &[Outcome],
    ) {
        self.rows.push(Row {
            name: name.into(),
            rule: rule.to_owned(),
            session,
            stage,
            bytes,
            permitted: permitted.to_vec(),
            prefix: None,
        });
    }

    /// An UPDATE in Established, made from a good one.
    pub(crate) fn update(
        &mut self,
        name: impl Into<String>,
        rule: &str,
        session: Session,
        change: impl FnOnce(Parts) -> Parts,
        permitted: &[Outcome],
    ) {
        let prefix = self.next_v4();
        let parts = change(Parts::good(prefix, session));
        self.raw_update(name, rule, session, prefix, parts.message(), permitted);
    }

    /// The same for IPv6.
    pub(crate) fn update_v6(
        &mut self,
        name: impl Into<String>,
        rule: &str,
        session: Session,
        change: impl FnOnce(Parts, IpNet) -> Parts,
        permitted: &[Outcome],
    ) {
        let prefix = self.next_v6();
        let parts = change(Parts::good(prefix, session), prefix);
        self.raw_update(name, rule, session, prefix, parts.message(), permitted);
    }

    /// Bytes in Established that should announce `prefix`.
    pub(crate) fn raw_update(
        &mut self,
        name: impl Into<String>,
        rule: &str,
        session: Session,
        prefix: IpNet,
        bytes: Vec<u8>,
        permitted: &[Outcome],
    ) {
        self.bytes(name, rule, (session, Stage::Established), bytes, permitted);
        if let Some(row) = self.rows.last_mut() {
            row.prefix = Some(prefix);
        }
    }

    /// Unlike any other row's.
    pub(crate) fn next_v4(&self) -> IpNet {
        let number = u32::try_from(self.rows.len()).unwrap_or(0);
        let address = Ipv4Addr::from_bits(0x2c00_0000 | number << 8);
        IpNet::V4(Ipv4Net::new_assert(address, 24))
    }

    pub(crate) fn next_v6(&self) -> IpNet {
        let number = u128::try_from(self.rows.len()).unwrap_or(0);
        let address = Ipv6Addr::from_bits(0x2001_0db8 << 96 | number << 80);
        IpNet::V6(Ipv6Net::new_assert(address, 48))
    }

    pub(crate) fn finish(self) -> Vec<Row> {
        // Prefixes are counted in 16 bits.
        assert!(self.rows.len() < 1 << 16, "too many rows");
        self.rows
    }
}
