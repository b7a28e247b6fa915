//! Messages and attributes, right and wrong ones, octet by octet.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use crate::row::Session;

pub const PEER_AS: u32 = 7224;
pub const SPEAKER_AS: u32 = 65010;
/// The peer's address, and the next hop of its routes.
pub const NEXT_HOP: [u8; 4] = [169, 254, 255, 1];
pub(crate) const NEXT_HOP_V6: [u8; 16] = [0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

pub(crate) const OPEN: u8 = 1;
pub(crate) const UPDATE: u8 = 2;
pub(crate) const NOTIFICATION: u8 = 3;
pub(crate) const KEEPALIVE: u8 = 4;
pub(crate) const ROUTE_REFRESH: u8 = 5;

pub(crate) const WELL_KNOWN: u8 = 0x40;
pub(crate) const OPTIONAL: u8 = 0x80;
pub(crate) const CARRIED: u8 = 0xc0;
pub(crate) const EXTENDED_LENGTH: u8 = 0x10;

pub(crate) const ORIGIN: u8 = 1;
pub(crate) const AS_PATH: u8 = 2;
pub(crate) const NEXT_HOP_ATTRIBUTE: u8 = 3;
pub(crate) const MED: u8 = 4;
pub(crate) const LOCAL_PREF: u8 = 5;
pub(crate) const MP_REACH: u8 = 14;
pub(crate) const MP_UNREACH: u8 = 15;

/// A message of this type around `body`.
pub fn message(message_type: u8, body: &[u8]) -> Vec<u8> {
    header(body.len() + 19, message_type, body)
}

/// A message that says it has `length` octets, whatever it has.
pub(crate) fn header(length: usize, message_type: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff; 16][..], &length_of(length), &[message_type], body].concat()
}

pub(crate) fn length_of(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// An attribute whose length field has one octet, or two where it must.
pub(crate) fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    match u8::try_from(value.len()) {
        Ok(length) => [&[flags, code, length], value].concat(),
        Err(_) => long_attribute(flags, code, value),
    }
}

/// An attribute whose length field has two octets.
pub(crate) fn long_attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let [high, low] = length_of(value.len());
    [&[flags | EXTENDED_LENGTH, code, high, low], value].concat()
}

/// An UPDATE's three parts, its attributes one by one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) withdrawn: Vec<u8>,
    pub(crate) attributes: Vec<Vec<u8>>,
    pub(crate) nlri: Vec<u8>,
}

impl Parts {
    /// An announcement without fault.
    pub(crate) fn good(prefix: IpNet, session: Session) -> Self {
        let mut parts = Self {
            attributes: mandatory(session),
            ..Self::default()
        };
        match prefix {
            IpNet::V4(_) => {
                parts
                    .attributes
                    .push(attribute(WELL_KNOWN, NEXT_HOP_ATTRIBUTE, &NEXT_HOP));
                parts.nlri = nlri(prefix);
            }
            IpNet::V6(_) => parts.attributes.push(reach_v6(&nlri(prefix))),
        }
        if session == Session::Internal {
            parts
                .attributes
                .push(attribute(WELL_KNOWN, LOCAL_PREF, &100_u32.to_be_bytes()));
        }
        parts
    }

    pub(crate) fn with(mut self, attribute: Vec<u8>) -> Self {
        self.attributes.push(attribute);
        self
    }

    pub(crate) fn insert(mut self, place: usize, attribute: Vec<u8>) -> Self {
        let place = place.min(self.attributes.len());
        self.attributes.insert(place, attribute);
        self
    }

    pub(crate) fn without(mut self, code: u8) -> Self {
        self.attributes
            .retain(|attribute| attribute.get(1) != Some(&code));
        self
    }

    /// The attribute of this type becomes another one, in its place; where there
    /// is none, at the end.
    pub(crate) fn replace(mut self, code: u8, attribute: Vec<u8>) -> Self {
        match self
            .attributes
            .iter_mut()
            .find(|other| other.get(1) == Some(&code))
        {
            Some(place) => *place = attribute,
            None => self.attributes.push(attribute),
        }
        self
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        let attributes = self.attributes.concat();
        message(
            UPDATE,
            &[
                &length_of(self.withdrawn.len())[..],
                &self.withdrawn,
                &length_of(attributes.len()),
                &attributes,
                &self.nlri,
            ]
            .concat(),
        )
    }
}

/// ORIGIN and AS_PATH.
fn mandatory(session: Session) -> Vec<Vec<u8>> {
    vec![
        attribute(WELL_KNOWN, ORIGIN, &[0]),
        attribute(WELL_KNOWN, AS_PATH, &sequence(session, &path(session))),
    ]
}

/// What a peer of this kind has in front of its paths.
pub(crate) fn path(session: Session) -> Vec<u32> {
    match session {
        Session::Internal => vec![],
        _ => vec![PEER_AS],
    }
}

/// One AS_SEQUENCE, or nothing for an empty one.
pub(crate) fn sequence(session: Session, asns: &[u32]) -> Vec<u8> {
    if asns.is_empty() {
        return vec![];
    }
    segment(session, 2, asns)
}

pub(crate) fn segment(session: Session, kind: u8, asns: &[u32]) -> Vec<u8> {
    let count = u8::try_from(asns.len()).unwrap_or(u8::MAX);
    let mut octets = vec![kind, count];
    for asn in asns {
        let [a, b, c, d] = asn.to_be_bytes();
        match session {
            Session::TwoOctet => octets.extend([c, d]),
            _ => octets.extend([a, b, c, d]),
        }
    }
    octets
}

pub(crate) fn nlri(prefix: IpNet) -> Vec<u8> {
    let length = prefix.prefix_len();
    let octets = usize::from(length).div_ceil(8);
    let address = match prefix {
        IpNet::V4(prefix) => prefix.network().octets().to_vec(),
        IpNet::V6(prefix) => prefix.network().octets().to_vec(),
    };
    let mut nlri = vec![length];
    nlri.extend(address.iter().take(octets));
    nlri
}

pub(crate) fn reach(afi: u16, safi: u8, next_hop: &[u8], nlri: &[u8]) -> Vec<u8> {
    attribute(OPTIONAL, MP_REACH, &reach_value(afi, safi, next_hop, nlri))
}

pub(crate) fn reach_value(afi: u16, safi: u8, next_hop: &[u8], nlri: &[u8]) -> Vec<u8> {
    let next_hop_length = u8::try_from(next_hop.len()).unwrap_or(u8::MAX);
    let [high, low] = afi.to_be_bytes();
    [&[high, low, safi, next_hop_length], next_hop, &[0], nlri].concat()
}

pub(crate) fn reach_v6(nlri: &[u8]) -> Vec<u8> {
    reach(2, 1, &NEXT_HOP_V6, nlri)
}

pub(crate) fn unreach(afi: u16, safi: u8, nlri: &[u8]) -> Vec<u8> {
    let [high, low] = afi.to_be_bytes();
    attribute(OPTIONAL, MP_UNREACH, &[&[high, low, safi], nlri].concat())
}

/// An UPDATE without fault.
pub fn announcement(prefix: IpNet, session: Session, med: u32) -> Vec<u8> {
    Parts::good(prefix, session)
        .with(attribute(OPTIONAL, MED, &med.to_be_bytes()))
        .message()
}

/// An OPEN's fields, each of which can be made wrong.
#[derive(Clone, Debug)]
pub(crate) struct OpenParts {
    pub(crate) version: u8,
    pub(crate) my_as: u16,
    pub(crate) hold_time: u16,
    pub(crate) router_id: [u8; 4],
    /// With their length in front.
    pub(crate) parameters: Vec<u8>,
}

impl OpenParts {
    pub(crate) fn of(capabilities: &[Vec<u8>]) -> Self {
        Self {
            version: 4,
            my_as: 7224,
            hold_time: 90,
            router_id: NEXT_HOP,
            parameters: parameters(&[(2, capabilities.concat())]),
        }
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        message(
            OPEN,
            &[
                &[self.version][..],
                &self.my_as.to_be_bytes(),
                &self.hold_time.to_be_bytes(),
                &self.router_id,
                &self.parameters,
            ]
            .concat(),
        )
    }
}

/// Optional parameters with their lengths of one octet.
pub(crate) fn parameters(list: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut octets = vec![];
    for (kind, value) in list {
        octets.extend([*kind, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
        octets.extend(value);
    }
    octets.insert(0, u8::try_from(octets.len()).unwrap_or(u8::MAX));
    octets
}

pub(crate) fn capability(code: u8, value: &[u8]) -> Vec<u8> {
    [&[code, u8::try_from(value.len()).unwrap_or(u8::MAX)], value].concat()
}

pub(crate) fn multiprotocol(afi: u16, safi: u8) -> Vec<u8> {
    let [high, low] = afi.to_be_bytes();
    capability(1, &[high, low, 0, safi])
}

pub(crate) fn four_octet_as(asn: u32) -> Vec<u8> {
    capability(65, &asn.to_be_bytes())
}

/// IPv4, route refresh and the four-octet AS.
pub(crate) fn usual() -> Vec<Vec<u8>> {
    vec![
        multiprotocol(1, 1),
        capability(2, &[]),
        four_octet_as(PEER_AS),
    ]
}

pub(crate) fn open(session: Session, hold_time: u16) -> Vec<u8> {
    let asn = session.peer_asn();
    let mut capabilities = vec![multiprotocol(1, 1), capability(2, &[])];
    if session != Session::ExternalIpv4 {
        capabilities.push(multiprotocol(2, 1));
    }
    if session != Session::TwoOctet {
        capabilities.push(four_octet_as(asn));
    }
    if session == Session::Extended {
        capabilities.push(capability(6, &[]));
    }
    OpenParts {
        my_as: u16::try_from(asn).unwrap_or(23456),
        hold_time,
        ..OpenParts::of(&capabilities)
    }
    .message()
}

/// Where it doesn't matter which.
pub(crate) const ANY: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(43, 0, 0, 0), 24));
