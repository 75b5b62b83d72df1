//! Every kind of socket on every reactor, bare and in the kernel's bad days, on the FIFO executor.

#![forbid(unsafe_code)]

mod bad_days;
mod files;
mod gone;
mod pipe;
mod ready;
mod rig;
mod setup;
mod sockets;
mod tcp;
mod tokio_io;
mod udp;
mod unix;
mod unwatched;
