//! A library that knows nothing but `futures::task::{Spawn, LocalSpawn}`, on every combination.

#![forbid(unsafe_code)]

use ecosystem_spawn::squares;
use ecosystem_support::{Program, on_each};
use futures::FutureExt;
use futures::channel::{mpsc, oneshot};
use futures::sink::SinkExt;
use futures::stream::StreamExt;
use futures::task::{LocalSpawn, LocalSpawnExt, Spawn, SpawnExt};
use polyloop::{Handle, Runtime};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

#[polyloop::test(all)]
async fn a_library_that_is_handed_a_spawner_spawns() {
    assert_eq!(squares(&Handle::current(), 0..100).await, (0..100).map(|n| n * n).collect::<Vec<_>>());
}

#[polyloop::test(all)]
async fn tasks_of_futures_talk_through_its_channels() {
    let spawner: Box<dyn Spawn> = Box::new(Handle::current());
    let (mut to, mut from) = mpsc::channel::<u32>(1);
    spawner
        .spawn(async move {
            for n in 0..1000 {
                to.send(n).await.expect("the receiver is there");
            }
        })
        .unwrap();
    let mut expected = 0..1000;
    while let Some(n) = from.next().await {
        assert_eq!(Some(n), expected.next());
    }
    assert_eq!(expected.next(), None);
}

#[polyloop::test(all)]
async fn a_dropped_remote_handle_cancels_and_a_forgotten_one_does_not() {
    let handle = Handle::current();
    let (told, hear) = oneshot::channel::<()>();
    drop(SpawnExt::spawn_with_handle(&handle, async move {
        let _told = told;
        futures::future::pending::<()>().await;
    }));
    assert!(hear.await.is_err(), "the future was dropped");
    let (told, hear) = oneshot::channel();
    SpawnExt::spawn_with_handle(&handle, async move { told.send(7) }).unwrap().forget();
    assert_eq!(hear.await, Ok(7));
}

#[polyloop::test(all)]
async fn a_panic_reaches_the_remote_handle() {
    let handle = SpawnExt::spawn_with_handle(&Handle::current(), async {
        if Handle::try_current().is_ok() {
            panic!("on purpose");
        }
    });
    let panic = std::panic::AssertUnwindSafe(handle.unwrap()).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
}

#[polyloop::test(all)]
async fn local_tasks_stay_on_the_thread_that_blocks() {
    let handle = Handle::current();
    let (seen, here) = (Rc::new(Cell::new(0)), std::thread::current().id());
    for n in 1..=10 {
        let seen = seen.clone();
        let task = async move {
            assert_eq!(std::thread::current().id(), here);
            seen.set(seen.get() + n);
        };
        LocalSpawnExt::spawn_local_with_handle(&handle, task).unwrap().await;
    }
    assert_eq!(seen.get(), 55);
}

#[polyloop::test(all)]
async fn a_worker_has_no_local_tasks_and_says_so() {
    let handle = Handle::current();
    // A thread of its own is no worker either, whatever the executor.
    let refused =
        polyloop::task::spawn_blocking(move || handle.spawn_local_obj(Box::pin(async {}).into())).await;
    assert!(refused.unwrap().unwrap_err().is_shutdown());
}

fn a_spawner_has_local_tasks_where_its_own_runtime_blocks_and_nowhere_else(combination: &str) {
    let (here, there) = (Runtime::from_name(combination).unwrap(), Runtime::from_name(combination).unwrap());
    let (here, there) = (here.handle(), there.handle());
    let spawn_by = |handle: &Handle| handle.spawn_local_obj(Box::pin(async {}).into());
    assert!(here.status_local().unwrap_err().is_shutdown());
    here.block_on(async {
        assert_eq!((here.status_local().is_ok(), there.status_local().is_ok()), (true, false));
        assert_eq!((spawn_by(here).is_ok(), spawn_by(there).is_ok()), (true, false));
    });
}
on_each!(a_spawner_has_local_tasks_where_its_own_runtime_blocks_and_nowhere_else);

fn the_program_has_no_reactor_but_ours(combination: &str) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_squares"), combination, [] as [&str; 0]);
    assert_eq!(program.line(), "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]");
    program.facts().assert_native(combination);
    assert_eq!(program.finish(), "");
}
on_each!(the_program_has_no_reactor_but_ours);

fn after_the_end(combination: &str) {
    let runtime = Runtime::from_name(combination).unwrap();
    let handle = runtime.handle().clone();
    assert!(handle.status().is_ok());
    let _ = runtime.shutdown(Duration::from_secs(60));
    assert!(handle.status().unwrap_err().is_shutdown(), "{combination}");
    assert!(SpawnExt::spawn(&handle, async {}).unwrap_err().is_shutdown(), "{combination}");
}

macro_rules! after_the_end {
    ($(($id:ident $combination:literal))* =>) => {
        mod a_spawner_of_a_runtime_that_is_gone_says_so {
            $(#[test] fn $id() { super::after_the_end($combination) })*
        }
    };
}

polyloop::for_each_combination!(after_the_end);
