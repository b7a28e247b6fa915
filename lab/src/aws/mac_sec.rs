//! MACsec on connections and LAGs: `AssociateMacSecKey`, `DisassociateMacSecKey`,
//! the encryption mode. The CAK is a secret: it is looked at and forgotten.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::location::MAC_SEC_SPEEDS;
use super::simulator::{Account, Simulator, Time};

/// MACsec on one port or LAG.
#[derive(Default)]
pub struct Security {
    /// `None`: it was ordered without.
    mode: Option<&'static str>,
    keys: Vec<MacSecKey>,
}

struct MacSecKey {
    /// The Secrets Manager secret that holds both names and keys.
    secret: String,
    ckn: String,
    phase: KeyPhase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyPhase {
    Associating { until: Time },
    Associated,
    Disassociating { until: Time },
}

const MODES: [&str; 3] = ["no_encrypt", "should_encrypt", "must_encrypt"];

/// No `Debug`: it holds the CAK.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssociateKey {
    connection_id: String,
    #[serde(rename = "secretARN")]
    secret_arn: Option<String>,
    ckn: Option<String>,
    cak: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DisassociateKey {
    connection_id: String,
    #[serde(rename = "secretARN")]
    secret_arn: String,
}

impl Security {
    /// As a port is ordered: only a fast dedicated one can have it.
    pub fn ordered(requested: Option<bool>, bandwidth: &str) -> Result<Self, ApiError> {
        if requested != Some(true) {
            return Ok(Self::default());
        }
        if !MAC_SEC_SPEEDS.contains(&bandwidth) {
            let text = format!("MACsec is not available at {bandwidth}.");
            return Err(ApiError::client(text));
        }
        Ok(Self {
            mode: Some("should_encrypt"),
            keys: vec![],
        })
    }

    pub fn is_capable(&self) -> bool {
        self.mode.is_some()
    }

    pub fn set_mode(&mut self, wanted: &str) -> Result<(), ApiError> {
        let known = MODES.iter().find(|mode| **mode == wanted);
        let mode = known.ok_or_else(|| {
            let valid = MODES.join(", ");
            ApiError::client(format!(
                "Encryption mode {wanted} is not valid: use {valid}."
            ))
        })?;
        if !self.is_capable() {
            return Err(ApiError::client(NOT_CAPABLE));
        }
        self.mode = Some(mode);
        Ok(())
    }

    pub fn advance(&mut self, now: Time) {
        for key in &mut self.keys {
            if matches!(key.phase, KeyPhase::Associating { until } if now >= until) {
                key.phase = KeyPhase::Associated;
            }
        }
        let gone = |phase| matches!(phase, KeyPhase::Disassociating { until } if now >= until);
        self.keys.retain(|key| !gone(key.phase));
    }

    pub const fn mode(&self) -> Option<&'static str> {
        self.mode
    }

    pub fn port_status(&self) -> &'static str {
        let up = self.keys.iter().any(|k| k.phase == KeyPhase::Associated)
            && self.mode != Some("no_encrypt");
        if up {
            "Encryption Up"
        } else {
            "Encryption Down"
        }
    }

    pub fn keys_json(&self) -> Value {
        let keys = self.keys.iter().map(|key| {
            let state = match key.phase {
                KeyPhase::Associating { .. } => "associating",
                KeyPhase::Associated => "associated",
                KeyPhase::Disassociating { .. } => "disassociating",
            };
            json!({ "secretARN": key.secret, "ckn": key.ckn, "state": state })
        });
        keys.collect()
    }
}

impl Simulator {
    pub(super) fn associate_key(
        &mut self,
        caller: &Account,
        request: AssociateKey,
    ) -> Result<Value, ApiError> {
        let AssociateKey {
            connection_id: id,
            secret_arn,
            ckn,
            cak,
        } = request;
        if !self.security(caller, &id)?.is_capable() {
            return Err(ApiError::client(NOT_CAPABLE));
        }
        let (secret, ckn) = match (secret_arn, ckn, cak) {
            (Some(arn), None, None) if is_secret(&arn) => (arn, self.ids.hex(64)),
            (Some(_), None, None) => {
                return Err(ApiError::client(
                    "secretARN must be the ARN of a Secrets Manager secret.",
                ));
            }
            (None, Some(ckn), Some(cak)) if is_hex(&ckn) && is_hex(&cak) => {
                let name = self.ids.hex(12);
                let arn = format!(
                    "arn:aws:secretsmanager:{}:{caller}:secret:directconnect!prod/{id}/{name}",
                    self.region
                );
                (arn, ckn)
            }
            (None, Some(_), Some(_)) => {
                return Err(ApiError::client(
                    "ckn and cak must have 64 hexadecimal characters each.",
                ));
            }
            _ => {
                return Err(ApiError::client(
                    "Either secretARN or ckn and cak must be given, not both.",
                ));
            }
        };
        let until = self.now + self.delays.associating;
        let security = self.security(caller, &id)?;
        if (security.keys.iter()).any(|key| key.secret == secret || key.ckn == ckn) {
            return Err(ApiError::client(format!("{id} has that key already.")));
        }
        let phase = KeyPhase::Associating { until };
        security.keys.push(MacSecKey { secret, ckn, phase });
        Ok(json!({ "connectionId": id, "macSecKeys": security.keys_json() }))
    }

    pub(super) fn disassociate_key(
        &mut self,
        caller: &Account,
        request: &DisassociateKey,
    ) -> Result<Value, ApiError> {
        let until = self.now + self.delays.associating;
        let id = &request.connection_id;
        let security = self.security(caller, id)?;
        let named = |key: &&mut MacSecKey| key.secret == request.secret_arn;
        let key = (security.keys.iter_mut().find(named)).ok_or_else(|| {
            ApiError::client(format!("{id} has no MACsec key {}.", request.secret_arn))
        })?;
        key.phase = KeyPhase::Disassociating { until };
        Ok(json!({ "connectionId": id, "macSecKeys": security.keys_json() }))
    }

    /// That of a connection, an interconnect or a LAG.
    fn security(&mut self, caller: &Account, id: &str) -> Result<&mut Security, ApiError> {
        if id.starts_with("dxlag-") {
            let at = self.lag_index(caller, id)?;
            return Ok(&mut self.lags[at].security);
        }
        let at = self.port_index(caller, id)?;
        Ok(&mut self.connections[at].security)
    }
}

const NOT_CAPABLE: &str =
    "MACsec is not supported here: only what was created with requestMACSec has it.";

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_secret(arn: &str) -> bool {
    arn.starts_with("arn:aws:secretsmanager:") && arn.contains(":secret:")
}
