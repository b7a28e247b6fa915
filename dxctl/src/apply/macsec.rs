//! MACsec keys of connections and LAGs, known by their secrets' ARNs.

use super::Apply;
use crate::aws::{AwsError, DirectConnect, PAUSES, Refusal, once};

impl<A: DirectConnect> Apply<'_, A> {
    pub(super) async fn associate_key(&self, carrier: &str, secret: &str) -> Result<(), AwsError> {
        let ask = async || self.aws.associate_macsec_key(carrier, secret).await;
        let look = async || Ok(self.has_key(carrier, secret).await?.then_some(()));
        once(ask, look, PAUSES, Refusal::MayBeOurs).await
    }

    pub(super) async fn disassociate_key(
        &self,
        carrier: &str,
        secret: &str,
    ) -> Result<(), AwsError> {
        let ask = async || self.aws.disassociate_macsec_key(carrier, secret).await;
        let look = async || Ok((!self.has_key(carrier, secret).await?).then_some(()));
        once(ask, look, PAUSES, Refusal::MayBeOurs).await
    }

    async fn has_key(&self, carrier: &str, secret: &str) -> Result<bool, AwsError> {
        let there = self.aws.carrier(carrier).await?;
        Ok(there.is_some_and(|there| there.macsec.iter().any(|one| one == secret)))
    }
}
