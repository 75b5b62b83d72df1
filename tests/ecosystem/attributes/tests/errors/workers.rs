//! Numbers of workers that are none, and workers where there are none.

#[polyloop::main(workers = 0)]
async fn main() {}

#[polyloop::test(workers = 1025)]
async fn too_many() {}

#[polyloop::test(workers = "4")]
async fn a_string() {}

#[polyloop::test(worker_threads = 4u8)]
async fn another_type() {}

#[polyloop::test(workers = -1)]
async fn negative() {}

#[polyloop::test(flavor = "current_thread", worker_threads = 2)]
async fn of_one_thread() {}
