//! Arguments that there are not, that lack a value, or that are said twice.

#[polyloop::main(threads = 2)]
async fn main() {}

#[polyloop::test(combinations = "fifo")]
async fn plural() {}

#[polyloop::test(workers)]
async fn no_value() {}

#[polyloop::test(current_thread)]
async fn as_in_old_tokio() {}

#[polyloop::test(workers = 2, worker_threads = 2)]
async fn twice() {}

#[polyloop::test(unhandled_panic = "shutdown_runtime")]
async fn of_tokio_alone() {}

#[polyloop::test(flavor = "current-thread")]
async fn no_flavor() {}

#[polyloop::test(combination("fifo"))]
async fn in_parentheses() {}
