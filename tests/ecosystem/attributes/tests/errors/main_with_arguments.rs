//! Nobody could pass them.

#[polyloop::main]
async fn main(arguments: Vec<String>) {}
