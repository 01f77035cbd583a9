//! A TPM signs in: the SASL mechanism `TPM`, as Microsoft's clients for C, C# and Node speak it.
//!
//! ```text
//!  client: 0, ID scope, 0, registration ID, 0, endorsement key          server: 0
//!  client: 0, storage root key                                          server: 80, the first part of a wrapped key
//!  client: 0                                                            server: C1, its last part
//!  client: 0, a token that the TPM has signed with that key             server: welcome
//! ```
//!
//! The first byte says what follows: with 80 (hexadecimal) it is a part, numbered by the lowest two bits, with 40 the last one.

use tokio::time::Instant;
use tracker_protocol::RegistrationId;

use crate::{
    dps::{
        Dps,
        attest::Credentials,
        refused::Refused,
        request::check_token,
        tpm::{Challenge, TpmKeys},
    },
    session::shown,
};

/// What follows is a part of something.
const PART: u8 = 0x80;
/// It is the last one.
const LAST: u8 = 0x40;
/// The bits in which parts are numbered.
const NUMBER: u8 = 0x03;

/// A frame of SASL has at most 512 bytes, and clients make no larger ones either.
const PART_BYTES: usize = 470;

/// Who has signed in by a TPM, and how.
#[derive(Clone)]
pub(crate) struct Proved {
    pub(super) registration_id: String,
    pub(super) token: Vec<u8>,
    pub(super) challenge: Challenge,
}

/// What comes next.
pub(crate) enum TpmStep {
    /// The client is to answer this.
    Ask(Vec<u8>),
    /// It has proved itself.
    Done(Proved),
}

/// A TPM on its way in. Each answer brings it further, or is its last.
pub(crate) struct TpmSignIn {
    dps: Dps,
    registration_id: String,
    stage: Stage,
}

enum Stage {
    /// The storage root key is awaited.
    Root {
        endorsement_key: Vec<u8>,
    },
    /// A part was sent, and others follow.
    Parts {
        challenge: Challenge,
        wrapped: Vec<u8>,
        sent: usize,
    },
    /// All parts were sent, and the token is awaited.
    Token {
        challenge: Challenge,
    },
    Over,
}

impl TpmSignIn {
    /// Begins with what the client says first, and gives what it is asked. `Err` is for the operator.
    pub(crate) fn begin(dps: &Dps, said: &[u8]) -> Result<(Self, Vec<u8>), String> {
        let mut words = content(said)?.splitn(3, |byte| *byte == 0);
        let mut text = || words.next().and_then(|word| std::str::from_utf8(word).ok());
        let names = (text(), text());
        let (Some(id_scope), Some(registration_id), Some(key)) = (names.0, names.1, words.next()) else {
            return Err(
                "it is not ID scope, registration ID and endorsement key, with a zero byte before each"
                    .into(),
            );
        };
        dps.check_scope(id_scope).map_err(|why| shown(&why))?;
        let stage = Stage::Root { endorsement_key: key.to_vec() };
        let sign_in = Self { dps: dps.clone(), registration_id: registration_id.to_owned(), stage };
        if registration_id.parse::<RegistrationId>().is_err() {
            return Err(sign_in.refused(&Refused::bad_request("Invalid RegistrationId")));
        }
        Ok((sign_in, vec![0]))
    }

    /// Takes the client's answer. `Err` is for the operator, and the end.
    pub(crate) fn answered(&mut self, said: &[u8]) -> Result<TpmStep, String> {
        let said = content(said)?;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Root { endorsement_key } => {
                let (challenge, wrapped) =
                    self.challenge(&endorsement_key, said).map_err(|refused| self.refused(&refused))?;
                Ok(self.next_part(challenge, wrapped, 0))
            }
            Stage::Parts { challenge, wrapped, sent } if said.is_empty() => {
                Ok(self.next_part(challenge, wrapped, sent))
            }
            Stage::Parts { .. } => Err("the client has not waited for the last part of its key".into()),
            Stage::Token { challenge } => {
                self.check(said, &challenge).map_err(|refused| self.refused(&refused))?;
                let registration_id = self.registration_id.clone();
                Ok(TpmStep::Done(Proved { registration_id, token: said.to_vec(), challenge }))
            }
            Stage::Over => Err("nothing was asked".into()),
        }
    }

    /// A device that is barred is asked, too: when it registers it is told so.
    fn challenge(&self, endorsement: &[u8], storage_root: &[u8]) -> Result<(Challenge, Vec<u8>), Refused> {
        let keys = TpmKeys::of_bytes(endorsement, storage_root).map_err(Refused::bad_request)?;
        self.dps.enrolled(&self.registration_id, &keys)?;
        Ok(Challenge::new(&keys, Instant::now()))
    }

    fn next_part(&mut self, challenge: Challenge, wrapped: Vec<u8>, sent: usize) -> TpmStep {
        let mut parts = wrapped.chunks(PART_BYTES).skip(sent);
        let part = parts.next().unwrap_or_default();
        let is_last = parts.next().is_none();
        // It is one of two bits.
        let number = u8::try_from(sent % 4).unwrap_or_default() & NUMBER;
        let control = PART | number | if is_last { LAST } else { 0 };
        let asked = [&[control], part].concat();
        self.stage = if is_last {
            Stage::Token { challenge }
        } else {
            Stage::Parts { challenge, wrapped, sent: sent + 1 }
        };
        TpmStep::Ask(asked)
    }

    fn check(&self, token: &[u8], challenge: &Challenge) -> Result<(), Refused> {
        let token = check_token(token, &self.dps.0.id_scope, &self.registration_id)?;
        let attested = self.dps.attest(&self.registration_id, Credentials::Token(&token), Some(challenge));
        attested.map_err(|refusal| Refused::not_attested(&refusal, true))
    }

    /// Tells the operator, and gives the words for the connection that ends.
    fn refused(&self, refused: &Refused) -> String {
        self.dps.tell_refused(&shown(&self.registration_id), refused);
        format!("{} {}", refused.error_code, refused.reason)
    }
}

/// What the client says, without the byte before it. What clients have to say fits into one frame.
fn content(said: &[u8]) -> Result<&[u8], String> {
    match said.split_first() {
        Some((0, content)) => Ok(content),
        Some((control, _)) if control & PART != 0 => {
            Err("the client cuts what it says into parts, as no known client does".into())
        }
        Some((control, _)) => Err(format!("the control byte {control:02x} is not known")),
        None => Err("there is nothing in it".into()),
    }
}
