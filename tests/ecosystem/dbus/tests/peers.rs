//! D-Bus between two peers on every combination: calls, signals, properties, errors, and peers that are slow or gone.

#![forbid(unsafe_code)]

use ecosystem_dbus::{Bell, BellProxy, PATH, pair};
use ecosystem_support::{Program, on_each};
use futures::StreamExt;
use futures::future::join_all;
use polyloop::Handle;
use polyloop::sync::oneshot;
use polyloop::task::spawn_blocking;
use polyloop::time::Instant;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use zbus::Guid;
use zbus::connection::Builder;
use zbus::runtime::traits::{Runtime, TaskHandle};

/// Longer than any pause of a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[polyloop::test(all)]
async fn a_call_is_answered_and_a_signal_is_heard() {
    let (_server, client) = pair(PATIENCE).await.unwrap();
    let bell = BellProxy::new(&client).await.unwrap();
    let mut rung = bell.receive_rung().await.unwrap();
    for n in 1..=3 {
        assert_eq!(bell.ring().await.unwrap(), n);
        assert_eq!(rung.next().await.unwrap().args().unwrap().count(), &n);
    }
    assert_eq!(bell.rings().await.unwrap(), 3);
}

#[polyloop::test(all)]
async fn a_hundred_calls_at_once_have_each_their_own_answer() {
    let (_server, client) = pair(PATIENCE).await.unwrap();
    let bell = BellProxy::new(&client).await.unwrap();
    let calls = (0..100_usize).map(|n| {
        let bell = bell.clone();
        polyloop::spawn(async move {
            // All together more than the socket's buffers hold, so that writers wait.
            let bytes = vec![n as u8; n * 100];
            assert!(bell.echo(&bytes).await.unwrap() == bytes);
        })
    });
    join_all(calls.collect::<Vec<_>>()).await.into_iter().for_each(|call| call.unwrap());
}

#[polyloop::test(all)]
async fn a_refusal_comes_back_as_an_error() {
    let (_server, client) = pair(PATIENCE).await.unwrap();
    let error = BellProxy::new(&client).await.unwrap().break_it().await.unwrap_err();
    assert!(error.to_string().contains("it does not break"), "{error}");
}

/// zbus's deadline is our timer.
#[polyloop::test(all)]
async fn a_call_that_takes_too_long_is_given_up() {
    let patience = Duration::from_millis(50);
    let (_server, client) = pair(patience).await.unwrap();
    let bell = BellProxy::new(&client).await.unwrap();
    let start = Instant::now();
    let error = bell.nap(600_000).await.unwrap_err();
    let zbus::Error::InputOutput(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(start.elapsed() >= patience, "{:?}", start.elapsed());
}

#[polyloop::test(all)]
async fn who_is_gone_answers_no_call_and_nobody_waits_for_ever() {
    let (server, client) = pair(PATIENCE).await.unwrap();
    let bell = BellProxy::new(&client).await.unwrap();
    bell.ring().await.unwrap();
    server.close().await.unwrap();
    bell.ring().await.unwrap_err();
}

/// An object behind a listener, and a client that finds it by its address: the connection is made by our sockets.
async fn found_by(address: String, accepted: impl Future<Output = Builder<'static>>) {
    let serving = async {
        let builder = accepted.await.server(Guid::generate()).p2p();
        builder.serve_at(PATH, Bell::default()).runtime(Handle::current()).build().await
    };
    let asking = async {
        let client = Builder::address(address.as_str()).p2p().runtime(Handle::current()).build().await?;
        let rings = BellProxy::new(&client).await?.ring().await?;
        zbus::Result::Ok(rings)
    };
    let (_server, rings) = polyloop::try_join!(serving, asking).unwrap();
    assert_eq!(rings, 1);
}

#[polyloop::test(all)]
async fn a_peer_is_found_by_the_path_of_its_socket() {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(unique()).unwrap()).unwrap();
    let name = listener.local_addr().unwrap().as_abstract_name().map(<[u8]>::to_vec).unwrap();
    let address = format!("unix:abstract={}", String::from_utf8(name).unwrap());
    let accepted = spawn_blocking(move || listener.accept().unwrap().0);
    found_by(address, async { Builder::unix_stream(accepted.await.unwrap()) }).await;
}

#[polyloop::test(all)]
async fn a_peer_is_found_by_host_and_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp:host=localhost,port={},family=ipv4", listener.local_addr().unwrap().port());
    let accepted = spawn_blocking(move || listener.accept().unwrap().0);
    found_by(address, async { Builder::tcp_stream(accepted.await.unwrap()) }).await;
}

/// A name for each test, in each process.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("polyloop-dbus-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// zbus runs programs by it, and must hear of their end; nobody may keep the pipe that it reads from.
#[polyloop::test(all)]
async fn a_program_is_run_and_waited_for_and_keeps_no_pipe() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "echo hello; exit 7"]);
    let ended =
        Handle::current().spawn_process(command, Stdio::null(), writer.into(), Stdio::null()).unwrap();
    let said = spawn_blocking(move || std::io::read_to_string(&mut reader).unwrap());
    assert_eq!(said.await.unwrap(), "hello\n");
    assert_eq!(ended.await.unwrap().code(), Some(7));
}

/// What is let go of goes on, and what is dropped does not.
#[polyloop::test(all)]
async fn a_dropped_task_ends_and_a_detached_one_does_not() {
    let runtime = Handle::current();
    let (told, hear) = oneshot::channel::<()>();
    drop(Runtime::spawn(&runtime, "dropped", async move {
        let _told = told;
        std::future::pending::<()>().await;
    }));
    assert!(hear.await.is_err());
    let (told, hear) = oneshot::channel();
    Runtime::spawn(&runtime, "detached", async move {
        polyloop::task::yield_now().await;
        told.send(7).unwrap();
    })
    .detach();
    assert_eq!(hear.await, Ok(7));
}

fn the_program_has_no_reactor_but_ours(combination: &str) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_ring"), combination, ["ding", "dong"]);
    assert_eq!(program.line(), "ding 1");
    assert_eq!(program.line(), "dong 2");
    program.facts().assert_native(combination);
    assert_eq!(program.finish(), "");
}
on_each!(the_program_has_no_reactor_but_ours);
