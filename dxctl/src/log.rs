//! Diagnostics on standard error, by `RUST_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Only what this program says itself, whatever `RUST_LOG` asks for: the SDK
/// and hyper log requests and responses, which hold keys, and the SDK's
/// warnings are dumps. Errors come back as values anyway.
pub(crate) fn start() {
    let wanted = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let ours = filter_fn(|meta| meta.target().starts_with("dxctl"));
    let layer = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(wanted);
    // One subscriber per process, started once: `try_init` can't fail here.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .try_init();
}
