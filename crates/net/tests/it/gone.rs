//! Sockets and files whose runtime is gone: used, waited for, and dropped (C10).

use crate::rig::{Rig, on_every_reactor};
use futures_io::{AsyncRead, AsyncWrite};
use polyloop_net::unix::{UnixDatagram, UnixListener, UnixStream};
use polyloop_net::{AsyncFd, TcpListener, TcpStream, UdpSocket};
use std::fmt::Debug;
use std::future::poll_fn;
use std::io::{self, PipeReader, Read};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

const ANY_PORT: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// One of everything, and what keeps its other end open.
struct All {
    listener: TcpListener,
    stream: TcpStream,
    udp: UdpSocket,
    unix_listener: UnixListener,
    unix: UnixStream,
    datagram: UnixDatagram,
    pipe: AsyncFd<PipeReader>,
    others: (TcpStream, UnixStream, UnixDatagram, io::PipeWriter, Directory),
}

/// A place for a socket's file.
struct Directory(std::path::PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn pipe() -> (PipeReader, io::PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    (reader, writer)
}

impl All {
    fn on(rig: &Rig) -> Self {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("polyloop-gone-{}-{number}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let (listener, _) = rig.listen();
        let (stream, other) = rig.run(rig.pair());
        let udp = UdpSocket::bind_on(&rig.net, ANY_PORT.into()).unwrap();
        let unix_listener = UnixListener::bind_on(&rig.net, directory.join("socket")).unwrap();
        let (unix, other_unix) = UnixStream::pair_on(&rig.net).unwrap();
        let (datagram, other_datagram) = UnixDatagram::pair_on(&rig.net).unwrap();
        let (reader, writer) = pipe();
        let pipe = AsyncFd::new_on(&rig.net, reader).unwrap();
        let others = (other, other_unix, other_datagram, writer, Directory(directory));
        Self { listener, stream, udp, unix_listener, unix, datagram, pipe, others }
    }
}

/// Where they are used once their own runtime is gone: any other one.
fn elsewhere() -> Rig {
    Rig::new(polyloop_reactor::ALL[0].1().unwrap())
}

#[track_caller]
fn is_gone<T: Debug>(result: io::Result<T>) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
}

fn every_operation_is_an_error(rig: &Rig) {
    let all = All::on(rig);
    rig.fifo.shut_down(Duration::ZERO);
    elsewhere().run(async {
        let mut byte = [0; 1];
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));

        is_gone(all.listener.accept().await);
        is_gone(poll_fn(|cx| all.listener.poll_accept(cx)).await);
        is_gone(all.unix_listener.accept().await);
        is_gone(poll_fn(|cx| all.unix_listener.poll_accept(cx)).await);

        is_gone(all.stream.read(&mut byte).await);
        is_gone(all.stream.read_exact(&mut byte).await);
        is_gone(all.stream.peek(&mut byte).await);
        is_gone(all.stream.write(&byte).await);
        is_gone(all.stream.write_all(&byte).await);
        is_gone(all.stream.readable().await);
        is_gone(all.stream.writable().await);
        is_gone(all.stream.try_read(&mut byte));
        is_gone(all.stream.try_write(&byte));
        is_gone(poll_fn(|cx| Pin::new(&mut &all.stream).poll_read(cx, &mut byte)).await);
        is_gone(poll_fn(|cx| Pin::new(&mut &all.stream).poll_write(cx, b"x")).await);

        is_gone(all.unix.read(&mut byte).await);
        is_gone(all.unix.write_all(&byte).await);
        is_gone(all.unix.readable().await);
        is_gone(all.unix.writable().await);
        is_gone(all.unix.try_read(&mut byte));
        is_gone(all.unix.try_write(&byte));

        is_gone(all.udp.send_to(&byte, nowhere).await);
        is_gone(all.udp.recv_from(&mut byte).await);
        is_gone(all.udp.peek_from(&mut byte).await);
        is_gone(all.udp.readable().await);
        is_gone(all.udp.writable().await);
        is_gone(all.udp.try_send_to(&byte, nowhere));
        is_gone(all.udp.try_recv_from(&mut byte));
        is_gone(poll_fn(|cx| all.udp.poll_recv_from(cx, &mut byte)).await);
        is_gone(poll_fn(|cx| all.udp.poll_send_to(cx, b"x", nowhere)).await);
        all.udp.connect(nowhere).await.unwrap();
        is_gone(all.udp.send(&byte).await);
        is_gone(all.udp.recv(&mut byte).await);

        is_gone(all.datagram.send(&byte).await);
        is_gone(all.datagram.recv(&mut byte).await);
        is_gone(all.datagram.recv_from(&mut byte).await);
        is_gone(all.datagram.readable().await);
        is_gone(all.datagram.writable().await);

        is_gone(all.pipe.readable().await);
        is_gone(all.pipe.writable().await);
        is_gone(all.pipe.read_with(|mut pipe| pipe.read(&mut byte)).await);
        is_gone(all.pipe.write_with(|_| Ok(())).await);
    });
    // What needs no driver goes on.
    all.stream.set_nodelay(true).unwrap();
    all.unix.shut_down(Shutdown::Both).unwrap();
    all.udp.set_ttl(3).unwrap();
    drop(all);
    assert_eq!(rig.net.driver.registered_sources(), 0);
}

fn nothing_can_be_made_for_it(rig: &Rig) {
    rig.fifo.shut_down(Duration::ZERO);
    let (std_stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    is_gone(TcpListener::bind_on(&rig.net, ANY_PORT.into()));
    is_gone(UdpSocket::bind_on(&rig.net, ANY_PORT.into()));
    is_gone(UnixStream::pair_on(&rig.net));
    is_gone(UnixDatagram::pair_on(&rig.net));
    is_gone(UnixStream::from_std_on(&rig.net, std_stream));
    is_gone(AsyncFd::new_on(&rig.net, pipe().0));
    let target = std::net::TcpListener::bind(SocketAddr::from(ANY_PORT)).unwrap();
    let address = target.local_addr().unwrap();
    elsewhere().run(async { is_gone(TcpStream::connect_on(&rig.net, address).await) });
    assert_eq!(rig.net.driver.registered_sources(), 0);
}

type Wait = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

fn whoever_waits_as_it_ends_is_woken_with_an_error(rig: &Rig) {
    let all = Arc::new(All::on(rig));
    let far = elsewhere();
    let waits: [fn(Arc<All>) -> Wait; 8] = [
        |all| Box::pin(async move { all.listener.accept().await.map(drop) }),
        |all| Box::pin(async move { poll_fn(|cx| all.listener.poll_accept(cx)).await.map(drop) }),
        |all| Box::pin(async move { all.unix_listener.accept().await.map(drop) }),
        |all| Box::pin(async move { all.stream.read(&mut [0; 1]).await.map(drop) }),
        |all| Box::pin(async move { all.unix.read(&mut [0; 1]).await.map(drop) }),
        |all| Box::pin(async move { all.udp.recv_from(&mut [0; 1]).await.map(drop) }),
        |all| Box::pin(async move { all.datagram.recv(&mut [0; 1]).await.map(drop) }),
        |all| Box::pin(async move { all.pipe.read_with(|mut pipe| pipe.read(&mut [0; 1])).await.map(drop) }),
    ];
    let waiting = waits.map(|wait| far.spawn(wait(Arc::clone(&all))));
    std::thread::scope(|scope| {
        let ends = scope.spawn(|| {
            // The others wait by then, or come too late and find it gone: both must end.
            rig.run(rig.sleep(5));
            rig.fifo.shut_down(Duration::ZERO);
        });
        far.run(async {
            for task in waiting {
                is_gone(task.await.unwrap());
            }
        });
        ends.join().unwrap();
    });
}

fn files_come_back_and_work_on_the_next_runtime(rig: &Rig) {
    let all = All::on(rig);
    rig.fifo.shut_down(Duration::ZERO);
    let next = elsewhere();
    let (stream, other) = (all.stream.into_std().unwrap(), all.others.0.into_std().unwrap());
    let listener = all.listener.into_std().unwrap();
    let unix_listener = all.unix_listener.into_std().unwrap();
    let udp = all.udp.into_std().unwrap();
    let (one, two) = (all.datagram.into_std().unwrap(), all.others.2.into_std().unwrap());
    next.run(async {
        let stream = TcpStream::from_std_on(&next.net, stream).unwrap();
        let other = TcpStream::from_std_on(&next.net, other).unwrap();
        stream.write_all(b"again").await.unwrap();
        other.read_exact(&mut [0; 5]).await.unwrap();
        let udp = UdpSocket::from_std_on(&next.net, udp).unwrap();
        udp.send_to(b"self", udp.local_addr().unwrap()).await.unwrap();
        assert_eq!(udp.recv(&mut [0; 8]).await.unwrap(), 4);
        let one = UnixDatagram::from_std_on(&next.net, one).unwrap();
        let two = UnixDatagram::from_std_on(&next.net, two).unwrap();
        one.send(b"gram").await.unwrap();
        assert_eq!(two.recv(&mut [0; 8]).await.unwrap(), 4);
        let listener = TcpListener::from_std_on(&next.net, listener).unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect_on(&next.net, address).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
        let unix_listener = UnixListener::from_std_on(&next.net, unix_listener).unwrap();
        let path = unix_listener.local_addr().unwrap();
        let _client = UnixStream::connect_on(&next.net, path.as_pathname().unwrap()).await.unwrap();
        unix_listener.accept().await.unwrap();
    });
}

on_every_reactor! {
    every_operation_is_an_error
    nothing_can_be_made_for_it
    whoever_waits_as_it_ends_is_woken_with_an_error
    files_come_back_and_work_on_the_next_runtime
}
