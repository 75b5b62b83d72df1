//! A library that is written against async-rs, on every combination.

#![forbid(unsafe_code)]

use async_rs::Runtime;
use async_rs::traits::{Executor, Reactor};
use ecosystem_kit::{ask, ask_by, shouting, ticks};
use ecosystem_support::{Program, on_each};
use futures::FutureExt;
use polyloop::Handle;
use polyloop::sync::oneshot;
use polyloop::time::Instant;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

fn kit() -> Runtime<Handle> {
    Runtime::new(Handle::current())
}

/// More than the sockets' buffers hold.
fn long() -> String {
    "something to say, and ".repeat(200_000)
}

#[polyloop::test(all)]
async fn a_connection_is_made_by_name_and_carries_more_than_its_buffers() {
    let address = format!("localhost:{}", shouting(&kit()).unwrap().port());
    assert!(ask(&kit(), &address, &long()).await.unwrap() == long().to_uppercase());
}

#[polyloop::test(all)]
async fn what_is_written_is_not_held_back_for_more() {
    let stream = kit().tcp_connect_addr(shouting(&kit()).unwrap()).await.unwrap();
    assert!(stream.nodelay().unwrap());
}

/// In blocking mode, as the standard library makes it.
#[polyloop::test(all)]
async fn a_connection_of_the_standard_library_is_watched() {
    let connection = std::net::TcpStream::connect(shouting(&kit()).unwrap()).unwrap();
    assert!(ask_by(&kit(), connection, &long()).await.unwrap() == long().to_uppercase());
}

#[polyloop::test(all)]
async fn nobody_there_is_an_error() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = ask(&kit(), &nobody.to_string(), "hello").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[polyloop::test(all, start_paused = true)]
async fn sleeps_and_ticks_are_of_this_clock() {
    let (start, hour) = (Instant::now(), Duration::from_secs(3600));
    kit().sleep(hour).await;
    assert_eq!(start.elapsed(), hour);
    // The first one comes at once.
    assert_eq!(ticks(&kit(), hour, 4).await, 3 * hour);
    assert_eq!(start.elapsed(), 4 * hour);
}

#[polyloop::test(all)]
async fn a_task_gives_its_output_and_a_dropped_one_goes_on() {
    assert_eq!(kit().spawn(async { 42 }).await, 42);
    assert_eq!(kit().spawn_blocking(|| 42).await, 42);
    let (told, hear) = oneshot::channel();
    drop(kit().spawn(async move {
        polyloop::task::yield_now().await;
        told.send(42).unwrap();
    }));
    assert_eq!(hear.await, Ok(42));
}

#[polyloop::test(all)]
async fn a_cancelled_task_has_no_output_and_is_over() {
    let (told, hear) = oneshot::channel::<()>();
    let mut task = kit().spawn(async move {
        let _told = told;
        std::future::pending::<()>().await;
    });
    assert_eq!(task.cancel().await, None);
    assert!(hear.await.is_err(), "its future was dropped");
    let panic = AssertUnwindSafe(task).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a task that was cancelled has no output"));
    let (told, hear) = oneshot::channel();
    let mut done = kit().spawn_blocking(move || told.send(42));
    hear.await.unwrap();
    assert_eq!(done.cancel().await, Some(Ok(())), "what has begun there runs to its end");
}

#[polyloop::test(all)]
async fn a_panic_comes_to_who_awaits() {
    let task = kit().spawn(async {
        if Handle::try_current().is_ok() {
            panic!("on purpose");
        }
    });
    let panic = AssertUnwindSafe(task).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
}

fn it_blocks(combination: &str) {
    let runtime = polyloop::Runtime::from_name(combination).unwrap();
    let kit = Runtime::new(runtime.handle().clone());
    assert_eq!(kit.block_on(async { kit.spawn(async { 42 }).await }), 42);
}
on_each!(it_blocks);

fn the_program_has_no_reactor_but_ours(combination: &str) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_shout"), combination, ["hello", "world"]);
    assert_eq!(program.line(), "HELLO");
    assert_eq!(program.line(), "WORLD");
    program.facts().assert_native(combination);
    assert_eq!(program.finish(), "");
}
on_each!(the_program_has_no_reactor_but_ours);
