//! A connection that can be made to fail below HTTP.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What becomes of a connection; its clones are about the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    reset: Arc<AtomicBool>,
    garbage: Arc<AtomicBool>,
}

impl Fate {
    /// When it is closed, it is reset.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }

    /// What is written from now on is garbage.
    pub(crate) fn garbage(&self) {
        self.garbage.store(true, Ordering::SeqCst);
    }
}

/// A TCP connection and its fate.
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    pub(crate) fate: Fate,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.fate.reset.load(Ordering::SeqCst) {
            // A connection that is gone already needs no reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.fate.garbage.load(Ordering::SeqCst) {
            ready!(Pin::new(&mut self.stream).poll_write(cx, b"\x00\x01\x02 not HTTP at all \xff\xfe\r\n\r\n"))?;
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.fate.reset.load(Ordering::SeqCst) {
            // An orderly end would come before the reset.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
