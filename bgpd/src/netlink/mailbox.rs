//! A queue whose reader waits in `ppoll`, beside its sockets.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, mpsc};
use std::{fmt, io};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// The writing side; any number of clones.
pub struct Postbox<T> {
    queue: mpsc::Sender<T>,
    bell: Arc<EventFd>,
}

/// The reading side: readable (as a descriptor) while something may be queued.
pub struct Mailbox<T> {
    queue: mpsc::Receiver<T>,
    bell: Arc<EventFd>,
}

pub fn mailbox<T>() -> io::Result<(Postbox<T>, Mailbox<T>)> {
    let bell = Arc::new(EventFd::from_flags(
        EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC,
    )?);
    let (sender, receiver) = mpsc::channel();
    Ok((
        Postbox {
            queue: sender,
            bell: bell.clone(),
        },
        Mailbox {
            queue: receiver,
            bell,
        },
    ))
}

impl<T> Postbox<T> {
    /// Whether the reader still exists.
    pub fn send(&self, item: T) -> bool {
        let delivered = self.queue.send(item).is_ok();
        // A full counter already wakes the reader: nothing to do about an error.
        let _ = self.bell.write(1);
        delivered
    }
}

impl<T> fmt::Debug for Postbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Postbox")
    }
}

impl<T> Clone for Postbox<T> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            bell: self.bell.clone(),
        }
    }
}

/// The last writer's end wakes the reader too, so that it sees the end.
impl<T> Drop for Postbox<T> {
    fn drop(&mut self) {
        let _ = self.bell.write(1);
    }
}

/// What [`Mailbox::take`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    Item(T),
    Empty,
    /// Every [`Postbox`] is gone.
    Closed,
}

impl<T> Mailbox<T> {
    pub fn take(&self) -> Taken<T> {
        match self.queue.try_recv() {
            Ok(item) => Taken::Item(item),
            Err(mpsc::TryRecvError::Empty) => Taken::Empty,
            Err(mpsc::TryRecvError::Disconnected) => Taken::Closed,
        }
    }

    /// Silences the bell; call before taking, so that no item is missed.
    pub fn acknowledge(&self) {
        let _ = self.bell.read();
    }
}

impl<T> AsFd for Mailbox<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_arrive_in_order_and_the_end_is_seen() {
        let (postbox, mailbox) = mailbox().expect("an eventfd");
        assert!(postbox.send(1) && postbox.clone().send(2));
        mailbox.acknowledge();
        assert_eq!(
            [mailbox.take(), mailbox.take(), mailbox.take()],
            [Taken::Item(1), Taken::Item(2), Taken::Empty]
        );
        drop(postbox);
        assert_eq!(mailbox.take(), Taken::Closed);
    }
}
