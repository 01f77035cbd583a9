//! What a library answers, in words: the standard's names of errors instead of its prose, and what is known about
//! libraries that say little.

use std::env;
use std::path::Path;

use cryptoki::error::{Error, RvError};
use cryptoki::slot::TokenInfo;

/// Which call, and the code that it gives.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("C_{function:?} gives {}", name(*code)),
        Error::LibraryLoading(error) => error.to_string(),
        Error::MissingSymbol(name) => format!("it has no function {name}, and so is no PKCS#11 library"),
        error => format!("{error:?}"),
    }
}

/// `CKR_GENERAL_ERROR`, as documents and other programs call it.
fn name(code: RvError) -> String {
    let mut name = String::from("CKR");
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

/// Whether this is the library of the TPM's Linux stack.
pub(super) fn is_of_tpm(library: &Path) -> bool {
    library.file_name().is_some_and(|name| name.to_string_lossy().contains("tpm2"))
}

/// Whether this token is in a TPM, behind whichever library.
pub(super) fn is_in_tpm(library: &Path, token: &TokenInfo) -> bool {
    is_of_tpm(library) || token.model().contains("TPM")
}

/// What a library needs to start.
pub(super) fn needs(library: &Path) -> String {
    if !is_of_tpm(library) {
        return "look at what it needs: its configuration, its environment, its device and who may open that"
            .into();
    }
    let set =
        |name: &str| env::var_os(name).map_or("not set".into(), |value| value.to_string_lossy().into_owned());
    format!(
        "it needs a TPM that this user may open, as TPM2_PKCS11_TCTI says ({}; device:/dev/tpmrm0 belongs to the group \
         tss), and a directory that this user may read and write, as TPM2_PKCS11_STORE says ({})",
        set("TPM2_PKCS11_TCTI"),
        set("TPM2_PKCS11_STORE")
    )
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn errors_are_called_by_their_names() {
        let said = |code| words(&Error::Pkcs11(code, Function::Initialize));
        assert_eq!(said(RvError::GeneralError), "C_Initialize gives CKR_GENERAL_ERROR");
        assert_eq!(said(RvError::SlotIdInvalid), "C_Initialize gives CKR_SLOT_ID_INVALID");
        assert_eq!(said(RvError::VendorDefined(5)), "C_Initialize gives CKR_VENDOR_DEFINED(5)");
    }

    #[test]
    fn a_library_that_does_not_start_is_told_by_what_it_needs() {
        assert!(needs(Path::new("/usr/lib/x/pkcs11/libtpm2_pkcs11.so")).contains("TPM2_PKCS11_STORE says ("));
        assert!(!needs(Path::new("/usr/lib/softhsm/libsofthsm2.so")).contains("TPM"));
    }
}
