//! A library that must not care which runtime is underneath: it asks many servers at once, and waits for no one too long.

use runtime::net::TcpStream;
use runtime::task::JoinSet;
use runtime::time::timeout;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Asks each server for a line, all at once, and gives the lines of those that answer within `patience`, sorted.
pub async fn ask_all(servers: impl IntoIterator<Item = SocketAddr>, patience: Duration) -> Vec<String> {
    let mut asking: JoinSet<_> = servers.into_iter().map(|server| timeout(patience, ask(server))).collect();
    let mut lines = Vec::new();
    while let Some(asked) = asking.join_next().await {
        if let Ok(Ok(Ok(line))) = asked {
            lines.push(line);
        }
    }
    lines.sort();
    lines
}

async fn ask(server: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect(server).await?;
    let mut line = Vec::new();
    while stream.read_append(&mut line).await? > 0 && !line.ends_with(b"\n") {}
    String::from_utf8(line).map(|line| line.trim_end().to_owned()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::net::TcpListener;
    use runtime::time::Instant;

    async fn server(line: Option<&'static str>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        runtime::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            match line {
                Some(line) => stream.write_all(line.as_bytes()).await.unwrap(),
                None => std::future::pending().await,
            }
        });
        address
    }

    /// One function, a test for each combination: `tests::all_are_asked::fifo_poll_heap` and so on. The attribute has to be told
    /// where polyloop is, because it is renamed.
    #[runtime::test(all, crate = runtime)]
    async fn all_are_asked() {
        let servers = [server(Some("two\n")).await, server(Some("one\n")).await];
        assert_eq!(ask_all(servers, Duration::from_secs(60)).await, ["one", "two"]);
    }

    #[runtime::test(all, crate = runtime, workers = 2)]
    async fn who_is_silent_is_left_out() -> io::Result<()> {
        let (start, patience) = (Instant::now(), Duration::from_millis(100));
        let lines = ask_all([server(None).await], patience).await;
        assert!(lines.is_empty() && start.elapsed() >= patience, "{lines:?}");
        Ok(())
    }
}
