//! What programs name of their runtime: its modules with their types, traits and functions.

#![expect(unused_imports, reason = "that they compile is the test")]

mod files {
    use polyloop::fs::{
        DirBuilder, DirEntry, File, OpenOptions, ReadDir, canonicalize, copy, create_dir, create_dir_all,
        hard_link, metadata, read, read_dir, read_link, read_to_string, remove_dir, remove_dir_all,
        remove_file, rename, set_permissions, symlink, symlink_metadata, try_exists, write,
    };
}

mod streams {
    use polyloop::io::unix::{AsyncFd, AsyncFdReadyGuard};
    use polyloop::io::{
        AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite,
        AsyncWriteExt, BufReader, BufStream, BufWriter, Chain, DuplexStream, Empty, Error, ErrorKind,
        Interest, Join, Lines, ReadBuf, ReadHalf, Ready, Repeat, Result, SeekFrom, SimplexStream, Sink,
        Split, Stderr, Stdin, Stdout, Take, WriteHalf, copy, copy_bidirectional,
        copy_bidirectional_with_sizes, copy_buf, duplex, empty, join, repeat, simplex, sink, split, stderr,
        stdin, stdout,
    };
}

mod sockets {
    use polyloop::net::{
        TcpListener, TcpSocket, TcpStream, ToSocketAddrs, UdpSocket, UnixDatagram, UnixListener, UnixStream,
        lookup_host,
    };
    mod tcp {
        use polyloop::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
    }
    mod unix {
        use polyloop::net::unix::pipe::{Receiver, Sender, pipe};
        use polyloop::net::unix::{
            OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, SocketAddr, WriteHalf,
        };
    }
}

mod processes {
    use polyloop::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
    use polyloop::signal::ctrl_c;
    use polyloop::signal::unix::{Signal, SignalKind, signal};
}

mod runtimes {
    use polyloop::runtime::{Builder, EnterGuard, Handle, Id, Runtime, RuntimeMetrics, TryCurrentError};
}

mod locks {
    use polyloop::sync::futures::{Notified, OwnedNotified};
    use polyloop::sync::{
        AcquireError, Barrier, BarrierWaitResult, MappedMutexGuard, Mutex, MutexGuard, Notify, OnceCell,
        OwnedMappedMutexGuard, OwnedMutexGuard, OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard,
        OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, RwLockMappedWriteGuard, RwLockReadGuard,
        RwLockWriteGuard, Semaphore, SemaphorePermit, SetError, SetOnce, SetOnceError, TryAcquireError,
        TryLockError,
    };
}

mod channels {
    mod broadcast {
        use polyloop::sync::broadcast::error::{RecvError, SendError, TryRecvError};
        use polyloop::sync::broadcast::{Receiver, Sender, WeakSender, channel};
    }
    mod mpsc {
        use polyloop::sync::mpsc::error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
        use polyloop::sync::mpsc::{
            OwnedPermit, Permit, PermitIterator, Receiver, Sender, UnboundedReceiver, UnboundedSender,
            WeakSender, WeakUnboundedSender, channel, unbounded_channel,
        };
    }
    mod oneshot {
        use polyloop::sync::oneshot::error::{RecvError, TryRecvError};
        use polyloop::sync::oneshot::{Receiver, Sender, channel};
    }
    mod watch {
        use polyloop::sync::watch::error::{RecvError, SendError};
        use polyloop::sync::watch::{Receiver, Ref, Sender, channel};
    }
}

mod tasks {
    use polyloop::task::coop::{
        Coop, RestoreOnPending, Unconstrained, cooperative, has_budget_remaining, poll_proceed,
    };
    use polyloop::task::futures::TaskLocalFuture;
    use polyloop::task::{
        AbortHandle, Id, JoinError, JoinHandle, JoinSet, LocalEnterGuard, LocalKey, LocalSet, block_in_place,
        consume_budget, id, spawn, spawn_blocking, spawn_local, try_id, unconstrained, yield_now,
    };
    use polyloop::{join, main, pin, select, spawn as spawn_at_the_root, task_local, test, try_join};
}

mod times {
    use polyloop::time::error::Elapsed;
    use polyloop::time::{
        Duration, Instant, Interval, MissedTickBehavior, Sleep, Timeout, interval, interval_at, sleep,
        sleep_until, timeout, timeout_at,
    };
}
