//! Shared access signatures: who calls, until when, signed with the key of a policy.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;

use super::connection_string::ConnectionString;

/// Everything but what RFC 3986 calls unreserved.
pub(in crate::cli::cloud) const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The value of the `Authorization` header, good until `expiry` in seconds since 1970.
///
/// What is signed is the resource as it is sent, encoded, and the expiry, with a line feed between them.
pub(in crate::cli::cloud) fn token(connection: &ConnectionString, expiry: i64) -> String {
    sign(&connection.key, &connection.host, expiry, &connection.policy)
}

/// A token of a policy for any resource, signed with any form of its key; without a policy, that of a device.
pub(in crate::cli::cloud) fn sign(key: &[u8], resource: &str, expiry: i64, policy: &str) -> String {
    let resource = utf8_percent_encode(resource, RESERVED).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let signature = hmac::sign(&key, format!("{resource}\n{expiry}").as_bytes());
    let signature = STANDARD.encode(signature);
    let signature = utf8_percent_encode(&signature, RESERVED);
    let policy = utf8_percent_encode(policy, RESERVED).to_string();
    let policy = if policy.is_empty() { policy } else { format!("&skn={policy}") };
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}{policy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signature was computed with `openssl dgst -sha256 -mac hmac`.
    #[test]
    fn the_resource_is_signed_as_it_is_sent() {
        let connection = ConnectionString {
            host: "localhost:8443".into(),
            policy: "iothubowner".into(),
            key: b"key1".to_vec(),
        };
        assert_eq!(
            token(&connection, 1_790_000_000),
            "SharedAccessSignature sr=localhost%3A8443&sig=GoD%2FS4Oc42Ff9zVAC8jwcPHciOcPA5U5u6SNxffi7oY%3D&se=1790000000&skn=iothubowner"
        );
    }
}
