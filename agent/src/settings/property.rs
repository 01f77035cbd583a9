//! What every desired property has in common, and the one function that answers them all.

use serde_json::{Map, Value};
use tracker_protocol::hub::AckCode;

use crate::settings::answer::{Answer, Standing};
use crate::settings::defaults::Defaults;

/// A desired property that this version gives a meaning.
pub trait Property {
    /// Its name in the twin.
    const NAME: &'static str;
    /// Told when the twin has never set it.
    const UNSET: &'static str = "not set in the twin; the configuration's value is in force";
    /// Told when the twin had set it and does not any more; what stays in force is told beside it.
    const GONE: &'static str;

    /// What it sets.
    type Value;

    /// Understands what the twin, or the file of settings, holds; an error is a sentence that says what would be right, and
    /// quotes no more of the value than needed.
    fn read(value: &Value) -> Result<Self::Value, String>;

    /// What holds as long as the twin has never set it.
    fn default(defaults: &Defaults) -> Self::Value;

    /// As JSON that [`Property::read`] understands, complete: what is stored.
    fn write(value: &Self::Value) -> Value;

    /// As it is reported: what is in force now that `value` is set.
    fn in_force(value: &Self::Value) -> Value {
        Self::write(value)
    }

    /// How a good value is answered.
    fn applied(_value: &Self::Value) -> (AckCode, String) {
        (AckCode::Applied, "applied".into())
    }
}

/// The last good value of every property that the twin has set, as [`Property::write`] gives it.
pub(super) type Set = Map<String, Value>;

/// A [`Property`] without its type.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// Understands what is stored, and gives it as it is stored now.
    pub(super) load: fn(&Value) -> Result<Value, String>,
    pub(super) answer: fn(&mut Set, Option<&Value>, u64, &Defaults) -> Answer,
}

impl Row {
    pub(super) const fn of<P: Property>() -> Self {
        Self { name: P::NAME, load: |value| P::read(value).map(|good| P::write(&good)), answer: answer::<P> }
    }
}

/// What holds: what the twin has set, or the default.
pub(super) fn value<P: Property>(set: &Set, defaults: &Defaults) -> P::Value {
    set.get(P::NAME).and_then(|value| P::read(value).ok()).unwrap_or_else(|| P::default(defaults))
}

/// Takes what the twin wants of one property, and answers it with the value then in force.
///
/// | in the twin | answer | then in force |
/// |---|---|---|
/// | a good value | 200, or what the property says | that value |
/// | a bad one | 400 and why | what was |
/// | gone, or null | 400 | what was |
/// | never set | 203, version 0 | the default |
pub(super) fn answer<P: Property>(
    set: &mut Set,
    desired: Option<&Value>,
    version: u64,
    defaults: &Defaults,
) -> Answer {
    let is_gone = desired.is_none_or(Value::is_null) && set.contains_key(P::NAME);
    let (code, version, description) = match desired.filter(|value| !value.is_null()).map(P::read) {
        Some(Ok(good)) => {
            set.insert(P::NAME.to_owned(), P::write(&good));
            let (code, description) = P::applied(&good);
            (code, version, description)
        }
        Some(Err(why)) => (AckCode::Bad, version, why),
        None if is_gone => (AckCode::Bad, version, P::GONE.to_owned()),
        None => (AckCode::Default, 0, P::UNSET.to_owned()),
    };
    let in_force = P::in_force(&value::<P>(set, defaults));
    let standing = if is_gone { Standing::Removed } else { Standing::Meaningful };
    Answer::new(P::NAME, in_force, code, version, description).standing(standing)
}
