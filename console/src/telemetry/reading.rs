//! One reading, and how it is read from the body of a message.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::field::{Field, Values};
use super::text::{clipped, moment};

/// What a device has measured at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reading {
    /// Milliseconds since 1970: when it was taken, or, where that can never be known, when the hub took it.
    pub(crate) time: i64,
    /// Whether the device knows when it was.
    pub(crate) has_time: bool,
    /// Counts a device's readings; absent where the device does not count.
    pub(crate) seq: Option<u64>,
    /// The numbers.
    pub(crate) values: Values,
    /// The fence that it is in.
    pub(crate) place: Option<Box<str>>,
}

impl Reading {
    /// What makes it this one and no other: a device that counts anew has another time.
    pub(crate) fn key(&self) -> (i64, u64, bool) {
        (self.time, self.seq.unwrap_or(u64::MAX), self.has_time)
    }

    /// Milliseconds that its lowest, highest and mean values are of, before its time.
    pub(crate) fn period(&self) -> Option<i64> {
        self.values.kept(Field::Period).map(i64::from).filter(|period| *period > 0 && self.has_time)
    }
}

/// The items of a body: one, or those of an array. `None` where it is no JSON object and no array.
pub(super) fn items(body: &[u8]) -> Option<Vec<Item<'_>>> {
    match serde_json::from_slice(body).ok()? {
        Items::One(item) => Some(vec![*item]),
        Items::Many(items) => Some(items),
        Items::Nothing => None,
    }
}

enum Items<'a> {
    One(Box<Item<'a>>),
    Many(Vec<Item<'a>>),
    Nothing,
}

/// An object, as far as it is looked at.
#[derive(Default)]
pub(super) struct Item<'a> {
    values: Values,
    time: Option<i64>,
    seq: Option<u64>,
    place: Option<Cow<'a, str>>,
    /// Members that no reading has.
    has_state: bool,
    has_subject: bool,
    has_statement: bool,
}

impl Item<'_> {
    /// Whether it is an event or a statement.
    pub(super) fn is_special(&self) -> bool {
        self.has_statement || (self.has_state && self.has_subject)
    }

    /// The reading, where there is anything in it.
    pub(super) fn reading(self, enqueued: DateTime<Utc>) -> Option<Reading> {
        self.values.present().next()?;
        let time = self.time.unwrap_or(enqueued.timestamp_millis());
        let place = self.place.map(|place| clipped(&place).into());
        Some(Reading { time, has_time: self.time.is_some(), seq: self.seq, values: self.values, place })
    }

    fn put(&mut self, name: &str, value: &'_ RawValue) -> Option<()> {
        let text = value.get();
        match name {
            "time" => self.time = moment(&string(text)?),
            "seq" => self.seq = text.parse().ok(),
            "place" | "alarm" => self.has_subject = true,
            "state" => self.has_state = true,
            "evidence" => self.has_statement = true,
            // Serde would take an array for one as well.
            "location" if text.starts_with('{') => {
                let Location { lat, lon, alt } = serde_json::from_str(text).ok()?;
                let kept = |field: Field, value: Option<&RawValue>| field.keep(number(value?.get())?);
                let (lat, lon) = (kept(Field::Latitude, lat)?, kept(Field::Longitude, lon)?);
                self.values.set(Field::Latitude, Some(lat));
                self.values.set(Field::Longitude, Some(lon));
                self.values.set(Field::Altitude, kept(Field::Altitude, alt));
            }
            _ => {
                // Names with a dot are those of members, and stand for nothing here.
                let field = Field::named(name).filter(|_| !name.contains('.'))?;
                let kept = match field.words() {
                    Some(_) => field.keep_word(&string(text)?),
                    None => field.keep(number(text)?),
                };
                self.values.set(field, kept);
            }
        }
        Some(())
    }
}

#[derive(Deserialize)]
struct Location<'a> {
    #[serde(borrow, default)]
    lat: Option<&'a RawValue>,
    #[serde(borrow, default)]
    lon: Option<&'a RawValue>,
    #[serde(borrow, default)]
    alt: Option<&'a RawValue>,
}

/// A JSON number. One that is too large for a double, as devices that divide by zero write it, spoils no more than itself.
fn number(text: &str) -> Option<f64> {
    let begins = text.as_bytes().first()?;
    (begins.is_ascii_digit() || *begins == b'-').then(|| text.parse().ok()).flatten()
}

/// A JSON text.
fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(text).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reading or an array of readings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Items<'de>, A::Error> {
        let mut item = Item::default();
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            let value: &'de RawValue = map.next_value()?;
            item.put(&name, value);
            if name == "place" {
                item.place = string(value.get());
            }
        }
        Ok(Items::One(Box::new(item)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Items<'de>>()? {
            // An array in an array is no batch.
            if let Items::One(item) = item {
                items.push(*item);
            }
        }
        Ok(Items::Many(items))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Items<'de>, E> {
        Ok(Items::Nothing)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Items<'de>, E> {
        Ok(Items::Nothing)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Items<'de>, E> {
        Ok(Items::Nothing)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Items<'de>, E> {
        Ok(Items::Nothing)
    }

    fn visit_str<E>(self, _: &str) -> Result<Items<'de>, E> {
        Ok(Items::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Items<'de>, E> {
        Ok(Items::Nothing)
    }
}

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(ItemsVisitor)
    }
}

/// The name of a member, copied only where it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        input.deserialize_str(NameVisitor)
    }
}
