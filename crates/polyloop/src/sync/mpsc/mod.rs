//! Many senders, one receiver. See [`tokio::sync::mpsc`].

mod bounded;
pub mod error;
mod unbounded;

pub use bounded::{OwnedPermit, Receiver, Sender, WeakSender, channel};
pub use tokio::sync::mpsc::{Permit, PermitIterator};
pub use unbounded::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};
