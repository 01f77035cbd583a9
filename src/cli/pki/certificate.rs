//! A certificate as RFC 5280 and Azure want it, written element by element: the name of its issuer stands in it as it stands in the
//! issuer's own certificate, byte for byte, whichever program has made that one.

use anyhow::{Context, anyhow};
use chrono::{DateTime, Datelike, Utc};
use ring::digest::{SHA256, digest};
use rustls::SignatureScheme;
use rustls::pki_types::{AlgorithmIdentifier, alg_id};
use rustls::sign::SigningKey;
use tracker_certificates::Fields;
use x509_cert::der::{Error, Tag};

use super::der::{element, identifier, integer, octets, sequence, tagged};

const COMMON_NAME: &str = "2.5.4.3";
const ORGANIZATION: &str = "2.5.4.10";
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";

/// How a CA signs: what its key is asked for, and how certificates call that.
const SCHEMES: [(SignatureScheme, AlgorithmIdentifier); 3] = [
    (SignatureScheme::ECDSA_NISTP256_SHA256, alg_id::ECDSA_SHA256),
    (SignatureScheme::ECDSA_NISTP384_SHA384, alg_id::ECDSA_SHA384),
    (SignatureScheme::RSA_PKCS1_SHA256, alg_id::RSA_PKCS1_SHA256),
];

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Profile {
    /// A CA that has signed itself.
    Root,
    /// A CA that signs leafs, and no CAs.
    Intermediate,
    /// A device, or the proof of possession of a CA.
    Leaf,
}

/// What a certificate is to say.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    pub(super) profile: Profile,
    /// DER of its subject.
    pub(super) subject: &'a [u8],
    /// Its `SubjectPublicKeyInfo`.
    pub(super) public_key: &'a [u8],
    /// DER of its issuer's subject.
    pub(super) issuer: &'a [u8],
    /// The name of its issuer's key.
    pub(super) issuer_key: &'a [u8],
    pub(super) not_before: DateTime<Utc>,
    pub(super) not_after: DateTime<Utc>,
}

/// The DER of a name: an organisation, if there is one, and a common name.
pub(super) fn name(organization: Option<&str>, common_name: &str) -> anyhow::Result<Vec<u8>> {
    let attribute = |kind: &str, text: &str| {
        let pair = sequence(&[&identifier(kind)?, &element(Tag::Utf8String, &[text.as_bytes()])?])?;
        element(Tag::Set, &[&pair])
    };
    let organization = organization.map(|text| attribute(ORGANIZATION, text)).transpose();
    let parts =
        organization.and_then(|one| Ok((one.unwrap_or_default(), attribute(COMMON_NAME, common_name)?)));
    let (organization, common_name) = parts.map_err(|_| anyhow!("the name can't be written"))?;
    sequence(&[&organization, &common_name]).map_err(|_| anyhow!("the name can't be written"))
}

/// The name of a key for certificates: the one that it has by its own certificate, or else 160 bits of its SHA-256 (RFC 7093).
pub(super) fn key_identifier(fields: &Fields<'_>) -> Vec<u8> {
    match fields.subject_key_identifier() {
        Ok(Some(own)) => own.to_vec(),
        _ => of_key(fields.key().1),
    }
}

/// As [`key_identifier`], of a key that has no certificate yet.
pub(super) fn of_key(key: &[u8]) -> Vec<u8> {
    digest(&SHA256, key).as_ref()[..20].to_vec()
}

/// The key itself, in a `SubjectPublicKeyInfo`.
pub(super) fn bits(public_key: &[u8]) -> anyhow::Result<Vec<u8>> {
    use x509_cert::der::Decode as _;
    let info = x509_cert::spki::SubjectPublicKeyInfoRef::from_der(public_key);
    let info = info.map_err(|_| anyhow!("the public key can't be read"))?;
    Ok(info.subject_public_key.raw_bytes().to_vec())
}

impl Certificate<'_> {
    /// The DER of the certificate, signed by the key of its issuer, with a random serial number.
    pub(super) fn signed_by(&self, key: &dyn SigningKey) -> anyhow::Result<Vec<u8>> {
        let offered = SCHEMES.map(|(scheme, _)| scheme);
        let signer = key.choose_scheme(&offered).context(
            "the CA's key can't sign certificates that Azure takes: EC P-256, EC P-384 and RSA can (sha256WithRSAEncryption)",
        )?;
        let algorithm = SCHEMES.iter().find(|(scheme, _)| *scheme == signer.scheme());
        let algorithm =
            algorithm.map(|(_, algorithm)| algorithm).context("the CA's key signs in an unknown way")?;
        let written = |_: Error| anyhow!("the certificate can't be written");
        let algorithm = sequence(&[algorithm.as_ref()]).map_err(written)?;
        let content = self.content(&algorithm, &bits(self.public_key)?).map_err(written)?;
        let signature = signer.sign(&content).context("the CA's key does not sign")?;
        // No bit of its last octet is unused.
        let signature = element(Tag::BitString, &[&[0], &signature]).map_err(written)?;
        sequence(&[&content, &algorithm, &signature]).map_err(written)
    }

    fn content(&self, algorithm: &[u8], key: &[u8]) -> Result<Vec<u8>, Error> {
        // Positive, of 16 octets, and never the same twice.
        let mut serial: [u8; 16] = rand::random();
        serial[0] = serial[0] & 0x7f | 0x40;
        let validity = sequence(&[&time(self.not_before)?, &time(self.not_after)?])?;
        sequence(&[
            &tagged(0, &[&integer(2)?])?,
            &element(Tag::Integer, &[&serial])?,
            algorithm,
            self.issuer,
            &validity,
            self.subject,
            self.public_key,
            &tagged(3, &[&self.extensions(key)?])?,
        ])
    }

    fn extensions(&self, key: &[u8]) -> Result<Vec<u8>, Error> {
        let yes = element(Tag::Boolean, &[&[0xff]])?;
        let extension = |name: &str, critical: &[u8], value: &[u8]| {
            sequence(&[&identifier(name)?, critical, &octets(value)?])
        };
        let constraints = match self.profile {
            Profile::Root => sequence(&[&yes])?,
            Profile::Intermediate => sequence(&[&yes, &integer(0)?])?,
            Profile::Leaf => sequence(&[])?,
        };
        // Bits are counted from the left, and zeros at the end are not written.
        let usage: [u8; 2] = match self.profile {
            // keyCertSign and cRLSign.
            Profile::Root | Profile::Intermediate => [1, 0b0000_0110],
            // digitalSignature.
            Profile::Leaf => [7, 0b1000_0000],
        };
        let mut all = vec![
            extension("2.5.29.19", &yes, &constraints)?,
            extension("2.5.29.15", &yes, &element(Tag::BitString, &[&usage])?)?,
            extension("2.5.29.14", &[], &octets(&of_key(key))?)?,
        ];
        if self.profile == Profile::Leaf {
            all.push(extension("2.5.29.37", &[], &sequence(&[&identifier(CLIENT_AUTH)?])?)?);
        }
        if self.profile != Profile::Root {
            // The key identifier is [0], not constructed.
            let tag = Tag::ContextSpecific { constructed: false, number: x509_cert::der::TagNumber(0) };
            let identifier = sequence(&[&element(tag, &[self.issuer_key])?])?;
            all.push(extension("2.5.29.35", &[], &identifier)?);
        }
        sequence(&all.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

/// `UTCTime` up to 2049, as RFC 5280 wants it.
fn time(at: DateTime<Utc>) -> Result<Vec<u8>, Error> {
    if at.year() < 2050 {
        element(Tag::UtcTime, &[at.format("%y%m%d%H%M%SZ").to_string().as_bytes()])
    } else {
        element(Tag::GeneralizedTime, &[at.format("%Y%m%d%H%M%SZ").to_string().as_bytes()])
    }
}
