//! Links and addresses as the kernel has them, and single changes to them.

use std::net::IpAddr;

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, VlanFlags,
};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVlan};

use super::InterfaceError;

/// A connection to rtnetlink; its task ends when this is dropped.
pub(super) struct Kernel {
    handle: Handle,
    connection: tokio::task::JoinHandle<()>,
}

/// A link, as far as VIFs care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) ifindex: u32,
    pub(super) name: String,
    pub(super) alias: String,
    pub(super) mtu: u32,
    pub(super) is_up: bool,
    pub(super) vlan: Option<Vlan>,
    /// `vlan`, `bond`, `veth`; empty for hardware.
    pub(super) kind: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vlan {
    pub(super) parent: u32,
    pub(super) id: u16,
}

impl Link {
    pub(super) fn is_ours(&self) -> bool {
        self.alias.starts_with(MARK)
    }
}

/// A link by its name, or an error that names those that exist.
pub(super) fn by_name<'a>(links: &'a [Link], name: &str) -> Result<&'a Link, InterfaceError> {
    links.iter().find(|link| link.name == name).ok_or_else(|| {
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        InterfaceError::NotFound {
            name: name.into(),
            existing: names.join(", "),
        }
    })
}

impl Kernel {
    pub(super) fn open() -> Result<Self, InterfaceError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| InterfaceError::Kernel {
                action: "open a netlink socket".into(),
                cause: error.to_string(),
            })?;
        Ok(Self {
            handle,
            connection: tokio::spawn(connection),
        })
    }

    pub(super) async fn links(&self) -> Result<Vec<Link>, InterfaceError> {
        let messages = self
            .handle
            .link()
            .get()
            .execute()
            .try_collect::<Vec<_>>()
            .await;
        let messages = messages.map_err(|error| refused("list the interfaces", &error))?;
        Ok(messages.iter().map(link).collect())
    }

    /// All addresses, with the interface's index.
    pub(super) async fn addresses(&self) -> Result<Vec<(u32, IpNet)>, InterfaceError> {
        let messages = self
            .handle
            .address()
            .get()
            .execute()
            .try_collect::<Vec<_>>()
            .await;
        let messages = messages.map_err(|error| refused("list the addresses", &error))?;
        Ok(messages.iter().filter_map(address).collect())
    }

    /// Makes a VLAN interface, down and without addresses.
    pub(super) async fn add_vlan(
        &self,
        name: &str,
        parent: u32,
        id: u16,
        mtu: u32,
    ) -> Result<(), InterfaceError> {
        // Loose binding: a parent that is set down doesn't set the VLAN down,
        // which would cost it its IPv6 addresses. Carrier is passed on all the
        // same, so that the kernel itself moves traffic to a group's standby.
        let message = LinkVlan::new(name, parent, id)
            .flags(VlanFlags::LooseBinding, VlanFlags::LooseBinding)
            .mtu(mtu)
            .build();
        let added = self.handle.link().add(message).execute().await;
        added.map_err(|error| match errno(&error) {
            Some(libc::EOPNOTSUPP) => InterfaceError::NoVlanSupport,
            _ => refused(&format!("make VLAN interface \"{name}\""), &error),
        })
    }

    pub(super) async fn delete_link(&self, ifindex: u32, name: &str) -> Result<(), InterfaceError> {
        let deleted = self.handle.link().del(ifindex).execute().await;
        deleted.map_err(|error| refused(&format!("remove interface \"{name}\""), &error))
    }

    pub(super) async fn set_alias(&self, link: &Link, alias: &str) -> Result<(), InterfaceError> {
        let message = change(link.ifindex).alias(alias).build();
        self.set(message, &format!("mark interface \"{}\"", link.name))
            .await
    }

    pub(super) async fn set_mtu(&self, link: &Link, mtu: u32) -> Result<(), InterfaceError> {
        let message = change(link.ifindex).mtu(mtu).build();
        self.set(
            message,
            &format!("set the MTU of \"{}\" to {mtu}", link.name),
        )
        .await
    }

    pub(super) async fn set_up(&self, link: &Link) -> Result<(), InterfaceError> {
        let message = change(link.ifindex).up().build();
        self.set(message, &format!("set interface \"{}\" up", link.name))
            .await
    }

    async fn set(&self, message: LinkMessage, action: &str) -> Result<(), InterfaceError> {
        let changed = self.handle.link().set(message).execute().await;
        changed.map_err(|error| refused(action, &error))
    }

    pub(super) async fn add_address(
        &self,
        link: &Link,
        address: &IpNet,
    ) -> Result<(), InterfaceError> {
        let addresses = self.handle.address();
        let mut request = addresses.add(link.ifindex, address.addr(), address.prefix_len());
        if address.addr().is_ipv6() {
            // Two ends and no one else: without duplicate address detection the
            // session need not wait for the address.
            request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
        }
        let action = format!("put {address} on \"{}\"", link.name);
        request
            .execute()
            .await
            .map_err(|error| refused(&action, &error))
    }

    pub(super) async fn delete_address(
        &self,
        link: &Link,
        address: &IpNet,
    ) -> Result<(), InterfaceError> {
        let mut message = AddressMessage::default();
        message.header.index = link.ifindex;
        message.header.prefix_len = address.prefix_len();
        message.header.family = match address {
            IpNet::V4(_) => AddressFamily::Inet,
            IpNet::V6(_) => AddressFamily::Inet6,
        };
        message
            .attributes
            .push(AddressAttribute::Local(address.addr()));
        let deleted = self.handle.address().del(message).execute().await;
        deleted.map_err(|error| refused(&format!("take {address} from \"{}\"", link.name), &error))
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn change(ifindex: u32) -> LinkMessageBuilder<LinkUnspec> {
    LinkUnspec::new_with_index(ifindex)
}

fn link(message: &LinkMessage) -> Link {
    let mut link = Link {
        ifindex: message.header.index,
        name: String::new(),
        alias: String::new(),
        mtu: 0,
        is_up: message.header.flags.contains(LinkFlags::Up),
        vlan: None,
        kind: String::new(),
    };
    let (mut parent, mut details) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::IfAlias(alias) => link.alias.clone_from(alias),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Link(index) => parent = Some(*index),
            LinkAttribute::LinkInfo(infos) => details = Some(infos),
            _ => {}
        }
    }
    for info in details.into_iter().flatten() {
        match info {
            LinkInfo::Kind(InfoKind::Vlan) => link.kind = "vlan".into(),
            LinkInfo::Kind(kind) => link.kind = kind.to_string(),
            LinkInfo::Data(InfoData::Vlan(data)) => {
                link.vlan = parent.and_then(|parent| vlan(parent, data));
            }
            _ => {}
        }
    }
    link
}

fn vlan(parent: u32, data: &[InfoVlan]) -> Option<Vlan> {
    data.iter().find_map(|info| match info {
        InfoVlan::Id(id) => Some(Vlan { parent, id: *id }),
        _ => None,
    })
}

fn address(message: &AddressMessage) -> Option<(u32, IpNet)> {
    let mut found: Option<IpAddr> = None;
    for attribute in &message.attributes {
        match attribute {
            // On point-to-point interfaces IFA_ADDRESS is the far end's.
            AddressAttribute::Local(address) => found = Some(*address),
            AddressAttribute::Address(address) => found = found.or(Some(*address)),
            _ => {}
        }
    }
    let prefix = IpNet::new(found?, message.header.prefix_len).ok()?;
    Some((message.header.index, prefix))
}

fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(message.raw_code().abs()),
        _ => None,
    }
}

fn refused(action: &str, error: &rtnetlink::Error) -> InterfaceError {
    let cause = match errno(error) {
        Some(libc::EPERM) => {
            "Operation not permitted (bgpd needs root or CAP_NET_ADMIN)".to_owned()
        }
        Some(errno) => nix::errno::Errno::from_raw(errno).desc().to_owned(),
        None => error.to_string(),
    };
    InterfaceError::Kernel {
        action: action.into(),
        cause,
    }
}

/// How the alias of an interface that bgpd made begins.
pub(super) const MARK: &str = "bgpd vif ";
