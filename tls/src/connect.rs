//! The side of the client.

use std::{io, sync::Arc};

use rustls::{ClientConfig, client::UnbufferedClientConnection, pki_types::ServerName};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::{session::broken, stream::TlsStream};

/// Makes the handshake with a server, whose certificate must carry this name.
pub async fn connect<IO: AsyncRead + AsyncWrite + Unpin>(
    io: IO,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> io::Result<TlsStream<IO, UnbufferedClientConnection>> {
    let session = UnbufferedClientConnection::new(config, name).map_err(broken)?;
    let mut stream = TlsStream::new(io, session, Vec::new());
    stream.shake_hands().await?;
    // The server waits for the client's last word.
    stream.flush().await?;
    Ok(stream)
}
