//! The table of programs.
//!
//! The files beside this one are the programs, as a learner writes them: `trpl` and the standard library, and nothing of this crate.

#[cfg(feature = "pages")]
mod first_page;
mod futures_join;
mod join_all;
mod join_macro;
mod messages;
#[cfg(feature = "pages")]
mod page_title;
mod sleep_async;
mod sleep_blocking;
mod sleep_blocking_run;
mod starvation;
mod stream_file;
mod stream_filter;
mod stream_merged;
mod stream_queue;
mod stream_socket;
mod stream_throttled;
mod stream_timed_out;
mod timeout;
mod two_senders;
mod yields;

use crate::Predicted;

/// A program of the chapter.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// By what it is called.
    pub name: &'static str,
    /// The section of the chapter.
    pub section: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// The program, with its arguments.
    pub main: fn(&[String]),
    /// What it must print on this executor.
    pub predicted: fn(executor: &str) -> Predicted,
    /// Whether it blocks its thread or uses a socket, so that a paused clock would show something else.
    pub real_time: bool,
    /// The lab's experiment of the same program, which has a timeline.
    pub experiment: Option<&'static str>,
    /// The pages that it is called with.
    pub paths: &'static [&'static str],
}

#[cfg(feature = "pages")]
const FUTURES: &str = "Basic Usage of Future";
const CONCURRENCY: &str = "Applying Concurrency with Async";
const MESSAGES: &str = "Message Passing between Tasks";
const ANY_NUMBER: &str = "Working with Any Number of Futures";
const STARVATION: &str = "Starvation";
const ABSTRACTIONS: &str = "Building Our Own Async Abstractions";
const STREAMS: &str = "Streams";

const fn program(
    name: &'static str,
    section: &'static str,
    about: &'static str,
    main: fn(&[String]),
    predicted: fn(&str) -> Predicted,
) -> Program {
    Program { name, section, about, main, predicted, real_time: false, experiment: None, paths: &[] }
}

impl Program {
    const fn in_real_time(mut self) -> Self {
        self.real_time = true;
        self
    }

    const fn as_in(mut self, experiment: &'static str) -> Self {
        self.experiment = Some(experiment);
        self
    }

    #[cfg(feature = "pages")]
    const fn with_pages(mut self, paths: &'static [&'static str]) -> Self {
        self.paths = paths;
        self.in_real_time()
    }
}

/// In the chapter's order.
pub const PROGRAMS: &[Program] = &[
    #[cfg(feature = "pages")]
    program("page-title", FUTURES, "the title of a page", page_title::main, page_title::predicted)
        .with_pages(&["/fast"]),
    #[cfg(feature = "pages")]
    program("first-page", FUTURES, "the page that returns first", first_page::main, first_page::predicted)
        .with_pages(&["/slow", "/fast"]),
    program(
        "futures-join",
        CONCURRENCY,
        "two futures in one task take turns",
        futures_join::main,
        futures_join::predicted,
    ),
    program(
        "sleep-async",
        CONCURRENCY,
        "a nap that lets others go, on one thread",
        sleep_async::main,
        sleep_async::predicted,
    )
    .as_in("sleep/async"),
    program(
        "sleep-blocking",
        CONCURRENCY,
        "a nap that blocks its thread, the only one",
        sleep_blocking::main,
        sleep_blocking::predicted,
    )
    .in_real_time()
    .as_in("sleep/blocking"),
    program(
        "sleep-blocking-run",
        CONCURRENCY,
        "the same by `trpl::run`: it is up to POLYLOOP who waits",
        sleep_blocking_run::main,
        sleep_blocking_run::predicted,
    )
    .in_real_time()
    .as_in("sleep/blocking"),
    program("messages", MESSAGES, "four messages, half a second apart", messages::main, messages::predicted),
    program("two-senders", MESSAGES, "two senders, one receiver", two_senders::main, two_senders::predicted)
        .as_in("channel/multi-sender"),
    program("join-macro", ANY_NUMBER, "three futures by `join!`", join_macro::main, join_macro::predicted),
    program("join-all", ANY_NUMBER, "pinned futures in a vector", join_all::main, join_all::predicted)
        .as_in("join/all-pinned"),
    program(
        "starvation",
        STARVATION,
        "who never yields, runs to the end",
        starvation::main,
        starvation::predicted,
    )
    .in_real_time()
    .as_in("starvation/race/no-yields/seed"),
    program("yields", STARVATION, "who yields, takes turns", yields::main, yields::predicted)
        .in_real_time()
        .as_in("starvation/race/yields/seed"),
    program("timeout", ABSTRACTIONS, "a future with a deadline", timeout::main, timeout::predicted)
        .as_in("timeout/fast-slow"),
    program(
        "stream-filter",
        STREAMS,
        "an iterator as a stream, mapped and filtered",
        stream_filter::main,
        stream_filter::predicted,
    ),
    program("stream-queue", STREAMS, "items from a queue", stream_queue::main, stream_queue::predicted),
    program("stream-file", STREAMS, "chunks of a large file", stream_file::main, stream_file::predicted)
        .in_real_time(),
    program("stream-socket", STREAMS, "data from a socket", stream_socket::main, stream_socket::predicted)
        .in_real_time(),
    program(
        "stream-throttled",
        STREAMS,
        "no more than an item in half a second",
        stream_throttled::main,
        stream_throttled::predicted,
    ),
    program(
        "stream-merged",
        STREAMS,
        "messages and ticks in one",
        stream_merged::main,
        stream_merged::predicted,
    ),
    program(
        "stream-timed-out",
        STREAMS,
        "an item that is late is told of",
        stream_timed_out::main,
        stream_timed_out::predicted,
    ),
];
