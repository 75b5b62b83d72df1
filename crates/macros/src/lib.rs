//! The attributes `#[polyloop::main]` and `#[polyloop::test]`.
//!
//! Invariant: an attribute only writes down what a program could have written with `polyloop::Builder`; it knows the grammar of a
//! combination and none of its names, so that a new executor changes nothing here. Each mistake is reported at the user's own
//! token, and beside it stands an item of the same name, so that one mistake is one error.
//!
//! Use them through the facade (feature `macros`, on by default); this crate has no promise of its own.

#![forbid(unsafe_code)]

mod args;
mod combination;
mod expand;
mod item;

use proc_macro::TokenStream;

/// Runs an `async fn` on a runtime, and makes it a plain one: `main`, as a rule.
///
/// Without arguments the environment variable `POLYLOOP` says on which combination, and `steal+mio+wheel` if it is not set. As
/// soon as an argument says anything about the executor, the variable is not read.
///
/// | argument | |
/// |---|---|
/// | `combination = "fifo+poll+heap"` | which executor, reactor and timer queue |
/// | `workers = 4`, or `worker_threads = 4` | how many workers, 1 to 1024 |
/// | `start_paused = true` | the clock moves by itself whenever nothing else can happen; leaves the choice to the variable |
/// | `flavor = "current_thread"`, `"local"` | tokio's names for `fifo` |
/// | `flavor = "multi_thread"` | tokio's name for `steal` |
/// | `crate = "path"` | where `polyloop` is to be found, if it is renamed; leaves the choice to the variable |
///
/// The function may return what any `main` may. A function of another name may have arguments, too. If the runtime cannot be
/// built, because `POLYLOOP` names none or the kernel gives none, one line on stderr says why, and the process ends with exit code 2.
///
/// Beside `POLYLOOP` every runtime hears two variables: `POLYLOOP_STALLS` (`off`, or after which time a poll that lasts is named) and
/// `POLYLOOP_SCHEDTRACE` (every so many milliseconds a line on what it does). `POLYLOOP_CLOCK` is not among them: it is trpl's, and heard
/// by programs that run on that crate alone. Here the clock is chosen in the program, by `start_paused`.
///
/// # Examples
///
/// ```
/// #[polyloop::main(combination = "fifo+poll+heap")]
/// async fn main() -> Result<(), polyloop::task::JoinError> {
///     let answer = polyloop::spawn(async { 42 }).await?;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::main(args.into(), item.into()).into()
}

/// Makes a test of an `async fn`.
///
/// It takes the arguments of [`main`](macro@main), and without arguments reads `POLYLOOP` as that does. A runtime that cannot be
/// built is a test that fails. Its clock may be paused and resumed (`Builder::pausable_clock`).
///
/// `#[polyloop::test(all)]` makes a module of the function's name, with one test in it for each combination in
/// `Combination::ALL`: `mytest::fifo_mio_heap`, and so on. Attributes such as `#[should_panic]` and `#[ignore]` hold for each of
/// them. With `workers = N` those executors that have workers have so many. `combination` and `flavor` do not go with it.
///
/// # Examples
///
/// ```
/// # #[allow(clippy::test_attr_in_doctest)]
/// mod tests {
///     use polyloop::time::{Instant, sleep};
///     use std::time::Duration;
///
///     #[polyloop::test(all, start_paused = true)]
///     async fn an_hour_passes_at_once() {
///         let start = Instant::now();
///         sleep(Duration::from_secs(3600)).await;
///         assert!(start.elapsed() >= Duration::from_secs(3600));
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(args.into(), item.into()).into()
}
