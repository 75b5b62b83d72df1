//! The streams, on every combination: each method once, and those with a clock by virtual time.

use polyloop::time::Instant;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use trpl::{IntervalStream, ReceiverStream, Stream, StreamExt, stream_from_iter};

const SECOND: Duration = Duration::from_secs(1);

/// Items, each after a pause.
fn paced<T: Send + 'static>(items: Vec<(Duration, T)>) -> ReceiverStream<T> {
    let (sender, receiver) = trpl::channel();
    trpl::spawn_task(async move {
        for (pause, item) in items {
            trpl::sleep(pause).await;
            // Whoever listens may have heard enough.
            let _ = sender.send(item);
        }
    });
    ReceiverStream::new(receiver)
}

#[polyloop::test(all)]
async fn every_method_without_a_clock() {
    let numbers = || stream_from_iter(1..=6);
    let of = async |stream: Pin<Box<dyn Stream<Item = i32>>>| stream.collect::<Vec<i32>>().await;
    assert_eq!(of(Box::pin(numbers().map(|n| n * 2))).await, [2, 4, 6, 8, 10, 12]);
    assert_eq!(of(Box::pin(numbers().map_while(|n| (n < 3).then_some(n)))).await, [1, 2]);
    assert_eq!(of(Box::pin(numbers().then(async |n| n + 1))).await, [2, 3, 4, 5, 6, 7]);
    assert_eq!(of(Box::pin(numbers().filter(|n| n % 3 == 0))).await, [3, 6]);
    assert_eq!(of(Box::pin(numbers().filter_map(|n| (n % 2 == 0).then_some(-n)))).await, [-2, -4, -6]);
    assert_eq!(of(Box::pin(numbers().take(2))).await, [1, 2]);
    assert_eq!(of(Box::pin(numbers().take_while(|n| *n < 4))).await, [1, 2, 3]);
    assert_eq!(of(Box::pin(numbers().skip(4))).await, [5, 6]);
    assert_eq!(of(Box::pin(numbers().skip_while(|n| *n < 5))).await, [5, 6]);
    assert_eq!(of(Box::pin(numbers().chain(stream_from_iter([9])))).await, [1, 2, 3, 4, 5, 6, 9]);
    let mut merged = of(Box::pin(numbers().merge(stream_from_iter([7, 8])))).await;
    merged.sort_unstable();
    assert_eq!(merged, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(numbers().all(|n| n < 7).await && !numbers().all(|n| n < 6).await);
    assert!(numbers().any(|n| n == 6).await && !numbers().any(|n| n == 7).await);
    assert_eq!(numbers().fold(0, |sum, n| sum + n).await, 21);
    let mut fused = numbers().take(1).fuse();
    assert_eq!((fused.next().await, fused.next().await, fused.next().await), (Some(1), None, None));
    let mut peekable = numbers().peekable();
    assert_eq!((peekable.peek().await.copied(), peekable.next().await), (Some(1), Some(1)));
    let results = || stream_from_iter([Ok(1), Err("bad"), Ok(3)]);
    let mut trying = results();
    assert_eq!(trying.try_next().await, Ok(Some(1)));
    assert_eq!(trying.try_next().await, Err("bad"));
    assert_eq!((trying.try_next().await, trying.try_next().await), (Ok(Some(3)), Ok(None)));
    assert_eq!(results().collect::<Result<Vec<i32>, &str>>().await, Err("bad"));
    assert_eq!(stream_from_iter(["a", "b"]).collect::<String>().await, "ab");
}

#[polyloop::test(all)]
async fn a_stream_that_is_always_ready_lets_others_go() {
    let other = trpl::spawn_task(async { "had its turn" });
    let mut seen = 0;
    let mut endless = stream_from_iter(0..);
    while !other.is_finished() {
        endless.next().await.unwrap();
        seen += 1;
        assert!(seen < 100_000_000, "the other task never had a turn");
    }
}

#[polyloop::test(all, start_paused = true)]
async fn an_item_that_is_late_is_told_of_once() {
    let begin = Instant::now();
    let items = paced(vec![(SECOND / 2, 'a'), (SECOND * 5, 'b'), (SECOND / 2, 'c')]);
    let mut seen = Vec::new();
    let mut stream = pin!(items.timeout(SECOND));
    while let Some(item) = stream.next().await {
        seen.push((begin.elapsed().as_millis(), item.ok()));
    }
    assert_eq!(seen, [(500, Some('a')), (1500, None), (5500, Some('b')), (6000, Some('c'))]);
    let elapsed = pin!(paced(vec![(SECOND * 2, ())]).timeout(SECOND)).next().await.unwrap().unwrap_err();
    assert_eq!(
        (format!("{elapsed:?}").as_str(), elapsed.to_string().as_str()),
        ("Elapsed(())", "deadline has elapsed")
    );
}

#[polyloop::test(all, start_paused = true)]
async fn an_item_that_is_late_is_told_of_again_and_again() {
    let items = paced(vec![(SECOND / 2, 'a'), (SECOND * 3, 'b')]);
    let mut interval = trpl::interval(SECOND);
    interval.tick().await;
    let begin = Instant::now();
    let mut seen = Vec::new();
    let mut stream = items.timeout_repeating(interval);
    while let Some(item) = stream.next().await {
        seen.push((begin.elapsed().as_millis(), item.ok()));
    }
    // The last tick and the last item are due at the same moment, and either may come first.
    seen.retain(|item| *item != (3500, None));
    assert_eq!(seen, [(500, Some('a')), (1500, None), (2500, None), (3500, Some('b'))]);
}

#[polyloop::test(all, start_paused = true)]
async fn a_throttled_stream_pauses_between_items_and_loses_none() {
    let begin = Instant::now();
    let mut seen = Vec::new();
    let mut stream = pin!(stream_from_iter(0..4).throttle(SECOND));
    while let Some(n) = stream.next().await {
        seen.push((begin.elapsed().as_secs(), n));
    }
    assert_eq!(seen, [(0, 0), (1, 1), (2, 2), (3, 3)]);
    let at_once = Instant::now();
    assert_eq!(stream_from_iter(0..4).throttle(Duration::ZERO).collect::<Vec<_>>().await, [0, 1, 2, 3]);
    assert_eq!(at_once.elapsed(), Duration::ZERO);
}

#[polyloop::test(all, start_paused = true)]
async fn chunks_are_full_or_due_or_last() {
    let begin = Instant::now();
    let (short, long) = (SECOND / 10, SECOND * 5);
    let items = vec![(short, 1), (short, 2), (short, 3), (short, 4), (long, 5), (short, 6)];
    let mut stream = pin!(paced(items).chunks_timeout(3, SECOND));
    let mut seen = Vec::new();
    while let Some(chunk) = stream.next().await {
        seen.push((begin.elapsed().as_millis(), chunk));
    }
    assert_eq!(seen, [(300, vec![1, 2, 3]), (1400, vec![4]), (5500, vec![5, 6])]);
    let single = stream_from_iter(0..2).chunks_timeout(0, SECOND).collect::<Vec<_>>().await;
    assert_eq!(single, [[0], [1]], "a chunk has at least one item");
    let most = stream_from_iter(0..2).chunks_timeout(usize::MAX, SECOND).collect::<Vec<_>>().await;
    assert_eq!(most, [[0, 1]], "room is made for what there is");
}

#[polyloop::test(all, start_paused = true)]
async fn ticks_and_messages_merge() {
    let begin = Instant::now();
    let ticks = IntervalStream::new(trpl::interval(SECOND)).map(|_| "tick");
    let messages = paced(vec![(SECOND / 2, "one"), (SECOND, "two")]);
    let mut merged = pin!(messages.merge(ticks).take(5));
    let mut seen = Vec::new();
    while let Some(item) = merged.next().await {
        seen.push((begin.elapsed().as_millis(), item));
    }
    assert_eq!(seen, [(0, "tick"), (500, "one"), (1000, "tick"), (1500, "two"), (2000, "tick")]);
}

#[polyloop::test(all)]
async fn a_receiver_is_a_stream_and_comes_back() {
    let (sender, receiver) = trpl::channel();
    (0..3).for_each(|n| sender.send(n).unwrap());
    let mut stream = ReceiverStream::new(receiver);
    assert_eq!(stream.size_hint(), (3, None));
    assert_eq!(stream.next().await, Some(0));
    stream.close();
    assert_eq!((stream.as_ref().len(), stream.size_hint()), (2, (2, Some(2))));
    assert_eq!(stream.into_inner().recv().await, Some(1));
}

/// Is never ready, and always wakes itself.
struct Busy;

impl Stream for Busy {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[polyloop::test(all)]
async fn a_deadline_holds_where_the_stream_never_lets_go() {
    let begin = Instant::now();
    let mut stream = pin!(Busy.timeout(Duration::from_millis(2)));
    assert!(stream.next().await.unwrap().is_err());
    assert!(begin.elapsed() >= Duration::from_millis(2));
}

/// The futures of the trait's methods can be sent where the stream can, also where only its bounds are known.
#[test]
fn the_traits_futures_are_as_sendable_as_the_stream() {
    fn is_send(_: impl Send) {}
    fn generic<S: Stream<Item = u8> + Unpin + Send>(mut stream: S) {
        is_send(stream.next());
        is_send(stream.all(|_| true));
        is_send(stream.any(|_| true));
        is_send(stream.fold(0_u8, |sum, _| sum));
    }
    generic(stream_from_iter([1_u8]));
    is_send(stream_from_iter([1]).collect::<Vec<_>>());
}
