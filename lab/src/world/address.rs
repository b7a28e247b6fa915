//! Who has which address. Documentation and unique local prefixes, and the VPC
//! that the simulated AWS has from the start.

use std::net::{Ipv4Addr, Ipv6Addr};

pub const ONPREM: &str = "10.20.0.0/16";
pub const ONPREM6: &str = "fd00:20::/48";
pub const VPC: &str = "172.31.0.0/16";
pub const VPC6: &str = "fd00:172:31::/56";

pub const ONPREM_HOST: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 10);
pub const ONPREM_HOST6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x20, 0, 0, 0, 0, 0, 0x10);
pub const EDGE_LAN: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 1);
pub const EDGE_LAN6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x20, 0, 0, 0, 0, 0, 1);

pub const EDGE_INTERNET: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
pub const EDGE_INTERNET6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, 2);
pub const EDGE_GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub const EDGE_GATEWAY6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, 1);

pub const AWS_INTERNET: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub const AWS_INTERNET6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);
pub const AWS_GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
pub const AWS_GATEWAY6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);

pub const VPC_ROUTER: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 1);
pub const VPC_ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x172, 0x31, 0, 0, 0, 0, 1);
pub const VPC_HOST: Ipv4Addr = Ipv4Addr::new(172, 31, 0, 10);
pub const VPC_HOST6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x172, 0x31, 0, 0, 0, 0, 0x10);
