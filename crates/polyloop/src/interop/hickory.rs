//! hickory's `RuntimeProvider` for [`Handle`] (feature `hickory`, of hickory-net 0.26), so that names are looked up by our sockets,
//! timers and tasks.
//!
//! `Resolver::builder_with_config(config, handle)` takes it. hickory's deadlines come from functions without a runtime among their
//! arguments: they are those of the runtime that polls, so poll a look-up on the runtime whose handle it was given.
//!
//! With a resolver in [`Builder::resolver`](crate::Builder::resolver), our own sockets find names by it, too.
//!
//! # Examples
//!
//! ```no_run
//! # #[polyloop::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use hickory_net::client::{Client, ClientHandle};
//! use hickory_net::proto::rr::{DNSClass, Name, RecordType};
//! use hickory_net::udp::UdpClientStream;
//! use polyloop::Handle;
//!
//! let server = "127.0.0.1:53".parse()?;
//! let stream = UdpClientStream::builder(server, Handle::current()).build();
//! let (mut client, background) = Client::<Handle>::from_sender(stream);
//! polyloop::spawn(background);
//! let answer = client.query(Name::from_ascii("example.com.")?, DNSClass::IN, RecordType::A).await?;
//! println!("{:?}", answer.answers);
//! # Ok(())
//! # }
//! ```

use super::{Connection, Datagrams};
use crate::net::{TcpSocket, UdpSocket};
use crate::{Handle, time};
use async_trait::async_trait;
use hickory_net::runtime::{DnsTcpStream, DnsUdpSocket, RuntimeProvider, Spawn, Time};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a connection may take where hickory does not say.
const PATIENCE: Duration = Duration::from_secs(5);

type Made<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl RuntimeProvider for Handle {
    type Handle = Self;
    type Timer = Self;
    type Udp = Datagrams;
    type Tcp = Connection;

    fn create_handle(&self) -> Self {
        self.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        from: Option<SocketAddr>,
        patience: Option<Duration>,
    ) -> Made<Connection> {
        let handle = self.clone();
        Box::pin(async move {
            let socket = if server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            if let Some(from) = from {
                socket.bind(from)?;
            }
            let connecting = {
                let _timed_here = handle.enter();
                let connecting = socket.connect_on(handle.net_context(), server);
                time::timeout(patience.unwrap_or(PATIENCE), connecting)
            };
            let stream = connecting.await??;
            // A question is one small packet, and its answer is waited for.
            stream.set_nodelay(true)?;
            Ok(Connection(stream))
        })
    }

    fn bind_udp(&self, local: SocketAddr, _server: SocketAddr) -> Made<Datagrams> {
        let socket = UdpSocket::bind_on(self.net_context(), local).map(Datagrams);
        Box::pin(std::future::ready(socket))
    }
}

impl Spawn for Handle {
    /// Spawns a task and detaches it: hickory's end when nobody asks them any more.
    #[track_caller]
    fn spawn_bg(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.spawn(future));
    }
}

/// By the runtime that polls.
#[async_trait]
impl Time for Handle {
    /// # Panics
    ///
    /// Outside of a runtime.
    async fn delay_for(duration: Duration) {
        time::sleep(duration).await;
    }

    /// # Errors
    ///
    /// `TimedOut`, and that there is no runtime here.
    async fn timeout<F: 'static + Future + Send>(duration: Duration, future: F) -> io::Result<F::Output> {
        Self::try_current()?;
        Ok(time::timeout(duration, future).await?)
    }
}

impl DnsUdpSocket for Datagrams {
    type Time = Handle;

    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.0.poll_recv_from(cx, buffer)
    }

    fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send_to(cx, bytes, target)
    }
}

impl DnsTcpStream for Connection {
    type Time = Handle;
}
