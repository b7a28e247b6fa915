//! `AssociateVirtualInterface`: a VIF moves to another connection or LAG.

use serde::Deserialize;
use serde_json::Value;

use super::error::ApiError;
use super::simulator::{Account, Simulator};
use super::vif::Vif;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveVif {
    virtual_interface_id: String,
    connection_id: String,
}

impl Simulator {
    pub(super) fn move_vif(
        &mut self,
        caller: &Account,
        request: &MoveVif,
    ) -> Result<Value, ApiError> {
        let (id, target) = (&request.virtual_interface_id, &request.connection_id);
        let at = self.vif_index(caller, id)?;
        let vif = &self.vifs[at];
        if !vif.lives() {
            let text = format!("Virtual Interface {id} is being deleted.");
            return Err(ApiError::client(text));
        }
        if vif.connection == *target {
            return Ok(self.vif_json(vif));
        }
        let hosted = self
            .carrier(&vif.connection)
            .is_some_and(|c| c.vlan().is_some());
        if hosted {
            let text = format!(
                "Virtual Interface {id} is on a hosted connection, which moves as a whole."
            );
            return Err(ApiError::client(text));
        }
        self.check_room(caller, target, vif.kind, vif.vlan.id())?;
        self.check_addresses(target, vif)?;
        self.check_pool_room(target, vif)?;
        self.vifs[at].connection.clone_from(target);
        Ok(self.vif_json(&self.vifs[at]))
    }

    /// No VIF there has a peer address of this one.
    fn check_addresses(&self, target: &str, vif: &Vif) -> Result<(), ApiError> {
        let taken = |address| {
            let mut peers = self.vifs_on(target).flat_map(|other| &other.peers);
            peers.any(|peer| peer.amazon == address || peer.customer == address)
        };
        let conflict = vif.peers.iter().find(|peer| taken(peer.customer));
        conflict.map_or(Ok(()), |peer| {
            let text = format!("{} is already in use on {target}.", peer.customer);
            Err(ApiError::client(text))
        })
    }
}
