//! The blobs of a container, page by page.

use super::refusal::{HTTP_TIME, escaped, xml};
use crate::{
    rest::{answer::Answer, call::Call},
    storage::{ContainerName, Storage, StorageError},
};

/// The largest page, as at Azure.
const MAX_PAGE: usize = 5000;

pub(super) fn list(
    storage: &Storage,
    container: &ContainerName,
    call: &Call,
) -> Result<Answer, StorageError> {
    let refuse = |why: &str| StorageError::new(400, "InvalidQueryParameterValue", why);
    if call.parameter("delimiter").is_some_and(|delimiter| !delimiter.is_empty()) {
        return Err(StorageError::not_implemented("lists with a delimiter"));
    }
    let count = match call.parameter("maxresults") {
        None => MAX_PAGE,
        Some(text) => text.parse().map_err(|_| refuse("maxresults has to be a number"))?,
    };
    if !(1..=MAX_PAGE).contains(&count) {
        return Err(refuse("maxresults has to be 1 to 5000"));
    }
    let prefix = call.parameter("prefix").unwrap_or_default();
    // The marker is the last name that was shown.
    let after = call.parameter("marker").unwrap_or_default();
    let mut rest = storage.list(container, prefix)?.into_iter().filter(|(name, ..)| name.as_str() > after);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"{}\"><Prefix>{}</Prefix><Blobs>",
        container.as_str(),
        escaped(prefix)
    );
    let mut last = String::new();
    for (name, size, modified) in rest.by_ref().take(count) {
        let modified = modified.format(HTTP_TIME);
        text += &format!(
            "<Blob><Name>{}</Name><Properties><Last-Modified>{modified}</Last-Modified>\
             <Content-Length>{size}</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>",
            escaped(&name)
        );
        last = name;
    }
    let next = if rest.next().is_some() { escaped(&last) } else { String::new() };
    text += &format!("</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>");
    Ok(xml(200, text))
}
