//! A session of rustls, of either side, as it is turned: bytes in, bytes out.

use std::io;

use rustls::{
    CommonState, Error,
    client::{ClientConnectionData, UnbufferedClientConnection},
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic},
};

/// What a record has beside its content, at the most: more than with any cipher.
const AROUND_RECORD: usize = 64;

/// The most that is encrypted at once: the content of one record.
pub(crate) const RECORD: usize = 16 * 1024;

/// The session of a client or of a server.
pub trait Session: Unpin {
    /// What rustls knows of this side.
    type Data;

    /// Lets rustls work on the records that have come.
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    /// What is the same on both sides.
    fn state(&self) -> &CommonState;
}

impl Session for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn state(&self) -> &CommonState {
        self
    }
}

impl Session for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn state(&self) -> &CommonState {
        self
    }
}

/// What is to be done once the session has nothing else to do.
pub(crate) enum Wish<'a> {
    Nothing,
    Say(&'a [u8]),
    SayGoodbye,
}

/// What has come of a turn.
#[derive(Default)]
pub(crate) struct Turned {
    /// So many bytes from the front of what has come are done with.
    pub(crate) taken: usize,
    /// The other side has said goodbye.
    pub(crate) has_ended: bool,
    /// The wish was granted.
    pub(crate) is_granted: bool,
}

/// Turns the session until it wants more to come. Plaintext goes to `heard`, records to `outgoing`. After an error the alert is
/// there.
pub(crate) fn turn<S: Session>(
    session: &mut S,
    incoming: &mut [u8],
    outgoing: &mut Vec<u8>,
    wish: &Wish<'_>,
    mut heard: impl FnMut(&[u8]),
) -> Result<Turned, Error> {
    let mut turned = Turned::default();
    loop {
        let UnbufferedStatus { mut discard, state } = session.process(&mut incoming[turned.taken..]);
        let mut is_done = false;
        match state {
            Err(error) => {
                last_words(session, &mut incoming[turned.taken + discard..], outgoing);
                return Err(error);
            }
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    heard(record.payload);
                }
            }
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, outgoing),
            // It leaves in its order, like all that is put behind it.
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::PeerClosed) => turned.has_ended = true,
            Ok(ConnectionState::WriteTraffic(traffic)) => {
                turned.is_granted = grant(traffic, wish, outgoing)?;
                is_done = true;
            }
            // Early data is not offered, and so none comes.
            Ok(_blocked_or_closed) => is_done = true,
        }
        turned.taken += discard;
        if is_done {
            return Ok(turned);
        }
    }
}

/// The alert that says what went wrong: one, which goes before anything else. More can't be asked of a session that has failed.
fn last_words<S: Session>(session: &mut S, incoming: &mut [u8], outgoing: &mut Vec<u8>) {
    if let UnbufferedStatus { discard: 0, state: Ok(ConnectionState::EncodeTlsData(data)), .. } =
        session.process(incoming)
    {
        encode(data, outgoing);
    }
}

fn encode<D>(mut data: EncodeTlsData<'_, D>, outgoing: &mut Vec<u8>) {
    let begin = outgoing.len();
    // Told how much room it takes.
    if let Err(EncodeError::InsufficientSize(needed)) = data.encode(&mut []) {
        outgoing.resize(begin + needed.required_size, 0);
        let length = data.encode(&mut outgoing[begin..]).unwrap_or_default();
        outgoing.truncate(begin + length);
    }
}

fn grant<D>(
    mut traffic: WriteTraffic<'_, D>,
    wish: &Wish<'_>,
    outgoing: &mut Vec<u8>,
) -> Result<bool, Error> {
    let begin = outgoing.len();
    let mut room = match wish {
        Wish::Nothing => return Ok(false),
        Wish::Say(bytes) => bytes.len() + AROUND_RECORD,
        Wish::SayGoodbye => AROUND_RECORD,
    };
    loop {
        outgoing.resize(begin + room, 0);
        let written = match wish {
            Wish::Say(bytes) => traffic.encrypt(bytes, &mut outgoing[begin..]),
            _ => traffic.queue_close_notify(&mut outgoing[begin..]),
        };
        match written {
            Ok(length) => {
                outgoing.truncate(begin + length);
                return Ok(true);
            }
            // The update of a key goes before it.
            Err(EncryptError::InsufficientSize(needed)) if needed.required_size > room => {
                room = needed.required_size;
            }
            Err(error) => {
                outgoing.truncate(begin);
                return Err(Error::General(error.to_string()));
            }
        }
    }
}

/// An error of TLS as one of a stream.
pub(crate) fn broken(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
