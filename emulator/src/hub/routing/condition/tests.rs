//! What conditions hold for, a row for each thing of the language; and what is refused, with its sentence.

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Condition, Subject, Verdict};
use crate::hub::routing::message::{MessageSource, RoutedMessage};

const BODY: &str = r#"{"temperature": 7.5, "count": 3, "ok": true, "none": null, "name": "Gouda", "list": [{"a": 1}, 2],
    "Weather": {"HistoricalData": [{"Month": "Feb"}, {"Month": "Jan"}]}, "with-dash": "x", "umlaut": "käse😀"}"#;

fn message(body: &str) -> RoutedMessage {
    RoutedMessage {
        source: MessageSource::DeviceMessages,
        device_id: "d1".into(),
        enqueued_time: DateTime::from_timestamp(1_800_000_000, 500_000_000).expect("in range"),
        system: vec![
            ("contentType".into(), "Application/JSON".into()),
            ("contentEncoding".into(), "UTF-8".into()),
            ("connectionDeviceId".into(), "d1".into()),
            ("messageId".into(), "m7".into()),
            ("dt-dataschema".into(), "dtmi:example:Tracker;1".into()),
        ],
        properties: vec![
            ("severity".into(), "2".into()),
            ("alarm".into(), "tooWarm".into()),
            ("iothub-message-schema".into(), "s".into()),
            ("$odd".into(), "1".into()),
            ("not".into(), "quoted".into()),
        ],
        body: body.to_owned().into(),
    }
}

fn twin() -> Value {
    json!({
        "tags": {"building": {"floor": "1"}, "customer": "North"},
        "properties": {"desired": {"interval": 60}, "reported": {"battery": 55}},
    })
}

fn judge(condition: &str) -> Verdict {
    let condition = Condition::parse(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    condition.judge(&Subject::new(&message(BODY), Some(&twin())))
}

const TRUE: &[&str] = &[
    "",
    "true",
    "NOT false",
    "(true)",
    // Operators.
    "1 + 2 * 3 = 7",
    "7 % 4 = 3",
    "7 / 2 = 3.5",
    "3 - 1 = 2",
    "-1 < 0",
    "0xFF = 255",
    "1 <> 2",
    "1 != 2",
    "1 <= 1",
    "2 >= 1",
    "'a' < 'b'",
    "true = true",
    "null = null",
    "false OR true AND true",
    "NOT (true AND false)",
    "'a' != 1",
    // System properties.
    "$contentType = 'Application/JSON'",
    "$CONTENTENCODING = 'UTF-8'",
    "$connectionDeviceId = 'd1'",
    "$messageId = \"m7\"",
    "$dt-dataschema = 'dtmi:example:Tracker;1'",
    "$enqueuedTime > '2027-01-15T08:00:00Z'",
    "$enqueuedTime < \"2027-01-15T09:00:01+01:00\"",
    "'2027-01-15T08:00:00.5Z' = $enqueuedTime",
    // Application properties.
    "severity = '2'",
    "SEVERITY = '2'",
    "as_number(severity) <= 2",
    "alarm = 'tooWarm' AND severity = '2'",
    "iothub-message-schema = 's'",
    "$odd = '1'",
    "[[not]] = 'quoted'",
    // The body.
    "$body.temperature > 7",
    "$body.Weather.HistoricalData[0].Month = 'Feb'",
    "$body.weather.historicaldata[1].month = 'Jan'",
    "$BODY.ok",
    "$body.list[1] = 2",
    "$body.with-dash = 'x'",
    "$body['name'] = 'Gouda'",
    "$body.temperature = 7.5 AND $body.ok",
    "$body.temperature - 0.5 = $body.count + 4",
    // The twin.
    "$twin.tags.building.floor = '1'",
    "$twin.properties.desired.interval = 60",
    "$TWIN.Properties.Reported.battery > 50",
    // Numbers.
    "ABS(-2) = 2",
    "EXP(0) = 1",
    "POWER(2, 10) = 1024",
    "SQUARE(3) = 9",
    "CEILING(1.2) = 2",
    "FLOOR(-1.2) = -2",
    "SIGN(-3) = -1",
    "SIGN(0) = 0",
    "sqrt(16) = 4",
    // Kinds.
    "AS_NUMBER('1.5') = 1.5",
    "AS_NUMBER($body.count) = 3",
    "IS_ARRAY($body.list)",
    "IS_BOOL($body.ok)",
    "IS_DEFINED($body.none)",
    "NOT IS_DEFINED($body.other)",
    "NOT is_defined(undefined)",
    "IS_NULL($body.none)",
    "IS_NUMBER($body.count)",
    "IS_OBJECT($body.weather)",
    "IS_PRIMITIVE($body.name)",
    "NOT IS_PRIMITIVE($body.list)",
    "IS_STRING(severity)",
    "NOT IS_STRING($body.other)",
    "NOT IS_PRIMITIVE($body.other) OR true",
    // Texts.
    "CONCAT('a', 'b', severity) = 'ab2'",
    "LENGTH($body.name) = 5",
    "length($body.umlaut) = 6",
    "LOWER('ÄB') = 'äb'",
    "UPPER(alarm) = 'TOOWARM'",
    "SUBSTRING('Gouda', 1) = 'ouda'",
    "SUBSTRING('Gouda', 1, 2) = 'ou'",
    "SUBSTRING('ab', 1, 9) = 'b'",
    "INDEX_OF('Gouda', 'ud') = 2",
    "INDEX_OF('a', 'b') = -1",
    "STARTS_WITH(alarm, 'too')",
    "ENDS_WITH(alarm, 'Warm')",
    "CONTAINS($body.name, 'oud')",
    r"'it''s' = 'it\'s'",
    r"'\u00e4' = 'ä'",
    r"'\\' = '\u005c'",
];

#[test]
fn what_holds() {
    for condition in TRUE {
        assert_eq!(judge(condition), Verdict::True, "{condition}");
    }
}

#[test]
fn what_does_not_hold_or_is_undefined() {
    for condition in ["false", "'text'", "5", "$body.name = 'gouda'", "$body.weather", "1 = 2", "NOT true"] {
        assert_eq!(judge(condition), Verdict::False, "{condition}");
    }
    for condition in [
        "undefined",
        "severity = 2",
        "null",
        "$body.other",
        "$body.other > 1",
        "$body.other != 1",
        "$body.list[7] = 1",
        "$body[0] = 1",
        "other = 'x'",
        "$other = 'x'",
        "1 < 'a'",
        "'a' + 'b' = 'ab'",
        "1 / 0 = 1",
        "SQRT(-1) = 1",
        "AS_NUMBER('x') = 1",
        "AS_NUMBER('inf') > 1",
        "ABS('1') = 1",
        "LENGTH(5) = 1",
        "CONCAT('a', 1) = 'a1'",
        "SUBSTRING('a', 5) = ''",
        "SUBSTRING('a', -1) = 'a'",
        "STARTS_WITH(1, 'a')",
        "NOT $body.other",
        "-severity = -2",
        "$twin.tags.other = 1",
        "$connectionModuleId = 'm'",
    ] {
        assert_eq!(judge(condition), Verdict::Undefined, "{condition}");
    }
    let without_twin = Condition::parse("$twin.tags.customer = 'North'").expect("a condition");
    assert_eq!(without_twin.judge(&Subject::new(&message(BODY), None)), Verdict::Undefined);
}

#[test]
fn a_body_is_looked_into_where_it_says_what_it_is() {
    let condition = Condition::parse("$body.ok").expect("a condition");
    for (content_type, encoding, holds) in [
        ("application/json", Some("utf-8"), true),
        ("application/json; charset=utf-8", None, true),
        ("application/json", None, false),
        ("text/plain", Some("utf-8"), false),
        ("application/json", Some("utf-16"), false),
        ("application/json", Some("gzip"), false),
    ] {
        let mut message = message(BODY);
        message.system = vec![("contentType".into(), content_type.into())];
        message.system.extend(encoding.map(|encoding| ("contentEncoding".into(), encoding.to_owned())));
        let verdict = condition.judge(&Subject::new(&message, None));
        assert_eq!(verdict == Verdict::True, holds, "{content_type} {encoding:?}");
    }
    for body in ["", "{", "[{\"ok\": true}]", "true", "\u{feff}{}"] {
        assert_eq!(condition.judge(&Subject::new(&message(body), None)), Verdict::Undefined, "{body:?}");
    }
}

#[test]
fn what_is_not_of_the_language_is_refused_with_a_sentence() {
    for (condition, why) in [
        ("severity = ", "ends too early"),
        ("severity == '2'", "\"=\" is not expected"),
        ("severity IN ['1', '2']", "\"IN\" is not expected"),
        ("severity & 1", "the character '&' is not expected"),
        ("a || b", "the character '|' is not expected"),
        ("{$contentType} = 'x'", "the character '{' is not expected"),
        ("(true", "a parenthesis is not closed"),
        ("true)", "\")\" is not expected"),
        ("'open", "does not end"),
        ("REGEX(severity)", "REGEX() is not a function"),
        ("TWIN_CHANGE_INCLUDES(a)", "TWIN_CHANGE_INCLUDES() is not a function"),
        ("ABS()", "ABS() takes 1 arguments, not 0"),
        ("SUBSTRING('a')", "takes 2 to 3 arguments"),
        ("$body = 1", "$body needs a path"),
        ("$twin.deviceId = 'd1'", "not in a twin's reach"),
        ("$twin.tags = 1", "not in a twin's reach"),
        ("tags.customer = 'x'", "a path begins with $body or $twin"),
        ("$enqueuedTime > 'yesterday'", "needs a time"),
        ("$enqueuedTime > 5", "needs a time"),
        ("SELECT * FROM devices", "\"devices\" is not expected"),
        ("0x100000000 = 1", "not a number of 32 bits"),
        ("[1, 2] = 1", "\"[\" is not expected"),
    ] {
        let error = Condition::parse(condition).expect_err(condition);
        assert!(error.contains(why), "{condition}: {error}");
    }
}

#[test]
fn what_is_meant_to_harm_is_refused_or_costs_little() {
    let refused = |text: String, why: &str| {
        let error = Condition::parse(&text).expect_err("refused");
        assert!(error.contains(why), "{error}");
    };
    refused("x".repeat(8193), "more than 8192 characters");
    refused("(".repeat(8000), "nested too deep");
    refused("-".repeat(8000), "nested too deep");
    refused("NOT ".repeat(2000), "nested too deep");
    refused("ABS(".repeat(2000), "nested too deep");
    refused(format!("1{}", "+1".repeat(1001)), "more than 1000 operators");
    refused(format!("$body{}", ".a".repeat(40)), "more than 32 names");
    assert_eq!(judge(&format!("1{} = 1000", "+1".repeat(999))), Verdict::True, "on the stack of a thread");
    // 2 to the power of 60 characters, if they were made.
    let mut text = "'x'".to_owned();
    for _ in 0..6 {
        text = format!("CONCAT({})", [text.as_str(); 3].join(","));
    }
    assert_eq!(judge(&format!("LENGTH({text}) = 729")), Verdict::True);
    let long = format!("{{\"a\": \"{}\"}}", "y".repeat(200_000));
    let condition = Condition::parse("IS_DEFINED(CONCAT($body.a,$body.a,$body.a,$body.a,$body.a,$body.a))")
        .expect("a condition");
    assert_eq!(
        condition.judge(&Subject::new(&message(&long), None)),
        Verdict::False,
        "more than a megabyte is undefined"
    );
}

proptest! {
    #[test]
    fn no_text_harms(text in "\\PC{0,200}", body in "\\PC{0,50}") {
        if let Ok(condition) = Condition::parse(&text) {
            condition.judge(&Subject::new(&message(&body), Some(&twin())));
        }
    }

    #[test]
    fn no_likely_text_harms(words in proptest::collection::vec(
        proptest::sample::select(vec![
            "(", ")", "'a'", "1", "0x", "$body.", "$twin.tags.a", "$enqueuedTime", "=", "<", "-", "NOT", "AND", "[0]", "[[a]]",
            "CONCAT(", ",", "SUBSTRING(", "'ä\\u00", "undefined", "null", "a-b", ".", "%", "/",
        ]), 0..30)) {
        if let Ok(condition) = Condition::parse(&words.join(" ")) {
            condition.judge(&Subject::new(&message(BODY), Some(&twin())));
        }
        let _ = Condition::parse(&words.concat());
    }

    #[test]
    fn numbers_compare_as_numbers_do(a in -1000_i32..1000, b in -1000_i32..1000) {
        let holds = |operator: &str| judge(&format!("{a} {operator} {b}")) == Verdict::True;
        prop_assert_eq!(holds("<"), a < b);
        prop_assert_eq!(holds(">="), a >= b);
        prop_assert_eq!(holds("="), a == b);
        prop_assert_eq!(holds("<>"), a != b);
        prop_assert_eq!(judge(&format!("{a} + {b} = {}", a + b)), Verdict::True);
    }
}
