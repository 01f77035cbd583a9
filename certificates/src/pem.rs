//! A text with PEM blocks, taken apart. All markers that stand there are accounted for: a block is read, or named.

use rustls_pemfile::Item;
use rustls_pki_types::CertificateDer;

use crate::label::{Kind, known};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// Longer ones are none, but something that lost its end.
const LONGEST_LABEL: usize = 40;

/// Why a text can't be read. Lines count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Two bytes a character.
    #[error("it is written in UTF-16; convert it: iconv -f UTF-16 -t UTF-8 FILE > NEWFILE")]
    Utf16,
    /// As environment variables, YAML and portals make it.
    #[error(
        "its line feeds are written as \\n, two characters each; mend it: printf '%b' \"$(cat FILE)\" > NEWFILE"
    )]
    EscapedLineFeeds,
    /// A line of dashes is not whole.
    #[error("the line of dashes in line {line} is damaged")]
    Marker {
        /// Where.
        line: usize,
    },
    /// It was cut.
    #[error(
        "the block {label} that begins in line {line} has no end: the file was cut, or its END line is damaged"
    )]
    NoEnd {
        /// What it is called.
        label: &'static str,
        /// Where it begins.
        line: usize,
    },
    /// It was cut at the front.
    #[error(
        "a block ends in line {line} that does not begin: the file was cut, or its BEGIN line is damaged"
    )]
    NoBegin {
        /// Where it ends.
        line: usize,
    },
    /// It ends as another one.
    #[error("the block {label} that begins in line {line} ends as something else")]
    OtherEnd {
        /// What it is called.
        label: &'static str,
        /// Where it begins.
        line: usize,
    },
    /// Nothing between its lines of dashes.
    #[error("the block {label} in line {line} is empty")]
    Empty {
        /// What it is called.
        label: &'static str,
        /// Where it begins.
        line: usize,
    },
    /// Its content was edited or cut.
    #[error(
        "the block {label} that begins in line {line} is damaged: between its lines of dashes is no base64"
    )]
    NotBase64 {
        /// What it is called.
        label: &'static str,
        /// Where it begins.
        line: usize,
    },
    /// A certificate with OpenSSL's notes on trust.
    #[error(
        "the block TRUSTED CERTIFICATE in line {line} is OpenSSL's own form; convert it: openssl x509 -in FILE -out NEWFILE"
    )]
    Trusted {
        /// Where it begins.
        line: usize,
    },
}

/// The blocks of a text.
pub struct Document {
    blocks: Vec<Block>,
    /// What it may be if it has none.
    form: &'static str,
}

struct Block {
    label: &'static str,
    kind: Kind,
    line: usize,
    /// Between the lines of dashes, without blanks.
    body: Vec<u8>,
}

impl Document {
    /// Takes a text apart. A byte order mark, any line ends and blocks on one line are read; what is no PEM at all
    /// has no blocks.
    pub fn read(bytes: &[u8]) -> Result<Self, PemError> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let utf16: [&[u8]; 4] = [b"\xff\xfe", b"\xfe\xff", b"-\0-\0", b"\0-\0-"];
        if utf16.iter().any(|start| text.starts_with(start)) {
            return Err(PemError::Utf16);
        }
        if find(text, b"-----\\n").or_else(|| find(text, b"-----\\r")).is_some() {
            return Err(PemError::EscapedLineFeeds);
        }
        let mut blocks = Vec::new();
        let mut at = 0;
        while let Some(begin) = find(&text[at..], BEGIN) {
            no_end_between(text, at, at + begin)?;
            let (block, end) = Block::read(text, at + begin)?;
            blocks.push(block);
            at = end;
        }
        no_end_between(text, at, text.len())?;
        Ok(Self { blocks, form: form(text) })
    }

    /// All certificates, in the order of the text.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        if let Some(block) = self.first(Kind::Trusted) {
            return Err(PemError::Trusted { line: block.line });
        }
        self.of(Kind::Certificate).map(|block| block.decode().map(CertificateDer::from)).collect()
    }

    /// The DER of all private keys that are not encrypted, in the order of the text.
    pub fn keys(&self) -> Result<Vec<Vec<u8>>, PemError> {
        self.of(Kind::Key).map(Block::decode).collect()
    }

    /// The DER of all certification requests, in the order of the text.
    pub fn requests(&self) -> Result<Vec<Vec<u8>>, PemError> {
        self.of(Kind::Request).map(Block::decode).collect()
    }

    /// What each block is called, in words that are safe to repeat, in the order of the text.
    pub fn labels(&self) -> impl Iterator<Item = &'static str> {
        self.blocks.iter().map(|block| block.label)
    }

    /// Whether there is a private key, of whatever form.
    pub fn holds_key(&self) -> bool {
        [Kind::Key, Kind::EncryptedKey, Kind::OtherKey].iter().any(|kind| self.first(*kind).is_some())
    }

    /// What it is instead of what was looked for, to follow after a sentence; empty if that is not known.
    pub fn instead(&self) -> &'static str {
        let found = |kind| self.first(kind).is_some();
        if self.blocks.is_empty() {
            self.form
        } else if found(Kind::EncryptedKey) {
            "; it is encrypted, decrypt it: openssl pkey -in FILE -out NEWFILE"
        } else if found(Kind::OtherKey) {
            "; it holds a private key of another kind (DSA, OpenSSH or the like)"
        } else if found(Kind::Key) {
            "; it holds a private key"
        } else if found(Kind::Pkcs7) {
            "; it is PKCS#7, convert it: openssl pkcs7 -print_certs -in FILE -out NEWFILE"
        } else if found(Kind::Request) {
            "; it holds a certificate request, which a CA must sign first"
        } else if found(Kind::Certificate) || found(Kind::Trusted) {
            "; it holds a certificate"
        } else {
            ""
        }
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    fn first(&self, kind: Kind) -> Option<&Block> {
        self.of(kind).next()
    }
}

impl Block {
    /// The block that begins at `begin`, and where it ends.
    fn read(text: &[u8], begin: usize) -> Result<(Self, usize), PemError> {
        let line = line(text, begin);
        let (label, body) = marker(text, begin + BEGIN.len()).ok_or(PemError::Marker { line })?;
        let (name, kind) = known(label);
        let rest = &text[body..];
        let end = find(rest, END).filter(|end| find(&rest[..*end], BEGIN).is_none());
        let end = body + end.ok_or(PemError::NoEnd { label: name, line })?;
        let (end_label, after) =
            marker(text, end + END.len()).ok_or_else(|| PemError::Marker { line: self::line(text, end) })?;
        if end_label != label {
            return Err(PemError::OtherEnd { label: name, line });
        }
        let body = &text[body..end];
        let kind = match kind {
            Kind::Key if find(body, b"Proc-Type:").is_some() => Kind::EncryptedKey,
            kind => kind,
        };
        let body = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        Ok((Self { label: name, kind, line, body }, after))
    }

    fn decode(&self) -> Result<Vec<u8>, PemError> {
        let Self { label, line, .. } = *self;
        if self.body.is_empty() {
            return Err(PemError::Empty { label, line });
        }
        if self.body.contains(&b'\\') {
            return Err(PemError::EscapedLineFeeds);
        }
        // Under a label that is known to the decoder, whatever the block is called. Its words are not handed on: they
        // repeat what it can't read.
        let text = [b"-----BEGIN CERTIFICATE-----\n", self.body.as_slice(), b"\n-----END CERTIFICATE-----\n"]
            .concat();
        match rustls_pemfile::read_one_from_slice(&text) {
            Ok(Some((Item::X509Certificate(der), _))) => Ok(der.to_vec()),
            _ => Err(PemError::NotBase64 { label, line }),
        }
    }
}

/// A certificate in PEM, of its DER in base64.
pub fn certificate_pem(base64: &str) -> String {
    const LINE: usize = 64;
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for (position, character) in base64.chars().enumerate() {
        if position > 0 && position % LINE == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem + "\n-----END CERTIFICATE-----\n"
}

/// The label from `at` to the dashes after it, and where those end.
fn marker(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = &text[at..];
    let length = find(&rest[..rest.len().min(LONGEST_LABEL + DASHES.len())], DASHES)?;
    let label = &rest[..length];
    (!label.contains(&b'\n')).then_some((label, at + length + DASHES.len()))
}

fn no_end_between(text: &[u8], from: usize, to: usize) -> Result<(), PemError> {
    match find(&text[from..to], END) {
        Some(end) => Err(PemError::NoBegin { line: line(text, from + end) }),
        None => Ok(()),
    }
}

/// The number of the line of this byte; a carriage return alone ends a line too.
fn line(text: &[u8], at: usize) -> usize {
    let ends = |(index, byte): &(usize, &u8)| match **byte {
        b'\n' => true,
        b'\r' => text.get(index + 1) != Some(&b'\n'),
        _ => false,
    };
    1 + text[..at].iter().enumerate().filter(ends).count()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// What a file without blocks looks like.
fn form(text: &[u8]) -> &'static str {
    /// The object identifiers of PKCS#7 begin so.
    const PKCS7: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
    if text.iter().all(u8::is_ascii_whitespace) {
        return "; the file is empty";
    }
    if text.first() != Some(&0x30) {
        return "";
    }
    let start = &text[..text.len().min(32)];
    match find(start, PKCS7) {
        Some(at) if find(&start[..at], b"\x02\x01\x03").is_some() => {
            "; it is PKCS#12 (.pfx, .p12), convert it: openssl pkcs12 -nodes -in FILE -out NEWFILE"
        }
        Some(_) => {
            "; it is PKCS#7 (.p7b), convert it: openssl pkcs7 -inform DER -print_certs -in FILE -out NEWFILE"
        }
        None => {
            "; it looks like DER, convert it: openssl x509 -inform DER, openssl pkey -inform DER, or openssl pkcs12 -nodes for a .pfx"
        }
    }
}
