//! Why a key in a token can't be used.

use std::io;
use std::path::PathBuf;

/// Why a key in a token can't be used. `key` is the URI without its query.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// This program can't speak PKCS#11.
    #[error(
        "{key} is in a token, and this container-tracker was built without PKCS#11; install the Debian package, or build with --features pkcs11"
    )]
    NotBuiltIn {
        /// The key.
        key: String,
    },
    /// The library can't be loaded.
    #[error(
        "can't use the PKCS#11 library {path}: {why}; install the package that it belongs to, or change module-path in identity.key"
    )]
    Module {
        /// The library.
        path: PathBuf,
        /// The loader's words.
        why: String,
    },
    /// The library is there, and does not start.
    #[error("the PKCS#11 library {path} does not start: {why}; {needs}")]
    NotStarted {
        /// The library.
        path: PathBuf,
        /// The call, and the library's answer.
        why: String,
        /// What it may lack.
        needs: String,
    },
    /// No token is as the URI says.
    #[error(
        "no token is there for {key}: {path} shows {present}; is it plugged in, and may this user reach its device?"
    )]
    NoToken {
        /// The key.
        key: String,
        /// The library.
        path: PathBuf,
        /// The tokens that are there.
        present: String,
    },
    /// More than one token is as the URI says.
    #[error(
        "more than one token is there for {key}: {present}; add token= or serial= to identity.key, so that no token is shown the PIN of another"
    )]
    SeveralTokens {
        /// The key.
        key: String,
        /// They.
        present: String,
    },
    /// The file with the PIN can't be read.
    #[error(
        "can't read the PIN of {key} in {path}: {source}; put it there, readable by the user of this program, or change pin-source in identity.key"
    )]
    ReadPin {
        /// The key.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read the PIN.
    #[error("the PIN in {path} is open to others (mode {mode:03o}); run: chmod 600 {path}")]
    PinPermissions {
        /// The file.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// The token refuses the PIN. It has not been, and will not be, shown the same one again.
    #[error(
        "the token {token} refuses the PIN of {key}, and is not shown the same one again, because after some wrong ones it locks itself for ever; correct the PIN in {place}, or if the token's was changed to fit it, delete {record}"
    )]
    PinRefused {
        /// Label of the token.
        token: String,
        /// The key.
        key: String,
        /// Where the PIN comes from.
        place: String,
        /// What remembers it.
        record: PathBuf,
    },
    /// One more wrong PIN would lock the token.
    #[error(
        "the token {token} has one try left, and is not shown a PIN that may be wrong; log in by hand, which sets the count back: pkcs11-tool --module {module} --token-label {token} --login --list-objects"
    )]
    LastTry {
        /// Label of the token.
        token: String,
        /// The library.
        module: PathBuf,
    },
    /// It takes no PIN any more.
    #[error(
        "the token {token} has locked itself after wrong PINs; unlock it with its security officer's PIN (pkcs11-tool --init-pin)"
    )]
    PinLocked {
        /// Label of the token.
        token: String,
    },
    /// A TPM takes no PIN for the time being.
    #[error(
        "the TPM takes no PIN for the token {token} now, not even the right one: it counts a power cut as a wrong try, and forgives one try after the other with time; this agent tries again, and at once it works after tpm2_dictionarylockout --clear-lockout"
    )]
    TpmLocked {
        /// Label of the token.
        token: String,
    },
    /// The store of the keys is there, and the TPM can do nothing with it.
    #[error(
        "the TPM can't open the token {token}: {why}; if the TPM can be reached at all, it was cleared or is another one than the one that this token was made with: its key is lost then, and the device needs a new key and certificate"
    )]
    OtherTpm {
        /// Label of the token.
        token: String,
        /// The call, and the library's answer.
        why: String,
    },
    /// The PIN's file has something at an end of the PIN that is not to be seen.
    #[error(
        "the PIN in {path} {what}, and the token is not asked, because a wrong PIN costs a try; write the file anew: printf %s PIN > {path} (what does belong to the PIN goes into pin-value, percent-encoded)"
    )]
    PinCharacter {
        /// The file.
        path: PathBuf,
        /// What, and where.
        what: String,
    },
    /// Whether the PIN was refused before can't be told.
    #[error(
        "can't read {record}, which says whether the token refused this PIN before: {source}; without it none is tried"
    )]
    Record {
        /// The file.
        record: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such key.
    #[error("the token {token} has no private key for {key}; it has {present}")]
    NoKey {
        /// Label of the token.
        token: String,
        /// The key.
        key: String,
        /// What it has, and what may hide the rest.
        present: String,
    },
    /// There is more than one such key.
    #[error(
        "the token {token} has more than one private key for {key}: {present}; add object= or id= to identity.key"
    )]
    SeveralKeys {
        /// Label of the token.
        token: String,
        /// The key.
        key: String,
        /// They.
        present: String,
    },
    /// The certificate's key is of a kind that is not supported, or not by this token.
    #[error("{key} can't be used for TLS: {why}")]
    Unsupported {
        /// The key.
        key: String,
        /// What is missing.
        why: String,
    },
    /// A key can't be made.
    #[error("the token {token} makes no key for {key}: {why}")]
    NotMade {
        /// Label of the token.
        token: String,
        /// The key.
        key: String,
        /// What it lacks, and what mends that.
        why: String,
    },
    /// The library has another answer than the one hoped for.
    #[error(
        "the token of {key} does not answer as it should: {why}; look at its wiring, and at what the library needs to reach it"
    )]
    Failed {
        /// The key.
        key: String,
        /// Which call, and the library's answer.
        why: String,
    },
}

impl TokenError {
    /// Whether trying again could lock the token.
    pub fn is_about_pin(&self) -> bool {
        matches!(
            self,
            Self::PinRefused { .. }
                | Self::LastTry { .. }
                | Self::PinLocked { .. }
                | Self::TpmLocked { .. }
                | Self::Record { .. }
        )
    }
}
