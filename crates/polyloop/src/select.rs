//! `select!` under the budget.
//!
//! Invariant: *each round takes an operation of the budget before its branches are polled.* So a loop around it ends the poll of its
//! task sooner or later, whatever its branches are: futures of other crates that are always ready know no budget of ours, and a
//! branch that has none left would lose to them for ever.

/// Waits for several futures at once, and goes on with the first one that is ready; the others are dropped.
///
/// Syntax and rules are those of tokio's `select!`, which does the work: branches are `pattern = future, if condition => handler`, in a
/// random order each time, or from top to bottom after `biased;`; a branch whose pattern does not match, or whose condition
/// is false, is out for this round; without any left, `else => handler` says what to do.
///
/// Each round counts as one operation of the [budget](crate::task::coop), beside those of its branches. So a loop around a branch that is
/// always ready lets other tasks, timers and sockets have their turn, also where that branch is a future of another crate.
///
/// # Panics
///
/// If no branch is left, and there is no `else`.
///
/// # Cancel safety
///
/// The branches that lose are dropped, before the handler of the winner begins. What they did until then must not be needed: take
/// operations that are cancel safe, or keep the future outside of the loop and give `&mut future` as the branch. A `select!` that is
/// itself dropped before it is ready has dropped its branches, or not begun them.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::select;
/// use polyloop::sync::mpsc;
/// use polyloop::time::sleep;
/// use std::pin::pin;
/// use std::time::Duration;
///
/// let (to, mut from) = mpsc::channel(8);
/// polyloop::spawn(async move {
///     for n in 1..=3 {
///         to.send(n).await.unwrap();
///     }
/// });
/// let mut deadline = pin!(sleep(Duration::from_secs(60)));
/// let mut sum = 0;
/// loop {
///     select! {
///         Some(n) = from.recv() => sum += n,
///         () = &mut deadline => panic!("too late"),
///     }
///     if sum == 6 {
///         break;
///     }
/// }
/// # });
/// ```
#[macro_export]
macro_rules! select {
    ($($branches:tt)*) => {{
        $crate::task::consume_budget().await;
        $crate::__select! { $($branches)* }
    }};
}
