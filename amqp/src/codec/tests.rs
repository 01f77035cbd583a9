//! Values as bytes.

use bytes::Bytes;
use proptest::prelude::*;

use super::{decode_value, encode_value};
use crate::value::{Map, Value};
use crate::{Body, Header, Message, Properties};

/// Bytes as the standard writes them (part 1, section 1.6), and what they mean.
#[test]
fn values_are_written_as_the_standard_says() {
    let vectors: [(&[u8], Value); 19] = [
        (&[0x40], Value::Null),
        (&[0x41], Value::Bool(true)),
        (&[0x42], Value::Bool(false)),
        (&[0x50, 7], Value::Ubyte(7)),
        (&[0x60, 1, 2], Value::Ushort(258)),
        (&[0x43], Value::Uint(0)),
        (&[0x52, 200], Value::Uint(200)),
        (&[0x70, 0, 0, 1, 0], Value::Uint(256)),
        (&[0x44], Value::Ulong(0)),
        (&[0x53, 0x10], Value::Ulong(16)),
        (&[0x54, 0xff], Value::Int(-1)),
        (&[0x55, 0x80], Value::Long(-128)),
        (&[0x81, 0, 0, 0, 0, 0, 0, 1, 0], Value::Long(256)),
        (&[0x83, 0, 0, 0, 0, 0, 0, 0, 9], Value::Timestamp(9)),
        (&[0xa0, 2, 1, 2], Value::Binary(Bytes::from_static(&[1, 2]))),
        (&[0xa1, 2, b'h', b'i'], Value::String("hi".into())),
        (&[0xa3, 2, b'h', b'i'], Value::Symbol("hi".into())),
        (&[0x45], Value::List(Vec::new())),
        (&[0x00, 0x53, 0x24, 0x45], Value::described(Value::Ulong(0x24), Value::List(Vec::new()))),
    ];
    for (bytes, value) in vectors {
        assert_eq!(decode_value(&Bytes::copy_from_slice(bytes)), Ok(value.clone()), "{bytes:02x?}");
        assert_eq!(decode_value(&encode_value(&value)), Ok(value.clone()), "{value:?}");
    }
}

#[test]
fn long_forms_are_read_too() {
    let read = |bytes: &'static [u8]| decode_value(&Bytes::from_static(bytes));
    assert_eq!(read(&[0x56, 1]), Ok(Value::Bool(true)));
    assert_eq!(read(&[0x80, 0, 0, 0, 0, 0, 0, 0, 5]), Ok(Value::Ulong(5)));
    assert_eq!(read(&[0xb1, 0, 0, 0, 1, b'x']), Ok(Value::String("x".into())));
    assert_eq!(read(&[0xc0, 2, 1, 0x40]), Ok(Value::List(vec![Value::Null])));
    assert_eq!(read(&[0xd0, 0, 0, 0, 5, 0, 0, 0, 1, 0x41]), Ok(Value::List(vec![Value::Bool(true)])));
    assert_eq!(
        read(&[0xe0, 6, 2, 0xa3, 1, b'a', 1, b'b']),
        Ok(Value::Array(vec![Value::symbol("a"), Value::symbol("b")]))
    );
}

#[test]
fn what_claims_more_than_is_there_is_refused_before_memory_is_taken() {
    let counts: [&'static [u8]; 5] = [
        // A list, a map and arrays of four thousand million values, and none of them.
        &[0xd0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff],
        &[0xd1, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xfe],
        &[0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40],
        &[0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x45],
        // A text longer than what follows.
        &[0xb1, 0x7f, 0xff, 0xff, 0xff, b'x'],
    ];
    for bytes in counts {
        assert!(decode_value(&Bytes::from_static(bytes)).is_err(), "{bytes:02x?}");
    }
    for cut in [&[][..], &[0x70, 0], &[0x53], &[0xa1], &[0x00, 0x53], &[0xff], &[0xa1, 1, 0xff], &[0xc1, 2, 1, 0x40]] {
        assert!(decode_value(&Bytes::copy_from_slice(cut)).is_err(), "{cut:02x?}");
    }
}

#[test]
fn values_within_values_are_read_to_a_depth_and_no_further() {
    let nested = |depth: usize| (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    assert!(decode_value(&encode_value(&nested(8))).is_ok());
    assert!(decode_value(&encode_value(&nested(200))).is_err());
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<u8>().prop_map(Value::Ubyte),
        any::<u16>().prop_map(Value::Ushort),
        any::<u32>().prop_map(Value::Uint),
        any::<u64>().prop_map(Value::Ulong),
        any::<i8>().prop_map(Value::Byte),
        any::<i16>().prop_map(Value::Short),
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::Long),
        (-1e30f32..1e30).prop_map(Value::Float),
        (-1e300f64..1e300).prop_map(Value::Double),
        any::<i64>().prop_map(Value::Timestamp),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Value::Binary(bytes.into())),
        ".{0,40}".prop_map(Value::String),
        "[ -~]{0,40}".prop_map(Value::Symbol),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec((leaf(), inner.clone()), 0..4).prop_map(Value::Map),
            (any::<u64>(), inner).prop_map(|(code, value)| Value::described(Value::Ulong(code), value)),
        ]
    })
}

fn texts() -> impl Strategy<Value = Map> {
    let pair = ("[a-z]{1,8}", ".{0,20}").prop_map(|(name, text)| (Value::String(name), Value::String(text)));
    prop::collection::vec(pair, 0..4)
}

prop_compose! {
    fn message()(
        with_header in any::<bool>(),
        annotations in prop::collection::vec(("[a-z-]{1,12}", leaf()), 0..4),
        id in proptest::option::of(any::<u64>()),
        to in proptest::option::of("/[a-z/]{0,30}"),
        expiry in proptest::option::of(any::<i64>()),
        application_properties in texts(),
        body in prop_oneof![
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..3)
                .prop_map(|parts| Body::Data(parts.into_iter().map(Bytes::from).collect())),
            value().prop_map(Body::Value),
            Just(Body::Empty),
        ],
    ) -> Message {
        Message {
            header: with_header.then(Header::default),
            message_annotations: annotations.into_iter().map(|(name, value)| (Value::Symbol(name), value)).collect(),
            properties: Properties {
                message_id: id.map(Value::Ulong),
                to,
                absolute_expiry_time: expiry,
                ..Properties::default()
            },
            application_properties,
            body,
            ..Message::default()
        }
    }
}

proptest! {
    #[test]
    fn every_value_comes_back(value in value()) {
        prop_assert_eq!(decode_value(&encode_value(&value)), Ok(value));
    }

    #[test]
    fn every_message_comes_back(message in message()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = Bytes::from(bytes);
        let _ = decode_value(&bytes);
        let _ = Message::decode(&bytes);
    }
}
