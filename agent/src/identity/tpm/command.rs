//! Commands as bytes, and the answers to them (TPM 2.0 Library Specification, part 1, section 18, and part 3).

use std::thread::sleep;
use std::time::Duration;

use super::error::TpmError;
use super::parts::take;
use super::transport::Connection;

const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
/// Where a password stands in place of a session.
const PASSWORD: u32 = 0x4000_0009;

/// Answers that ask for another try, soon.
const AGAIN: [u32; 3] = [0x922, 0x908, 0x90a];
const TRIES: u32 = 40;
const SOON: Duration = Duration::from_millis(50);

/// The commands that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    EvictControl = 0x120,
    CreatePrimary = 0x131,
    ActivateCredential = 0x147,
    PolicySecret = 0x151,
    Hmac = 0x155,
    Import = 0x156,
    Load = 0x157,
    FlushContext = 0x165,
    ReadPublic = 0x173,
    StartAuthSession = 0x176,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::EvictControl => "TPM2_EvictControl",
            Self::CreatePrimary => "TPM2_CreatePrimary",
            Self::ActivateCredential => "TPM2_ActivateCredential",
            Self::PolicySecret => "TPM2_PolicySecret",
            Self::Hmac => "TPM2_HMAC",
            Self::Import => "TPM2_Import",
            Self::Load => "TPM2_Load",
            Self::FlushContext => "TPM2_FlushContext",
            Self::ReadPublic => "TPM2_ReadPublic",
            Self::StartAuthSession => "TPM2_StartAuthSession",
        }
    }

    /// Whether the answer begins with a handle.
    fn gives_handle(self) -> bool {
        matches!(self, Self::CreatePrimary | Self::Load | Self::StartAuthSession)
    }
}

/// By what a handle may be used: an empty password, or a policy that is fulfilled.
#[derive(Debug, Clone, Copy)]
pub(super) enum Authorization {
    EmptyPassword,
    Policy(u32),
}

/// A command that is being put together.
pub(super) struct Command {
    code: Code,
    handles: Vec<u8>,
    authorizations: Vec<u8>,
    parameters: Vec<u8>,
}

impl Command {
    pub(super) fn new(code: Code) -> Self {
        Self { code, handles: Vec::new(), authorizations: Vec::new(), parameters: Vec::new() }
    }

    pub(super) fn handle(mut self, handle: u32) -> Self {
        self.handles.extend(handle.to_be_bytes());
        self
    }

    pub(super) fn authorized(mut self, by: Authorization) -> Self {
        let session = match by {
            Authorization::EmptyPassword => PASSWORD,
            Authorization::Policy(session) => session,
        };
        // No nonce, no attributes, no code: there is no password to know, and the session ends with it.
        self.authorizations.extend(session.to_be_bytes());
        self.authorizations.extend([0; 5]);
        self
    }

    pub(super) fn u16(mut self, value: u16) -> Self {
        self.parameters.extend(value.to_be_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.parameters.extend(value.to_be_bytes());
        self
    }

    /// Bytes behind their length. None is longer than what a service may send.
    pub(super) fn sized(mut self, bytes: &[u8]) -> Self {
        self.parameters.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.parameters.extend(bytes);
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.parameters.extend(bytes);
        self
    }

    fn encode(&self) -> Vec<u8> {
        let has_sessions = !self.authorizations.is_empty();
        let authorizations = if has_sessions {
            [&(self.authorizations.len() as u32).to_be_bytes()[..], &self.authorizations].concat()
        } else {
            Vec::new()
        };
        let length = 10 + self.handles.len() + authorizations.len() + self.parameters.len();
        let tag = if has_sessions { SESSIONS } else { NO_SESSIONS };
        [
            &tag.to_be_bytes()[..],
            &(length as u32).to_be_bytes(),
            &(self.code as u32).to_be_bytes(),
            &self.handles,
            &authorizations,
            &self.parameters,
        ]
        .concat()
    }

    /// Sends it, as often as the TPM asks for that.
    pub(super) fn send(&self, connection: &mut Connection) -> Result<Answer, TpmError> {
        let command = self.encode();
        let mut tries = 0;
        loop {
            let answer = self.read(&connection.exchange(&command)?);
            tries += 1;
            match answer {
                Err(TpmError::Refused { code, .. }) if AGAIN.contains(&code) && tries < TRIES => sleep(SOON),
                answer => return answer,
            }
        }
    }

    fn read(&self, answer: &[u8]) -> Result<Answer, TpmError> {
        let nonsense = || TpmError::Answer { command: self.code.name() };
        let (head, mut rest) = answer.split_first_chunk::<10>().ok_or_else(nonsense)?;
        let code = u32::from_be_bytes([head[6], head[7], head[8], head[9]]);
        if code != 0 {
            return Err(TpmError::Refused { command: self.code.name(), code });
        }
        let mut number = || {
            let (number, left) = rest.split_first_chunk::<4>()?;
            rest = left;
            Some(u32::from_be_bytes(*number))
        };
        let handle = if self.code.gives_handle() { number().ok_or_else(nonsense)? } else { 0 };
        if !self.authorizations.is_empty() {
            // What follows the parameters is of the sessions.
            let length = number().ok_or_else(nonsense)? as usize;
            rest = rest.get(..length).ok_or_else(nonsense)?;
        }
        Ok(Answer { command: self.code.name(), handle, parameters: rest.to_vec() })
    }
}

/// What a TPM has answered.
pub(super) struct Answer {
    command: &'static str,
    pub(super) handle: u32,
    parameters: Vec<u8>,
}

impl Answer {
    /// The first of the parameters, without its length.
    pub(super) fn first(&self) -> Result<Vec<u8>, TpmError> {
        let first = take(&mut &self.parameters[..]).map(<[u8]>::to_vec);
        first.ok_or(TpmError::Answer { command: self.command })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_written_as_the_specification_has_it() {
        let flush = Command::new(Code::FlushContext).u32(0x8000_0000).encode();
        assert_eq!(flush, [0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x65, 0x80, 0, 0, 0]);
        let load = Command::new(Code::Load).handle(0x8100_0001).authorized(Authorization::EmptyPassword);
        let load = load.sized(&[7]).encode();
        let expected = [
            0x80, 2, 0, 0, 0, 30, 0, 0, 1, 0x57, 0x81, 0, 0, 1, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0,
            1, 7,
        ];
        assert_eq!(load, expected);
    }

    #[test]
    fn answers_are_read_and_nonsense_is_told() {
        let load = Command::new(Code::Load).handle(1).authorized(Authorization::EmptyPassword);
        let good = [0x80, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 1, 0, 0, 0, 3, 0, 1, 9, 0, 0, 1, 0, 0];
        let answer = load.read(&good).unwrap();
        assert_eq!((answer.handle, answer.first().unwrap()), (0x8000_0001, vec![9]));
        for end in [0, 9, 12, 16, 20] {
            assert!(matches!(load.read(&good[..end]), Err(TpmError::Answer { .. })), "{end}");
        }
        let refused = load.read(&[0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0xdf]).err().unwrap().to_string();
        assert!(refused.contains("TPM2_Load with 0x1df: the key was not wrapped for this TPM"), "{refused}");
    }
}
