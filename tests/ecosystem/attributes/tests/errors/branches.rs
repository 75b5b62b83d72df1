//! A `select!` without anything to wait for.

#[polyloop::main]
async fn main() {
    polyloop::select! {}
}
