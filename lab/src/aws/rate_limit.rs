//! Rate limits of virtual interfaces (2026-06).

use serde_json::{Value, json};

use super::error::ApiError;
use super::simulator::Simulator;
use super::vif::Vif;

/// What the service model's text lists, in Mbit/s.
const SUPPORTED: [u32; 70] = [
    50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1500, 1800, 2000, 2100, 2400,
    2700, 3000, 3200, 3600, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 12_000, 15_000, 18_000,
    20_000, 21_000, 24_000, 27_000, 30_000, 32_000, 36_000, 40_000, 50_000, 60_000, 70_000, 80_000,
    100_000, 120_000, 150_000, 180_000, 200_000, 210_000, 240_000, 270_000, 300_000, 320_000,
    360_000, 400_000, 450_000, 480_000, 500_000, 540_000, 600_000, 700_000, 800_000, 900_000,
    1_000_000, 1_100_000, 1_200_000, 1_300_000, 1_400_000, 1_500_000, 1_600_000,
];

/// How many a connection or LAG has: no public source says, this is the lab's.
const LIMITERS: usize = 10;

impl Simulator {
    /// `None`: no limit was asked for.
    pub(super) fn rate_limit(
        &self,
        carrier: &str,
        vif: Option<&str>,
        wanted: Option<&str>,
    ) -> Result<Option<u32>, ApiError> {
        let Some(wanted) = wanted else {
            return Ok(None);
        };
        let limit = megabits(wanted)
            .filter(|limit| SUPPORTED.contains(limit))
            .ok_or_else(|| ApiError::client(format!("Rate limit {wanted} is not supported.")))?;
        let bandwidth = self.carrier(carrier).map(|c| c.bandwidth());
        if bandwidth.is_some_and(|most| limit > most) {
            let text = format!("Rate limit {wanted} exceeds the bandwidth of {carrier}.");
            return Err(ApiError::client(text));
        }
        let others = self.limited(carrier).filter(|v| Some(v.id.as_str()) != vif);
        if others.count() >= LIMITERS {
            let text = format!("{carrier} has {LIMITERS} rate limiters in use already.");
            return Err(ApiError::limit(text));
        }
        Ok(Some(limit))
    }

    pub(super) fn limiter_status(&self, carrier: &str) -> Value {
        let in_use = self.limited(carrier).count();
        let total = self.limited(carrier).filter_map(|vif| vif.rate_limit).sum();
        json!({
            "maxAllowed": LIMITERS,
            "inUse": in_use,
            "remaining": LIMITERS.saturating_sub(in_use),
            "totalBandwidth": bandwidth(total),
        })
    }

    fn limited<'a>(&'a self, carrier: &'a str) -> impl Iterator<Item = &'a Vif> {
        let limited =
            move |vif: &&Vif| vif.connection == carrier && vif.lives() && vif.rate_limit.is_some();
        self.vifs.iter().filter(limited)
    }
}

/// `500Mbps`, `1.5Gbps`, `1Tbps` in Mbit/s.
pub fn megabits(text: &str) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(4)?)?;
    let scale = match unit {
        "Mbps" => 1.0,
        "Gbps" => 1e3,
        "Tbps" => 1e6,
        _ => return None,
    };
    let value = number.parse::<f64>().ok()? * scale;
    // Tenths of a unit at most, so that this is exact.
    (value.fract().abs() < 1e-6 && (1.0..1e8).contains(&value)).then_some(value.round() as u32)
}

/// Mbit/s as the API writes it.
pub fn bandwidth(megabits: u32) -> String {
    let scaled = f64::from(megabits);
    match megabits {
        0..1000 => format!("{megabits}Mbps"),
        1000..1_000_000 => format!("{}Gbps", scaled / 1e3),
        _ => format!("{}Tbps", scaled / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_and_written_as_the_api_does() {
        for (text, number) in [
            ("50Mbps", 50),
            ("1Gbps", 1000),
            ("1.5Gbps", 1500),
            ("1.6Tbps", 1_600_000),
        ] {
            assert_eq!(megabits(text), Some(number));
            assert_eq!(bandwidth(number), text);
        }
        for wrong in ["", "Gbps", "1GB", "-1Gbps", "é", "NaNGbps", "0Mbps"] {
            assert_eq!(megabits(wrong), None, "{wrong}");
        }
    }
}
