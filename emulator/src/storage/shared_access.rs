//! Shared access signatures of Azure Storage ("Create a service SAS"): by whom a blob may be written or read, and until when.
//!
//! The account has one key. What is signed is the text of Azure's versions since 2018-11-09, so that whoever holds the key can
//! make signatures with the storage SDKs, too.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use ring::hmac;

use super::{BlobName, ContainerName, StorageError};
use crate::security::keys::{KeyLength, random_key};
use crate::uri::encoded;

/// The version by which signatures are made here.
const VERSION: &str = "2021-12-02";
/// The first version whose text is known here, and the first with an encryption scope in it.
const FIRST_VERSION: &str = "2018-11-09";
const WITH_ENCRYPTION_SCOPE: &str = "2020-12-06";

/// The one account. Its key opens all of it, so it stays out of logs.
pub(crate) struct Account {
    key: String,
    /// Whether somebody may hold a signature that is made with it.
    is_used: AtomicBool,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account")
    }
}

/// What a signature is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    Container(&'a ContainerName),
    Blob(&'a BlobName),
}

impl Scope<'_> {
    fn container(&self) -> &ContainerName {
        match self {
            Self::Container(container) => container,
            Self::Blob(blob) => blob.container(),
        }
    }
}

/// A signature as it was shown: the parameters of a query, decoded.
pub(crate) struct Shown<'q>(pub &'q dyn Fn(&str) -> Option<String>);

impl Shown<'_> {
    fn get(&self, name: &str) -> String {
        (self.0)(name).unwrap_or_default()
    }
}

impl Account {
    /// Its name, as it stands in what is signed.
    pub(crate) const NAME: &'static str = "emulator";

    pub(crate) fn new(kept: Option<String>) -> Self {
        let is_used = AtomicBool::new(kept.is_some());
        // As long as those of DPS, as Azure has them.
        Self { key: kept.unwrap_or_else(|| random_key(KeyLength::Dps)), is_used }
    }

    /// The key, if it has to outlive a restart.
    pub(crate) fn keep(&self) -> Option<String> {
        self.is_used.load(Ordering::Relaxed).then(|| self.key.clone())
    }

    /// The query of a URI, with its `?`, that permits this until then. `permissions`: Azure's letters, in Azure's order.
    pub(crate) fn sign(&self, scope: Scope<'_>, permissions: &str, expires: DateTime<Utc>) -> String {
        self.is_used.store(true, Ordering::Relaxed);
        let expires = expires.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (kind, path) = match scope {
            Scope::Container(container) => ("c", path_of(container, None)),
            Scope::Blob(blob) => ("b", path_of(blob.container(), Some(blob.name()))),
        };
        let text =
            [permissions, "", &expires, &path, "", "", "https", VERSION, kind, "", "", "", "", "", "", ""];
        let signature = STANDARD.encode(self.signature(&text.join("\n")));
        let (signature, expires) = (encoded(&signature), encoded(&expires));
        format!("?sv={VERSION}&spr=https&se={expires}&sr={kind}&sp={permissions}&sig={signature}")
    }

    /// Whether what was shown is good for this; gives the letters of what is permitted.
    pub(crate) fn check(
        &self,
        shown: &Shown<'_>,
        scope: Scope<'_>,
        now: DateTime<Utc>,
    ) -> Result<String, StorageError> {
        let refused = |why: &str| StorageError::not_authenticated(why);
        let signature = (shown.0)("sig").ok_or_else(|| {
            refused("there is no shared access signature in the query, and nothing else is taken here")
        })?;
        for (name, what) in [
            ("skoid", "signatures of Microsoft Entra (user delegation)"),
            ("ss", "signatures for a whole account"),
            ("si", "stored access policies"),
            ("sip", "signatures for some addresses alone"),
            ("snapshot", "snapshots"),
        ] {
            if !shown.get(name).is_empty() {
                return Err(StorageError::not_implemented(what));
            }
        }
        let version = shown.get("sv");
        if version.as_str() < FIRST_VERSION || version.len() != VERSION.len() {
            return Err(StorageError::not_authenticated(format!(
                "the version of the signature (sv) has to be {FIRST_VERSION} or a later one"
            )));
        }
        let kind = shown.get("sr");
        let path = match (kind.as_str(), scope) {
            ("b", Scope::Blob(blob)) => path_of(blob.container(), Some(blob.name())),
            ("c", _) => path_of(scope.container(), None),
            _ => return Err(refused("the signature is for another resource (sr)")),
        };
        let text = signed_text(shown, &version, &kind, &path);
        let is_made_with_the_key = STANDARD
            .decode(signature.replace(' ', "+"))
            .is_ok_and(|signature| hmac::verify(&self.hmac_key(), text.as_bytes(), &signature).is_ok());
        if !is_made_with_the_key {
            return Err(refused(
                "the signature does not match: it is made with another key, for another resource, or was changed",
            ));
        }
        check_times(shown, now)?;
        Ok(shown.get("sp"))
    }

    fn hmac_key(&self) -> hmac::Key {
        // It is made here, in base64.
        hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&self.key).unwrap_or_default())
    }

    fn signature(&self, text: &str) -> hmac::Tag {
        hmac::sign(&self.hmac_key(), text.as_bytes())
    }
}

fn path_of(container: &ContainerName, blob: Option<&str>) -> String {
    let blob = blob.map(|name| format!("/{name}")).unwrap_or_default();
    format!("/blob/{}/{}{blob}", Account::NAME, container.as_str())
}

fn signed_text(shown: &Shown<'_>, version: &str, kind: &str, path: &str) -> String {
    let mut parts = ["sp", "st", "se"].map(|name| shown.get(name)).to_vec();
    parts.push(path.to_owned());
    parts.extend(["si", "sip", "spr"].map(|name| shown.get(name)));
    parts.extend([version.to_owned(), kind.to_owned(), String::new()]);
    if version >= WITH_ENCRYPTION_SCOPE {
        parts.push(shown.get("ses"));
    }
    parts.extend(["rscc", "rscd", "rsce", "rscl", "rsct"].map(|name| shown.get(name)));
    parts.join("\n")
}

fn check_times(shown: &Shown<'_>, now: DateTime<Utc>) -> Result<(), StorageError> {
    let refused = |why: &str| StorageError::not_authenticated(why);
    let expires =
        time(&shown.get("se")).ok_or_else(|| refused("the signature has no readable expiry (se)"))?;
    if now > expires {
        let why = format!("the signature expired at {expires}; ask for a new URI");
        return Err(StorageError::not_authenticated(why));
    }
    let start = shown.get("st");
    if !start.is_empty() && time(&start).is_none_or(|start| now < start) {
        return Err(refused("the signature is not good yet (st)"));
    }
    Ok(())
}

/// The forms that Azure takes.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let whole = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let minutes = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").map(|time| time.and_utc());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    whole.or_else(|_| minutes()).ok().or_else(|| Some(day()?.and_utc()))
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn check(
        account: &Account,
        query: &str,
        scope: Scope<'_>,
        now: DateTime<Utc>,
    ) -> Result<String, StorageError> {
        let pairs: Vec<(String, String)> = query
            .trim_start_matches('?')
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.into(), percent_decode_str(value).decode_utf8_lossy().into_owned()))
            .collect();
        let find = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        account.check(&Shown(&find), scope, now)
    }

    #[test]
    fn a_signature_opens_what_it_is_for_until_it_expires() {
        let account = Account::new(None);
        let container = ContainerName::parse("files").expect("a name");
        let [one, two] =
            ["d 1/\u{e4}+.txt", "d2"].map(|name| BlobName::new(container.clone(), name).expect("a name"));
        let later = NOW + chrono::TimeDelta::hours(1);
        let query = account.sign(Scope::Blob(&one), "rw", later);
        assert_eq!(check(&account, &query, Scope::Blob(&one), NOW).expect("good"), "rw");
        let code = |query: &str, scope, now| check(&account, query, scope, now).expect_err("refused").code;
        assert_eq!(code(&query, Scope::Blob(&two), NOW), "AuthenticationFailed");
        assert_eq!(code(&query, Scope::Container(&container), NOW), "AuthenticationFailed");
        assert_eq!(
            code(&query, Scope::Blob(&one), later + chrono::TimeDelta::seconds(1)),
            "AuthenticationFailed"
        );
        assert_eq!(code(&query.replace("sp=rw", "sp=rwd"), Scope::Blob(&one), NOW), "AuthenticationFailed");
        assert_eq!(code(&query.replace("1970", "1971"), Scope::Blob(&one), later), "AuthenticationFailed");
        assert_eq!(code(&query.replace("2021-12-02", "9"), Scope::Blob(&one), NOW), "AuthenticationFailed");
        assert_eq!(code("?sv=2021-12-02", Scope::Blob(&one), NOW), "AuthenticationFailed");
        assert_eq!(code(&format!("{query}&ss=b"), Scope::Blob(&one), NOW), "NotImplemented");
        let other = Account::new(None);
        assert!(check(&other, &query, Scope::Blob(&one), NOW).is_err(), "another key");

        let query = account.sign(Scope::Container(&container), "rl", later);
        assert_eq!(check(&account, &query, Scope::Blob(&two), NOW).expect("below it"), "rl");
        assert!(!format!("{account:?}").contains(&account.key));
    }

    #[test]
    fn a_signature_as_azures_documents_reckon_it() {
        // By Python's `azure.storage.blob.generate_blob_sas` 12.31.1.
        let account = Account::new(Some(STANDARD.encode([7; 64])));
        let blob =
            BlobName::new(ContainerName::parse("files").expect("a name"), "d1/a b.txt").expect("a name");
        let query = include_str!("../../tests/data/blob-sas.txt").trim();
        assert_eq!(check(&account, query, Scope::Blob(&blob), NOW).expect("good"), "rcw");
    }
}
