//! JSON given on the command line: as it is, or as the name of a file.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use crate::cli::text_file;

/// As deep as Azure lets a twin be.
const DEEPEST: usize = 10;

/// Reads JSON that was given as text, as `@FILE`, or as the name of a file that exists.
pub(super) fn json(option: &str, text: &str) -> anyhow::Result<Value> {
    let text = text.trim_start_matches('\u{feff}');
    let inline = serde_json::from_str::<Value>(text);
    let path = match (text.strip_prefix('@'), &inline) {
        (Some(path), _) => Path::new(path),
        (None, Ok(value)) => return Ok(value.clone()),
        (None, Err(_)) => Path::new(text),
    };
    match text_file::read(path) {
        Ok(content) if content.trim().is_empty() => bail!("{option}: {} is empty", path.display()),
        Ok(content) => serde_json::from_str(&content)
            .with_context(|| format!("{option}: {} is not JSON", path.display())),
        Err(error) if text.starts_with('@') || error.kind() == ErrorKind::InvalidData => {
            Err(error).with_context(|| format!("{option}: can't read {}", path.display()))
        }
        Err(_) => {
            inline.with_context(|| format!("{option}: {text:?} is neither JSON nor the name of a file"))
        }
    }
}

/// The same for an object.
pub(super) fn object(option: &str, text: &str) -> anyhow::Result<Map<String, Value>> {
    match json(option, text)? {
        Value::Object(object) => Ok(object),
        other => bail!("{option}: {other} is no JSON object, like {{\"name\": \"value\"}}"),
    }
}

/// The same, or `name=value`, where a dot leads into an object and a value that is not JSON is a text.
pub(super) fn assignments(option: &str, text: &str) -> anyhow::Result<Map<String, Value>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let Some((path, value)) =
        text.split_once('=').filter(|(path, _)| !path.is_empty() && path.chars().all(is_name))
    else {
        return object(option, text);
    };
    let mut value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    let mut names = path.split('.').rev();
    let first = names.next_back().unwrap_or_default();
    if first.is_empty() || path.split('.').count() > DEEPEST || path.split('.').any(str::is_empty) {
        bail!("{option}: {path:?} is no name, like telemetryInterval or delivery.gzip");
    }
    for name in names {
        value = Value::Object(Map::from_iter([(name.to_owned(), value)]));
    }
    Ok(Map::from_iter([(first.to_owned(), value)]))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_and_files_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("twin.json");
        std::fs::write(&file, r#"{"a": 1}"#).unwrap();
        let with_mark = directory.path().join("mark.json");
        std::fs::write(&with_mark, "\u{feff}{\"a\": 1}").unwrap();
        assert_eq!(json("--x", with_mark.to_str().unwrap()).unwrap(), json!({"a": 1}));
        let wide = directory.path().join("wide.json");
        std::fs::write(&wide, b"\xff\xfe{\0}\0").unwrap();
        for given in [wide.to_str().unwrap(), &format!("@{}", wide.display())] {
            let error = format!("{:#}", json("--x", given).unwrap_err());
            assert!(error.contains("wide.json") && error.contains("UTF-16; convert it"), "{error}");
        }
        let empty = directory.path().join("empty.json");
        std::fs::write(&empty, "\n").unwrap();
        let error = json("--x", empty.to_str().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), format!("--x: {} is empty", empty.display()));
        let file = file.to_str().unwrap();
        assert_eq!(json("--x", "\"text\"").unwrap(), json!("text"));
        assert_eq!(json("--x", file).unwrap(), json!({"a": 1}));
        assert_eq!(json("--x", &format!("@{file}")).unwrap(), json!({"a": 1}));
        let error = format!("{:#}", json("--x", "{a: 1}").unwrap_err());
        assert!(error.starts_with("--x: \"{a: 1}\" is neither JSON nor"), "{error}");
        assert!(object("--x", "7").unwrap_err().to_string().contains("7 is no JSON object"));
        assert!(format!("{:#}", json("--x", "@/nowhere").unwrap_err()).contains("/nowhere"));
    }

    #[test]
    fn one_value_needs_no_json() {
        let read =
            |text| assignments("--desired", text).map(Value::Object).map_err(|error| error.to_string());
        assert_eq!(read("telemetryInterval=2"), Ok(json!({"telemetryInterval": 2})));
        assert_eq!(read("a.b.c=two words"), Ok(json!({"a": {"b": {"c": "two words"}}})));
        assert_eq!(read("a=null"), Ok(json!({"a": null})));
        assert_eq!(read("{\"a\": \"x=y\"}"), Ok(json!({"a": "x=y"})));
        assert!(read("a..b=1").unwrap_err().contains("is no name"));
        assert!(read("=1").unwrap_err().contains("neither JSON nor the name of a file"));
    }
}
