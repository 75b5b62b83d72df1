//! The cooperative budget, on every combination: who is always ready lets others go all the same.
//!
//! Invariant: counted in polls and operations; no test here looks at the wall's clock.

use crate::subjects::{builder, names};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use polyloop::io::{self, AsyncReadExt, AsyncWriteExt};
use polyloop::net::unix::UnixStream;
use polyloop::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce, broadcast, mpsc, oneshot, watch,
};
use polyloop::task::coop::OPERATIONS;
use polyloop::task::{budgeted, consume_budget, unconstrained, yield_now};
use polyloop::{BlockPolicy, Runtime, spawn, time};
use polyloop_conformance::{LIMIT, watched};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{Relaxed, SeqCst},
};
use std::task::{Context, Poll};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Runs `body` on each combination with one thread for tasks, its clock paused. A poll that a busy machine makes long brings no second one.
fn on_one_thread(body: fn(&Runtime)) {
    for name in names(&[1]) {
        watched(&name.clone(), LIMIT, move || {
            let builder = builder(&name).block_policy(BlockPolicy::None);
            body(&builder.start_paused(true).build().unwrap());
        });
    }
}

/// How often a hog went round.
#[derive(Clone, Default)]
struct Rounds(Arc<(AtomicU32, AtomicBool)>);

impl Rounds {
    /// Whether the hog goes on. It ends by itself after so many rounds that a failure is one of the test and not of its
    /// time limit.
    fn go_on(&self) -> bool {
        let (count, over) = &*self.0;
        count.load(Relaxed) < 100_000 && !over.load(SeqCst)
    }

    fn went_round(&self) {
        self.0.0.fetch_add(1, Relaxed);
    }
}

/// Runs `hog` as a task beside another one that yields; the most rounds between two turns of the latter.
async fn rounds_between_turns<R>(hog: impl FnOnce(Rounds) -> R) -> u32
where
    R: Future<Output = ()> + Send + 'static,
{
    let rounds = Rounds::default();
    let hog = hog(rounds.clone());
    let other = async move {
        let (count, over) = &*rounds.0;
        let (mut most, mut last) = (0, count.load(Relaxed));
        for _ in 0..20 {
            yield_now().await;
            let now = count.load(Relaxed);
            (most, last) = (most.max(now - last), now);
        }
        over.store(true, SeqCst);
        assert!(last > 0, "both had their turns");
        most
    };
    // Spawned by a task, so that both are ready before either is polled.
    let both = spawn(async move { (spawn(hog), spawn(other)) });
    let (hog, other) = both.await.unwrap();
    hog.await.unwrap();
    other.await.unwrap()
}

/// A hog that does `$operation` over and over, after `$before`, lets others go within the budget.
macro_rules! lets_others_go {
    ($($name:ident: { $($before:tt)* } $operation:expr;)*) => { $(
        #[test]
        fn $name() {
            on_one_thread(|runtime| {
                let most = runtime.block_on(rounds_between_turns(|rounds| async move {
                    $($before)*
                    while rounds.go_on() {
                        let _ = $operation;
                        rounds.went_round();
                    }
                }));
                assert!(most <= OPERATIONS, "{most} rounds");
            });
        }
    )* };
}

lets_others_go! {
    a_sleep_of_no_length: {} time::sleep(Duration::ZERO).await;
    a_socket_that_is_always_writable: {
        let (socket, _peer) = UnixStream::pair().unwrap();
    } socket.writable().await.unwrap();
    a_socket_that_is_written_by_tokios_trait: {
        let (mut socket, peer) = UnixStream::pair().unwrap();
        let mut bytes = [0; 1];
    } { AsyncWriteExt::write(&mut socket, &bytes).await.unwrap(); peer.try_read(&mut bytes).unwrap() };
    a_socket_that_is_read_by_tokios_trait: {
        let (mut socket, peer) = UnixStream::pair().unwrap();
        let mut bytes = [0; 1];
    } { peer.try_write(&bytes).unwrap(); AsyncReadExt::read(&mut socket, &mut bytes).await.unwrap() };
    a_pipe_of_memory: {
        let (mut one, mut other) = io::duplex(1);
    } { one.write_u8(1).await.unwrap(); other.read_u8().await.unwrap() };
    one_byte_for_ever: { let mut repeat = io::repeat(1); } repeat.read_u8().await.unwrap();
    a_sink: { let mut sink = io::sink(); } sink.write_u8(1).await.unwrap();
    nothing: { let mut empty = io::empty(); } empty.read(&mut [0]).await.unwrap();
    a_stream_of_somebody_else_that_is_wrapped: {
        let mut bytes = io::Budgeted::new(Endless(Rounds::default()));
    } bytes.read_u8().await.unwrap();
    a_future_of_somebody_else_that_is_wrapped: {} budgeted(std::future::ready(())).await;
    futures_of_somebody_else_that_are_wrapped_together: {
        let mut all: FuturesUnordered<_> = (0..4).map(|_| std::future::ready(())).collect();
    } { budgeted(all.next()).await.unwrap(); all.push(std::future::ready(())) };
    a_channel_of_somebody_else_that_is_wrapped: {
        let (mut sender, mut receiver) = futures::channel::mpsc::channel(1);
    } { sender.try_send(()).unwrap(); budgeted(receiver.next()).await.unwrap() };
    one_that_consumes_the_budget_by_hand: {} consume_budget().await;
    a_channel_that_is_always_full: {
        let (sender, mut receiver) = mpsc::channel(1);
        sender.try_send(()).unwrap();
    } { receiver.recv().await.unwrap(); sender.try_send(()).unwrap() };
    a_channel_that_always_has_room: {
        let (sender, mut receiver) = mpsc::channel(1);
    } { sender.send(()).await.unwrap(); receiver.try_recv().unwrap() };
    a_channel_without_bound_received_in_batches: {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut batch = Vec::new();
    } { sender.send(()).unwrap(); receiver.recv_many(&mut batch, 10).await };
    a_channel_that_is_closed: {
        let (_, mut receiver) = mpsc::channel::<()>(1);
    } receiver.recv().await;
    a_oneshot: {} { let (sender, receiver) = oneshot::channel(); sender.send(()).unwrap(); receiver.await };
    a_broadcast: {
        let (sender, mut receiver) = broadcast::channel(1);
    } { sender.send(()).unwrap(); receiver.recv().await };
    a_watched_value: {
        let (sender, mut receiver) = watch::channel(());
    } { sender.send(()).unwrap(); receiver.changed().await };
    a_mutex_that_is_free: { let mutex = Mutex::new(()); } mutex.lock().await;
    a_mutex_that_is_free_by_owned_guards: {
        let mutex = Arc::new(Mutex::new(()));
    } mutex.clone().lock_owned().await;
    a_lock_to_read: { let lock = RwLock::new(()); } lock.read().await;
    a_lock_to_write: { let lock = RwLock::new(()); } lock.write().await;
    a_semaphore_with_permits: { let permits = Semaphore::new(1); } permits.acquire().await.unwrap();
    a_bell_that_was_rung: { let bell = Notify::new(); } { bell.notify_one(); bell.notified().await };
    a_barrier_for_one: { let barrier = Barrier::new(1); } barrier.wait().await;
    a_cell_that_is_filled: { let cell = OnceCell::new_with(Some(())); } cell.get_or_init(async || ()).await;
    a_value_that_was_set: { let cell = SetOnce::new_with(Some(())); } cell.wait().await;
}

/// Bytes for ever, and room for as many; nothing of it counts by itself.
struct Endless(Rounds);

impl io::AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.went_round();
        if self.0.go_on() {
            buffer.put_slice(&[0]);
        }
        Poll::Ready(Ok(()))
    }
}

impl io::AsyncWrite for Endless {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn copying_between_streams_of_somebody_else() {
    on_one_thread(|runtime| {
        let most = runtime.block_on(rounds_between_turns(|rounds| async move {
            let (mut from, mut to) = (Endless(rounds.clone()), Endless(rounds));
            io::copy(&mut from, &mut to).await.unwrap();
        }));
        assert!(most <= OPERATIONS, "{most} rounds");
        let most = runtime.block_on(rounds_between_turns(|rounds| async move {
            let (mut from, mut to) =
                (io::BufReader::with_capacity(1, Endless(rounds.clone())), Endless(rounds));
            io::copy_buf(&mut from, &mut to).await.unwrap();
        }));
        assert!(most <= OPERATIONS, "{most} rounds");
        let most = runtime.block_on(rounds_between_turns(|rounds| async move {
            let (mut one, mut other) = (Endless(rounds.clone()), Endless(rounds));
            io::copy_bidirectional(&mut one, &mut other).await.unwrap();
        }));
        assert!(most <= OPERATIONS, "{most} rounds");
    });
}

#[test]
fn what_is_unconstrained_goes_on_to_its_end() {
    on_one_thread(|runtime| {
        let finished = runtime.block_on(async {
            spawn(async {
                let other = spawn(async {});
                unconstrained(async {
                    for _ in 0..10 * OPERATIONS {
                        consume_budget().await;
                    }
                })
                .await;
                let before = other.is_finished();
                yield_now().await;
                other.await.unwrap();
                before
            })
            .await
            .unwrap()
        });
        assert!(!finished, "the other task could run only if this one yielded");
    });
}

#[test]
fn a_deadline_holds_for_one_that_is_always_ready() {
    for name in names(&[1, 2, 4]) {
        watched(&name.clone(), LIMIT, move || {
            let clock = polyloop::ManualClock::new();
            let runtime = builder(&name).clock(clock.clone()).build().unwrap();
            runtime.block_on(async {
                let forever = async {
                    loop {
                        consume_budget().await;
                        // So that time passes although nobody ever waits.
                        clock.advance(Duration::from_millis(1));
                    }
                };
                time::timeout(SECOND, forever).await.unwrap_err();
            });
        });
    }
}
