//! Names of combinations that cannot be any.

#[polyloop::main(combination = "fifo+poll+heap+more")]
async fn main() {}

#[polyloop::test(combination = "steal:0")]
async fn no_workers() {}

#[polyloop::test(combination = "steal:5000+mio")]
async fn too_many_workers() {}

#[polyloop::test(combination = "fifo+")]
async fn no_reactor() {}

#[polyloop::test(combination = "fifo/poll")]
async fn no_plus() {}

#[polyloop::test(combination = "steal,block")]
async fn no_option() {}

#[polyloop::test(combination = fifo)]
async fn no_string() {}
