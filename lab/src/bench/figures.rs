//! What a round showed, as named quantities.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// One thing that is measured; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    pub name: &'static str,
    pub unit: &'static str,
    /// How many digits behind the point mean something.
    pub digits: usize,
}

impl Quantity {
    pub const fn seconds(name: &'static str) -> Self {
        Self {
            name,
            unit: "s",
            digits: 2,
        }
    }

    pub const fn milliseconds(name: &'static str) -> Self {
        Self {
            name,
            unit: "ms",
            digits: 1,
        }
    }

    /// How many times, or how many of them.
    pub const fn count(name: &'static str) -> Self {
        Self {
            name,
            unit: "",
            digits: 0,
        }
    }

    /// `convergence, s`
    pub fn title(self) -> String {
        match self.unit {
            "" => self.name.to_owned(),
            unit => format!("{}, {unit}", self.name),
        }
    }

    pub const fn megabytes(name: &'static str) -> Self {
        Self {
            name,
            unit: "MB",
            digits: 0,
        }
    }
}

/// In the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(pub Vec<(Quantity, f64)>);

impl Figures {
    pub fn value(&self, quantity: Quantity) -> Option<f64> {
        let found = self.0.iter().find(|(of, _)| *of == quantity);
        found.map(|(_, value)| *value)
    }
}

/// `convergence 1.47 s, withdrawal 0.52 s`
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (Quantity { name, unit, digits }, value)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            let space = if unit.is_empty() { "" } else { " " };
            write!(f, "{comma}{name} {value:.digits$}{space}{unit}")?;
        }
        Ok(())
    }
}

/// `{"name, unit": value}`
impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (quantity, value) in &self.0 {
            map.serialize_entry(&quantity.title(), value)?;
        }
        map.end()
    }
}
