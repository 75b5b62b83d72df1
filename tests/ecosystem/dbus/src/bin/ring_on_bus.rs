//! As `ring`, but over the bus at an address, with a name to own on it.
//!
//! ```text
//! cd tests/ecosystem && cargo run -p ecosystem-dbus --bin ring_on_bus -- $DBUS_SESSION_BUS_ADDRESS test.polyloop.Bell
//! ```
//!
//! Then it waits for the end of its input.

#![forbid(unsafe_code)]

use ecosystem_dbus::{BellProxy, on_bus};
use futures::StreamExt;
use std::error::Error;
use std::io;
use std::time::Duration;

#[polyloop::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("ring_on_bus ADDRESS NAME".into());
    };
    let (_server, client) = on_bus(&address, &name, Duration::from_secs(60)).await?;
    let bell = BellProxy::builder(&client).destination(name.clone()).build().await?;
    let mut rung = bell.receive_rung().await?;
    bell.ring().await?;
    let told = rung.next().await.ok_or("the connection ended")?;
    println!("{name} {}", told.args()?.count());
    polyloop::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}
