//! Messages as they are kept: each in one piece, and many pieces in a block.
//!
//! A message that is alive is seven pieces of memory, made while connections come and go. Kept as such, each would hold on to the
//! page around it long after the connections have left.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use chrono::DateTime;

use super::{
    super::{AuthenticationType, TelemetryMessage},
    origin::Origin,
};
use crate::packed::{put_number, put_text, take_number, take_text};

/// Bytes of a block: what the allocator takes from the system by itself, and gives back by itself.
const BLOCK: usize = 128 * 1024;

const IS_MARKED: u8 = 1;
const IS_REPEATED: u8 = 1 << 1;
const HAS_MODULE: u8 = 1 << 2;
const HAS_ORIGIN: u8 = 1 << 3;
const IS_OF_MODULE: u8 = 1 << 4;

/// A message, and what the hub says of its sender. Clones share the block that it stands in.
#[derive(Clone, Debug)]
pub(in crate::hub) struct Record(Bytes);

impl Record {
    /// As a feed keeps it.
    pub(in crate::hub) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// What it takes of its block.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn open(&self) -> Option<(TelemetryMessage, Option<Origin>)> {
        read(&self.0)
    }
}

/// The message of a record. `None` is not seen: what was written here can be read.
pub(in crate::hub) fn message_of(record: &Bytes) -> Option<TelemetryMessage> {
    read(record).map(|(message, _)| message)
}

/// Where records are written, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    free: BytesMut,
}

impl Blocks {
    pub(super) fn put(&mut self, message: &TelemetryMessage, origin: Option<&Origin>) -> Record {
        let room = room(message, origin);
        // A large one has a block of its own, so that nobody waits for it with the rest of another.
        if room > BLOCK / 8 {
            let mut own = BytesMut::with_capacity(room);
            write(&mut own, message, origin);
            return Record(own.freeze());
        }
        if self.free.capacity() < room {
            self.free = BytesMut::with_capacity(BLOCK);
        }
        write(&mut self.free, message, origin);
        Record(self.free.split().freeze())
    }

    /// Lets go of the block that is begun.
    pub(super) fn clear(&mut self) {
        self.free = BytesMut::new();
    }
}

/// How long a record becomes at most.
fn room(message: &TelemetryMessage, origin: Option<&Origin>) -> usize {
    // Its head, and what stands before its texts.
    const HEAD: usize = 64;
    let text = |(key, value): (&str, Option<&str>)| 16 + key.len() + value.map_or(0, str::len);
    HEAD + message.hub.len()
        + message.device_id.len()
        + message.module_id.as_ref().map_or(0, String::len)
        + origin.map_or(0, |origin| origin.generation_id.len() + origin.model_id.len())
        + message.properties.iter().map(text).sum::<usize>()
        + message.body.len()
}

fn write(out: &mut BytesMut, message: &TelemetryMessage, origin: Option<&Origin>) {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    out.put_i64(message.enqueued_time.timestamp());
    out.put_u32(message.enqueued_time.timestamp_subsec_nanos());
    put_number(message.sequence_number, out);
    out.put_u8(
        flag(message.marked_duplicate, IS_MARKED)
            | flag(message.repeated_message_id, IS_REPEATED)
            | flag(message.module_id.is_some(), HAS_MODULE)
            | flag(origin.is_some(), HAS_ORIGIN)
            | flag(origin.is_some_and(|origin| origin.is_module), IS_OF_MODULE),
    );
    put_text(&message.hub, out);
    put_text(&message.device_id, out);
    if let Some(module_id) = &message.module_id {
        put_text(module_id, out);
    }
    if let Some(origin) = origin {
        out.put_u8(number_of(origin.kind));
        put_text(&origin.generation_id, out);
        put_text(&origin.model_id, out);
    }
    put_number(message.properties.iter().count() as u64, out);
    for (key, value) in message.properties.iter() {
        put_text(key, out);
        out.put_u8(u8::from(value.is_some()));
        if let Some(value) = value {
            put_text(value, out);
        }
    }
    out.put_slice(&message.body);
}

fn read(record: &Bytes) -> Option<(TelemetryMessage, Option<Origin>)> {
    let mut rest: &[u8] = record;
    let seconds = rest.try_get_i64().ok()?;
    let enqueued_time = DateTime::from_timestamp(seconds, rest.try_get_u32().ok()?)?;
    let sequence_number = take_number(&mut rest)?;
    let flags = rest.try_get_u8().ok()?;
    let has = |flag: u8| flags & flag != 0;
    let hub = take_text(&mut rest)?.to_owned();
    let device_id = take_text(&mut rest)?.to_owned();
    let module_id = if has(HAS_MODULE) { Some(take_text(&mut rest)?.to_owned()) } else { None };
    let origin = if has(HAS_ORIGIN) {
        Some(Origin {
            kind: kind_of(rest.try_get_u8().ok()?),
            generation_id: take_text(&mut rest)?.to_owned(),
            model_id: take_text(&mut rest)?.to_owned(),
            is_module: has(IS_OF_MODULE),
        })
    } else {
        None
    };
    let count = take_number(&mut rest)?;
    let properties = (0..count).map(|_| take_property(&mut rest)).collect::<Option<_>>()?;
    let message = TelemetryMessage {
        hub,
        device_id,
        module_id,
        enqueued_time,
        sequence_number,
        body: record.slice_ref(rest),
        properties,
        marked_duplicate: has(IS_MARKED),
        repeated_message_id: has(IS_REPEATED),
    };
    Some((message, origin))
}

fn take_property<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, Option<&'a str>)> {
    let key = take_text(rest)?;
    let has_value = rest.try_get_u8().ok()? != 0;
    Some((key, if has_value { Some(take_text(rest)?) } else { None }))
}

fn number_of(kind: AuthenticationType) -> u8 {
    match kind {
        AuthenticationType::Sas => 0,
        AuthenticationType::CertificateAuthority => 1,
        AuthenticationType::None => 2,
        AuthenticationType::SelfSigned => 3,
    }
}

fn kind_of(number: u8) -> AuthenticationType {
    match number {
        0 => AuthenticationType::Sas,
        1 => AuthenticationType::CertificateAuthority,
        2 => AuthenticationType::None,
        _ => AuthenticationType::SelfSigned,
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use tracker_protocol::PropertyBag;

    use super::*;

    const TIME: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 123_456_789).expect("in range");

    fn message(body: Vec<u8>) -> TelemetryMessage {
        TelemetryMessage {
            hub: "hub-1.azure-devices.net".into(),
            device_id: "d1".into(),
            module_id: None,
            enqueued_time: TIME,
            sequence_number: 7,
            body: body.into(),
            properties: PropertyBag::new(),
            marked_duplicate: false,
            repeated_message_id: false,
        }
    }

    fn origin(kind: AuthenticationType) -> Origin {
        Origin { generation_id: "638".into(), kind, is_module: false, model_id: String::new() }
    }

    #[test]
    fn what_is_put_is_what_is_read() {
        let mut properties =
            PropertyBag::new().with("$.ct", "application/json").with("empty", "").with("é", "ü");
        properties.insert("alert", None);
        let full = TelemetryMessage {
            module_id: Some("reefer".into()),
            properties,
            marked_duplicate: true,
            repeated_message_id: true,
            ..message(b"{\"temperature\":3.9}".to_vec())
        };
        let of_module = Origin {
            is_module: true,
            model_id: "dtmi:cheese:tracker;1".into(),
            ..origin(AuthenticationType::CertificateAuthority)
        };
        let mut cases = vec![(full, Some(of_module)), (message(Vec::new()), None)];
        for kind in [
            AuthenticationType::Sas,
            AuthenticationType::CertificateAuthority,
            AuthenticationType::None,
            AuthenticationType::SelfSigned,
        ] {
            cases.push((message(vec![0xff; 300_000]), Some(origin(kind))));
        }
        let mut blocks = Blocks::default();
        let records: Vec<_> =
            cases.iter().map(|(message, origin)| blocks.put(message, origin.as_ref())).collect();
        for (record, case) in records.iter().zip(cases) {
            assert!(record.len() <= room(&case.0, case.1.as_ref()), "as long as was reckoned at most");
            assert_eq!(record.open(), Some(case));
        }
    }

    #[test]
    fn records_stand_in_one_block_one_behind_the_other() {
        let mut blocks = Blocks::default();
        let records: Vec<_> = (0..100).map(|_| blocks.put(&message(vec![1; 500]), None)).collect();
        for pair in records.windows(2) {
            let [first, second] = pair else { panic!("two") };
            assert_eq!(first.0.as_ptr().wrapping_add(first.len()), second.0.as_ptr());
        }
        let large = blocks.put(&message(vec![1; BLOCK]), None);
        let next = blocks.put(&message(vec![1; 500]), None);
        let last = records.last().expect("a hundred");
        assert_eq!(last.0.as_ptr().wrapping_add(last.len()), next.0.as_ptr(), "a large one is elsewhere");
        assert!(large.len() > BLOCK);
    }
}
