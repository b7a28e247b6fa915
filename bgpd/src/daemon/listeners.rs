//! The listening sockets, each with a task that hands on its connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::log_limit::LogLimit;
use crate::transport::{Connection, Listener};

pub(super) struct Listening {
    pub(super) address: SocketAddr,
    pub(super) listener: Arc<Listener>,
    task: AbortHandle,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Binds all, or none.
pub(super) fn bind(
    addresses: &[SocketAddr],
    accepted: &mpsc::Sender<Connection>,
) -> anyhow::Result<Vec<Listening>> {
    addresses
        .iter()
        .map(|address| bind_one(*address, accepted.clone()))
        .collect()
}

fn bind_one(address: SocketAddr, accepted: mpsc::Sender<Connection>) -> anyhow::Result<Listening> {
    let listener = Listener::bind(address).with_context(|| {
        format!("can't listen on {address} (`listen`); see with `ss -ltnp` who does, or whether bgpd may (CAP_NET_BIND_SERVICE)")
    })?;
    let listener = Arc::new(listener);
    let task = tokio::spawn(accept(listener.clone(), accepted)).abort_handle();
    Ok(Listening {
        address,
        listener,
        task,
    })
}

async fn accept(listener: Arc<Listener>, accepted: mpsc::Sender<Connection>) {
    let mut log = LogLimit::default();
    loop {
        match listener.accept().await {
            Ok(connection) => {
                if accepted.send(connection).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                if let Some(suppressed) = log.pass(Instant::now()) {
                    tracing::warn!(suppressed, "can't accept a connection: {error}");
                }
                // Out of file descriptors, for one, doesn't mend at once.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
