//! A runtime in miniature, and the reactors that it runs on.

use polyloop_core::reactor::Reactor;
use polyloop_core::time::Clock;
use polyloop_core::{Driver, JoinHandle, Meta, Sleep};
use polyloop_fifo::Fifo;
use polyloop_net::{Context, Resolve, Resolving, TcpListener, TcpStream};
use polyloop_reactor::ChaosPlan;
use polyloop_time::{Heap, SystemClock};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A hang is told from a slow machine after this time. Only a failure uses it up.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, host: String, _: u16) -> Resolving {
        Box::pin(async move { Err(io::Error::other(format!("`{host}` was looked up"))) })
    }
}

/// Faults in thousandths: events that are not true, told twice, late, out of order; turns that end for nothing; and calls
/// that move less than they could, are interrupted, or find no descriptor or no connection.
pub(crate) const BAD_DAYS: ChaosPlan = ChaosPlan {
    spurious: 100,
    duplicated: 100,
    delayed: 200,
    reordered: 300,
    empty: 200,
    short: 100,
    interrupted: 100,
    no_descriptor: 50,
    aborted: 100,
    ..ChaosPlan::OFF
};

/// The seed of a test's bad days, which goes with its output: that of `POLYLOOP_CHAOS_SEED`, or its own.
pub(crate) fn seed(own: u64) -> u64 {
    let asked = std::env::var("POLYLOOP_CHAOS_SEED").ok();
    let seed = asked.map_or(own, |seed| seed.parse().expect("POLYLOOP_CHAOS_SEED is a number"));
    println!("POLYLOOP_CHAOS_SEED={seed}");
    seed
}

/// A runtime in miniature.
pub(crate) struct Rig {
    pub(crate) fifo: Fifo,
    pub(crate) net: Context,
    /// Whether there are wakes that mean nothing.
    pub(crate) is_chaotic: bool,
}

impl Rig {
    pub(crate) fn new(reactor: Box<dyn Reactor>) -> Self {
        Self::with_clock(reactor, Arc::new(SystemClock))
    }

    pub(crate) fn with_clock(reactor: Box<dyn Reactor>, clock: Arc<dyn Clock>) -> Self {
        let driver = Driver::new(reactor, Box::new(Heap::new()), clock);
        let net = Context { driver: driver.clone(), resolver: Arc::new(NoNames) };
        Self { fifo: Fifo::new(driver), net, is_chaotic: false }
    }

    #[track_caller]
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let driver = self.net.driver.clone();
        let limited = async {
            let mut limit = Sleep::until(driver.clone(), driver.now() + LIMIT);
            let mut future = std::pin::pin!(future);
            poll_fn(|cx| {
                // A hang is a failure, with a name.
                assert!(Pin::new(&mut limit).poll(cx).is_pending(), "nothing happened for {LIMIT:?}");
                future.as_mut().poll(cx)
            })
            .await
        };
        self.fifo.try_block_on(limited, Meta::new(Location::caller())).unwrap()
    }

    #[track_caller]
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.fifo.spawn(future, Meta::new(Location::caller()))
    }

    pub(crate) fn listen(&self) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind_on(&self.net, ([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Both ends of a connection.
    pub(crate) async fn pair(&self) -> (TcpStream, TcpStream) {
        let (listener, address) = self.listen();
        let context = self.net.clone();
        let connecting = self.spawn(async move { TcpStream::connect_on(&context, address).await });
        let (served, _) = listener.accept().await.unwrap();
        (connecting.await.unwrap().unwrap(), served)
    }

    pub(crate) async fn sleep(&self, millis: u64) {
        let driver = &self.net.driver;
        Sleep::until(driver.clone(), driver.now() + Duration::from_millis(millis)).await;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.fifo.shut_down(Duration::ZERO);
    }
}

/// Mounts tests on every reactor, bare and in the kernel's bad days.
macro_rules! on_every_reactor {
    ($($test:ident)*) => {
        on_every_reactor!(@module mio, polyloop_reactor::Mio::new().unwrap(); $($test)*);
        on_every_reactor!(@module polling, polyloop_reactor::Polling::new().unwrap(); $($test)*);
        on_every_reactor!(@module polling_oneshot, polyloop_reactor::Polling::oneshot().unwrap(); $($test)*);
        on_every_reactor!(@module poll, polyloop_reactor::Poll::new().unwrap(); $($test)*);
        on_every_reactor!(@chaos chaos_around_mio, Mio::new, 1; $($test)*);
        on_every_reactor!(@chaos chaos_around_polling, Polling::new, 2; $($test)*);
        on_every_reactor!(@chaos chaos_around_poll, Poll::new, 3; $($test)*);
    };
    (@chaos $module:ident, $kind:ident::new, $seed:literal; $($test:ident)*) => {
        on_every_reactor!(@module $module, {
            let reactor = polyloop_reactor::$kind::new().unwrap();
            polyloop_reactor::Chaos::new(reactor, crate::rig::seed($seed), crate::rig::BAD_DAYS)
        }; $($test)*);
    };
    (@module $module:ident, $reactor:expr; $($test:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    let mut rig = crate::rig::Rig::new(Box::new($reactor));
                    rig.is_chaotic = stringify!($module).starts_with("chaos");
                    super::$test(&rig);
                }
            )*
        }
    };
}
pub(crate) use on_every_reactor;
