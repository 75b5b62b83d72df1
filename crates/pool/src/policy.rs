//! What happens to a worker that is stuck in a poll.

use std::time::Duration;

/// What happens to a worker that is stuck in a poll.
///
/// Under every policy, what the stuck worker had queued goes to the workers that are left, and so do timers and sockets.
/// The policies differ in what happens when too few are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BlockPolicy {
    /// Nothing: the worker is lost until its poll returns. When all are lost, nothing runs.
    None,
    /// Nothing, but it is noted: each poll that was blocked or computing for [10 ms](Self::DETECT_AFTER) is counted.
    ///
    /// The same looks decide as for a hand-off, without the hand-off. Whether stalled polls are *reported* does not depend on
    /// the policy.
    Detect,
    /// Another thread takes its place, and the returning one waits on standby.
    ///
    /// A worker whose thread waits in the kernel is always replaced. For those that compute there is one thread more per
    /// runtime: with more threads than processors everybody would be slower. Where the system does not tell which is which (only
    /// Linux does so far), all count as computing.
    HandOff {
        /// How long a poll may block before its worker is replaced: [1 ms](Self::LEAST_AFTER) to
        /// [1 minute](Self::MOST_AFTER). Being noticed takes up to a quarter longer. For a
        /// poll that computes it takes up to half longer, or two to three ticks of the kernel's clock (of 4 ms mostly), if that is more.
        after: Duration,
        /// How many threads there may be beyond the workers, 1 to [1024](Self::MOST_THREADS). When they are all blocked, too, it
        /// is as without the policy, and one line on stderr says so.
        max_threads: usize,
    },
}

impl BlockPolicy {
    /// The least [`after`](Self::HandOff::after).
    pub const LEAST_AFTER: Duration = Duration::from_millis(1);
    /// The most [`after`](Self::HandOff::after).
    pub const MOST_AFTER: Duration = Duration::from_secs(60);
    /// The most [`max_threads`](Self::HandOff::max_threads).
    pub const MOST_THREADS: usize = 1024;
    /// [`max_threads`](Self::HandOff::max_threads) where nobody says another number.
    pub const THREADS: usize = 32;
    /// From when on a poll counts under [`Detect`](Self::Detect).
    pub const DETECT_AFTER: Duration = Duration::from_millis(10);
    /// A hand-off after 10 ms, with up to [`THREADS`](Self::THREADS) more threads.
    pub const HAND_OFF: Self = Self::HandOff { after: Duration::from_millis(10), max_threads: Self::THREADS };

    /// How many threads there may be beyond the workers. Without a hand-off of its own accord, a runtime still needs
    /// some for [`block_in_place`](crate::try_block_in_place).
    pub fn max_threads(&self) -> usize {
        match self {
            Self::None | Self::Detect => Self::THREADS,
            Self::HandOff { max_threads, .. } => *max_threads,
        }
    }

    /// Whether the numbers are within their ranges.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::None | Self::Detect => true,
            Self::HandOff { after, max_threads } => {
                (Self::LEAST_AFTER..=Self::MOST_AFTER).contains(after)
                    && (1..=Self::MOST_THREADS).contains(max_threads)
            }
        }
    }
}
