//! Clients of a server are few, and none stays for ever: a listener whose oldest
//! connection makes room for a new one, and whose silent ones are closed. Whoever
//! opens a thousand connections, or says one letter a minute, neither uses up the
//! daemon's file descriptors nor keeps others out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

/// Connections that a server has at once.
const OPEN: usize = 64;
/// How long a connection may be silent in both directions.
const SILENCE: Duration = Duration::from_secs(30);

pub(super) struct Limited<L> {
    listener: L,
    /// Oldest first. Dropping one closes its connection.
    open: VecDeque<oneshot::Sender<Infallible>>,
}

impl<L> Limited<L> {
    pub(super) fn new(listener: L) -> Self {
        Self {
            listener,
            open: VecDeque::new(),
        }
    }

    /// Room for one more, who is told through what is returned to go.
    fn enter(&mut self) -> oneshot::Receiver<Infallible> {
        self.open.retain(|connection| !connection.is_closed());
        if self.open.len() >= OPEN {
            self.open.pop_front();
        }
        let (stay, go) = oneshot::channel();
        self.open.push_back(stay);
        go
    }
}

impl<L: Listener> Listener for Limited<L> {
    type Io = Guest<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.listener.accept().await;
        (Guest::new(io, self.enter(), SILENCE), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when it is silent, or in the way.
pub(super) struct Guest<Io> {
    io: Io,
    go: oneshot::Receiver<Infallible>,
    patience: Duration,
    silence: Pin<Box<Sleep>>,
}

impl<Io> Guest<Io> {
    fn new(io: Io, go: oneshot::Receiver<Infallible>, patience: Duration) -> Self {
        Self {
            io,
            go,
            patience,
            silence: Box::pin(tokio::time::sleep(patience)),
        }
    }

    /// What `io` says, unless it has to wait and must not.
    fn unless_over<T>(
        &mut self,
        context: &mut Context<'_>,
        said: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if said.is_ready() {
            let until = Instant::now() + self.patience;
            self.silence.as_mut().reset(until);
            return said;
        }
        // What was told once is not told again, and asking again would be a panic.
        if self.go.is_terminated() || Pin::new(&mut self.go).poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        ready!(self.silence.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Guest<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let said = Pin::new(&mut self.io).poll_read(context, buffer);
        self.unless_over(context, said)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Guest<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let said = Pin::new(&mut self.io).poll_write(context, bytes);
        self.unless_over(context, said)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn the_oldest_connection_makes_room() {
        let mut limited = Limited::new(());
        let mut guests = Vec::new();
        for _ in 0..=OPEN {
            let (near, far) = duplex(64);
            guests.push((Guest::new(near, limited.enter(), SILENCE), far));
        }
        // However often it is asked.
        for _ in 0..2 {
            let oldest = guests[0].0.read_u8().await.unwrap_err();
            assert_eq!(oldest.kind(), io::ErrorKind::ConnectionAborted);
        }
        for (guest, far) in &mut guests[1..] {
            far.write_u8(7).await.unwrap();
            assert_eq!(guest.read_u8().await.unwrap(), 7);
        }
        // Those that have gone take no room.
        guests.clear();
        let (near, _far) = duplex(64);
        let _last = Guest::new(near, limited.enter(), SILENCE);
        assert_eq!(limited.open.len(), 1);
    }

    #[tokio::test]
    async fn a_silent_connection_ends_and_one_that_says_something_does_not() {
        let patience = Duration::from_millis(400);
        let mut limited = Limited::new(());
        let (near, mut far) = duplex(64);
        let mut guest = Guest::new(near, limited.enter(), patience);
        let begin = Instant::now();
        for _ in 0..3 {
            tokio::time::sleep(patience / 2).await;
            far.write_u8(1).await.unwrap();
            guest.read_u8().await.unwrap();
        }
        let silent = guest.read_u8().await.unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        assert!(begin.elapsed() >= patience * 5 / 2);
    }
}
