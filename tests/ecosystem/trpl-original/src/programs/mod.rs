//! The files of `crates/book`, compiled against the original.

/// A program, with its arguments.
type Program = (&'static str, fn(&[String]));

macro_rules! programs {
    ($($name:literal $module:ident $file:literal)*) => {
        $(
            #[path = $file]
            mod $module;
        )*

        /// By their names.
        pub(super) const PROGRAMS: &[Program] = &[$(($name, $module::main)),*];
    };
}

programs! {
    "first-page" first_page "../../../../../crates/book/src/programs/first_page.rs"
    "futures-join" futures_join "../../../../../crates/book/src/programs/futures_join.rs"
    "join-all" join_all "../../../../../crates/book/src/programs/join_all.rs"
    "join-macro" join_macro "../../../../../crates/book/src/programs/join_macro.rs"
    "messages" messages "../../../../../crates/book/src/programs/messages.rs"
    "page-title" page_title "../../../../../crates/book/src/programs/page_title.rs"
    "sleep-blocking-run" sleep_blocking_run "../../../../../crates/book/src/programs/sleep_blocking_run.rs"
    "starvation" starvation "../../../../../crates/book/src/programs/starvation.rs"
    "stream-filter" stream_filter "../../../../../crates/book/src/programs/stream_filter.rs"
    "stream-merged" stream_merged "../../../../../crates/book/src/programs/stream_merged.rs"
    "stream-queue" stream_queue "../../../../../crates/book/src/programs/stream_queue.rs"
    "stream-throttled" stream_throttled "../../../../../crates/book/src/programs/stream_throttled.rs"
    "stream-timed-out" stream_timed_out "../../../../../crates/book/src/programs/stream_timed_out.rs"
    "timeout" timeout "../../../../../crates/book/src/programs/timeout.rs"
    "two-senders" two_senders "../../../../../crates/book/src/programs/two_senders.rs"
    "yields" yields "../../../../../crates/book/src/programs/yields.rs"
}
