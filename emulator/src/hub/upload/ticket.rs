//! What a device is told of the place for its file, and what it tells when it is done.

use serde::{Deserialize, Serialize};

/// Where a device may put its file, in the parts of a URI:
/// `https://{hostName}/{containerName}/{blobName}{sasToken}`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UploadTicket {
    pub correlation_id: String,
    /// With its port, if that is not 443.
    pub host_name: String,
    pub container_name: String,
    /// The device ID, a slash, and the name that the device has chosen.
    pub blob_name: String,
    /// Begins with `?`.
    pub sas_token: String,
}

/// How an upload ended. What the storage's last answer was, devices tell as well; nobody asks for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UploadEnd {
    /// Empty where the path of the call has it.
    #[serde(default)]
    pub correlation_id: String,
    pub is_success: bool,
}
