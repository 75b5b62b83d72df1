//! What a tokio-only library can do inside our tasks, on every combination, and what it does without the bridge.

#![forbid(unsafe_code)]

use ecosystem_bridge::{ALIVE, REQUEST, serve};
use ecosystem_support::{Program, on_each};
use futures::FutureExt;
use polyloop::Handle;
use polyloop::compat::tokio::{compat, handle, within};
use polyloop::net::{TcpListener, TcpStream};
use polyloop::task::budgeted;
use polyloop::time::Instant;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn served(bridged: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    polyloop::spawn(serve(listener, bridged));
    address
}

async fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

/// Reads until `enough`; gives what there is if the end comes first.
async fn read_until(stream: &TcpStream, enough: impl Fn(&str) -> bool) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while !enough(&text) {
        match stream.read(&mut buffer).await {
            Ok(n @ 1..) => text.push_str(&String::from_utf8_lossy(&buffer[..n])),
            _ => break,
        }
    }
    text
}

#[polyloop::test(all)]
async fn axums_events_are_kept_alive_by_tokios_timer() {
    let address = served(true).await;
    let start = Instant::now();
    let stream = ask(address, "/events").await;
    let text = read_until(&stream, |text| text.matches(": alive").count() == 3).await;
    assert!(text.contains("data: first") && text.matches(": alive").count() == 3, "{text}");
    assert!(start.elapsed() >= 3 * ALIVE, "{:?}", start.elapsed());
}

#[polyloop::test(all)]
async fn towers_timeout_ends_a_request() {
    let address = served(true).await;
    let start = Instant::now();
    let stream = ask(address, "/never").await;
    let text = read_until(&stream, |text| text.ends_with("request timed out\n")).await;
    assert!(text.starts_with("HTTP/1.1 504"), "{text}");
    assert!(start.elapsed() >= REQUEST, "{:?}", start.elapsed());
}

/// The table of what panics, in the words of `docs/guide/ecosystem.md`.
#[polyloop::test(all)]
async fn without_the_bridge_each_of_these_says_that_there_is_no_reactor() {
    async fn panic_of(future: impl Future) -> String {
        let Err(panic) = AssertUnwindSafe(future).catch_unwind().await else { return "no panic".to_owned() };
        match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast_ref::<&str>().map_or("no text", |text| *text).to_owned(),
        }
    }
    let panics = [
        ("sleep", panic_of(async { tokio::time::sleep(Duration::ZERO).await }).await),
        ("timeout", panic_of(async { tokio::time::timeout(Duration::ZERO, async {}).await }).await),
        ("interval", panic_of(async { tokio::time::interval(ALIVE).tick().await }).await),
        ("spawn", panic_of(async { tokio::spawn(async {}).await }).await),
        ("spawn_blocking", panic_of(async { tokio::task::spawn_blocking(|| {}).await }).await),
        ("bind", panic_of(async { tokio::net::TcpListener::bind("127.0.0.1:0").await }).await),
        (
            "tower",
            panic_of(async {
                let service = tower::service_fn(async |()| Ok::<_, axum::BoxError>(()));
                tower::ServiceExt::oneshot(tower::timeout::Timeout::new(service, REQUEST), ()).await
            })
            .await,
        ),
    ];
    for (name, panic) in panics {
        assert!(panic.contains("Tokio 1.x"), "{name}: {panic}");
    }
    // Of a server the connection's task ends, so the client sees an end; nobody else does.
    let address = served(false).await;
    for path in ["/events", "/never"] {
        assert_eq!(read_until(&ask(address, path).await, |_| false).await, "", "{path}");
    }
}

#[polyloop::test(all)]
async fn a_socket_of_tokios_talks_to_one_of_ours() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    polyloop::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
    });
    let talk = polyloop::spawn(compat(async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).await.unwrap();
        back
    }));
    assert_eq!(talk.await.unwrap(), "hello");
}

#[polyloop::test(all)]
async fn what_tokio_spawns_runs_on_the_hidden_thread_and_our_task_on_ours() {
    let own = std::thread::current().name().map(str::to_owned);
    let (here, there) = compat(async {
        let name = || std::thread::current().name().map(str::to_owned);
        (name(), tokio::spawn(async move { name() }).await.unwrap())
    })
    .await;
    assert_eq!(here, own);
    assert_eq!(there.as_deref(), Some("poly-tokio"));
    let spawned = handle().spawn(async { std::thread::current().name().map(str::to_owned) });
    assert_eq!(spawned.await.unwrap().as_deref(), Some("poly-tokio"), "its handle is awaited from our task");
}

#[polyloop::test(all)]
async fn a_future_is_dropped_in_the_context_as_well() {
    struct NeedsTokio(tokio::sync::mpsc::Sender<bool>);
    impl Drop for NeedsTokio {
        fn drop(&mut self) {
            self.0.try_send(tokio::runtime::Handle::try_current().is_ok()).unwrap();
        }
    }
    let (told, mut hear) = tokio::sync::mpsc::channel(1);
    // Made here: it is in the future also if that is never polled.
    let needs = NeedsTokio(told);
    let task = polyloop::spawn(compat(async move {
        let _needs = needs;
        std::future::pending::<()>().await;
    }));
    polyloop::task::yield_now().await;
    task.abort();
    assert_eq!(hear.recv().await, Some(true));
}

#[polyloop::test(all)]
async fn our_calls_work_inside_the_bridge_and_tokios_after_a_constructor() {
    let slept = compat(async {
        polyloop::time::sleep(Duration::from_millis(5)).await;
        polyloop::spawn(async { 7 }).await.unwrap()
    });
    assert_eq!(slept.await, 7);
    // Made in the context, it finds its reactor when it is polled outside of it.
    let sleep = within(|| tokio::time::sleep(Duration::from_millis(5)));
    sleep.await;
}

/// With one thread another task has its turn only in between.
#[polyloop::test(all, workers = 1)]
async fn a_busy_future_in_the_bridge_lets_others_run_where_it_asks_our_budget() {
    for asks in [true, false] {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        (0..1000).for_each(|n| send.send(n).unwrap());
        let busy = compat(async move {
            let other = polyloop::spawn(async {});
            for n in 0..1000 {
                let received = if asks { budgeted(receive.recv()).await } else { receive.recv().await };
                assert_eq!(received, Some(n));
            }
            other.is_finished()
        });
        let had_its_turn = polyloop::spawn(busy).await.unwrap();
        // On a pool a fresh worker may have come if the machine let this one not run.
        if asks || Handle::current().combination().executor() == "fifo" {
            assert_eq!(had_its_turn, asks);
        }
    }
}

fn the_hidden_thread_starts_with_its_first_use(combination: &str) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_events"), combination, [] as [&str; 0]);
    let address = program.address();
    program.facts().assert_native(combination);
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    // Tokio's timer has fired by then, so its thread runs and has its name.
    let (mut answer, mut buffer) = (String::new(), [0; 1024]);
    while !answer.contains(": alive") {
        let n = stream.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "the server closed: {answer}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    let (facts, native) = (program.facts(), usize::from(combination.contains("+polling+")));
    let native = if combination.contains("+mio+") { 2 } else { native };
    let hidden = facts.threads.iter().filter(|name| name.contains("tokio"));
    assert_eq!(hidden.collect::<Vec<_>>(), ["poly-tokio"], "{facts:?}");
    assert_eq!(facts.epolls, native + 2, "tokio's reactor is there now: {facts:?}");
    let noticed = std::panic::catch_unwind(|| facts.assert_native(combination));
    assert!(noticed.is_err(), "what the native programs assert can fail");
    drop(stream);
    program.finish();
}
on_each!(the_hidden_thread_starts_with_its_first_use);
