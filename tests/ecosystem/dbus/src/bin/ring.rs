//! Two peers in one process: rings the bell as often as there are arguments, and prints each signal of it.
//!
//! ```text
//! cd tests/ecosystem && POLYLOOP=fifo+poll+heap cargo run -p ecosystem-dbus --bin ring -- ding dong
//! ```
//!
//! Then it waits for the end of its input.

#![forbid(unsafe_code)]

use ecosystem_dbus::{BellProxy, pair};
use futures::StreamExt;
use std::error::Error;
use std::io;
use std::time::Duration;

#[polyloop::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (_server, client) = pair(Duration::from_secs(60)).await?;
    let bell = BellProxy::new(&client).await?;
    let mut rung = bell.receive_rung().await?;
    for word in std::env::args().skip(1) {
        bell.ring().await?;
        let told = rung.next().await.ok_or("the connection ended")?;
        println!("{word} {}", told.args()?.count());
    }
    polyloop::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}
