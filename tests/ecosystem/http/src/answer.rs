//! Answers that notice when their client does not take them.
//!
//! In HTTP/2 that cannot be seen at the socket: a client that reads, and answers each ping, but opens no window for a stream,
//! has the server keep an answer for ever. hyper asks a body for bytes and then holds them until there is a window, so it is
//! the bytes themselves that know whether they get on.
//!
//! Invariant: all bytes that hyper was given, and that are not on their way to the socket, are in the connection's list of what
//! waits, with the time since which they have not moved.

use axum::body::{Body, Bytes};
use futures::task::AtomicWaker;
use hyper::body::{Buf, Frame, SizeHint};
use polyloop::time::{Instant, Sleep, sleep_until};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// What a client has not taken yet, of all answers on its connection. Clones are the same list.
#[derive(Clone, Debug, Default)]
pub struct Untaken(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    list: Mutex<List>,
    /// The connection, which has to know of the first entry's deadline.
    connection: AtomicWaker,
}

#[derive(Debug, Default)]
struct List {
    /// In the order in which they came, and so in that of their times.
    since: BTreeMap<u64, Instant>,
    last: u64,
}

impl Shared {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An entry of this moment, in place of an older one.
    fn note(&self, older: Option<u64>) -> u64 {
        let (entry, is_only) = {
            let list = &mut *self.list();
            if let Some(older) = older {
                list.since.remove(&older);
            }
            list.last += 1;
            list.since.insert(list.last, Instant::now());
            (list.last, list.since.len() == 1)
        };
        if is_only {
            self.connection.wake();
        }
        entry
    }
}

impl Untaken {
    /// Bytes that are on the list until they were taken.
    fn note(&self, bytes: Bytes) -> Noted {
        let entry = self.0.note(None);
        Noted { bytes, entry, shared: self.0.clone() }
    }

    /// Ready once something has not moved for `patience`. For the one task of the connection.
    pub fn poll_late(
        &self,
        cx: &mut Context<'_>,
        patience: Duration,
        deadline: &mut Option<Pin<Box<Sleep>>>,
    ) -> Poll<()> {
        self.0.connection.register(cx.waker());
        let Some(since) = self.0.list().since.first_entry().map(|first| *first.get()) else {
            *deadline = None;
            return Poll::Pending;
        };
        let at = since + patience;
        let sleep = deadline.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

/// The body of an answer, whose bytes are noted.
#[derive(Debug)]
pub struct Answer {
    body: Body,
    untaken: Untaken,
}

impl Answer {
    /// Notes the bytes of `body` in the list of its connection.
    pub fn new(body: Body, untaken: Untaken) -> Self {
        Self { body, untaken }
    }
}

impl hyper::body::Body for Answer {
    type Data = Noted;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Noted>, axum::Error>>> {
        let Self { body, untaken } = &mut *self;
        let frame = Pin::new(body).poll_frame(cx);
        frame.map_ok(|frame| frame.map_data(|bytes| untaken.note(bytes)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of an answer, in hyper's hands.
#[derive(Debug)]
pub struct Noted {
    bytes: Bytes,
    entry: u64,
    shared: Arc<Shared>,
}

impl Buf for Noted {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, taken: usize) {
        self.bytes.advance(taken);
        self.entry = self.shared.note(Some(self.entry));
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.shared.list().since.remove(&self.entry);
    }
}
