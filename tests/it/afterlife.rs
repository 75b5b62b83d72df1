//! Objects whose runtime is gone, and objects on threads of other runtimes (C10): an error or one sentence, never a hang.
//!
//! Invariant: every kind of wait is tried three times: begun after the end of its runtime, begun before it, and driven by
//! another runtime's thread while its own goes on.

use crate::subjects::{builder, names};
use futures::future::select_all;
use futures::{AsyncReadExt, AsyncWriteExt};
use polyloop::net::unix::{UnixDatagram, UnixListener, UnixStream};
use polyloop::net::{AsyncFd, TcpListener, TcpStream, UdpSocket};
use polyloop::{Handle, Runtime, time};
use polyloop_conformance::{LIMIT, watched};
use std::any::Any;
use std::future::{Future, pending, poll_fn};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net as std_unix;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

const GONE: &str = "the runtime that drives this file has shut down";
const NO_TIME: &str = "the runtime that drives this timer has shut down";

fn each(test: &str, body: fn(Runtime)) {
    for name in names(&[1, 2]) {
        let title = format!("{test} on {name}");
        watched(&title, 3 * LIMIT, move || body(builder(&name).build().unwrap()));
    }
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("a sentence")
}

type Wait = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// What makes a wait ready at last: it has the far end.
type Happen = Box<dyn FnOnce() + Send>;

/// One wait, made with the runtime entered, and what ends it.
struct Kind {
    name: &'static str,
    make: fn() -> (Wait, Happen),
}

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn context() -> polyloop::net::Context {
    Handle::current().net_context().clone()
}

/// Where a socket's file may be, until this is dropped.
struct TempPath(PathBuf);

impl TempPath {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("polyloop-{}-{}", std::process::id(), NUMBER.fetch_add(1, SeqCst));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Two ends of a connection; the far one belongs to no runtime.
fn tcp() -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind(loopback()).unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    near.set_nonblocking(true).unwrap();
    (TcpStream::from_std(near).unwrap(), listener.accept().unwrap().0)
}

fn unix() -> (UnixStream, std_unix::UnixStream) {
    let (near, far) = std_unix::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    (UnixStream::from_std(near).unwrap(), far)
}

fn udp() -> (UdpSocket, Happen) {
    let socket = UdpSocket::bind_on(&context(), loopback()).unwrap();
    let to = socket.local_addr().unwrap();
    let send = move || {
        std::net::UdpSocket::bind(loopback()).unwrap().send_to(b"x", to).unwrap();
    };
    (socket, Box::new(send))
}

fn datagrams() -> (UnixDatagram, std_unix::UnixDatagram) {
    let (near, far) = std_unix::UnixDatagram::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    (UnixDatagram::from_std(near).unwrap(), far)
}

/// Writes a byte, and keeps the far end open.
fn one_byte(mut far: impl Write + Send + 'static) -> Happen {
    Box::new(move || {
        far.write_all(b"x").unwrap();
        std::mem::forget(far);
    })
}

/// Reads everything that there is, so that there is room again.
fn room(mut far: impl Read + Send + 'static) -> Happen {
    Box::new(move || {
        let mut buffer = vec![0; 1 << 20];
        for _ in 0..64 {
            let _ = far.read(&mut buffer).unwrap();
        }
        std::mem::forget(far);
    })
}

const KINDS: &[Kind] = &[
    Kind {
        name: "TcpListener::accept",
        make: || {
            let listener = TcpListener::bind_on(&context(), loopback()).unwrap();
            let to = listener.local_addr().unwrap();
            let wait = async move { listener.accept().await.map(drop) };
            (Box::pin(wait), Box::new(move || drop(std::net::TcpStream::connect(to).unwrap())))
        },
    },
    Kind {
        name: "TcpStream::read",
        make: || {
            let (near, far) = tcp();
            (Box::pin(async move { near.read(&mut [0]).await.map(drop) }), one_byte(far))
        },
    },
    Kind {
        name: "TcpStream::peek",
        make: || {
            let (near, far) = tcp();
            (Box::pin(async move { near.peek(&mut [0]).await.map(drop) }), one_byte(far))
        },
    },
    Kind {
        name: "TcpStream::readable",
        make: || {
            let (near, far) = tcp();
            // Optimistic until it has been disproved.
            let wait = async move {
                let _ = near.read(&mut []).await;
                loop {
                    near.readable().await?;
                    match near.try_read(&mut [0]) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        other => return other.map(drop),
                    }
                }
            };
            (Box::pin(wait), one_byte(far))
        },
    },
    Kind {
        name: "TcpStream as AsyncRead",
        make: || {
            let (mut near, far) = tcp();
            let wait = async move { AsyncReadExt::read_exact(&mut near, &mut [0]).await };
            (Box::pin(wait), one_byte(far))
        },
    },
    Kind {
        name: "OwnedReadHalf",
        make: || {
            let (near, far) = tcp();
            let wait = async move {
                let (mut read, _write) = near.into_split();
                AsyncReadExt::read_exact(&mut read, &mut [0]).await
            };
            (Box::pin(wait), one_byte(far))
        },
    },
    Kind {
        name: "UnixStream::read",
        make: || {
            let (near, far) = unix();
            (Box::pin(async move { near.read(&mut [0]).await.map(drop) }), one_byte(far))
        },
    },
    Kind {
        name: "UnixStream::write_all",
        make: || {
            let (mut near, far) = unix();
            let wait = async move { AsyncWriteExt::write_all(&mut near, &vec![1; 1 << 20]).await };
            (Box::pin(wait), room(far))
        },
    },
    Kind {
        name: "UnixListener::accept",
        make: || {
            let path = TempPath::new();
            let listener = UnixListener::bind(&path.0).unwrap();
            let wait = async move { listener.accept().await.map(drop) };
            let happen = move || drop(std_unix::UnixStream::connect(&path.0).unwrap());
            (Box::pin(wait), Box::new(happen))
        },
    },
    Kind {
        name: "UdpSocket::recv",
        make: || {
            let (socket, happen) = udp();
            (Box::pin(async move { socket.recv(&mut [0]).await.map(drop) }), happen)
        },
    },
    Kind {
        name: "UdpSocket::recv_from",
        make: || {
            let (socket, happen) = udp();
            (Box::pin(async move { socket.recv_from(&mut [0]).await.map(drop) }), happen)
        },
    },
    Kind {
        name: "UdpSocket::peek_from",
        make: || {
            let (socket, happen) = udp();
            (Box::pin(async move { socket.peek_from(&mut [0]).await.map(drop) }), happen)
        },
    },
    Kind {
        name: "UnixDatagram::recv",
        make: || {
            let (near, far) = datagrams();
            let wait = async move { near.recv(&mut [0]).await.map(drop) };
            (Box::pin(wait), Box::new(move || assert_eq!(far.send(b"x").unwrap(), 1)))
        },
    },
    Kind {
        name: "UnixDatagram::send",
        make: || {
            let (near, far) = datagrams();
            let wait = async move {
                // So many that the far end's queue is full.
                for _ in 0..5000 {
                    near.send(b"x").await?;
                }
                Ok(())
            };
            let happen = move || (0..5000).for_each(|_| assert_eq!(far.recv(&mut [0]).unwrap(), 1));
            (Box::pin(wait), Box::new(happen))
        },
    },
    Kind {
        name: "AsyncFd",
        make: || {
            let (near, far) = std_unix::UnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            let fd = AsyncFd::new(near).unwrap();
            let wait = async move { fd.read_with(|mut file| file.read(&mut [0])).await.map(drop) };
            (Box::pin(wait), one_byte(far))
        },
    },
];

#[test]
fn what_is_begun_after_the_end_is_an_error() {
    each("begun after", |runtime| {
        let waits: Vec<_> = {
            let _within = runtime.enter();
            KINDS.iter().map(|kind| (kind.name, (kind.make)())).collect()
        };
        drop(runtime);
        let other = Runtime::from_name("fifo+poll+heap").unwrap();
        for (name, (wait, _happen)) in waits {
            let error = other.block_on(wait).expect_err(name);
            assert_eq!(error.to_string(), GONE, "{name}");
        }
    });
}

#[test]
fn what_waits_when_the_end_comes_is_an_error() {
    each("waiting", |runtime| {
        let (waits, kept): (Vec<_>, Vec<_>) = {
            let _within = runtime.enter();
            KINDS
                .iter()
                .map(|kind| ((kind.name), (kind.make)()))
                .map(|(name, (wait, happen))| ((name, wait), happen))
                .unzip()
        };
        let (begun, began) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let other = Runtime::from_name("steal:1+poll+heap").unwrap();
            let tasks: Vec<_> = waits
                .into_iter()
                .map(|(name, mut wait)| {
                    let begun = begun.clone();
                    let mut first = true;
                    let task = other.spawn(poll_fn(move |cx| {
                        let polled = wait.as_mut().poll(cx);
                        if std::mem::take(&mut first) {
                            assert!(polled.is_pending(), "{name} does not wait");
                            begun.send(()).unwrap();
                        }
                        polled
                    }));
                    (name, task)
                })
                .collect();
            for (name, task) in tasks {
                let error = other.block_on(task).expect(name).expect_err(name);
                assert_eq!(error.to_string(), GONE, "{name}");
            }
        });
        KINDS.iter().for_each(|_| began.recv().unwrap());
        drop(runtime);
        waiting.join().unwrap();
        drop(kept);
    });
}

#[test]
fn what_waits_on_another_runtimes_thread_goes_on_while_its_own_is_driven() {
    each("elsewhere", |runtime| {
        let handle = runtime.handle().clone();
        let (stop, stopped) = futures::channel::oneshot::channel::<()>();
        let driving = thread::spawn(move || runtime.block_on(stopped));
        let other = Runtime::from_name("fifo+poll+heap").unwrap();
        for kind in KINDS {
            let (mut wait, happen) = {
                let _within = handle.enter();
                (kind.make)()
            };
            other.block_on(async {
                let pending = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_pending())).await;
                assert!(pending, "{} does not wait", kind.name);
                let happening = polyloop::task::spawn_blocking(happen);
                wait.await.expect(kind.name);
                happening.await.unwrap();
            });
        }
        drop(stop);
        let _ = driving.join().unwrap();
        assert_eq!(handle.driver().registered_sources(), 0);
    });
}

#[test]
fn nothing_new_is_made_on_a_runtime_that_is_gone() {
    each("new", |runtime| {
        let handle = runtime.handle().clone();
        drop(runtime);
        let _within = handle.enter();
        let std_tcp = || {
            let listener = std::net::TcpListener::bind(loopback()).unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        };
        let net = handle.net_context();
        let (near, _far) = std_unix::UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let made = [
            TcpListener::bind_on(net, loopback()).map(drop),
            TcpListener::from_std(std_tcp()).map(drop),
            UdpSocket::bind_on(net, loopback()).map(drop),
            UnixStream::pair().map(drop),
            UnixDatagram::pair().map(drop),
            UnixDatagram::unbound().map(drop),
            UnixStream::from_std(near.try_clone().unwrap()).map(drop),
            AsyncFd::new(near).map(drop),
            futures::executor::block_on(TcpStream::connect(std_tcp().local_addr().unwrap())).map(drop),
            futures::executor::block_on(TcpListener::bind(loopback())).map(drop),
        ];
        for (number, made) in made.into_iter().enumerate() {
            assert_eq!(made.expect_err("nothing").to_string(), GONE, "number {number}");
        }
        let name = futures::executor::block_on(polyloop::net::lookup_host("localhost:1"));
        assert!(name.is_err(), "there is no thread that could look a name up");
    });
}

/// What the panic said.
fn sentence<T>(body: impl FnOnce() -> T) -> String {
    text(&*catch_unwind(AssertUnwindSafe(body)).map(drop).expect_err("it cannot go on"))
}

#[test]
fn timers_of_a_runtime_that_is_gone_say_one_sentence() {
    each("timers", |runtime| {
        let within = runtime.enter();
        let far = Duration::from_secs(60);
        let fresh = time::sleep(far);
        let mut armed = Box::pin(time::sleep(far));
        let mut reset = Box::pin(time::sleep(far));
        let mut interval = time::interval(far);
        let mut second_tick = time::interval(far);
        let limited = time::timeout(far, pending::<()>());
        let passed = time::sleep(Duration::ZERO);
        runtime.block_on(async {
            second_tick.tick().await;
            poll_fn(|cx| {
                assert!(armed.as_mut().poll(cx).is_pending());
                assert!(reset.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        });
        let handle = runtime.handle().clone();
        drop((within, runtime));
        let other = Runtime::from_name("fifo").unwrap();
        reset.as_mut().reset(time::Instant::now() + far);
        let said = [
            sentence(|| other.block_on(fresh)),
            sentence(|| other.block_on(armed)),
            sentence(|| other.block_on(reset)),
            sentence(|| other.block_on(second_tick.tick())),
            sentence(|| other.block_on(limited)),
        ];
        assert_eq!(said, [NO_TIME; 5]);
        // What is due needs no driver.
        other.block_on(passed);
        other.block_on(interval.tick());
        let _within = handle.enter();
        let made_here = time::sleep(far);
        assert_eq!(sentence(|| other.block_on(made_here)), NO_TIME);
    });
}

/// A timer that waits on another runtime's thread is told when its own runtime goes.
#[test]
fn timers_that_wait_when_the_end_comes_are_told() {
    each("waiting timers", |runtime| {
        let within = runtime.enter();
        let far = Duration::from_secs(60);
        let mut interval = time::interval(far);
        runtime.block_on(interval.tick());
        let limited = time::timeout(far, pending::<()>());
        let waits: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> = vec![
            Box::pin(time::sleep(far)),
            Box::pin(async move {
                interval.tick().await;
            }),
            Box::pin(async move {
                let _ = limited.await;
            }),
        ];
        drop(within);
        let (begun, began) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let other = Runtime::from_name("steal:1").unwrap();
            let handle = other.handle().clone();
            let tasks: Vec<_> = waits
                .into_iter()
                .map(|mut wait| {
                    let begun = begun.clone();
                    let mut first = true;
                    handle.spawn(poll_fn(move |cx| {
                        let polled = wait.as_mut().poll(cx);
                        if std::mem::take(&mut first) {
                            begun.send(()).unwrap();
                        }
                        polled
                    }))
                })
                .collect();
            for task in tasks {
                let error = other.block_on(task).expect_err("it cannot go on");
                assert_eq!(text(&*error.into_panic()), NO_TIME);
            }
        });
        (0..3).for_each(|_| began.recv().unwrap());
        drop(runtime);
        waiting.join().unwrap();
    });
}

#[test]
fn whoever_joins_when_the_end_comes_is_told() {
    each("joins", |runtime| {
        let (begun, began) = mpsc::channel();
        let joins: Vec<_> = (0..4).map(|_| runtime.spawn(pending::<()>())).collect();
        let job = runtime.spawn_blocking(|| 5);
        assert_eq!(runtime.block_on(job).unwrap(), 5);
        let waiting = thread::spawn(move || {
            let other = Runtime::from_name("steal:1").unwrap();
            let first = select_all(joins);
            let mut first = Box::pin(first);
            let (result, _, rest) = other.block_on(async {
                poll_fn(|cx| {
                    assert!(first.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                begun.send(()).unwrap();
                first.await
            });
            assert!(result.unwrap_err().is_cancelled());
            for join in rest {
                assert!(other.block_on(join).unwrap_err().is_cancelled());
            }
        });
        began.recv().unwrap();
        drop(runtime);
        waiting.join().unwrap();
    });
}
