//! What the agent wants of a TPM, as commands: its keys, a key taken in, a text signed.

use super::command::{Answer, Authorization, Code, Command};
use super::error::TpmError;
use super::parts::Parts;
use super::transport::{Connection, TpmPlace};

const OWNER: u32 = 0x4000_0001;
const NOTHING: u32 = 0x4000_0007;
const ENDORSEMENT: u32 = 0x4000_000b;

/// Where the keys are kept that take long to make: there every program looks for them (TCG Provisioning Guidance).
const ENDORSEMENT_KEY: u32 = 0x8101_0001;
const STORAGE_ROOT_KEY: u32 = 0x8100_0001;

const SHA256: u16 = 0x000b;
const NULL: u16 = 0x0010;

/// AES-128 in CFB mode.
const CIPHER: [u8; 6] = [0x00, 0x06, 0x00, 0x80, 0x00, 0x43];

/// Restricted decryption keys that never leave this TPM: one used by a policy, the other with an empty password.
const ENDORSEMENT_ATTRIBUTES: u32 = 0x0003_00b2;
const STORAGE_ROOT_ATTRIBUTES: u32 = 0x0003_0472;

/// `PolicySecret` of the endorsement hierarchy, as all endorsement keys have it (TCG EK Credential Profile, template L-1).
const ENDORSEMENT_POLICY: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd,
    0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];

/// A key that is there.
pub(super) struct Root {
    handle: u32,
    /// `TPM2B_PUBLIC`.
    pub(super) public: Vec<u8>,
}

/// A key that was taken in, as this TPM alone can load it.
pub(super) struct Wrapped {
    private: Vec<u8>,
    public: Vec<u8>,
}

/// A conversation with a TPM.
pub(super) struct Session {
    connection: Connection,
    /// To be forgotten by a TPM that is not told so by its connection.
    loaded: Vec<u32>,
}

impl Session {
    pub(super) fn begin(place: &TpmPlace) -> Result<Self, TpmError> {
        Ok(Self { connection: place.open()?, loaded: Vec::new() })
    }

    pub(super) fn endorsement(&mut self) -> Result<Root, TpmError> {
        self.root(ENDORSEMENT_KEY, ENDORSEMENT, &template(ENDORSEMENT_ATTRIBUTES, &ENDORSEMENT_POLICY))
    }

    pub(super) fn storage_root(&mut self) -> Result<Root, TpmError> {
        self.root(STORAGE_ROOT_KEY, OWNER, &template(STORAGE_ROOT_ATTRIBUTES, &[]))
    }

    /// The key that is kept there, or the one that the hierarchy makes, which is kept there then.
    fn root(&mut self, kept: u32, hierarchy: u32, template: &[u8]) -> Result<Root, TpmError> {
        let known = self.send(&Command::new(Code::ReadPublic).handle(kept));
        match known {
            Ok(answer) => return Ok(Root { handle: kept, public: with_length(&answer.first()?) }),
            Err(TpmError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        let made = self.send(
            &Command::new(Code::CreatePrimary)
                .handle(hierarchy)
                .authorized(Authorization::EmptyPassword)
                // No password, and nothing given to make it of.
                .sized(&[0; 4])
                .sized(template)
                .u16(0)
                .u32(0),
        )?;
        let public = with_length(&made.first()?);
        let keep = Command::new(Code::EvictControl)
            .handle(OWNER)
            .handle(made.handle)
            .authorized(Authorization::EmptyPassword)
            .u32(kept);
        if self.send(&keep).is_ok() {
            // A TPM has room for three at a time.
            self.flush(made.handle);
            return Ok(Root { handle: kept, public });
        }
        // Without room there it is made anew each time, and is the same.
        self.loaded.push(made.handle);
        Ok(Root { handle: made.handle, public })
    }

    /// Takes a key in that was wrapped for this TPM.
    pub(super) fn activate(&mut self, parts: &Parts<'_>) -> Result<Wrapped, TpmError> {
        let (endorsement, storage_root) = (self.endorsement()?.handle, self.storage_root()?.handle);
        let policy = self.endorsement_policy()?;
        let activated = self.send(
            &Command::new(Code::ActivateCredential)
                .handle(storage_root)
                .handle(endorsement)
                .authorized(Authorization::EmptyPassword)
                .authorized(Authorization::Policy(policy))
                .sized(parts.credential)
                .sized(parts.credential_secret),
        );
        if activated.is_err() {
            // It ends with a command that succeeds.
            self.loaded.push(policy);
        }
        let inner = activated?.first()?;
        let imported = self.send(
            &Command::new(Code::Import)
                .handle(storage_root)
                .authorized(Authorization::EmptyPassword)
                .sized(&inner)
                .sized(parts.public)
                .sized(parts.duplicate)
                .sized(parts.duplicate_secret)
                .bytes(&CIPHER),
        )?;
        Ok(Wrapped { private: imported.first()?, public: parts.public.to_vec() })
    }

    /// A session by which the endorsement key may be used.
    fn endorsement_policy(&mut self) -> Result<u32, TpmError> {
        let nonce: [u8; 16] = rand::random();
        let begun = self.send(
            &Command::new(Code::StartAuthSession)
                .handle(NOTHING)
                .handle(NOTHING)
                .sized(&nonce)
                .u16(0)
                .bytes(&[1])
                .u16(NULL)
                .u16(SHA256),
        )?;
        let fulfil = Command::new(Code::PolicySecret)
            .handle(ENDORSEMENT)
            .handle(begun.handle)
            .authorized(Authorization::EmptyPassword)
            .u16(0)
            .u16(0)
            .u16(0)
            .u32(0);
        if let Err(error) = self.send(&fulfil) {
            self.loaded.push(begun.handle);
            return Err(error);
        }
        Ok(begun.handle)
    }

    /// HMAC-SHA256 of a short text.
    pub(super) fn hmac(&mut self, key: &Wrapped, text: &[u8]) -> Result<Vec<u8>, TpmError> {
        let parent = self.storage_root()?.handle;
        let load = Command::new(Code::Load)
            .handle(parent)
            .authorized(Authorization::EmptyPassword)
            .sized(&key.private)
            .sized(&key.public);
        let handle = self.send(&load)?.handle;
        self.loaded.push(handle);
        let hmac = Command::new(Code::Hmac)
            .handle(handle)
            .authorized(Authorization::EmptyPassword)
            .sized(text)
            .u16(SHA256);
        self.send(&hmac)?.first()
    }

    /// A device forgets it anyway when it is closed.
    fn flush(&mut self, handle: u32) {
        let _ = self.send(&Command::new(Code::FlushContext).u32(handle));
    }

    fn send(&mut self, command: &Command) -> Result<Answer, TpmError> {
        command.send(&mut self.connection)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for handle in std::mem::take(&mut self.loaded) {
            self.flush(handle);
        }
    }
}

/// `TPMT_PUBLIC` of an RSA key of 2048 bits that is to be made.
fn template(attributes: u32, policy: &[u8]) -> Vec<u8> {
    let policy_length = (policy.len() as u16).to_be_bytes();
    let key = [0x00, 0x10, 0x08, 0x00, 0, 0, 0, 0, 0x01, 0x00];
    [
        &[0x00, 0x01, 0x00, 0x0b],
        &attributes.to_be_bytes()[..],
        &policy_length,
        policy,
        &CIPHER,
        &key,
        &[0; 256],
    ]
    .concat()
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes(), bytes].concat()
}
