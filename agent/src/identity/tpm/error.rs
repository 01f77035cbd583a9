//! What can be wrong with a TPM.

use std::io;
use std::path::PathBuf;

/// Why a TPM can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// It can't be opened.
    #[error(
        "can't open the TPM {place}: {source}; is there one (ls /dev/tpmrm0), may this user open it (group tss), and is identity.tpm right?"
    )]
    Open {
        /// Where.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// It does not answer.
    #[error("the TPM {place} does not answer: {source}")]
    Exchange {
        /// Where.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// It answers something else.
    #[error("the TPM's answer to {command} makes no sense")]
    Answer {
        /// What it was asked.
        command: &'static str,
    },
    /// It does not do it.
    #[error("the TPM refuses {command} with {code:#05x}{}", words(*.code))]
    Refused {
        /// What it was asked.
        command: &'static str,
        /// `TPM_RC`.
        code: u32,
    },
    /// What DPS has sent is none.
    #[error("what DPS has sent is no key for a TPM (authenticationKey)")]
    NotAKey,
    /// None was taken in.
    #[error("the TPM was given no key to sign with yet; DPS is asked for one")]
    NoKey,
    /// What it was given can't be kept.
    #[error("the TPM's key can't be kept in {path}: {source}")]
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl TpmError {
    /// Whether it has answered and will not, so that asking again does not help: no warning, which passes.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { code, .. } => code & 0xf80 != 0x900,
            Self::NotAKey => true,
            _ => false,
        }
    }
}

/// What is known of a response code: of part 2, section 6.6, without the number of a handle, a session or a parameter.
fn words(code: u32) -> &'static str {
    let is_of_format_one = code & 0x80 != 0;
    match if is_of_format_one { code & 0xbf } else { code } {
        0x8e => ": a hierarchy or a key has a password, and the agent knows none",
        0x9f | 0x84 if is_of_format_one => {
            ": the key was not wrapped for this TPM, or the TPM was cleared meanwhile; DPS gives it another"
        }
        0x921 => ": it is locked, as too many passwords were wrong; tpm2_dictionarylockout --clear-lockout",
        0x100 => ": it was not started (TPM2_Startup)",
        _ => "",
    }
}
