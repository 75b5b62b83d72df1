//! A mistake in a body is the compiler's, at its place, as if there were no attribute.

#[polyloop::main]
async fn main() {
    let number: u32 = "three";
}

#[polyloop::main(combination = "fifo")]
async fn answer() -> u32 {
    nobody_knows_this()
}
