//! The trait.

use super::chunks_timeout::ChunksTimeout;
use super::throttle::Throttle;
use super::timeout::Timeout;
use super::timeout_repeating::TimeoutRepeating;
use futures::Stream;
use polyloop::time::Interval;
use std::time::Duration;
use tokio_stream::adapters::{
    Chain, Filter, FilterMap, Fuse, Map, MapWhile, Merge, Peekable, Skip, SkipWhile, Take, TakeWhile, Then,
};
use tokio_stream::{FromStream, StreamExt as Inner};

/// What can be done with a stream, as with an iterator. It has to be in scope for `.next()`.
///
/// # Examples
///
/// ```
/// use trpl::StreamExt;
///
/// let said = trpl::run(async {
///     let mut filtered = trpl::stream_from_iter(1..10).map(|n| n * 2).filter(|n| n % 3 == 0);
///     let mut said = Vec::new();
///     while let Some(n) = filtered.next().await {
///         said.push(n);
///     }
///     said
/// });
/// assert_eq!(said, [6, 12, 18]);
/// ```
pub trait StreamExt: Stream {
    /// The next item, or `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn next(&mut self) -> impl Future<Output = Option<Self::Item>>
    where
        Self: Unpin,
    {
        Inner::next(self)
    }

    /// The next item of a stream of results: its value, `None` at the end, or its error.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn try_next<T, E>(&mut self) -> impl Future<Output = Result<Option<T>, E>>
    where
        Self: Stream<Item = Result<T, E>> + Unpin,
    {
        Inner::try_next(self)
    }

    /// What `f` makes of each item.
    fn map<T, F>(self, f: F) -> Map<Self, F>
    where
        F: FnMut(Self::Item) -> T,
        Self: Sized,
    {
        Inner::map(self, f)
    }

    /// What `f` makes of each item, up to the first `None`.
    fn map_while<T, F>(self, f: F) -> MapWhile<Self, F>
    where
        F: FnMut(Self::Item) -> Option<T>,
        Self: Sized,
    {
        Inner::map_while(self, f)
    }

    /// What the future that `f` makes of each item comes to, one after another.
    fn then<F, Fut>(self, f: F) -> Then<Self, Fut, F>
    where
        F: FnMut(Self::Item) -> Fut,
        Fut: Future,
        Self: Sized,
    {
        Inner::then(self, f)
    }

    /// The items of both as they come, until both have ended. They are polled in turns, so that neither keeps the other out.
    fn merge<U>(self, other: U) -> Merge<Self, U>
    where
        U: Stream<Item = Self::Item>,
        Self: Sized,
    {
        Inner::merge(self, other)
    }

    /// The items for which `f` is true.
    fn filter<F>(self, f: F) -> Filter<Self, F>
    where
        F: FnMut(&Self::Item) -> bool,
        Self: Sized,
    {
        Inner::filter(self, f)
    }

    /// What `f` makes of each item, without the `None`s.
    fn filter_map<T, F>(self, f: F) -> FilterMap<Self, F>
    where
        F: FnMut(Self::Item) -> Option<T>,
        Self: Sized,
    {
        Inner::filter_map(self, f)
    }

    /// The same, and `None` for ever once it has ended.
    fn fuse(self) -> Fuse<Self>
    where
        Self: Sized,
    {
        Inner::fuse(self)
    }

    /// The first `n` items.
    fn take(self, n: usize) -> Take<Self>
    where
        Self: Sized,
    {
        Inner::take(self, n)
    }

    /// The items up to the first for which `f` is false.
    fn take_while<F>(self, f: F) -> TakeWhile<Self, F>
    where
        F: FnMut(&Self::Item) -> bool,
        Self: Sized,
    {
        Inner::take_while(self, f)
    }

    /// All but the first `n` items.
    fn skip(self, n: usize) -> Skip<Self>
    where
        Self: Sized,
    {
        Inner::skip(self, n)
    }

    /// The items from the first for which `f` is false.
    fn skip_while<F>(self, f: F) -> SkipWhile<Self, F>
    where
        F: FnMut(&Self::Item) -> bool,
        Self: Sized,
    {
        Inner::skip_while(self, f)
    }

    /// Whether `f` is true for all items; ends with the first for which it is not.
    fn all<F>(&mut self, f: F) -> impl Future<Output = bool>
    where
        Self: Unpin,
        F: FnMut(Self::Item) -> bool,
    {
        Inner::all(self, f)
    }

    /// Whether `f` is true for an item; ends with the first for which it is.
    fn any<F>(&mut self, f: F) -> impl Future<Output = bool>
    where
        Self: Unpin,
        F: FnMut(Self::Item) -> bool,
    {
        Inner::any(self, f)
    }

    /// The items of this, and then those of `other`.
    fn chain<U>(self, other: U) -> Chain<Self, U>
    where
        U: Stream<Item = Self::Item>,
        Self: Sized,
    {
        Inner::chain(self, other)
    }

    /// What `f` makes of `init` and all items, one after another.
    fn fold<B, F>(self, init: B, f: F) -> impl Future<Output = B>
    where
        Self: Sized,
        F: FnMut(B, Self::Item) -> B,
    {
        Inner::fold(self, init, f)
    }

    /// All items in a collection; a collection of results ends with the first error.
    fn collect<T>(self) -> impl Future<Output = T>
    where
        T: FromStream<Self::Item>,
        Self: Sized,
    {
        Inner::collect(self)
    }

    /// The items as `Ok`, and an error where one is not there within `duration`. The time begins now, and again with each item; an
    /// item that is late is told of once.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use trpl::{ReceiverStream, StreamExt};
    ///
    /// trpl::run(async {
    ///     let (sender, receiver) = trpl::channel::<&str>();
    ///     let mut messages = ReceiverStream::new(receiver).timeout(Duration::from_millis(1));
    ///     assert!(messages.next().await.unwrap().is_err());
    ///     sender.send("late").unwrap();
    ///     assert_eq!(messages.next().await, Some(Ok("late")));
    /// });
    /// ```
    #[track_caller]
    fn timeout(self, duration: Duration) -> Timeout<Self>
    where
        Self: Sized,
    {
        Timeout::new(self, duration)
    }

    /// The items as `Ok`, and an error for each tick of `interval` at which there is none. Each item begins a new period.
    fn timeout_repeating(self, interval: Interval) -> TimeoutRepeating<Self>
    where
        Self: Sized,
    {
        TimeoutRepeating::new(self, interval)
    }

    /// The items, each at least `duration` after the one before. It holds them back, and the end as well; it leaves
    /// none out.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, unless `duration` is zero.
    #[track_caller]
    fn throttle(self, duration: Duration) -> Throttle<Self>
    where
        Self: Sized,
    {
        Throttle::new(self, duration)
    }

    /// The items in chunks of `max_size`, or fewer if `duration` has passed since the first of a chunk, or at the end. A `max_size`
    /// of zero counts as one.
    ///
    /// # Panics
    ///
    /// The stream, when its first item comes outside of a runtime.
    fn chunks_timeout(self, max_size: usize, duration: Duration) -> ChunksTimeout<Self>
    where
        Self: Sized,
    {
        ChunksTimeout::new(self, max_size, duration)
    }

    /// The same, with a look at the next item without taking it.
    fn peekable(self) -> Peekable<Self>
    where
        Self: Sized,
    {
        Inner::peekable(self)
    }
}

impl<S: Stream + ?Sized> StreamExt for S {}
