//! What an account has agreed to, and what it is to AWS:
//! `DescribeCustomerMetadata`, `ConfirmCustomerAgreement`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::simulator::{Account, PARTNER, Simulator};

/// The only agreement that there is to sign here.
const AGREEMENT: &str = "LabConnectionTerms";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmAgreement {
    agreement_name: Option<String>,
}

impl Simulator {
    pub(super) fn describe_customer(&self, caller: &Account) -> Value {
        let status = if self.signed.contains(caller) {
            "signed"
        } else {
            "unsigned"
        };
        json!({
            "agreements": [{ "agreementName": AGREEMENT, "status": status }],
            "nniPartnerType": if caller == PARTNER { "v2" } else { "nonPartner" },
        })
    }

    pub(super) fn confirm_agreement(
        &mut self,
        caller: &Account,
        request: &ConfirmAgreement,
    ) -> Result<Value, ApiError> {
        let name = request.agreement_name.as_deref().unwrap_or(AGREEMENT);
        if name != AGREEMENT {
            return Err(ApiError::client(format!(
                "Agreement {name} does not exist."
            )));
        }
        self.signed.insert(caller.to_owned());
        Ok(json!({ "status": "signed" }))
    }
}

/// Interconnects and what is on them are for partners only.
pub fn check_partner(caller: &Account) -> Result<(), ApiError> {
    if caller == PARTNER {
        return Ok(());
    }
    Err(ApiError::client(format!(
        "Account {caller} is not a Direct Connect Partner."
    )))
}
