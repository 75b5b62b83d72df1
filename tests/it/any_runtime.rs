//! A runtime of unknown type is a runtime: the suite on ours and on the peers behind `AnyRuntime`, and UDP on all.

use polyloop::{Combination, Runtime};
use polyloop_conformance::{LIMIT, runtime, watched};
use polyloop_traits::{
    AnyRuntime, BlockOn, Erasable, Join, OnDrop, Smol, Spawn, SpawnBlocking, Time, Tokio, Udp, UdpSocket,
};
use std::time::Duration;

fn ours(name: &str) -> (AnyRuntime, Runtime) {
    let runtime = Runtime::from_name(name).unwrap();
    (AnyRuntime::new(runtime.handle().clone()), runtime)
}

runtime!(any_fifo, one worker, ours("fifo+poll+heap"));
runtime!(any_steal, ours("steal:2+mio+wheel"));
runtime!(any_tokio_mt, (AnyRuntime::new(Tokio::multi_thread(2).unwrap()), ()));
runtime!(any_smol_n, (AnyRuntime::new(Smol::threads(2).unwrap()), ()));

fn datagrams_come_back<R: BlockOn + Udp>(rt: &R) {
    rt.block_on(async {
        let any = "127.0.0.1:0".parse().unwrap();
        let (here, there) = (rt.bind_udp(any).unwrap(), rt.bind_udp(any).unwrap());
        let (from, to) = (here.local_addr().unwrap(), there.local_addr().unwrap());
        for round in 0..100_u32 {
            assert_eq!(here.send_to(&round.to_be_bytes(), to).await.unwrap(), 4);
            let mut datagram = [0; 8];
            assert_eq!(there.recv_from(&mut datagram).await.unwrap(), (4, from));
            assert_eq!(datagram[..4], round.to_be_bytes());
        }
    });
}

fn both(name: &str, rt: impl Erasable) {
    watched(name, LIMIT, move || {
        datagrams_come_back(&rt);
        datagrams_come_back(&AnyRuntime::new(rt));
    });
}

#[test]
fn datagrams_come_back_everywhere() {
    for combination in Combination::ALL {
        let name = combination.to_string();
        let runtime = Runtime::from_name(&name).unwrap();
        both(&name, runtime.handle().clone());
    }
    both("tokio_ct", Tokio::current_thread().unwrap());
    both("tokio_mt", Tokio::multi_thread(2).unwrap());
    both("smol_1", Smol::one_thread());
    both("smol_n", Smol::threads(2).unwrap());
}

#[test]
fn a_task_of_a_runtime_of_unknown_type_goes_on_without_its_handle() {
    // smol's own handles cancel.
    const { assert!(matches!(<Smol as Spawn>::Join::<()>::ON_DROP, OnDrop::Abort)) };
    const { assert!(matches!(<AnyRuntime as Spawn>::Join::<()>::ON_DROP, OnDrop::Detach)) };
    let rt = AnyRuntime::new(Smol::one_thread());
    let (done, told) = futures::channel::oneshot::channel();
    rt.block_on(async {
        let nap = rt.sleep(Duration::from_millis(1));
        drop(rt.spawn(async move {
            nap.await;
            done.send(7).unwrap();
        }));
        assert_eq!(told.await, Ok(7));
    });
}

#[test]
fn the_clock_of_a_runtime_of_unknown_type_is_that_of_the_runtime() {
    let runtime = polyloop::Builder::new().combination("fifo").start_paused(true).build().unwrap();
    let rt = AnyRuntime::new(runtime.handle().clone());
    rt.block_on(async {
        let begun = rt.now();
        rt.sleep(Duration::from_secs(3600)).await;
        assert_eq!(rt.now() - begun, Duration::from_secs(3600));
        // The past is at once, and what never comes is far.
        rt.sleep_until(begun).await;
        let never = rt.sleep_until(begun + Duration::MAX);
        let mut never = std::pin::pin!(never);
        assert!(futures::poll!(never.as_mut()).is_pending());
    });
}

/// A library that spawns for its caller, through either face of the traits.
#[track_caller]
fn library(rt: &impl Spawn) {
    rt.spawn(std::future::pending::<()>()).detach();
}

#[test]
fn a_task_of_a_runtime_of_unknown_type_keeps_the_place_of_its_spawn() {
    for name in ["fifo+poll+heap", "steal:2+mio+wheel"] {
        let (rt, runtime) = ours(name);
        let lines = runtime.block_on(async {
            let from = line!();
            rt.spawn(std::future::pending::<()>()).detach();
            runtime.handle().spawn(std::future::pending::<()>());
            library(&rt);
            library(runtime.handle());
            [from + 1, from + 2, from + 3, from + 4]
        });
        let dump = runtime.handle().dump();
        let tasks = dump.tasks().iter().map(|task| task.location());
        let mut seen: Vec<_> =
            tasks.filter(|place| place.file() == file!()).map(|place| place.line()).collect();
        seen.sort_unstable();
        assert_eq!(seen, lines, "{name}: {dump}");

        let (open, gate) = std::sync::mpsc::channel::<()>();
        let line = line!() + 1;
        let job = rt.spawn_blocking(move || gate.recv());
        let dump = runtime.handle().dump();
        let job_is_named = dump
            .tasks()
            .iter()
            .any(|task| (task.location().file(), task.location().line()) == (file!(), line));
        assert!(job_is_named, "{name}: {dump}");
        drop(open);
        rt.block_on(job).unwrap().unwrap_err();
    }
}

#[test]
fn that_no_thread_was_to_be_had_is_neither_a_panic_nor_a_cancellation() {
    // No address space has room for such a stack.
    let builder = polyloop::Builder::new().combination("fifo+poll+heap").thread_stack_size(1 << 62);
    let runtime = builder.build().unwrap();
    let rt = AnyRuntime::new(runtime.handle().clone());
    let failed = rt.block_on(rt.spawn_blocking(|| ())).unwrap_err();
    assert!(failed.is_no_thread() && !failed.is_cancelled() && !failed.is_panic(), "{failed}");
    assert!(failed.to_string().starts_with("no thread could be had for the blocking closure: "), "{failed}");
}
