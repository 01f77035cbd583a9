//! The one way to write a JSON object, RFC 8785 (JCS): members by name, no white space, numbers as ECMAScript writes them.
//!
//! What a hub has received is parsed and written anew on its way to whoever verifies it, by programs that know nothing of
//! us. What they must keep is what it says; by which bytes it says it is decided here, at both ends.
//!
//! A reading of the agent is nearly so already. Nothing of it is parsed into numbers and written again but what is not.

use std::borrow::Cow;
use std::fmt::Write;

/// Objects and arrays in each other, at the most.
const DEEPEST: u32 = 16;
/// Digits that a double keeps, whatever they are.
const EXACT_DIGITS: usize = 15;

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// What its name says.
    pub name: Cow<'a, str>,
    /// The text of its value.
    pub value: &'a str,
    /// Both as they stand, where the name is the canonical one and there is no white space.
    whole: Option<&'a str>,
    /// The first bytes of the name, by which most are told apart.
    start: u64,
}

/// Appends the canonical form of one JSON value. `None` where it is none, or one that not all readers of JSON understand
/// alike: a name twice in an object, a number beyond a double.
pub fn write(text: &str, out: &mut String) -> Option<()> {
    value(text.trim_ascii(), out, DEEPEST)
}

/// As [`write()`], of an object whose members are these; they are put into the canonical order.
pub fn write_object(members: &mut [Member<'_>], out: &mut String) -> Option<()> {
    object(members, out, DEEPEST - 1)
}

/// The members of an object, in their order. `None` where the text is none.
pub fn members(text: &str) -> Option<Vec<Member<'_>>> {
    let text = text.trim_ascii();
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'{') {
        return None;
    }
    let mut members = Vec::with_capacity(16);
    let mut at = skip_space(bytes, 1);
    if bytes.get(at..)? == b"}" {
        return Some(members);
    }
    loop {
        let (name_at, (name_end, is_plain)) = (at, string_end(bytes, at)?);
        let colon = skip_space(bytes, name_end);
        if *bytes.get(colon)? != b':' {
            return None;
        }
        let value_at = skip_space(bytes, colon + 1);
        let end = value_end(bytes, value_at)?;
        let value = text.get(value_at..end)?.trim_ascii_end();
        let name = text.get(name_at..name_end)?;
        let whole = text.get(name_at..value_at + value.len());
        let name = if is_plain { Cow::Borrowed(name.get(1..name.len() - 1)?) } else { decoded(name)? };
        members.push(Member {
            start: start(&name),
            name,
            value,
            whole: whole.filter(|_| is_plain && name_end == colon && colon + 1 == value_at),
        });
        match bytes[end] {
            b',' => at = skip_space(bytes, end + 1),
            b'}' if end + 1 == bytes.len() => return Some(members),
            _ => return None,
        }
    }
}

fn start(name: &str) -> u64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    u64::from_be_bytes(bytes)
}

/// What a JSON string says.
pub fn decoded(string: &str) -> Option<Cow<'_, str>> {
    let inner = string.strip_prefix('"')?.strip_suffix('"')?;
    if !is_plain(inner) {
        return serde_json::from_str(string).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Whether text stands in a JSON string as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte != b'\\' && byte != b'"' && byte >= b' ')
}

fn value(text: &str, out: &mut String, depth: u32) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match text.as_bytes().first()? {
        b'{' => object(&mut members(text)?, out, depth),
        b'[' => array(text, out, depth),
        b'"' => string(text, out),
        b'-' | b'0'..=b'9' => number(text, out),
        _ => ["true", "false", "null"].contains(&text).then(|| out.push_str(text)),
    }
}

/// Whether a value stands as it is in the canonical form, as far as can be seen at once.
fn is_canonical(text: &str) -> bool {
    match text.as_bytes() {
        [b'"', .., b'"'] => is_plain(&text[1..text.len() - 1]),
        [b'-' | b'0'..=b'9', ..] => short(text).is_some_and(|short| short.len() == text.len()),
        _ => false,
    }
}

fn object(members: &mut [Member<'_>], out: &mut String, depth: u32) -> Option<()> {
    // By code units of UTF-16, which is by bytes where all is ASCII.
    if members.iter().all(|member| member.name.is_ascii()) {
        members.sort_unstable_by(|one, other| {
            one.start.cmp(&other.start).then_with(|| one.name.cmp(&other.name))
        });
    } else {
        members.sort_by(|one, other| one.name.encode_utf16().cmp(other.name.encode_utf16()));
    }
    if members.windows(2).any(|pair| pair[0].name == pair[1].name) {
        return None;
    }
    out.push('{');
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if let Some(whole) = member.whole.filter(|_| is_canonical(member.value)) {
            out.push_str(whole);
            continue;
        }
        quoted(&member.name, out)?;
        out.push(':');
        value(member.value, out, depth)?;
    }
    out.push('}');
    Some(())
}

fn array(text: &str, out: &mut String, depth: u32) -> Option<()> {
    let mut rest = text.strip_prefix('[')?.trim_ascii_start();
    out.push('[');
    while rest != "]" {
        let (item, after) = rest.split_at(value_end(rest.as_bytes(), 0)?);
        value(item.trim_ascii_end(), out, depth)?;
        rest = match after.as_bytes().first()? {
            b',' => {
                out.push(',');
                let rest = after[1..].trim_ascii_start();
                (rest != "]").then_some(rest)?
            }
            b']' if after.len() == 1 => after,
            _ => return None,
        };
    }
    out.push(']');
    Some(())
}

fn string(text: &str, out: &mut String) -> Option<()> {
    match decoded(text)? {
        Cow::Borrowed(_) => out.push_str(text),
        Cow::Owned(decoded) => quoted(&decoded, out)?,
    }
    Some(())
}

fn quoted(text: &str, out: &mut String) -> Option<()> {
    if is_plain(text) {
        for part in ["\"", text, "\""] {
            out.push_str(part);
        }
    } else {
        out.push_str(&serde_json::to_string(text).ok()?);
    }
    Some(())
}

fn number(text: &str, out: &mut String) -> Option<()> {
    if let Some(short) = short(text) {
        out.push_str(short);
        return Some(());
    }
    // The grammar of JSON is narrower than that of Rust.
    serde_json::from_str::<&serde_json::value::RawValue>(text).ok()?;
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    ecmascript(number, out);
    Some(())
}

/// The number as it stands, but for zeros at its end, where it is plain that ECMAScript writes it so.
fn short(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let point = digits.iter().position(|byte| *byte == b'.');
    let (whole, fraction) =
        point.map_or((digits, &b"0"[..]), |point| (&digits[..point], &digits[point + 1..]));
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let leads = whole.len() > 1 && whole[0] == b'0';
    // Below a millionth there are exponents, and zero has no sign.
    let small = whole == b"0" && fraction.iter().take(5).all(|byte| *byte == b'0');
    if !is_number(whole)
        || !is_number(fraction)
        || leads
        || (small && text != "0")
        || whole.len() + fraction.len() > EXACT_DIGITS
    {
        return None;
    }
    let zeros = fraction.iter().rev().take_while(|byte| **byte == b'0').count();
    // With all of its fraction the point goes.
    let rest = point.map_or(0, |_| zeros + usize::from(zeros == fraction.len()));
    text.get(..text.len() - rest)
}

/// As ECMA-262 writes a number (`Number::toString`).
fn ecmascript(number: f64, out: &mut String) {
    if number == 0.0 {
        out.push('0');
        return;
    }
    // The shortest digits, and the power of ten.
    let scientific = format!("{:e}", number.abs());
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = digits.replace('.', "");
    let (count, point) = (digits.len() as i32, power.parse::<i32>().unwrap_or(0) + 1);
    if number < 0.0 {
        out.push('-');
    }
    let zeros = |count: i32| "0".repeat(count.max(0) as usize);
    // Writing to memory does not fail.
    let _ = if (count..=21).contains(&point) {
        write!(out, "{digits}{}", zeros(point - count))
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at(point as usize);
        write!(out, "{whole}.{fraction}")
    } else if (-5..=0).contains(&point) {
        write!(out, "0.{}{digits}", zeros(-point))
    } else {
        let (first, more) = digits.split_at(1);
        let dot = if more.is_empty() { "" } else { "." };
        let sign = if point > 0 { "+" } else { "-" };
        write!(out, "{first}{dot}{more}e{sign}{}", (point - 1).abs())
    };
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Where the string that begins at `at` ends, and whether it stands there as it is read.
fn string_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    if *bytes.get(at)? != b'"' {
        return None;
    }
    let mut is_plain = true;
    loop {
        at += 1;
        match bytes.get(at)? {
            b'"' => return Some((at + 1, is_plain)),
            b'\\' => {
                is_plain = false;
                at += 1;
            }
            byte => is_plain &= *byte >= b' ',
        }
    }
}

/// Where the value that begins at `from` ends, and what follows begins.
fn value_end(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut open) = (from, 0_u32);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?.0;
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' if open > 0 => open -= 1,
            b',' | b'}' | b']' if open == 0 => return (at > from).then_some(at),
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn canonical(text: &str) -> Option<String> {
        let mut out = String::new();
        write(text, &mut out).map(|()| out)
    }

    #[test]
    fn the_example_of_the_rfc() {
        let text = r#"{ "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false] }"#;
        let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
        assert_eq!(canonical(text).as_deref(), Some(expected));
    }

    #[test]
    fn a_number_is_written_in_one_way() {
        for (text, expected) in [
            ("4.0", "4"),
            ("-4.50", "-4.5"),
            ("0.0", "0"),
            ("-0.0", "0"),
            ("-0", "0"),
            ("100", "100"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("1e2", "100"),
            ("1e21", "1e+21"),
            ("0.1234567", "0.1234567"),
            ("90000000000000000000", "90000000000000000000"),
            ("0.00001234", "0.00001234"),
            ("9007199254740993", "9007199254740992"),
            ("5e-324", "5e-324"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_or_says_two_things_is_none() {
        for bad in [
            "",
            "{",
            "{}x",
            "{\"a\":1,}",
            "{\"a\":1,\"a\":2}",
            "{\"a\"}",
            "[1,]",
            "[1 2]",
            "01",
            "1.",
            ".5",
            "+1",
            "1e999",
            "nul",
            "\"a",
            "\"\u{1}\"",
            "{\"a\":1}}",
            "{a:1}",
            "- 1",
            "[1,,2]",
            "{\"a\":,\"b\":1}",
            "inf",
            "{\"a\":1 \"b\":2}",
        ] {
            assert_eq!(canonical(bad), None, "{bad}");
        }
        let deep = "[".repeat(17) + &"]".repeat(17);
        assert_eq!(canonical(&deep), None);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            // Fifteen digits, as the agent's numbers have at the most; of more not every program keeps all.
            (-1e6..1e6_f64).prop_map(|number| json!((number * 1e7).round() / 1e7)),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn who_writes_it_anew_changes_nothing(value in value()) {
            let (short, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).unwrap());
            let written = canonical(&short).unwrap();
            prop_assert_eq!(Some(written.clone()), canonical(&pretty));
            prop_assert_eq!(canonical(&written), Some(written.clone()));
            // Whole numbers may have lost their point, and nothing else.
            let again: Value = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(canonical(&again.to_string()), Some(written));
        }

        #[test]
        fn nothing_breaks_it(text in "[\\[\\]{}\",:0-9.eE+\\\\ntrufalse-]{0,40}") {
            if canonical(&text).is_some() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}
