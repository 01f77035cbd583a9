//! Why TLS did not come about.

use std::io;

use rustls::PeerIncompatible;

/// What went wrong, with the remedy where nothing else than the kind of certificate is in the way.
pub(super) fn why_not(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::PeerIncompatible(
        PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoSignatureSchemesInCommon,
    )) = cause
    else {
        return error.to_string();
    };
    format!(
        "{error}; a client that takes RSA certificates alone needs an emulator that has one: the command without --no-rsa, \
         the library with EmulatorBuilder::rsa"
    )
}
