//! What programs name of their runtime: its modules with their types, traits and functions.

#![expect(unused_imports, reason = "that they compile is the test")]

mod files {
    use tokio::fs::{
        DirBuilder, DirEntry, File, OpenOptions, ReadDir, canonicalize, copy, create_dir, create_dir_all,
        hard_link, metadata, read, read_dir, read_link, read_to_string, remove_dir, remove_dir_all,
        remove_file, rename, set_permissions, symlink, symlink_metadata, try_exists, write,
    };
}

mod streams {
    use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
    use tokio::io::{
        AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite,
        AsyncWriteExt, BufReader, BufStream, BufWriter, Chain, DuplexStream, Empty, Error, ErrorKind,
        Interest, Join, Lines, ReadBuf, ReadHalf, Ready, Repeat, Result, SeekFrom, SimplexStream, Sink,
        Split, Stderr, Stdin, Stdout, Take, WriteHalf, copy, copy_bidirectional,
        copy_bidirectional_with_sizes, copy_buf, duplex, empty, join, repeat, simplex, sink, split, stderr,
        stdin, stdout,
    };
}

mod sockets {
    use tokio::net::{
        TcpListener, TcpSocket, TcpStream, ToSocketAddrs, UdpSocket, UnixDatagram, UnixListener, UnixStream,
        lookup_host,
    };
    mod tcp {
        use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
    }
    mod unix {
        use tokio::net::unix::pipe::{Receiver, Sender, pipe};
        use tokio::net::unix::{
            OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, SocketAddr, WriteHalf,
        };
    }
}

mod processes {
    use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
    use tokio::signal::ctrl_c;
    use tokio::signal::unix::{Signal, SignalKind, signal};
}

mod runtimes {
    use tokio::runtime::{Builder, EnterGuard, Handle, Id, Runtime, RuntimeMetrics, TryCurrentError};
}

mod locks {
    use tokio::sync::futures::{Notified, OwnedNotified};
    use tokio::sync::{
        AcquireError, Barrier, BarrierWaitResult, MappedMutexGuard, Mutex, MutexGuard, Notify, OnceCell,
        OwnedMappedMutexGuard, OwnedMutexGuard, OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard,
        OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, RwLockMappedWriteGuard, RwLockReadGuard,
        RwLockWriteGuard, Semaphore, SemaphorePermit, SetError, SetOnce, SetOnceError, TryAcquireError,
        TryLockError,
    };
}

mod channels {
    mod broadcast {
        use tokio::sync::broadcast::error::{RecvError, SendError, TryRecvError};
        use tokio::sync::broadcast::{Receiver, Sender, WeakSender, channel};
    }
    mod mpsc {
        use tokio::sync::mpsc::error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
        use tokio::sync::mpsc::{
            OwnedPermit, Permit, PermitIterator, Receiver, Sender, UnboundedReceiver, UnboundedSender,
            WeakSender, WeakUnboundedSender, channel, unbounded_channel,
        };
    }
    mod oneshot {
        use tokio::sync::oneshot::error::{RecvError, TryRecvError};
        use tokio::sync::oneshot::{Receiver, Sender, channel};
    }
    mod watch {
        use tokio::sync::watch::error::{RecvError, SendError};
        use tokio::sync::watch::{Receiver, Ref, Sender, channel};
    }
}

mod tasks {
    use tokio::task::coop::{
        Coop, RestoreOnPending, Unconstrained, cooperative, has_budget_remaining, poll_proceed,
    };
    use tokio::task::futures::TaskLocalFuture;
    use tokio::task::{
        AbortHandle, Id, JoinError, JoinHandle, JoinSet, LocalEnterGuard, LocalKey, LocalSet, block_in_place,
        consume_budget, id, spawn, spawn_blocking, spawn_local, try_id, unconstrained, yield_now,
    };
    use tokio::{join, main, pin, select, spawn as spawn_at_the_root, task_local, test, try_join};
}

mod times {
    use tokio::time::error::Elapsed;
    use tokio::time::{
        Duration, Instant, Interval, MissedTickBehavior, Sleep, Timeout, interval, interval_at, sleep,
        sleep_until, timeout, timeout_at,
    };
}
