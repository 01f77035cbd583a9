//! What a hub says of the sender of a message.

use super::super::AuthenticationType;

/// A device as its messages name it. The same for all of them until its identity or its model changes, so they share it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::hub) struct Origin {
    pub generation_id: String,
    pub kind: AuthenticationType,
    /// A part of a device, with credentials of its own.
    pub is_module: bool,
    /// Of Plug and Play; empty if the device named none.
    pub model_id: String,
}

impl Origin {
    /// How the device has signed in, in the words of Azure's system property.
    pub(in crate::hub) fn auth_method(&self) -> &'static str {
        match (self.kind, self.is_module) {
            (AuthenticationType::Sas, false) => {
                r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#
            }
            (AuthenticationType::Sas, true) => {
                r#"{"scope":"module","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#
            }
            (_, false) => {
                r#"{"scope":"device","type":"x509","issuer":"external","acceptingIpFilterRule":null}"#
            }
            (_, true) => {
                r#"{"scope":"module","type":"x509","issuer":"external","acceptingIpFilterRule":null}"#
            }
        }
    }
}
