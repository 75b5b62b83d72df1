//! An object behind D-Bus and those who call it: each at one end of a Unix socket, or with a bus between them. Sockets, timers and tasks of
//! both are the runtime's.

#![forbid(unsafe_code)]

use polyloop::Handle;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use zbus::connection::Builder;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, Guid, fdo};

/// Where the object is.
pub const PATH: &str = "/test/polyloop/Bell";

/// The object.
#[derive(Debug, Default)]
pub struct Bell {
    rings: u32,
}

#[zbus::interface(name = "test.polyloop.Bell")]
impl Bell {
    /// Rings, tells everybody, and says how often it has rung.
    async fn ring(&mut self, #[zbus(signal_emitter)] emitter: SignalEmitter<'_>) -> fdo::Result<u32> {
        self.rings += 1;
        Self::rung(&emitter, self.rings).await?;
        Ok(self.rings)
    }

    /// Gives the bytes back.
    async fn echo(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    /// Answers after so many milliseconds.
    async fn nap(&self, milliseconds: u64) {
        polyloop::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Refuses.
    async fn break_it(&self) -> fdo::Result<()> {
        Err(fdo::Error::Failed("it does not break".into()))
    }

    /// How often it has rung.
    #[zbus(property)]
    async fn rings(&self) -> u32 {
        self.rings
    }

    /// It has rung.
    #[zbus(signal)]
    async fn rung(emitter: &SignalEmitter<'_>, count: u32) -> zbus::Result<()>;
}

/// The object as those see it who call.
#[zbus::proxy(
    interface = "test.polyloop.Bell",
    default_service = "test.polyloop.Bell",
    default_path = "/test/polyloop/Bell"
)]
pub trait Bell {
    /// Rings, tells everybody, and says how often it has rung.
    fn ring(&self) -> zbus::Result<u32>;
    /// Gives the bytes back.
    fn echo(&self, bytes: &[u8]) -> zbus::Result<Vec<u8>>;
    /// Answers after so many milliseconds.
    fn nap(&self, milliseconds: u64) -> zbus::Result<()>;
    /// Refuses.
    fn break_it(&self) -> zbus::Result<()>;
    /// How often it has rung.
    #[zbus(property)]
    fn rings(&self) -> zbus::Result<u32>;
    /// It has rung.
    #[zbus(signal)]
    fn rung(&self, count: u32) -> zbus::Result<()>;
}

/// Two ends of one connection on the current runtime; the first one has the object, the second one gives up a call after `patience`.
///
/// # Errors
///
/// The kernel's word, or zbus'.
pub async fn pair(patience: Duration) -> zbus::Result<(Connection, Connection)> {
    let (near, far) = UnixStream::pair()?;
    let server = Builder::unix_stream(near)
        .server(Guid::generate())
        .p2p()
        .serve_at(PATH, Bell::default())
        .runtime(Handle::current())
        .build();
    let client = Builder::unix_stream(far).p2p().method_timeout(patience).runtime(Handle::current()).build();
    polyloop::try_join!(server, client)
}

/// Two connections to the bus at `address`; the first one has the object and the name `name`, the second one gives up a call after
/// `patience`.
///
/// # Errors
///
/// The kernel's word, zbus', or the bus'.
pub async fn on_bus(address: &str, name: &str, patience: Duration) -> zbus::Result<(Connection, Connection)> {
    let server = Builder::address(address).serve_at(PATH, Bell::default()).name(name.to_owned());
    let server = server.runtime(Handle::current()).build();
    let client = Builder::address(address).method_timeout(patience).runtime(Handle::current()).build();
    polyloop::try_join!(server, client)
}
