//! Values and messages as bytes: as the standard writes them, as Azure's clients read them, and within bounds.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use bytes::Bytes;
use proptest::prelude::*;
use tracker_amqp::{Body, CodecError, Header, Message, Properties, Value, decode_value, encode_value};

fn decode(bytes: &[u8]) -> Result<Value, CodecError> {
    decode_value(&Bytes::copy_from_slice(bytes))
}

/// Each value beside its bytes, made by hand from part 1.6 of the standard.
#[test]
fn values_are_written_as_the_standard_has_them() {
    let symbols = Value::Array(vec![Value::symbol("a"), Value::symbol("bc")]);
    let vectors: Vec<(Value, &[u8])> = vec![
        (Value::Null, &[0x40]),
        (Value::Bool(true), &[0x41]),
        (Value::Bool(false), &[0x42]),
        (Value::Ubyte(200), &[0x50, 200]),
        (Value::Ushort(0x1234), &[0x60, 0x12, 0x34]),
        (Value::Uint(0), &[0x43]),
        (Value::Uint(255), &[0x52, 255]),
        (Value::Uint(256), &[0x70, 0, 0, 1, 0]),
        (Value::Ulong(0), &[0x44]),
        (Value::Ulong(0x14), &[0x53, 0x14]),
        (Value::Ulong(1 << 40), &[0x80, 0, 0, 1, 0, 0, 0, 0, 0]),
        (Value::Byte(-1), &[0x51, 255]),
        (Value::Short(-2), &[0x61, 255, 254]),
        (Value::Int(-128), &[0x54, 0x80]),
        (Value::Int(200), &[0x71, 0, 0, 0, 200]),
        (Value::Long(127), &[0x55, 127]),
        (Value::Long(-129), &[0x81, 255, 255, 255, 255, 255, 255, 255, 0x7f]),
        (Value::Double(1.5), &[0x82, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
        (Value::Char(0x41), &[0x73, 0, 0, 0, 0x41]),
        (Value::Timestamp(1), &[0x83, 0, 0, 0, 0, 0, 0, 0, 1]),
        (Value::Binary(Bytes::from_static(b"xy")), &[0xa0, 2, b'x', b'y']),
        (Value::from("ü"), &[0xa1, 2, 0xc3, 0xbc]),
        (Value::symbol("s"), &[0xa3, 1, b's']),
        (Value::List(Vec::new()), &[0x45]),
        (Value::List(vec![Value::Null, Value::Bool(true)]), &[0xc0, 3, 2, 0x40, 0x41]),
        (Value::Map(vec![(Value::symbol("k"), Value::Uint(1))]), &[0xc1, 6, 2, 0xa3, 1, b'k', 0x52, 1]),
        (symbols, &[0xe0, 7, 2, 0xa3, 1, b'a', 2, b'b', b'c']),
        (Value::described(Value::Ulong(0x24), Value::List(Vec::new())), &[0x00, 0x53, 0x24, 0x45]),
    ];
    for (value, bytes) in vectors {
        assert_eq!(encode_value(&value).as_ref(), bytes, "{value:?}");
        assert_eq!(decode(bytes).as_ref(), Ok(&value), "{bytes:02x?}");
    }
}

#[test]
fn the_longer_forms_are_read_too() {
    let forms: [(&[u8], Value); 7] = [
        (&[0x56, 1], Value::Bool(true)),
        (&[0x70, 0, 0, 0, 7], Value::Uint(7)),
        (&[0x80, 0, 0, 0, 0, 0, 0, 0, 7], Value::Ulong(7)),
        (&[0xb1, 0, 0, 0, 1, b'a'], Value::from("a")),
        (&[0xd0, 0, 0, 0, 5, 0, 0, 0, 1, 0x43], Value::List(vec![Value::Uint(0)])),
        (&[0xd1, 0, 0, 0, 4, 0, 0, 0, 0], Value::Map(Vec::new())),
        (&[0xf0, 0, 0, 0, 7, 0, 0, 0, 2, 0x50, 8, 9], Value::Array(vec![Value::Ubyte(8), Value::Ubyte(9)])),
    ];
    for (bytes, value) in forms {
        assert_eq!(decode(bytes), Ok(value), "{bytes:02x?}");
    }
}

#[test]
fn what_claims_more_than_is_there_takes_no_memory() {
    let lies: [(&[u8], CodecError); 8] = [
        (&[0xd0, 0, 0, 0, 4, 0x7f, 255, 255, 255], CodecError::Count),
        (&[0xf0, 0, 0, 0, 5, 0x7f, 255, 255, 255, 0x71], CodecError::Count),
        // Nulls take no bytes in an array; the number of values is bounded.
        (&[0xf0, 0, 0, 0, 5, 0x7f, 255, 255, 255, 0x40], CodecError::Many),
        (&[0xb0, 0x7f, 255, 255, 255, 1], CodecError::Short),
        (&[0xa1, 9, b'a'], CodecError::Short),
        (&[0xc1, 2, 1, 0x40], CodecError::Odd),
        (&[0x3f], CodecError::Type(0x3f)),
        (&[0xa1, 1, 0xff], CodecError::Text),
    ];
    for (bytes, error) in lies {
        assert_eq!(decode(bytes), Err(error), "{bytes:02x?}");
    }
    // A descriptor of all elements is copied to each: a large one is none.
    let mut bomb = vec![0xf0, 0, 0, 4, 10, 0, 0, 255, 255, 0x00, 0xb1, 0, 0, 4, 0];
    bomb.extend([b'a'; 1024]);
    bomb.push(0x40);
    assert!(decode(&bomb).is_err());
}

#[test]
fn lists_in_lists_end_somewhere() {
    let depths = [15usize, 16, 17, 100_000];
    for depth in depths {
        let mut bytes = Vec::new();
        for level in (0..depth).rev() {
            bytes.push(0xd0);
            bytes.extend(((level * 9 + 5) as u32).to_be_bytes());
            bytes.extend(1u32.to_be_bytes());
        }
        bytes.push(0x40);
        assert_eq!(decode(&bytes).is_ok(), depth <= 16, "{depth} levels");
    }
    assert_eq!(decode(&vec![0u8; 100_000]), Err(CodecError::Depth), "descriptors of descriptors");
}

/// `azure-eventhub` looks annotations, properties and body up by their descriptors of one byte.
#[test]
fn sections_have_descriptors_of_one_byte_and_stand_in_order() {
    let message = Message {
        header: Some(Header::default()),
        message_annotations: vec![(Value::from("x-opt-offset"), Value::from("12"))],
        properties: Properties { message_id: Some(Value::Ulong(7)), ..Properties::default() },
        application_properties: vec![(Value::from("a"), Value::from("b"))],
        body: Body::data("x"),
        ..Message::default()
    };
    let bytes = message.encode();
    let places: Vec<_> = [0x70, 0x72, 0x73, 0x74, 0x75]
        .iter()
        .map(|code| bytes.windows(3).position(|three| three == [0, 0x53, *code]).unwrap())
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    // Keys of annotations are symbols, whatever the caller has.
    assert!(bytes.windows(2).any(|two| two == [0xa3, 12]));
    // All thirteen properties stand there.
    assert_eq!(bytes[places[2] + 3], 0xc0);
    assert_eq!(bytes[places[2] + 5], 13);
    let parts = [
        Message {
            header: message.header,
            message_annotations: message.message_annotations.clone(),
            ..Message::default()
        },
        Message { header: None, message_annotations: Vec::new(), ..message },
    ];
    assert_eq!(parts.map(|part| part.encode()).concat(), bytes, "parts may be encoded one by one");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
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
        any::<i64>().prop_map(Value::Timestamp),
        any::<u32>().prop_map(Value::Char),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        any::<[u8; 8]>().prop_map(Value::Decimal64),
        proptest::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| Value::Binary(bytes.into())),
        ".{0,300}".prop_map(Value::String),
        "[a-z:.-]{0,300}".prop_map(Value::Symbol),
        proptest::collection::vec(any::<i32>().prop_map(Value::Int), 0..90).prop_map(Value::Array),
        proptest::collection::vec("[a-z]{0,300}".prop_map(Value::Symbol), 0..9).prop_map(Value::Array),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
            proptest::collection::vec((inner.clone(), inner.clone()), 0..8).prop_map(Value::Map),
            (any::<u64>(), inner).prop_map(|(code, value)| Value::described(Value::Ulong(code), value)),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_comes_back(value in any_value()) {
        prop_assert_eq!(decode_value(&encode_value(&value)), Ok(value));
    }

    #[test]
    fn every_message_comes_back(
        annotations in proptest::collection::vec(("[a-z]{1,20}", any_value()), 0..4),
        bag in proptest::collection::vec((".{0,20}", ".{0,300}"), 0..9),
        id in proptest::option::of("[a-z0-9]{0,40}"),
        sections in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 1..4),
    ) {
        let message = Message {
            message_annotations: annotations.into_iter().map(|(key, value)| (Value::Symbol(key), value)).collect(),
            properties: Properties { message_id: id.map(Value::String), ..Properties::default() },
            application_properties: bag.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
            body: Body::Data(sections.into_iter().map(Bytes::from).collect()),
            ..Message::default()
        };
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let _ = Message::decode(&bytes);
        if let Ok(value) = decode_value(&bytes) {
            let again = encode_value(&value);
            prop_assert_eq!(encode_value(&decode_value(&again).unwrap()), again);
        }
    }
}
