//! `containerNumber`: the container that the tracker is mounted to, by ISO 6346.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::settings::answer::quoted;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// Owner code, category, serial number, check digit: `MSKU9070323`, without the spaces that are painted between them. An empty
/// text is none.
#[derive(Debug)]
pub struct ContainerNumber;

impl Property for ContainerNumber {
    const NAME: &'static str = "containerNumber";
    const UNSET: &'static str = "not set in the twin; messages carry none";
    const GONE: &'static str = "null or removed is no container number; \"\" takes it away";

    type Value = Option<Arc<str>>;

    fn read(value: &Value) -> Result<Option<Arc<str>>, String> {
        let shape =
            || format!("{} is not four capital letters and seven digits, as in MSKU9070323", quoted(value));
        let number = value.as_str().ok_or_else(shape)?;
        if number.is_empty() {
            return Ok(None);
        }
        let bytes = number.as_bytes();
        let (Some(letters), Some(digits)) = (bytes.get(..4), bytes.get(4..11).filter(|_| bytes.len() == 11))
        else {
            return Err(shape());
        };
        if !letters.iter().all(u8::is_ascii_uppercase) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(shape());
        }
        if !matches!(letters[3], b'U' | b'J' | b'Z') {
            return Err(format!(
                "the fourth letter of {number} is {}: ISO 6346 has U for a container, J for its equipment, Z for a trailer",
                letters[3] as char
            ));
        }
        let (given, right) = (digits[6] - b'0', check_digit(&bytes[..10]));
        if given != right {
            return Err(format!("the check digit of {number} is {given}, by ISO 6346 it must be {right}"));
        }
        Ok(Some(number.into()))
    }

    fn default(_: &Defaults) -> Option<Arc<str>> {
        None
    }

    fn write(value: &Option<Arc<str>>) -> Value {
        json!(value.as_deref().unwrap_or_default())
    }
}

/// ISO 6346, annex A. Of letters and digits, which these are.
fn check_digit(number: &[u8]) -> u8 {
    let sum: u32 = number.iter().enumerate().map(|(place, byte)| value(*byte) << place).sum();
    // Less than 10.
    (sum % 11 % 10) as u8
}

fn value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        // From 10 on, but for the multiples of 11.
        letter => {
            let place = u32::from(letter - b'A');
            10 + place + place.div_ceil(10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(number: &str) -> Result<Option<Arc<str>>, String> {
        ContainerNumber::read(&json!(number))
    }

    #[test]
    fn numbers_of_real_containers_are_right() {
        // One of them is the usual example of how the digit is found.
        for number in ["CSQU3054383", "MSKU9070323", "TOLU4734787", "HLXU2008419"] {
            assert_eq!(read(number), Ok(Some(number.into())), "{number}");
        }
        assert_eq!(read(""), Ok(None));
    }

    #[test]
    fn letters_have_the_values_of_the_standard() {
        let values: Vec<u32> = (b'A'..=b'Z').map(value).collect();
        let of_the_standard = [
            10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 34, 35, 36,
            37, 38,
        ];
        assert_eq!(values, of_the_standard);
    }

    #[test]
    fn a_wrong_number_is_told_what_is_wrong() {
        for (number, words) in [
            ("MSKU9070324", "the check digit of MSKU9070324 is 4, by ISO 6346 it must be 3"),
            (
                "MSKA9070323",
                "the fourth letter of MSKA9070323 is A: ISO 6346 has U for a container, J for its equipment, Z for a trailer",
            ),
            (
                "MSKU 907032 3",
                "\"MSKU 907032 3\" is not four capital letters and seven digits, as in MSKU9070323",
            ),
            (
                "msku9070323",
                "\"msku9070323\" is not four capital letters and seven digits, as in MSKU9070323",
            ),
            (
                "MSKU90703233",
                "\"MSKU90703233\" is not four capital letters and seven digits, as in MSKU9070323",
            ),
            ("MSK", "\"MSK\" is not four capital letters and seven digits, as in MSKU9070323"),
            ("ÄSK9070323", "\"ÄSK9070323\" is not four capital letters and seven digits, as in MSKU9070323"),
        ] {
            assert_eq!(read(number).unwrap_err(), words);
        }
        let words = ContainerNumber::read(&json!(9_070_323)).unwrap_err();
        assert_eq!(words, "9070323 is not four capital letters and seven digits, as in MSKU9070323");
    }

    #[test]
    fn one_wrong_digit_or_two_that_changed_places_are_noticed() {
        let good = b"MSKU907032";
        let right = check_digit(good);
        for place in 4..10 {
            for digit in b'0'..=b'9' {
                let mut other = *good;
                other[place] = digit;
                // 10 counts as 0, for which the standard advises against such numbers.
                let sum_is_ten = check_digit(&other) == right && digit != good[place];
                assert!(!sum_is_ten || right == 0, "{}", String::from_utf8_lossy(&other));
            }
        }
    }
}
