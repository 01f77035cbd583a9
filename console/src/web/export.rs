//! Readings as files, written while they are read: a year has no room in memory.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::channel::{Channel, Sender};

use super::input::Parameters;
use super::refusal::Refusal;
use super::site::Site;
use crate::history::Exported;

/// Readings that are read at a time.
const PAGE: usize = 2000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    JsonLines,
}

/// Readings as CSV.
#[cfg_attr(test, utoipa::path(get, path = "/api/devices/{id}/export.csv", params(("id" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query)), responses((status = 200, content_type = "text/csv", body = String))))]
pub(super) async fn csv(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Refusal> {
    export(site, id, &parameters, Form::Csv)
}

/// Readings as lines of JSON, each as the device sent it.
#[cfg_attr(test, utoipa::path(get, path = "/api/devices/{id}/export.jsonl", params(("id" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query)), responses((status = 200, content_type = "application/jsonl", body = String))))]
pub(super) async fn json_lines(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Refusal> {
    export(site, id, &parameters, Form::JsonLines)
}

fn export(site: Arc<Site>, id: String, parameters: &Parameters, form: Form) -> Result<Response, Refusal> {
    let (from, to) = parameters.only(&["from", "to"])?.span(site.now())?;
    let (kind, extension) = match form {
        Form::Csv => ("text/csv; charset=utf-8", "csv"),
        Form::JsonLines => ("application/jsonl", "jsonl"),
    };
    let name = file_name(&id, extension);
    let (sender, body) = Channel::<Bytes, Infallible>::new(2);
    tokio::spawn(write(site, id, (from, to), form, sender));
    let mut response = Body::new(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// A name for a file that no file system and no header takes amiss, whatever the device is called.
fn file_name(id: &str, extension: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let name: String = id.chars().take(100).map(plain).collect();
    format!("{name}.{extension}")
}

/// Writes page by page, as fast as the reader takes them. A history that fails ends the file before its time.
async fn write(
    site: Arc<Site>,
    id: String,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    form: Form,
    mut sender: Sender<Bytes, Infallible>,
) {
    let mut text = if form == Form::Csv { Exported::HEADER.to_owned() } else { String::new() };
    let mut after = None;
    loop {
        let device = id.clone();
        let page = site.query(move |history| history.readings(&device, from, to, after, PAGE)).await;
        let Ok((readings, next)) = page else { return };
        for reading in &readings {
            match form {
                Form::Csv => reading.csv(&mut text),
                Form::JsonLines => {
                    text += &serde_json::to_string(reading).unwrap_or_default();
                    text.push('\n');
                }
            }
        }
        if !text.is_empty() && sender.send_data(std::mem::take(&mut text).into()).await.is_err() {
            return;
        }
        after = next;
        if after.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_device_whatever_that_is_called() {
        assert_eq!(file_name("sensor-thl-001", "csv"), "sensor-thl-001.csv");
        assert_eq!(file_name("../\"<b>\r\né", "jsonl"), "_____b____.jsonl");
        assert!(file_name(&"x".repeat(500), "csv").len() < 110);
    }
}
