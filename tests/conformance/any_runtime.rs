//! A runtime of unknown type is a runtime: the suite on ours and on the peers behind `AnyRuntime`, and UDP on all.

use polyloop::{Combination, Runtime};
use polyloop_conformance::{LIMIT, runtime, watched};
use polyloop_traits::{AnyRuntime, BlockOn, Join, OnDrop, Smol, Spawn, Time, Tokio, Udp, UdpSocket};
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

fn both<R: polyloop_traits::Runtime + Udp>(name: &str, rt: R) {
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
