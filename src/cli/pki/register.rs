//! What a CA has issued: `issued.csv`, a row a certificate, appended when its files are on the disk.
//!
//! A name is certified once, and a key for one name only: two boxes with one key are one box too few, or a card that was copied. Who
//! issues holds a lock on the file.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use tracker_certificates::Fields;

use super::place::Place;
use super::rules::registration_id;
use crate::identity::certificate::thumbprint;

const HEADER: &str = "id,thumbprint,serialNumber,notBefore,notAfter,key\n";
/// Half a million certificates.
const LARGEST: u64 = 128 * 1024 * 1024;

/// What is known of one certificate.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Row {
    pub(in crate::cli) id: String,
    /// SHA-256 of the certificate.
    pub(in crate::cli) thumbprint: String,
    serial: String,
    not_before: DateTime<Utc>,
    pub(in crate::cli) not_after: DateTime<Utc>,
    /// SHA-256 of the public key.
    key: String,
}

impl Row {
    pub(super) fn of(id: &str, der: &[u8]) -> anyhow::Result<Self> {
        let fields = Fields::read(der)?;
        let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        Ok(Self {
            id: id.into(),
            thumbprint: thumbprint(&CertificateDer::from(der)),
            serial: fields.serial.iter().map(|byte| format!("{byte:02x}")).collect(),
            not_before: time(fields.not_before),
            not_after: time(fields.not_after),
            key: key_digest(fields.public_key_info),
        })
    }

    fn line(&self) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let Self { id, thumbprint, serial, key, .. } = self;
        format!("{id},{thumbprint},{serial},{},{},{key}\n", time(self.not_before), time(self.not_after))
    }

    fn parse(line: &str) -> Option<Self> {
        let parts: Vec<&str> = line.split(',').collect();
        let &[id, thumbprint, serial, not_before, not_after, key] = parts.as_slice() else { return None };
        let time = |text| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
        let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hex(thumbprint) && is_hex(key) && registration_id(id, true).is_ok()).then_some(())?;
        Some(Self {
            id: id.into(),
            thumbprint: thumbprint.into(),
            serial: serial.into(),
            not_before: time(not_before)?,
            not_after: time(not_after)?,
            key: key.into(),
        })
    }
}

/// Names a public key.
pub(super) fn key_digest(public_key: &[u8]) -> String {
    digest(&SHA256, public_key).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that was issued, while nobody else issues.
#[derive(Debug)]
pub(in crate::cli) struct Register {
    path: PathBuf,
    file: File,
    /// The newest of each name, written small.
    issued: HashMap<String, Row>,
    /// Whose key it is.
    keys: HashMap<String, String>,
}

impl Register {
    /// Opens it, and makes it where there is none.
    pub(super) fn open(place: &Place) -> anyhow::Result<Self> {
        let path = place.register();
        let reading = || format!("can't read {}", path.display());
        crate::platform::plain_file::is_plain_or_missing(&path).with_context(reading)?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = options.open(&path).with_context(reading)?;
        match crate::platform::plain_file::lock(&file) {
            Err(TryLockError::WouldBlock) => {
                bail!("another program issues from {} now; wait for its end", place.path().display())
            }
            // File systems without locks have nobody else on them, as a rule.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let mut text = String::new();
        (&mut file).take(LARGEST + 1).read_to_string(&mut text).with_context(reading)?;
        if text.len() as u64 > LARGEST {
            bail!("{} is larger than {} MiB; set it aside, and keep it", path.display(), LARGEST >> 20);
        }
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            // A power cut has left half a row, whose certificate is still to be taken in.
            file.set_len(whole as u64).with_context(reading)?;
        }
        let mut register = Self { path: path.clone(), file, issued: HashMap::new(), keys: HashMap::new() };
        if whole == 0 {
            register.write(HEADER)?;
        }
        for (line, number) in text[..whole].lines().zip(1..) {
            if number == 1 && line == HEADER.trim_end() {
                continue;
            }
            let row = Row::parse(line.trim_end_matches('\r')).with_context(|| {
                format!("row {number} of {} is not as this program writes them; put it right", path.display())
            })?;
            register.know(row);
        }
        Ok(register)
    }

    /// The newest certificate of a name.
    pub(in crate::cli) fn issued(&self, id: &str) -> Option<&Row> {
        self.issued.get(&id.to_ascii_lowercase())
    }

    /// Who has a certificate for this key, given by its digest, besides `id`.
    pub(super) fn other_of(&self, key: &str, id: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str).filter(|other| !other.eq_ignore_ascii_case(id))
    }

    /// Takes rows in, whose files are on the disk.
    pub(super) fn append(&mut self, rows: Vec<Row>) -> anyhow::Result<()> {
        let text: String = rows.iter().map(Row::line).collect();
        self.write(&text)?;
        for row in rows {
            self.know(row);
        }
        Ok(())
    }

    fn know(&mut self, row: Row) {
        self.keys.insert(row.key.clone(), row.id.clone());
        self.issued.insert(row.id.to_ascii_lowercase(), row);
    }

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        let before = self.file.seek(SeekFrom::End(0));
        let written =
            before.and_then(|_| self.file.write_all(text.as_bytes())).and_then(|()| self.file.sync_all());
        written.with_context(|| format!("can't write to {}", self.path.display()))
    }
}
