//! A DNS server and a resolver in one process: looks each argument up, and prints its addresses.
//!
//! ```text
//! cd tests/ecosystem && POLYLOOP=fifo+poll+heap cargo run -p ecosystem-dns --bin look_up -- 7.test 9.test
//! ```
//!
//! Then it waits for the end of its input.

#![forbid(unsafe_code)]

use ecosystem_dns::{resolver, serve};
use std::error::Error;
use std::io;

#[polyloop::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (address, _) = serve().await?;
    let resolver = resolver(address)?;
    for name in std::env::args().skip(1) {
        let found: Vec<String> =
            resolver.lookup_ip(format!("{name}.")).await?.iter().map(|address| address.to_string()).collect();
        println!("{name}: {}", found.join(" "));
    }
    let long = resolver.txt_lookup("long.test.").await?;
    println!("long.test: {} texts", long.answers().len());
    polyloop::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}
