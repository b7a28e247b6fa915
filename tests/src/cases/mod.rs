//! The cases, by what they are about.

mod bfd;
mod clock;
mod configuration;
mod differential;
mod drain;
mod failover_test;
mod graceful;
mod healthy;
mod hostile;
mod inputs;
mod interrupted;
mod mend;
mod mistakes;
mod replay;
mod restart;
mod secrets;
pub(crate) mod sessions;
mod site_keys;
mod site_live;
mod soak;
mod vendor;
mod vlan;

use crate::Bench;

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) kernel: Kernel,
    pub(crate) run: Run,
}

type Run = Box<dyn Fn(&Bench) -> anyhow::Result<()> + Send>;

/// What a case needs of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    Any,
    /// 802.1Q.
    Vlan,
    /// A clock of its own, to be set: user-mode-linux.
    OwnClock,
}

impl Case {
    fn new(
        name: impl Into<String>,
        run: impl Fn(&Bench) -> anyhow::Result<()> + Send + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            kernel: Kernel::Any,
            run: Box::new(run),
        }
    }

    fn with_own_clock(
        name: impl Into<String>,
        run: impl Fn(&Bench) -> anyhow::Result<()> + Send + 'static,
    ) -> Self {
        Self {
            kernel: Kernel::OwnClock,
            ..Self::new(name, run)
        }
    }

    fn with_vlan(
        name: impl Into<String>,
        run: impl Fn(&Bench) -> anyhow::Result<()> + Send + 'static,
    ) -> Self {
        Self {
            kernel: Kernel::Vlan,
            ..Self::new(name, run)
        }
    }
}

pub(crate) fn all() -> Vec<Case> {
    let parts = [
        sessions::all(),
        configuration::all(),
        mistakes::all(),
        secrets::all(),
        restart::all(),
        inputs::all(),
        interrupted::all(),
        site_keys::all(),
        replay::all(),
        differential::all(),
        graceful::all(),
        drain::all(),
        vlan::all(),
        failover_test::all(),
        site_live::all(),
        vendor::all(),
        hostile::all(),
        clock::all(),
        mend::all(),
        soak::all(),
        bfd::all(),
    ];
    parts.into_iter().flatten().collect()
}
