//! [`Client`]'s calls that start and stop a BGP failover test.

use super::client::{Client, asked_once};
use super::{AwsError, DirectConnect, Filter, Outcome};

impl Client {
    /// AWS takes the sessions of a virtual interface down for so many minutes, 1
    /// to 4320. Asks once: after [`Outcome::Unknown`] it may be running.
    pub(crate) async fn start_failover_test(
        &self,
        vif: &str,
        minutes: i32,
    ) -> Result<(), AwsError> {
        let call = self
            .sdk
            .start_bgp_failover_test()
            .virtual_interface_id(vif)
            .test_duration_in_minutes(minutes);
        let sent = call.customize().config_override(asked_once()).send().await;
        sent.map(drop)
            .map_err(|error| self.error(format!("start the failover test of {vif}"), &error))
    }

    /// Stops it; that none is running is fine too. Asks once.
    pub(crate) async fn stop_failover_test(&self, vif: &str) -> Result<(), AwsError> {
        let call = self.sdk.stop_bgp_failover_test().virtual_interface_id(vif);
        // Who calls this tries again by itself.
        let sent = call.customize().config_override(asked_once()).send().await;
        let Err(error) = sent else { return Ok(()) };
        let error = self.error(format!("stop the failover test of {vif}"), &error);
        // AWS refuses to stop what has ended, with no code to know that by.
        if error.outcome == Outcome::Refused && !self.is_under_test(vif).await? {
            return Ok(());
        }
        Err(error)
    }

    /// `testing`, throughout a test.
    pub(crate) async fn is_under_test(&self, vif: &str) -> Result<bool, AwsError> {
        let found = self.virtual_interfaces(Filter::Id(vif)).await?;
        Ok(found
            .iter()
            .any(|one| one.id == vif && one.state == "testing"))
    }
}
