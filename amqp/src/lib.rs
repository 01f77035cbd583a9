//! AMQP 1.0 without input and output, for either side of a connection.
//!
//! Values and messages are written as Azure's clients read them: lists have all of the standard's fields, because some of
//! those clients look fields up by their place, and descriptors are one byte. What comes in is held to limits everywhere:
//! sizes, depth, counts, sessions, links, deliveries.

// The rooms, from the ground up: a room takes names from those above it in this list, never from those below it.

// A value of any type.
pub mod value;
// Values to bytes and back.
mod codec;
// Errors as the ends tell them each other.
pub mod error;
// Roles, outcomes, modes of settling.
mod delivery;
// Sources and targets.
mod terminus;
// A message and its sections.
mod message;
// What frames say.
mod performative;
// Performatives to bytes and back.
mod wire;
// Frames.
mod frame;
// The engine.
mod connection;

pub use codec::{CodecError, decode_value, encode_value};
pub use connection::{
    Connection, ConnectionError, DeliveryId, Event, Limits, LinkId, MECHANISMS, SaslClient, SendError,
    SessionId,
};
pub use delivery::{Outcome, ReceiverSettleMode, Role, SenderSettleMode};
pub use error::{Error, condition};
pub use message::{Body, Header, Message, Properties};
pub use performative::{Attach, Begin, Detach, Disposition, Flow, Open, Performative, Transfer};
pub use terminus::{Source, Target};
pub use value::{Described, Map, Value, get};
