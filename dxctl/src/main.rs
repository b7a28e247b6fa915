//! `dxctl`: create, watch and explain AWS Direct Connect virtual interfaces.
//!
//! - `cli` is the command line; `commands` has one file per verb.
//! - `aws` is the only module that names `aws_sdk_*`, behind a trait.
//! - `pick` and `rules` are pure: what to choose, what AWS will take.
//! - `control` asks bgpd over its control socket; bgpd itself is never linked.
//! - `key_file` is the only way of a key to and from disk; no key is ever
//!   printed, but by `router-config --reveal`.

mod apply;
mod aws;
mod cli;
mod commands;
mod control;
mod cost;
mod host;
mod key_file;
mod log;
mod output;
mod pick;
mod plan;
mod rules;
mod site;
mod wait;

use std::process::ExitCode;

use clap::Parser;

/// The operator asked for something that can't be, or AWS said no. Exit 1; 2 where
/// what was asked for makes no sense, which the command line's grammar can't see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    message: String,
    exit: u8,
}

impl Refused {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit: 1,
        }
    }

    /// Wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: 2,
            ..Self::new(message)
        }
    }
}

/// How a command that could do its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    /// Something is not as it should be; the output says what. Exit 1.
    Differs,
    /// As a monitoring plugin says it. Exit 2.
    Critical,
    /// As a monitoring plugin says it. Exit 3.
    Unknown,
}

fn main() -> ExitCode {
    if let Err(error) = no_core_file() {
        output::note(format_args!(
            "warning: a core file of this run may hold a key: {error}"
        ));
    }
    let cli = cli::Cli::try_parse().unwrap_or_else(|error| cli::end(&error));
    log::start();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::note(format_args!(
                "error: the asynchronous runtime can't start: {error}"
            ));
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(commands::run(cli)) {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Differs) => ExitCode::from(1),
        Ok(Verdict::Critical) => ExitCode::from(2),
        Ok(Verdict::Unknown) => ExitCode::from(3),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("error: {error:#}"));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let refused = error.chain().any(|cause| {
        cause
            .downcast_ref::<Refused>()
            .is_some_and(|refused| refused.exit == 1)
            || cause
                .downcast_ref::<aws::AwsError>()
                .is_some_and(|error| error.outcome == aws::Outcome::Refused)
            || matches!(
                cause.downcast_ref::<apply::JournalError>(),
                Some(apply::JournalError::Busy(..))
            )
            || cause.is::<apply::Overtaken>()
            || cause
                .downcast_ref::<key_file::KeyFileError>()
                .is_some_and(key_file::KeyFileError::is_refusal)
    });
    if refused { 1 } else { 2 }
}

/// The kernel writes no core file of a process that is not dumpable, nor gives it to
/// a handler, whatever the limits (prctl(2)).
fn no_core_file() -> nix::Result<()> {
    nix::sys::prctl::set_dumpable(false)
}

/// The reader of our output has seen enough (`dxctl vif list | head -1`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<output::Unwritable>()
        .is_some_and(|error| error.0.kind() == std::io::ErrorKind::BrokenPipe)
}
