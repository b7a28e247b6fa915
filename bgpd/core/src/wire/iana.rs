//! Numbers that IANA assigns, and their names in its registries.

/// BGP Message Types.
pub mod message_type {
    pub const OPEN: u8 = 1;
    pub const UPDATE: u8 = 2;
    pub const NOTIFICATION: u8 = 3;
    pub const KEEPALIVE: u8 = 4;
    pub const ROUTE_REFRESH: u8 = 5;
}

/// BGP Path Attributes.
pub mod attribute {
    pub const ORIGIN: u8 = 1;
    pub const AS_PATH: u8 = 2;
    pub const NEXT_HOP: u8 = 3;
    pub const MULTI_EXIT_DISC: u8 = 4;
    pub const LOCAL_PREF: u8 = 5;
    pub const ATOMIC_AGGREGATE: u8 = 6;
    pub const AGGREGATOR: u8 = 7;
    pub const COMMUNITIES: u8 = 8;
    pub const ORIGINATOR_ID: u8 = 9;
    pub const CLUSTER_LIST: u8 = 10;
    pub const MP_REACH_NLRI: u8 = 14;
    pub const MP_UNREACH_NLRI: u8 = 15;
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    pub const AS4_PATH: u8 = 17;
    pub const AS4_AGGREGATOR: u8 = 18;
    pub const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
    pub const AIGP: u8 = 26;
    pub const LINK_STATE: u8 = 29;
    pub const LARGE_COMMUNITIES: u8 = 32;
    pub const ONLY_TO_CUSTOMER: u8 = 35;
    pub const PREFIX_SID: u8 = 40;
}

/// Path attribute flags (RFC 4271 §4.3).
pub mod flag {
    pub const OPTIONAL: u8 = 0x80;
    pub const TRANSITIVE: u8 = 0x40;
    pub const PARTIAL: u8 = 0x20;
    pub const EXTENDED_LENGTH: u8 = 0x10;
}

/// AS_PATH segment types.
pub mod segment {
    pub const AS_SET: u8 = 1;
    pub const AS_SEQUENCE: u8 = 2;
    pub const AS_CONFED_SEQUENCE: u8 = 3;
    pub const AS_CONFED_SET: u8 = 4;
}

/// Capability Codes.
pub mod capability {
    pub const MULTIPROTOCOL: u8 = 1;
    pub const ROUTE_REFRESH: u8 = 2;
    pub const EXTENDED_MESSAGE: u8 = 6;
    pub const GRACEFUL_RESTART: u8 = 64;
    pub const FOUR_OCTET_AS: u8 = 65;
    pub const ENHANCED_ROUTE_REFRESH: u8 = 70;
}

/// BGP OPEN Optional Parameter Types.
pub mod parameter {
    pub const CAPABILITIES: u8 = 2;
    pub const EXTENDED_LENGTH: u8 = 255;
}

/// BGP Error (Notification) Codes.
pub mod error {
    pub const MESSAGE_HEADER: u8 = 1;
    pub const OPEN: u8 = 2;
    pub const UPDATE: u8 = 3;
    pub const HOLD_TIMER_EXPIRED: u8 = 4;
    pub const FINITE_STATE_MACHINE: u8 = 5;
    pub const CEASE: u8 = 6;
    pub const ROUTE_REFRESH: u8 = 7;
}

/// Message Header Error subcodes.
pub mod header_error {
    pub const CONNECTION_NOT_SYNCHRONIZED: u8 = 1;
    pub const BAD_MESSAGE_LENGTH: u8 = 2;
    pub const BAD_MESSAGE_TYPE: u8 = 3;
}

/// OPEN Message Error subcodes.
pub mod open_error {
    pub const UNSPECIFIC: u8 = 0;
    pub const UNSUPPORTED_VERSION_NUMBER: u8 = 1;
    pub const BAD_PEER_AS: u8 = 2;
    pub const BAD_BGP_IDENTIFIER: u8 = 3;
    pub const UNSUPPORTED_OPTIONAL_PARAMETER: u8 = 4;
    pub const UNACCEPTABLE_HOLD_TIME: u8 = 6;
    pub const UNSUPPORTED_CAPABILITY: u8 = 7;
}

/// UPDATE Message Error subcodes.
pub mod update_error {
    pub const MALFORMED_ATTRIBUTE_LIST: u8 = 1;
    pub const UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE: u8 = 2;
    pub const OPTIONAL_ATTRIBUTE_ERROR: u8 = 9;
    pub const INVALID_NETWORK_FIELD: u8 = 10;
}

/// Finite State Machine Error subcodes (RFC 6608).
pub mod fsm_error {
    pub const UNSPECIFIED: u8 = 0;
    pub const UNEXPECTED_IN_OPEN_SENT: u8 = 1;
    pub const UNEXPECTED_IN_OPEN_CONFIRM: u8 = 2;
    pub const UNEXPECTED_IN_ESTABLISHED: u8 = 3;
}

/// Cease subcodes (RFC 4486, 8538).
pub mod cease {
    pub const MAXIMUM_PREFIXES: u8 = 1;
    pub const ADMINISTRATIVE_SHUTDOWN: u8 = 2;
    pub const PEER_DECONFIGURED: u8 = 3;
    pub const ADMINISTRATIVE_RESET: u8 = 4;
    pub const CONNECTION_REJECTED: u8 = 5;
    pub const OTHER_CONFIGURATION_CHANGE: u8 = 6;
    pub const CONNECTION_COLLISION: u8 = 7;
    pub const OUT_OF_RESOURCES: u8 = 8;
    pub const HARD_RESET: u8 = 9;
    pub const BFD_DOWN: u8 = 10;
}

/// ROUTE-REFRESH Message Error subcodes (RFC 7313).
pub mod route_refresh_error {
    pub const INVALID_MESSAGE_LENGTH: u8 = 1;
}

/// BGP Route Refresh Subcodes (RFC 7313).
pub mod route_refresh {
    pub const REQUEST: u8 = 0;
    pub const BEGIN: u8 = 1;
    pub const END: u8 = 2;
}

/// Address Family Numbers.
pub mod afi {
    use crate::Family;

    pub const IPV4: u16 = 1;
    pub const IPV6: u16 = 2;

    pub const fn of(family: Family) -> u16 {
        match family {
            Family::Ipv4 => IPV4,
            Family::Ipv6 => IPV6,
        }
    }
}

/// Subsequent Address Family Identifiers.
pub mod safi {
    pub const UNICAST: u8 = 1;
}

/// The name of a path attribute.
pub const fn attribute_name(code: u8) -> Option<&'static str> {
    Some(match code {
        attribute::ORIGIN => "ORIGIN",
        attribute::AS_PATH => "AS_PATH",
        attribute::NEXT_HOP => "NEXT_HOP",
        attribute::MULTI_EXIT_DISC => "MULTI_EXIT_DISC",
        attribute::LOCAL_PREF => "LOCAL_PREF",
        attribute::ATOMIC_AGGREGATE => "ATOMIC_AGGREGATE",
        attribute::AGGREGATOR => "AGGREGATOR",
        attribute::COMMUNITIES => "COMMUNITIES",
        attribute::ORIGINATOR_ID => "ORIGINATOR_ID",
        attribute::CLUSTER_LIST => "CLUSTER_LIST",
        attribute::MP_REACH_NLRI => "MP_REACH_NLRI",
        attribute::MP_UNREACH_NLRI => "MP_UNREACH_NLRI",
        attribute::EXTENDED_COMMUNITIES => "EXTENDED COMMUNITIES",
        attribute::AS4_PATH => "AS4_PATH",
        attribute::AS4_AGGREGATOR => "AS4_AGGREGATOR",
        attribute::IPV6_EXTENDED_COMMUNITIES => "IPv6 EXTENDED COMMUNITIES",
        attribute::AIGP => "AIGP",
        attribute::LINK_STATE => "BGP-LS",
        attribute::LARGE_COMMUNITIES => "LARGE_COMMUNITY",
        attribute::ONLY_TO_CUSTOMER => "OTC",
        attribute::PREFIX_SID => "BGP Prefix-SID",
        // Not read here; all of them optional.
        22 => "PMSI_TUNNEL",
        23 => "Tunnel Encapsulation",
        24 => "Traffic Engineering",
        27 => "PE Distinguisher Labels",
        33 => "BGPsec_Path",
        34 => "BGP Community Container",
        36 => "D-PATH",
        37 => "SFP",
        38 => "BFD Discriminator",
        39 => "Next Hop Capability",
        41 => "BIER",
        128 => "ATTR_SET",
        _ => return None,
    })
}

/// The name of a NOTIFICATION's error code.
pub const fn error_name(code: u8) -> Option<&'static str> {
    Some(match code {
        error::MESSAGE_HEADER => "Message Header Error",
        error::OPEN => "OPEN Message Error",
        error::UPDATE => "UPDATE Message Error",
        error::HOLD_TIMER_EXPIRED => "Hold Timer Expired",
        error::FINITE_STATE_MACHINE => "Finite State Machine Error",
        error::CEASE => "Cease",
        error::ROUTE_REFRESH => "ROUTE-REFRESH Message Error",
        8 => "Send Hold Timer Expired",
        _ => return None,
    })
}

/// The name of a NOTIFICATION's error subcode; none for zero, which says
/// nothing.
pub const fn subcode_name(code: u8, subcode: u8) -> Option<&'static str> {
    Some(match (code, subcode) {
        (error::MESSAGE_HEADER, 1) => "Connection Not Synchronized",
        (error::MESSAGE_HEADER, 2) => "Bad Message Length",
        (error::MESSAGE_HEADER, 3) => "Bad Message Type",
        (error::OPEN, 1) => "Unsupported Version Number",
        (error::OPEN, 2) => "Bad Peer AS",
        (error::OPEN, 3) => "Bad BGP Identifier",
        (error::OPEN, 4) => "Unsupported Optional Parameter",
        (error::OPEN, 5) => "Authentication Failure",
        (error::OPEN, 6) => "Unacceptable Hold Time",
        (error::OPEN, 7) => "Unsupported Capability",
        (error::OPEN, 11) => "Role Mismatch",
        (error::UPDATE, 1) => "Malformed Attribute List",
        (error::UPDATE, 2) => "Unrecognized Well-known Attribute",
        (error::UPDATE, 3) => "Missing Well-known Attribute",
        (error::UPDATE, 4) => "Attribute Flags Error",
        (error::UPDATE, 5) => "Attribute Length Error",
        (error::UPDATE, 6) => "Invalid ORIGIN Attribute",
        (error::UPDATE, 7) => "AS Routing Loop",
        (error::UPDATE, 8) => "Invalid NEXT_HOP Attribute",
        (error::UPDATE, 9) => "Optional Attribute Error",
        (error::UPDATE, 10) => "Invalid Network Field",
        (error::UPDATE, 11) => "Malformed AS_PATH",
        (error::FINITE_STATE_MACHINE, 1) => "Unexpected Message in OpenSent State",
        (error::FINITE_STATE_MACHINE, 2) => "Unexpected Message in OpenConfirm State",
        (error::FINITE_STATE_MACHINE, 3) => "Unexpected Message in Established State",
        (error::CEASE, cease::MAXIMUM_PREFIXES) => "Maximum Number of Prefixes Reached",
        (error::CEASE, cease::ADMINISTRATIVE_SHUTDOWN) => "Administrative Shutdown",
        (error::CEASE, cease::PEER_DECONFIGURED) => "Peer De-configured",
        (error::CEASE, cease::ADMINISTRATIVE_RESET) => "Administrative Reset",
        (error::CEASE, cease::CONNECTION_REJECTED) => "Connection Rejected",
        (error::CEASE, cease::OTHER_CONFIGURATION_CHANGE) => "Other Configuration Change",
        (error::CEASE, cease::CONNECTION_COLLISION) => "Connection Collision Resolution",
        (error::CEASE, cease::OUT_OF_RESOURCES) => "Out of Resources",
        (error::CEASE, cease::HARD_RESET) => "Hard Reset",
        (error::CEASE, cease::BFD_DOWN) => "BFD Down",
        (error::ROUTE_REFRESH, 1) => "Invalid Message Length",
        _ => return None,
    })
}
