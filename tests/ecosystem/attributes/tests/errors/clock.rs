//! Clocks that start neither paused nor running.

#[polyloop::main(start_paused)]
async fn main() {}

#[polyloop::test(start_paused = 1)]
async fn a_number() {}

#[polyloop::test(all, start_paused = "true")]
async fn a_string() {}
