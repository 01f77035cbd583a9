//! The properties of MQTT 5 (section 2.2.2) in bytes: each packet has those that the standard gives it, each once but for
//! user properties and, in a PUBLISH to a client, subscription identifiers.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{
    fields::{DecodeError, Fields},
    five::{ConnectAnswer, ConnectOptions, MessageProperties, WillOptions},
};

/// User properties of one message; devices of Azure have a handful.
const MAX_USER_PROPERTIES: usize = 256;

const PAYLOAD_FORMAT: u8 = 0x01;
const MESSAGE_EXPIRY: u8 = 0x02;
const CONTENT_TYPE: u8 = 0x03;
const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION: u8 = 0x09;
const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
const SESSION_EXPIRY: u8 = 0x11;
const SERVER_KEEP_ALIVE: u8 = 0x13;
const AUTHENTICATION_METHOD: u8 = 0x15;
const AUTHENTICATION_DATA: u8 = 0x16;
const REQUEST_PROBLEM: u8 = 0x17;
const WILL_DELAY: u8 = 0x18;
const REQUEST_RESPONSE: u8 = 0x19;
const REASON: u8 = 0x1f;
const RECEIVE_MAXIMUM: u8 = 0x21;
const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
const TOPIC_ALIAS: u8 = 0x23;
const MAXIMUM_QOS: u8 = 0x24;
const RETAIN_AVAILABLE: u8 = 0x25;
const USER: u8 = 0x26;
const MAXIMUM_PACKET: u8 = 0x27;
const IDENTIFIERS_AVAILABLE: u8 = 0x29;
const SHARED_AVAILABLE: u8 = 0x2a;

/// What an acknowledgement, SUBSCRIBE or DISCONNECT has.
#[derive(Default)]
pub(super) struct Others {
    pub why: Option<String>,
    pub session_expiry: Option<u32>,
    pub has_identifier: bool,
    pub has_user_properties: bool,
}

/// Reads a list of properties; `take` says whether it knows this one here.
fn each(
    fields: &mut Fields,
    mut take: impl FnMut(u8, &mut Fields) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    let length = fields.variable("property length")? as usize;
    let mut part = fields.part(length, "properties")?;
    let mut seen = 0_u64;
    while !part.bytes.is_empty() {
        let identifier = part.u8("property identifier")?;
        let bit = 1_u64.checked_shl(identifier.into()).unwrap_or_default();
        if identifier != USER {
            if seen & bit != 0 {
                return Err(part.malformed("a property that is there twice"));
            }
            seen |= bit;
        }
        if !take(identifier, &mut part)? {
            return Err(part.malformed("a property that it does not have"));
        }
    }
    Ok(())
}

pub(super) fn of_connect(fields: &mut Fields) -> Result<ConnectOptions, DecodeError> {
    let mut options = ConnectOptions::default();
    each(fields, |identifier, part| {
        match identifier {
            SESSION_EXPIRY => options.session_expiry = part.u32("session expiry")?,
            RECEIVE_MAXIMUM => options.receive_maximum = Some(not_zero(part.u16("receive maximum")?, part)?),
            MAXIMUM_PACKET => {
                options.maximum_packet = Some(not_zero(part.u32("maximum packet size")?, part)?);
            }
            // The emulator gives its clients no numbers for topics.
            TOPIC_ALIAS_MAXIMUM => drop(part.u16("topic alias maximum")?),
            REQUEST_PROBLEM | REQUEST_RESPONSE => drop(flag(part)?),
            AUTHENTICATION_METHOD => {
                options.authentication_method = Some(part.string("authentication method")?);
            }
            AUTHENTICATION_DATA => drop(part.binary("authentication data")?),
            USER => {
                user(part)?;
                options.has_user_properties = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(options)
}

pub(super) fn of_will(fields: &mut Fields) -> Result<WillOptions, DecodeError> {
    let mut will = WillOptions::default();
    each(fields, |identifier, part| {
        if identifier == WILL_DELAY {
            will.delay = part.u32("will delay")?;
            return Ok(true);
        }
        Ok(identifier != TOPIC_ALIAS && message(&mut will.message, identifier, part)?)
    })?;
    Ok(will)
}

pub(super) fn of_publish(fields: &mut Fields) -> Result<MessageProperties, DecodeError> {
    let mut properties = MessageProperties::default();
    each(fields, |identifier, part| message(&mut properties, identifier, part))?;
    Ok(properties)
}

pub(super) fn of_others(fields: &mut Fields, allowed: &[u8]) -> Result<Others, DecodeError> {
    let mut others = Others::default();
    each(fields, |identifier, part| {
        match identifier {
            USER => {
                user(part)?;
                others.has_user_properties = true;
            }
            _ if !allowed.contains(&identifier) => return Ok(false),
            REASON => others.why = Some(part.string("reason string")?),
            SESSION_EXPIRY => others.session_expiry = Some(part.u32("session expiry")?),
            SUBSCRIPTION_IDENTIFIER => {
                not_zero(part.variable("subscription identifier")?, part)?;
                others.has_identifier = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(others)
}

/// What [`of_others`] takes in PUBACK, SUBSCRIBE and DISCONNECT.
pub(super) const IN_ACKNOWLEDGEMENT: &[u8] = &[REASON];
pub(super) const IN_SUBSCRIBE: &[u8] = &[SUBSCRIPTION_IDENTIFIER];
pub(super) const IN_DISCONNECT: &[u8] = &[REASON, SESSION_EXPIRY];

fn message(
    properties: &mut MessageProperties,
    identifier: u8,
    part: &mut Fields,
) -> Result<bool, DecodeError> {
    match identifier {
        PAYLOAD_FORMAT => properties.payload_format = Some(flag(part)?),
        MESSAGE_EXPIRY => properties.expiry = Some(part.u32("message expiry")?),
        TOPIC_ALIAS => properties.topic_alias = Some(not_zero(part.u16("topic alias")?, part)?),
        RESPONSE_TOPIC => properties.response_topic = Some(part.string("response topic")?),
        CORRELATION => properties.correlation = Some(part.binary("correlation data")?),
        CONTENT_TYPE => properties.content_type = Some(part.string("content type")?),
        USER => {
            properties.user.push(user(part)?);
            if properties.user.len() > MAX_USER_PROPERTIES {
                return Err(part.malformed("more than 256 user properties"));
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn user(part: &mut Fields) -> Result<(String, String), DecodeError> {
    Ok((part.string("user property")?, part.string("user property")?))
}

fn flag(part: &mut Fields) -> Result<u8, DecodeError> {
    match part.u8("property")? {
        value @ 0..=1 => Ok(value),
        _ => Err(part.malformed("a property that is neither 0 nor 1")),
    }
}

fn not_zero<T: Default + PartialEq>(value: T, part: &Fields) -> Result<T, DecodeError> {
    if value == T::default() {
        return Err(part.malformed("a property that must not be zero"));
    }
    Ok(value)
}

/// A list of properties being written. Texts are bounded by who makes them: one of more than 65 535 bytes is left out.
#[derive(Default)]
pub(super) struct Written(BytesMut);

impl Written {
    fn u8(&mut self, identifier: u8, value: Option<u8>) -> &mut Self {
        if let Some(value) = value {
            self.0.put_slice(&[identifier, value]);
        }
        self
    }

    fn u16(&mut self, identifier: u8, value: Option<u16>) -> &mut Self {
        if let Some(value) = value {
            self.0.put_u8(identifier);
            self.0.put_u16(value);
        }
        self
    }

    fn u32(&mut self, identifier: u8, value: Option<u32>) -> &mut Self {
        if let Some(value) = value {
            self.0.put_u8(identifier);
            self.0.put_u32(value);
        }
        self
    }

    fn bytes(&mut self, identifier: u8, value: Option<&[u8]>) -> &mut Self {
        if let Some(value) = value
            && let Ok(length) = u16::try_from(value.len())
        {
            self.0.put_u8(identifier);
            self.0.put_u16(length);
            self.0.put_slice(value);
        }
        self
    }

    fn user(&mut self, pairs: &[(String, String)]) -> &mut Self {
        for (name, value) in pairs {
            if let (Ok(of_name), Ok(of_value)) = (u16::try_from(name.len()), u16::try_from(value.len())) {
                self.0.put_u8(USER);
                self.0.put_u16(of_name);
                self.0.put_slice(name.as_bytes());
                self.0.put_u16(of_value);
                self.0.put_slice(value.as_bytes());
            }
        }
        self
    }

    /// Appends length and list.
    pub(super) fn put(&self, body: &mut BytesMut) {
        put_variable(self.0.len(), body);
        body.put_slice(&self.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of_message(properties: &MessageProperties) -> Self {
        let mut written = Self::default();
        written.message(properties);
        written
    }

    fn message(&mut self, properties: &MessageProperties) {
        let text = |text: &'_ Option<String>| text.clone().map(Bytes::from);
        self.u8(PAYLOAD_FORMAT, properties.payload_format)
            .u32(MESSAGE_EXPIRY, properties.expiry)
            .u16(TOPIC_ALIAS, properties.topic_alias)
            .bytes(RESPONSE_TOPIC, text(&properties.response_topic).as_deref())
            .bytes(CORRELATION, properties.correlation.as_deref())
            .user(&properties.user)
            .bytes(CONTENT_TYPE, text(&properties.content_type).as_deref());
    }

    pub(super) fn of_connect(options: &ConnectOptions) -> Self {
        let mut written = Self::default();
        written
            .u32(SESSION_EXPIRY, Some(options.session_expiry))
            .u16(RECEIVE_MAXIMUM, options.receive_maximum)
            .u32(MAXIMUM_PACKET, options.maximum_packet)
            .bytes(AUTHENTICATION_METHOD, options.authentication_method.as_deref().map(str::as_bytes));
        if options.has_user_properties {
            written.user(&[(String::new(), String::new())]);
        }
        written
    }

    pub(super) fn of_will(will: &WillOptions) -> Self {
        let mut written = Self::default();
        written.u32(WILL_DELAY, Some(will.delay)).message(&will.message);
        written
    }

    pub(super) fn of_answer(answer: &ConnectAnswer) -> Self {
        let mut written = Self::default();
        written
            .u32(SESSION_EXPIRY, answer.session_expiry)
            .u16(RECEIVE_MAXIMUM, answer.receive_maximum)
            .u32(MAXIMUM_PACKET, answer.maximum_packet)
            .u16(TOPIC_ALIAS_MAXIMUM, answer.topic_alias_maximum)
            .u16(SERVER_KEEP_ALIVE, answer.keep_alive);
        if answer.maximum_packet.is_some() {
            written
                .u8(MAXIMUM_QOS, Some(1))
                .u8(RETAIN_AVAILABLE, Some(0))
                .u8(IDENTIFIERS_AVAILABLE, Some(0))
                .u8(SHARED_AVAILABLE, Some(0));
        }
        written.bytes(REASON, answer.why.as_deref().map(str::as_bytes));
        written
    }

    pub(super) fn of_others(others: &Others) -> Self {
        let mut written = Self::default();
        written
            .u32(SESSION_EXPIRY, others.session_expiry)
            .bytes(REASON, others.why.as_deref().map(str::as_bytes));
        if others.has_identifier {
            written.0.put_slice(&[SUBSCRIPTION_IDENTIFIER, 1]);
        }
        if others.has_user_properties {
            written.user(&[(String::new(), String::new())]);
        }
        written
    }
}

/// A number of one to four bytes.
pub(super) fn put_variable(mut value: usize, body: &mut BytesMut) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return body.put_u8(byte);
        }
        body.put_u8(byte | 0x80);
    }
}
