//! `quinn::Runtime` for [`Handle`] (feature `quinn`), so that QUIC runs by our UDP sockets and timers.
//!
//! `quinn::Endpoint::client` and `server` ask quinn for a runtime that it knows, and know ours not: make an endpoint by
//! `Endpoint::new(config, server_config, socket, Arc::new(handle))`, with a socket of the standard library.

use crate::Handle;
use crate::net::{Interest, UdpSocket};
use crate::time::{Instant, Sleep};
use ::quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use ::quinn::{AsyncTimer, AsyncUdpSocket, Runtime, UdpPoller};
use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

impl Runtime for Handle {
    fn new_timer(&self, deadline: std::time::Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(Sleep::until(self, Instant::from_std(deadline)))
    }

    #[track_caller]
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        drop(Self::spawn(self, future));
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let offload = UdpSocketState::new((&socket).into())?;
        Ok(Arc::new(Socket { socket: UdpSocket::from_std_on(self.net_context(), socket)?, offload }))
    }

    fn now(&self) -> std::time::Instant {
        Instant(self.driver().now()).into_std()
    }
}

impl AsyncTimer for Sleep {
    fn reset(self: Pin<&mut Self>, deadline: std::time::Instant) {
        Self::reset(self, Instant::from_std(deadline));
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Future::poll(self, cx)
    }
}

/// A socket, and what the kernel can do for it: several datagrams per call, marks of congestion.
#[derive(Debug)]
struct Socket {
    socket: UdpSocket,
    offload: UdpSocketState,
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller { socket: self, waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_io(Interest::WRITABLE, || self.offload.send((&self.socket).into(), transmit))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            let receive = || self.offload.recv((&self.socket).into(), buffers, meta);
            match self.socket.try_io(Interest::READABLE, receive) {
                // Or what became of an earlier datagram of ours, which is no end of the socket.
                Err(error) if is_passing(error.kind()) => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.offload.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.offload.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.offload.may_fragment()
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}

type Waiting = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

/// One of those who wait until they may send; each waits by a place of its own, and all are woken.
struct Poller {
    socket: Arc<Socket>,
    waiting: Option<Waiting>,
}

impl UdpPoller for Poller {
    /// Asked before each transmit, so only who has to wait pays for a place.
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, waiting } = &mut *self;
        if waiting.is_none() && socket.socket.try_io(Interest::WRITABLE, || Ok(())).is_ok() {
            return Poll::Ready(Ok(()));
        }
        let future = waiting.get_or_insert_with(|| {
            let socket = Arc::clone(socket);
            Box::pin(async move { socket.socket.writable().await })
        });
        let result = ready!(future.as_mut().poll(cx));
        *waiting = None;
        Poll::Ready(result)
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("socket", &self.socket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{sleep, timeout};
    use crate::{Combination, Runtime};
    use std::future::poll_fn;
    use std::net::UdpSocket as StdSocket;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::task::{Wake, Waker};
    use std::time::Duration;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// The socket as quinn has it, and another handle to it, of a runtime that is driven meanwhile; on every combination.
    fn with_socket(new: fn() -> StdSocket, test: impl AsyncFn(&Handle, Arc<Socket>, StdSocket)) {
        for combination in Combination::ALL {
            let runtime = Runtime::from_name(&combination.to_string()).unwrap();
            let (handle, socket) = (runtime.handle().clone(), new());
            let (offload, again) =
                (UdpSocketState::new((&socket).into()).unwrap(), socket.try_clone().unwrap());
            let socket = UdpSocket::from_std_on(handle.net_context(), socket).unwrap();
            let socket = Arc::new(Socket { socket, offload });
            let limited = runtime
                .block_on(async { timeout(Duration::from_secs(60), test(&handle, socket, again)).await });
            limited.unwrap_or_else(|late| panic!("{combination}: {late}"));
        }
    }

    /// A port where nobody is.
    fn nobody() -> SocketAddr {
        StdSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    /// Datagrams over loopback find room, so the kernel's refusal is made up; the event that ends the wait is a real one.
    #[test]
    fn all_who_wait_for_room_are_woken_by_one_event() {
        with_socket(
            || StdSocket::bind("127.0.0.1:0").unwrap(),
            async |runtime: &Handle, socket: Arc<Socket>, again: StdSocket| {
                let wakes = [(); 2].map(|()| Arc::new(Wakes::default()));
                let mut pollers = [(); 2].map(|()| Arc::clone(&socket).create_io_poller());
                let mut poll = |which: usize| {
                    let waker = Waker::from(wakes[which].clone());
                    pollers[which].as_mut().poll_writable(&mut Context::from_waker(&waker))
                };
                assert!(
                    poll(0).is_ready() && poll(1).is_ready(),
                    "there is room until the kernel says otherwise"
                );
                let full = || Err::<(), _>(ErrorKind::WouldBlock.into());
                socket.socket.try_io(Interest::WRITABLE, full).unwrap_err();
                let wait = [poll(0).is_pending(), poll(1).is_pending()];
                // A worker may turn the driver in between, and hear of the room from reactors that tell states, not changes.
                if runtime.combination().executor() == "fifo" {
                    assert_eq!(wait, [true; 2]);
                }
                // What has left makes room, which is a change.
                again.send_to(b"x", again.local_addr().unwrap()).unwrap();
                for (wakes, waits) in wakes.iter().zip(wait) {
                    while waits && wakes.0.load(SeqCst) == 0 {
                        sleep(Duration::from_millis(1)).await;
                    }
                }
                assert!(poll(0).is_ready() && poll(1).is_ready());
            },
        );
    }

    /// A connected socket is told by the kernel that its datagram found a closed port, by an error of the next call.
    #[test]
    fn a_datagram_that_found_nobody_is_no_end_of_the_socket() {
        let connected = || {
            let socket = StdSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(nobody()).unwrap();
            socket
        };
        let control = connected();
        control.send(b"x").unwrap();
        assert_eq!(control.recv(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionRefused);

        with_socket(connected, async |_: &Handle, socket: Arc<Socket>, again: StdSocket| {
            let (here, there) = (again.local_addr().unwrap(), again.peer_addr().unwrap());
            again.send(b"x").unwrap();
            let (mut buffer, mut meta) = ([0; 8], [RecvMeta::default()]);
            let mut receive =
                |cx: &mut Context<'_>| socket.poll_recv(cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta);
            assert!(receive(&mut Context::from_waker(Waker::noop())).is_pending());
            StdSocket::bind(there).unwrap().send_to(b"y", here).unwrap();
            assert_eq!(poll_fn(receive).await.unwrap(), 1);
            assert_eq!((meta[0].len, buffer[0]), (1, b'y'));
        });
    }
}
