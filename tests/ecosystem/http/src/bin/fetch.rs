//! A client on hyper: asks for one address over HTTP/1.1, with a second connection over HTTP/2, and by the pooled client of
//! hyper-util, and prints the answers.
//!
//! ```text
//! cd tests/ecosystem && cargo run -p ecosystem-http --bin fetch -- 127.0.0.1:8080 /hello/you
//! ```

#![forbid(unsafe_code)]

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::client::legacy::Client;
use polyloop::interop::hyper::Io;
use polyloop::interop::hyper_util::Connector;
use polyloop::net::TcpStream;
use polyloop::{Handle, time};
use std::error::Error;
use std::time::Duration;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

async fn over_http1(host: &str, path: &str) -> Result<String, Box<dyn Error>> {
    let stream = Io::new(TcpStream::connect(host).await?);
    let (mut client, connection) = http1::handshake(stream).await?;
    polyloop::spawn(connection);
    let request = Request::get(path).header("host", host).body(Empty::<Bytes>::new())?;
    let answer = client.send_request(request).await?;
    let head = format!("{:?} {}", answer.version(), answer.status());
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(format!("{head}: {}", String::from_utf8_lossy(&body).trim_end()))
}

async fn over_http2(host: &str, path: &str) -> Result<String, Box<dyn Error>> {
    let stream = Io::new(TcpStream::connect(host).await?);
    let (mut client, connection) = http2::Builder::new(Handle::current())
        .timer(Handle::current())
        .keep_alive_interval(Duration::from_secs(10))
        .handshake(stream)
        .await?;
    polyloop::spawn(connection);
    let request = Request::get(format!("http://{host}{path}")).body(Empty::<Bytes>::new())?;
    let answer = client.send_request(request).await?;
    let head = format!("{:?} {}", answer.version(), answer.status());
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(format!("{head}: {}", String::from_utf8_lossy(&body).trim_end()))
}

async fn by_the_pool(host: &str, path: &str) -> Result<String, Box<dyn Error>> {
    let client: Client<_, Empty<Bytes>> = Client::builder(Handle::current())
        .pool_timer(Handle::current())
        .pool_idle_timeout(Duration::from_secs(30))
        .build(Connector);
    let answer = client.get(format!("http://{host}{path}").parse()?).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(format!("pooled {status}: {}", String::from_utf8_lossy(&body).trim_end()))
}

#[polyloop::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().ok_or("an address like 127.0.0.1:8080 is expected")?;
    let path = arguments.next().unwrap_or_else(|| "/".to_owned());
    println!("{}", time::timeout(PATIENCE, over_http1(&host, &path)).await??);
    println!("{}", time::timeout(PATIENCE, over_http2(&host, &path)).await??);
    println!("{}", time::timeout(PATIENCE, by_the_pool(&host, &path)).await??);
    Ok(())
}
