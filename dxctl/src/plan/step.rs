//! One change: what it is called, what it changes, what it cuts, and its call.

use bgp_core::Family;
use ipnet::IpNet;
use serde::Serialize;

use super::Replacement;
use crate::aws::{NewGateway, NewPeer, NewVif, Tag, VifUpdate};
use crate::site::KeySource;

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) action: Action,
    /// `vif`, `gateway`, `association`, `connection`, `lag`.
    pub(crate) kind: &'static str,
    /// As the site file calls it.
    pub(crate) name: String,
    /// `None` while it isn't made.
    pub(crate) id: Option<String>,
    pub(crate) fields: Vec<Field>,
    pub(crate) cut: Option<Cut>,
    pub(crate) call: Call,
}

impl Step {
    /// As progress and the journal call it.
    pub(crate) fn label(&self) -> String {
        format!("{} {} {}", self.action.verb(), self.kind, self.name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Create,
    Change,
    Delete,
    Wait,
}

impl Action {
    const fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Delete => "delete",
            Self::Wait => "wait for",
        }
    }
}

/// A value that changes; `from` is `None` for what is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

impl Field {
    pub(crate) fn new(name: &'static str, to: impl ToString) -> Self {
        Self {
            name,
            from: None,
            to: Some(to.to_string()),
        }
    }

    pub(crate) fn change(name: &'static str, from: impl ToString, to: impl ToString) -> Self {
        Self {
            name,
            from: Some(from.to_string()),
            to: Some(to.to_string()),
        }
    }
}

/// Traffic that a step interrupts or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Whose consent it is: the name in the site file.
    pub(crate) name: String,
    /// What will be cut, and for how long.
    pub(crate) what: String,
}

impl Cut {
    pub(crate) fn new(name: &str, what: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            what: what.into(),
        }
    }

    /// What `--allow` takes.
    pub(crate) fn consent(&self) -> String {
        format!("cut:{}", self.name)
    }
}

/// What to ask of AWS. Names stand for what an earlier step makes.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// For MACsec, by its secret's ARN.
    AssociateKey {
        carrier: String,
        secret: String,
    },
    DisassociateKey {
        carrier: String,
        secret: String,
    },
    CreateGateway(NewGateway),
    DeleteGateway {
        id: String,
    },
    Associate {
        gateway: String,
        target: String,
        allowed: Vec<IpNet>,
    },
    ChangeAssociation {
        id: String,
        gateway_id: String,
        /// As they were when this was planned.
        before: Vec<IpNet>,
        add: Vec<IpNet>,
        remove: Vec<IpNet>,
    },
    Disassociate {
        id: String,
        gateway_id: String,
    },
    /// The interface leads to this gateway of the file, if it names one.
    CreateVif {
        new: NewVif,
        key: KeySource,
        gateway: Option<String>,
    },
    DeleteVif {
        id: String,
    },
    /// AWS is deleting it already.
    AwaitDeleted {
        id: String,
    },
    CreatePeer {
        /// The name of the interface.
        vif: String,
        peer: NewPeer,
        key: KeySource,
    },
    DeletePeer {
        vif_id: String,
        id: String,
        family: Family,
    },
    /// With another key or other addresses.
    ReplaceSession {
        /// The name of the interface.
        vif: String,
        replacement: Replacement,
        key: KeySource,
    },
    UpdateVif {
        id: String,
        update: VifUpdate,
        /// As it was when this was planned.
        before: VifUpdate,
    },
    Tag {
        arn: String,
        tags: Vec<Tag>,
    },
    Untag {
        arn: String,
        keys: Vec<String>,
    },
}
