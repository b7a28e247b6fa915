//! The command line of what is chosen for the operator.

use bgp_core::{Asn, Family, VlanId};
use clap::{Args, Subcommand, ValueEnum};
use ipnet::Ipv4Net;

use super::{examples, value};
use crate::pick::Detail;

#[derive(Debug, Subcommand)]
pub(crate) enum AsnCommand {
    /// Pick a private AS number that nothing on this account uses
    #[command(after_help = examples::ASN_EXAMPLES)]
    Pick(AsnPickArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AsnPickArgs {
    /// Width of the number: 16 picks from 64512–65534, 32 from 4200000000–4294967294
    #[arg(long, default_value = "16")]
    pub(crate) bits: AsnBits,
    /// Derive the number from a name, so that the same site gets the same number
    #[arg(long, value_name = "NAME")]
    pub(crate) seed: Option<String>,
    /// Never pick these
    #[arg(long, value_name = "ASN", value_parser = value::asn)]
    pub(crate) avoid: Vec<Asn>,
    /// Don't ask AWS what is in use
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AsnBits {
    #[value(name = "16")]
    Sixteen,
    #[value(name = "32")]
    ThirtyTwo,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VlanCommand {
    /// Pick the lowest VLAN that is free on a connection
    #[command(after_help = examples::VLAN_EXAMPLES)]
    Pick(VlanPickArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VlanPickArgs {
    /// Connection (dxcon-…) or LAG (dxlag-…)
    #[arg(long, value_name = "ID")]
    pub(crate) connection: String,
    /// Start here
    #[arg(long, value_name = "VLAN", default_value = "1", value_parser = value::vlan)]
    pub(crate) from: VlanId,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AddressCommand {
    /// Pick a free pair of addresses: AWS's end, then ours
    #[command(after_help = examples::ADDRESS_EXAMPLES)]
    Pick(AddressPickArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddressPickArgs {
    /// Out of these addresses
    #[arg(long, value_name = "PREFIX", default_value = "169.254.0.0/16")]
    pub(crate) pool: Ipv4Net,
    /// Mask of the pair
    #[arg(long, value_name = "LENGTH", default_value = "30", value_parser = clap::value_parser!(u8).range(30..=31))]
    pub(crate) length: u8,
    /// Never inside these
    #[arg(long, value_name = "PREFIX")]
    pub(crate) avoid: Vec<Ipv4Net>,
    /// ipv6 needs no picking: AWS assigns it
    #[arg(long, default_value = "ipv4", value_parser = value::family)]
    pub(crate) family: Family,
    /// Don't ask AWS what is in use
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) explain: Explain,
}

/// On every verb that chooses something for the operator.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Explain {
    /// For each choice, tell all that was looked at and why it could not be chosen
    #[arg(long)]
    explain: bool,
}

impl Explain {
    pub(crate) fn detail(self) -> Detail {
        match self.explain {
            true => Detail::Everything,
            false => Detail::Reason,
        }
    }
}
