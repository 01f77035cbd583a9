//! The side of the server.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Poll, ready},
};

use rustls::{
    ProtocolVersion, ServerConfig,
    server::{Acceptor, UnbufferedServerConnection},
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::{session::broken, stream::TlsStream};

/// Read at a time until the client has said what it wants.
const READ: usize = 4 * 1024;

/// A client whose handshake is done.
pub struct Accepted<IO> {
    /// The connection.
    pub stream: TlsStream<IO, UnbufferedServerConnection>,
    /// The name that the client asks for.
    pub server_name: Option<Box<str>>,
}

/// Makes the handshake with a client. `choose` is given the name that it asks for.
pub async fn accept<IO: AsyncRead + AsyncWrite + Unpin>(
    mut io: IO,
    choose: impl FnOnce(Option<&str>) -> Arc<ServerConfig>,
) -> io::Result<Accepted<IO>> {
    let (begun, server_name) = hello(&mut io).await?;
    let session = UnbufferedServerConnection::new(choose(server_name.as_deref())).map_err(broken)?;
    let mut stream = TlsStream::new(io, session, begun);
    stream.shake_hands().await?;
    // In TLS 1.3 a ticket is all that is left to send, for which nobody waits: it leaves with the first answer.
    if stream.state().protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        stream.flush().await?;
    }
    Ok(Accepted { stream, server_name })
}

/// Reads the client's first message: all that has come until then, and the name in it. One that is no such message is for the
/// session to judge.
async fn hello<IO: AsyncRead + Unpin>(io: &mut IO) -> io::Result<(Vec<u8>, Option<Box<str>>)> {
    let mut acceptor = Acceptor::default();
    let mut begun = Vec::new();
    loop {
        let before = begun.len();
        read_some(io, &mut begun).await?;
        let mut unread = &begun[before..];
        while !unread.is_empty() {
            if acceptor.read_tls(&mut unread).is_err() {
                return Ok((begun, None));
            }
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let name = accepted.client_hello().server_name().map(Into::into);
                return Ok((begun, name));
            }
            Err(_for_the_session) => return Ok((begun, None)),
        }
    }
}

async fn read_some<IO: AsyncRead + Unpin>(io: &mut IO, begun: &mut Vec<u8>) -> io::Result<()> {
    let came = poll_fn(|context| {
        let mut room = [MaybeUninit::uninit(); READ];
        let mut came = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut *io).poll_read(context, &mut came))?;
        begun.extend_from_slice(came.filled());
        Poll::Ready(Ok::<_, io::Error>(came.filled().len()))
    });
    if came.await? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof"));
    }
    Ok(())
}
