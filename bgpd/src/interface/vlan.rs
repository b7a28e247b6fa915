//! One VIF's interface: what has to be so, and the steps to get there.

use bgp_core::config::Vif;
use ipnet::IpNet;

use super::observed::{Kernel, Link, MARK, by_name};
use super::{InterfaceError, Made};

/// A step that was taken, to be undone if a later one fails.
enum Undo {
    DeleteLink(Link),
    Mtu(Link, u32),
    Alias(Link, String),
    DeleteAddress(Link, IpNet),
    AddAddress(Link, IpNet),
}

pub(super) async fn ensure(kernel: &Kernel, vif: &Vif) -> Result<Made, InterfaceError> {
    let links = kernel.links().await?;
    let parent = by_name(&links, &vif.parent)?;
    if parent.mtu < vif.mtu {
        return Err(InterfaceError::ParentMtu {
            parent: parent.name.clone(),
            parent_mtu: parent.mtu,
            mtu: vif.mtu,
        });
    }
    let existing = links.iter().find(|link| link.name == vif.interface);
    let owner = links.iter().find(|link| is_vlan_of(link, vif, parent));
    let replaced = to_replace(vif, parent, existing, owner)?;
    check_addresses(kernel, vif, &links, &replaced).await?;

    if !parent.is_up {
        tracing::warn!(
            "\"{}\" is set down, so VIF {} has no carrier: run `ip link set dev {} up`",
            parent.name,
            vif.name,
            parent.name
        );
    }
    let mut undo = Vec::new();
    let made = match existing.filter(|link| is_vlan_of(link, vif, parent)) {
        Some(link) => adjust(kernel, vif, link, &mut undo)
            .await
            .map(|()| (link.ifindex, false)),
        None => create(kernel, vif, parent, &replaced, &mut undo)
            .await
            .map(|ifindex| (ifindex, true)),
    };
    match made {
        Ok((ifindex, created)) => Ok(Made {
            ifindex,
            parent_ifindex: parent.ifindex,
            created,
        }),
        Err(error) => {
            roll_back(kernel, undo).await;
            Err(error)
        }
    }
}

fn is_vlan_of(link: &Link, vif: &Vif, parent: &Link) -> bool {
    link.vlan
        .is_some_and(|vlan| vlan.parent == parent.ifindex && vlan.id == vif.vlan.id())
}

/// What of ours stands in the way (an earlier configuration's), and must go
/// before the interface can be made; what isn't ours is an error.
fn to_replace<'a>(
    vif: &Vif,
    parent: &Link,
    existing: Option<&'a Link>,
    owner: Option<&'a Link>,
) -> Result<Vec<&'a Link>, InterfaceError> {
    let mut replaced = Vec::new();
    if let Some(link) = existing.filter(|link| !is_vlan_of(link, vif, parent)) {
        if !link.is_ours() {
            return Err(InterfaceError::NameTaken {
                name: link.name.clone(),
                found: describe(link),
            });
        }
        replaced.push(link);
    }
    if let Some(owner) = owner.filter(|owner| owner.name != vif.interface) {
        if !owner.is_ours() {
            return Err(InterfaceError::VlanTaken {
                vlan: vif.vlan,
                parent: parent.name.clone(),
                owner: owner.name.clone(),
            });
        }
        replaced.push(owner);
    }
    Ok(replaced)
}

fn describe(link: &Link) -> String {
    match (&link.vlan, link.kind.as_str()) {
        (Some(vlan), _) => format!("VLAN {} on interface {}", vlan.id, vlan.parent),
        (None, "") => "a network card, or another interface without a kind".into(),
        (None, kind) => format!("an interface of kind {kind}"),
    }
}

/// The same address on two interfaces would make replies leave by the wrong one.
async fn check_addresses(
    kernel: &Kernel,
    vif: &Vif,
    links: &[Link],
    replaced: &[&Link],
) -> Result<(), InterfaceError> {
    for (ifindex, present) in kernel.addresses().await? {
        let Some(wanted) = addresses(vif).find(|wanted| wanted.addr() == present.addr()) else {
            continue;
        };
        let owner = links.iter().find(|link| link.ifindex == ifindex);
        let owner = owner.filter(|link| {
            link.name != vif.interface && replaced.iter().all(|gone| gone.ifindex != ifindex)
        });
        if let Some(owner) = owner {
            return Err(InterfaceError::AddressTaken {
                name: vif.interface.clone(),
                address: wanted,
                owner: owner.name.clone(),
            });
        }
    }
    Ok(())
}

async fn create(
    kernel: &Kernel,
    vif: &Vif,
    parent: &Link,
    replaced: &[&Link],
    undo: &mut Vec<Undo>,
) -> Result<u32, InterfaceError> {
    for link in replaced {
        kernel.delete_link(link.ifindex, &link.name).await?;
    }
    kernel
        .add_vlan(&vif.interface, parent.ifindex, vif.vlan.id(), vif.mtu)
        .await?;
    let links = kernel.links().await?;
    let link = by_name(&links, &vif.interface)?;
    undo.push(Undo::DeleteLink(link.clone()));
    kernel.set_alias(link, &mark(vif)).await?;
    for address in addresses(vif) {
        kernel.add_address(link, &address).await?;
    }
    // Last: a half-made interface carries no packet.
    kernel.set_up(link).await?;
    Ok(link.ifindex)
}

/// Makes an interface of the right VLAN right in all else, if it is ours.
async fn adjust(
    kernel: &Kernel,
    vif: &Vif,
    link: &Link,
    undo: &mut Vec<Undo>,
) -> Result<(), InterfaceError> {
    let present: Vec<IpNet> = kernel
        .addresses()
        .await?
        .into_iter()
        .filter_map(|(ifindex, address)| (ifindex == link.ifindex).then_some(address))
        .collect();
    let missing: Vec<IpNet> = addresses(vif)
        .filter(|address| !present.contains(address))
        .collect();
    if !link.is_ours() {
        return accept(vif, link, &missing);
    }
    if link.alias != mark(vif) {
        kernel.set_alias(link, &mark(vif)).await?;
        undo.push(Undo::Alias(link.clone(), link.alias.clone()));
    }
    if link.mtu != vif.mtu {
        kernel.set_mtu(link, vif.mtu).await?;
        undo.push(Undo::Mtu(link.clone(), link.mtu));
    }
    // An address whose mask has changed must go before it can come again.
    let surplus = present.iter().filter(|address| {
        !is_link_local(address) && addresses(vif).all(|wanted| wanted != **address)
    });
    for address in surplus {
        kernel.delete_address(link, address).await?;
        undo.push(Undo::AddAddress(link.clone(), *address));
    }
    for address in &missing {
        kernel.add_address(link, address).await?;
        undo.push(Undo::DeleteAddress(link.clone(), *address));
    }
    if !link.is_up {
        kernel.set_up(link).await?;
    }
    Ok(())
}

/// An interface that someone else made serves if nothing has to be changed.
fn accept(vif: &Vif, link: &Link, missing: &[IpNet]) -> Result<(), InterfaceError> {
    let name = &link.name;
    let (difference, command) = if link.mtu != vif.mtu {
        (
            format!("has MTU {}, not {}", link.mtu, vif.mtu),
            format!("ip link set dev {name} mtu {}", vif.mtu),
        )
    } else if let Some(address) = missing.first() {
        (
            format!("lacks the address {address}"),
            format!("ip addr add {address} dev {name}"),
        )
    } else if !link.is_up {
        (
            "is set down".to_owned(),
            format!("ip link set dev {name} up"),
        )
    } else {
        return Ok(());
    };
    Err(InterfaceError::Differs {
        name: name.clone(),
        parent: vif.parent.clone(),
        vlan: vif.vlan,
        difference,
        command,
    })
}

async fn roll_back(kernel: &Kernel, undo: Vec<Undo>) {
    for step in undo.into_iter().rev() {
        let undone = match &step {
            Undo::DeleteLink(link) => kernel.delete_link(link.ifindex, &link.name).await,
            Undo::Mtu(link, mtu) => kernel.set_mtu(link, *mtu).await,
            Undo::Alias(link, alias) => kernel.set_alias(link, alias).await,
            Undo::DeleteAddress(link, address) => kernel.delete_address(link, address).await,
            Undo::AddAddress(link, address) => kernel.add_address(link, address).await,
        };
        if let Err(error) = undone {
            tracing::warn!("a half-made VIF could not be undone: {error}");
        }
    }
}

/// Ours on the VIF: one for each session.
fn addresses(vif: &Vif) -> impl Iterator<Item = IpNet> {
    vif.sessions.iter().filter_map(|session| session.local)
}

fn mark(vif: &Vif) -> String {
    format!("{MARK}{}", vif.name)
}

/// IPv6 gives each interface one by itself. An IPv4 one may be the VIF's own:
/// AWS hands out 169.254.0.0/16.
fn is_link_local(address: &IpNet) -> bool {
    matches!(address, IpNet::V6(v6) if v6.addr().is_unicast_link_local())
}
