//! A server of lines, of what tokio-util and tokio-stream have for any runtime: a codec over our sockets, a token that ends it, a tracker
//! of its connections. Sockets and tasks are the runtime's.

#![forbid(unsafe_code)]

use futures::{SinkExt, StreamExt};
use polyloop::net::TcpListener;
use tokio_util::codec::{Framed, LinesCodec};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest line that the server takes.
pub const LONGEST: usize = 1 << 16;

/// Gives each line back in capitals, until `stop` is cancelled and every connection has ended. Gives the number of connections.
pub async fn shout(listener: TcpListener, stop: CancellationToken) -> usize {
    let (connections, mut count) = (TaskTracker::new(), 0);
    while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
        count += 1;
        let stop = stop.clone();
        // `TaskTracker::spawn` would ask tokio for a thread; what is tracked may run anywhere.
        polyloop::spawn(connections.track_future(async move {
            let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(LONGEST));
            while let Some(Some(Ok(line))) = stop.run_until_cancelled(lines.next()).await {
                if lines.send(line.to_uppercase()).await.is_err() {
                    break;
                }
            }
        }));
    }
    connections.close();
    connections.wait().await;
    count
}
