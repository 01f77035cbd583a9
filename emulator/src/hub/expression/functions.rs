//! The functions of conditions and queries. Texts are counted in UTF-16, as .NET does, and so does Azure.

use std::{borrow::Cow, ops::RangeInclusive};

use serde_json::Value;

use super::number::number;

/// The longest text that a function gives, in bytes; a longer one is undefined. Four times a message.
const MAX_TEXT: usize = 1024 * 1024;

/// A function by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Function {
    Abs,
    Exp,
    Power,
    Square,
    Ceiling,
    Floor,
    Sign,
    Sqrt,
    AsNumber,
    IsArray,
    IsBool,
    IsDefined,
    IsNull,
    IsNumber,
    IsObject,
    IsPrimitive,
    IsString,
    Concat,
    Length,
    Lower,
    Upper,
    Substring,
    IndexOf,
    StartsWith,
    EndsWith,
    Contains,
    ArrayContains,
}

use Function::{
    Abs, ArrayContains, AsNumber, Ceiling, Concat, Contains, EndsWith, Exp, Floor, IndexOf, IsArray, IsBool,
    IsDefined, IsNull, IsNumber, IsObject, IsPrimitive, IsString, Length, Lower, Power, Sign, Sqrt, Square,
    StartsWith, Substring, Upper,
};

/// Name, function, and how many arguments it takes.
const FUNCTIONS: [(&str, Function, RangeInclusive<usize>); 29] = [
    ("abs", Abs, 1..=1),
    ("exp", Exp, 1..=1),
    ("power", Power, 2..=2),
    ("square", Square, 1..=1),
    ("ceiling", Ceiling, 1..=1),
    ("floor", Floor, 1..=1),
    ("sign", Sign, 1..=1),
    ("sqrt", Sqrt, 1..=1),
    ("as_number", AsNumber, 1..=1),
    ("is_array", IsArray, 1..=1),
    ("is_bool", IsBool, 1..=1),
    ("is_defined", IsDefined, 1..=1),
    ("is_null", IsNull, 1..=1),
    ("is_number", IsNumber, 1..=1),
    ("is_object", IsObject, 1..=1),
    ("is_primitive", IsPrimitive, 1..=1),
    ("is_string", IsString, 1..=1),
    ("concat", Concat, 2..=100),
    ("length", Length, 1..=1),
    ("lower", Lower, 1..=1),
    ("upper", Upper, 1..=1),
    ("substring", Substring, 2..=3),
    ("index_of", IndexOf, 2..=2),
    ("starts_with", StartsWith, 2..=2),
    // As queries of Azure Cosmos DB spell them, and people with them.
    ("startswith", StartsWith, 2..=2),
    ("endswith", EndsWith, 2..=2),
    ("ends_with", EndsWith, 2..=2),
    ("contains", Contains, 2..=2),
    // az asks with it for the devices below an edge device.
    ("array_contains", ArrayContains, 2..=2),
];

impl Function {
    /// The function of this name, in any case, and how many arguments it takes.
    pub(super) fn named(name: &str) -> Option<(Self, RangeInclusive<usize>)> {
        let found = FUNCTIONS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
        found.map(|(_, function, arguments)| (*function, arguments.clone()))
    }

    /// What it gives for these arguments, of which `None` is undefined.
    pub(super) fn call(self, arguments: &[Option<Cow<'_, Value>>]) -> Option<Value> {
        let argument = |place: usize| arguments.get(place).and_then(Option::as_deref);
        let first = argument(0);
        let is = |kind: fn(&Value) -> bool| Some(Value::from(first.is_some_and(kind)));
        match self {
            IsDefined => Some(first.is_some().into()),
            IsArray => is(Value::is_array),
            IsBool => is(Value::is_boolean),
            IsNull => is(Value::is_null),
            IsNumber => is(Value::is_number),
            IsObject => is(Value::is_object),
            IsString => is(Value::is_string),
            IsPrimitive => is(|value| !value.is_array() && !value.is_object()),
            AsNumber => match first? {
                Value::String(text) => number(text.trim().parse().ok()?),
                value => value.is_number().then(|| value.clone()),
            },
            Concat => {
                let texts: Option<Vec<&str>> =
                    arguments.iter().map(|argument| argument.as_ref()?.as_str()).collect();
                text(texts?.concat())
            }
            Length => Some(first?.as_str()?.encode_utf16().count().into()),
            Lower => text(first?.as_str()?.to_lowercase()),
            Upper => text(first?.as_str()?.to_uppercase()),
            Substring => {
                let length = match arguments.get(2) {
                    None => usize::MAX,
                    Some(length) => count(length.as_ref()?)?,
                };
                substring(first?.as_str()?, count(argument(1)?)?, length)
            }
            IndexOf => {
                let (whole, part) = (first?.as_str()?, argument(1)?.as_str()?);
                let place = whole.find(part).map(|place| whole[..place].encode_utf16().count() as i64);
                Some(place.unwrap_or(-1).into())
            }
            StartsWith => Some(first?.as_str()?.starts_with(argument(1)?.as_str()?).into()),
            EndsWith => Some(first?.as_str()?.ends_with(argument(1)?.as_str()?).into()),
            Contains => Some(first?.as_str()?.contains(argument(1)?.as_str()?).into()),
            ArrayContains => Some(first?.as_array()?.contains(argument(1)?).into()),
            Power => number(first?.as_f64()?.powf(argument(1)?.as_f64()?)),
            Abs | Exp | Square | Ceiling | Floor | Sign | Sqrt => number(self.of_number(first?.as_f64()?)),
        }
    }

    fn of_number(self, x: f64) -> f64 {
        match self {
            Abs => x.abs(),
            Exp => x.exp(),
            Square => x * x,
            Ceiling => x.ceil(),
            Floor => x.floor(),
            Sqrt => x.sqrt(),
            _ if x == 0.0 => 0.0,
            _ => x.signum(),
        }
    }
}

/// From a place, the first of which is 0, so many characters, or all the rest. Undefined where there is none so far.
fn substring(whole: &str, start: usize, length: usize) -> Option<Value> {
    let units: Vec<u16> = whole.encode_utf16().collect();
    let rest = units.get(start..)?;
    String::from_utf16(&rest[..length.min(rest.len())]).ok().map(Value::String)
}

/// A whole number that is not negative.
fn count(value: &Value) -> Option<usize> {
    Some(value.as_f64()?).filter(|x| *x >= 0.0 && x.fract() == 0.0).map(|x| x as usize)
}

fn text(text: String) -> Option<Value> {
    (text.len() <= MAX_TEXT).then_some(Value::String(text))
}
