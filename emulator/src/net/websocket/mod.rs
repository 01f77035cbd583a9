//! A WebSocket (RFC 6455) as what is spoken through it sees it: a stream of bytes, for which frames and messages are no matter.

mod blocking;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use stream::WebSocketStream;
