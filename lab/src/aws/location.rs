//! Where connections can be ordered, and what for.

use serde_json::{Value, json};

use super::error::ApiError;
use super::simulator::Simulator;

/// A place where connections can be ordered.
pub struct Location {
    pub code: &'static str,
    name: &'static str,
    region: &'static str,
}

const LOCATIONS: [Location; 5] = {
    const fn at(region: &'static str, code: &'static str, name: &'static str) -> Location {
        Location { code, name, region }
    }
    [
        at("eu-central-1", "EqFA5", "Equinix FR5, Frankfurt, DEU"),
        at("eu-central-1", "IXFR8", "Interxion FRA6, Frankfurt, DEU"),
        at("eu-central-1", "EqMU1", "Equinix MU1, Munich, DEU"),
        at("eu-west-1", "EqDB1", "Equinix DB1, Dublin, IRL"),
        at("eu-west-1", "IXDB3", "Interxion DUB3, Dublin, IRL"),
    ]
};

/// Port speeds of dedicated connections, LAGs' members and interconnects.
pub const PORT_SPEEDS: [&str; 4] = ["1Gbps", "10Gbps", "100Gbps", "400Gbps"];

/// Those that MACsec is for (User Guide).
pub const MAC_SEC_SPEEDS: [&str; 3] = ["10Gbps", "100Gbps", "400Gbps"];

pub const PAY_AS_YOU_GO: &str = "PayAsYouGo";
const BILLING_MODES: [&str; 3] = [PAY_AS_YOU_GO, "FlatRateTier1", "FlatRateTier2"];

impl Simulator {
    pub(super) fn describe_locations(&self) -> Value {
        let here = LOCATIONS.iter().filter(|l| l.region == self.region);
        let modes = BILLING_MODES.map(|mode| {
            json!({
                "billingMode": mode,
                "availablePortSpeeds": PORT_SPEEDS,
                "includedRegions": [self.region],
            })
        });
        let locations = here.map(|location| {
            json!({
                "locationCode": location.code,
                "locationName": location.name,
                "region": location.region,
                "availablePortSpeeds": PORT_SPEEDS,
                "availableProviders": ["lab-partner"],
                "availableMacSecPortSpeeds": MAC_SEC_SPEEDS,
                "availableBillingModes": modes,
            })
        });
        json!({ "locations": locations.collect::<Vec<_>>() })
    }

    /// The Region has this location, and it has ports of this speed.
    pub(super) fn check_port(&self, location: &str, bandwidth: &str) -> Result<(), ApiError> {
        let here = |l: &Location| l.region == self.region && l.code == location;
        if !LOCATIONS.iter().any(here) {
            let text = format!("Location {location} does not exist.");
            return Err(ApiError::client(text));
        }
        if !PORT_SPEEDS.contains(&bandwidth) {
            let valid = PORT_SPEEDS.join(", ");
            let text = format!("Bandwidth {bandwidth} is not valid: use {valid}.");
            return Err(ApiError::client(text));
        }
        Ok(())
    }
}

/// A billing mode that can be had here; the model knows more of them.
pub fn billing_mode(wanted: Option<&str>) -> Result<&'static str, ApiError> {
    let wanted = wanted.unwrap_or(PAY_AS_YOU_GO);
    let known = BILLING_MODES.iter().find(|mode| **mode == wanted);
    known.copied().ok_or_else(|| {
        let valid = BILLING_MODES.join(", ");
        ApiError::client(format!(
            "Billing mode {wanted} is not available here: use {valid}."
        ))
    })
}
