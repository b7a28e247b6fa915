//! A VLAN that is free on a connection.

use std::collections::BTreeMap;

use bgp_core::VlanId;

use super::{Excluded, Picked};
use crate::Refused;
use crate::aws::{Carrier, VirtualInterface};

/// The lowest free VLAN from `from` on; on a hosted connection the partner's.
/// `vifs` are those on the carrier.
pub(crate) fn vlan(
    carrier: &Carrier,
    vifs: &[VirtualInterface],
    from: VlanId,
) -> Result<Picked<VlanId>, Refused> {
    let used = in_use(vifs);
    if let Some(given) = carrier.hosted_vlan {
        return match used.get(&given) {
            Some(holder) => Err(Refused::new(format!(
                "{} is a hosted connection with the single VLAN {given}, and {holder} has it",
                carrier.id
            ))),
            None => Ok(Picked {
                value: given,
                reason: format!(
                    "the partner gave it to the hosted connection {}",
                    carrier.id
                ),
                excluded: Vec::new(),
            }),
        };
    }
    let free = (from.id()..=4094)
        .filter_map(VlanId::new)
        .find(|vlan| !used.contains_key(vlan));
    let value = free.ok_or_else(|| {
        Refused::new(format!(
            "no free VLAN from {from} to 4094 on {}",
            carrier.id
        ))
    })?;
    let below = used.range(from..value).count();
    let reason = match below {
        0 => format!("the lowest free one from {from} on {}", carrier.id),
        _ => format!(
            "the lowest free one from {from} on {}; in use below it: {below}",
            carrier.id
        ),
    };
    let excluded = used.range(from..).map(|(vlan, holder)| Excluded {
        what: vlan.to_string(),
        by: holder.clone(),
        passed: *vlan < value,
    });
    Ok(Picked {
        value,
        reason,
        excluded: excluded.collect(),
    })
}

/// VLANs in use with their virtual interface. AWS frees the VLAN of a deleted
/// one at once, while it stays listed.
fn in_use(vifs: &[VirtualInterface]) -> BTreeMap<VlanId, String> {
    let live = vifs.iter().filter(|vif| !vif.is_gone());
    live.filter_map(|vif| Some((vif.vlan?, format!("{} ({})", vif.id, vif.name))))
        .collect()
}

/// Who has this VLAN, of the virtual interfaces on one carrier.
pub(crate) fn vlan_holder(vifs: &[VirtualInterface], vlan: VlanId) -> Option<String> {
    in_use(vifs).remove(&vlan)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::aws::tests::{carrier, vif};

    fn id(number: u16) -> VlanId {
        VlanId::new(number).unwrap()
    }

    #[test]
    fn the_lowest_free_one_is_picked() {
        let vifs = [
            vif("a", 1, "available"),
            vif("b", 2, "down"),
            vif("c", 4, "pending"),
        ];
        let picked = vlan(&carrier(), &vifs, id(1)).unwrap();
        assert_eq!(picked.value, id(3));
        assert!(
            picked.reason.contains("in use below it: 2"),
            "{}",
            picked.reason
        );
        let told = picked.excluded.iter();
        let told: Vec<_> = told
            .map(|one| (one.what.as_str(), one.by.as_str(), one.passed))
            .collect();
        let expected = [
            ("1", "dxvif-a (a)", true),
            ("2", "dxvif-b (b)", true),
            ("4", "dxvif-c (c)", false),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_deleted_interface_frees_its_vlan() {
        let picked = vlan(&carrier(), &[vif("a", 1, "deleted")], id(1)).unwrap();
        assert_eq!(picked.value, id(1));
        let picked = vlan(&carrier(), &[vif("a", 1, "deleting")], id(1)).unwrap();
        assert_eq!(picked.value, id(2));
    }

    #[test]
    fn a_hosted_connection_has_one_vlan() {
        let hosted = Carrier {
            hosted_vlan: Some(id(301)),
            ..carrier()
        };
        assert_eq!(vlan(&hosted, &[], id(1)).unwrap().value, id(301));
        let error = vlan(&hosted, &[vif("a", 301, "available")], id(1)).unwrap_err();
        assert!(error.to_string().contains("dxvif-a"), "{error}");
    }

    #[test]
    fn a_full_connection_is_refused() {
        let all: Vec<_> = (1..=4094)
            .map(|number| vif("x", number, "available"))
            .collect();
        assert!(vlan(&carrier(), &all, id(1)).is_err());
    }
}
