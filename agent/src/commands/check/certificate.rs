//! Whether the chain is in order and valid now.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tracker_certificates::{NotIssued, SignatureError};

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::identity::certificate::{Certificate, RENEW_AT};
use crate::platform::clock::{TimeSource, build_date, day, minute, system_time};

pub(super) const CHECK: Check = Check {
    id: "certificate",
    sentence: "the chain is in order and signed, the leaf's CN is a registration ID, and every certificate is valid now",
    needs: &["configuration"],
    within: Duration::from_secs(5),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config()?;
    let path = &config.identity.certificate;
    let chain = context.chain()?.as_ref().map_err(Finding::error)?;
    chain.check_order().map_err(Finding::error)?;
    let id = chain.registration_id().map_err(Finding::error)?;
    let signed = chain.check_signatures();
    let chain = chain.certificates();
    if let Err((position, why)) = &signed
        && !matches!(why, NotIssued::Signature(SignatureError::Unsupported(_)))
    {
        let text = format!("{}: {why}", pair(path, chain, *position, "is not issued by"));
        return Err(Finding::fail(
            text,
            "put the certificates there that signed each other; DPS refuses others",
        ));
    }
    // The machine's clock will do when nobody vouches for it, unless it can't be right.
    let (now, by) = match context.clock.certificate_time() {
        Some(now) => (now, context.clock.source()),
        None => (system_time(), TimeSource::System),
    };
    if now < build_date() {
        let text = format!(
            "CN {id}, {} certificates in order; whether they are valid now is not known",
            chain.len()
        );
        return Ok(Finding::warn(text, "the clock is not right yet, see the check of the clock"));
    }
    if let Some(finding) = out_of_time(chain, path, now, by) {
        return Ok(finding);
    }
    let left = chain[0].not_after - now;
    let text = format!("CN {id}, chain of {}, {} days left", chain.len(), left.num_days());
    // An issuer that ends before the leaf ends the leaf's use.
    let issuers = chain.iter().enumerate().skip(1).min_by_key(|(_, issuer)| issuer.not_after);
    if let Some((index, issuer)) = issuers.filter(|(_, issuer)| issuer.not_after - now < left.min(RENEW_AT)) {
        let text = format!(
            "{text}, but certificate {} in {} ({}) has {}",
            index + 1,
            path.display(),
            issuer.subject,
            (issuer.not_after - now).num_days()
        );
        return Ok(Finding::warn(text, "make a new intermediate CA, enroll it, and renew the chain with it"));
    }
    if left < RENEW_AT {
        return Ok(Finding::warn(text, "renew it: install a new chain; it is taken without a restart"));
    }
    if let Err((position, why)) = signed {
        let text = format!("{text}; {}: {why}", pair(path, chain, position, "names as its issuer"));
        return Ok(Finding::warn(
            text,
            "DPS may check it all the same; ECDSA with SHA-256 is taken everywhere",
        ));
    }
    if chain.len() == 1 && !chain[0].names_issuer(&chain[0]) {
        let mend = format!(
            "DPS usually needs the intermediate CA as well: cat intermediate.pem >> {}",
            path.display()
        );
        return Ok(Finding::warn(format!("{text}; there is no issuer beside the leaf"), mend));
    }
    if id.as_str().chars().any(|c| c.is_ascii_uppercase()) {
        let text = format!(
            "{text}; the CN has capital letters, which DPS doesn't tell from small ones, and hubs do"
        );
        return Ok(Finding::warn(
            text,
            "make a leaf whose CN has small letters only, before the device is enrolled",
        ));
    }
    Ok(Finding::pass(text))
}

/// The first certificate whose time is not now.
fn out_of_time(chain: &[Certificate], path: &Path, now: DateTime<Utc>, by: TimeSource) -> Option<Finding> {
    for (index, certificate) in chain.iter().enumerate() {
        let which = format!("certificate {} in {} ({})", index + 1, path.display(), certificate.subject);
        if now > certificate.not_after {
            let [end, today] = [certificate.not_after, now].map(day);
            let text = format!("{which} expired on {end}, and it is {today} {by}");
            return Some(Finding::fail(text, "install a new chain; it is taken without a restart"));
        }
        if now < certificate.not_before {
            let [start, now] = [certificate.not_before, now].map(minute);
            let text = format!("{which} is valid only from {start} on, and it is {now} {by}");
            return Some(Finding::fail(
                text,
                "correct the clock (timedatectl), or make a certificate that is valid now",
            ));
        }
    }
    None
}

/// Two certificates that follow each other, with what is between them.
fn pair(path: &Path, chain: &[Certificate], position: usize, between: &str) -> String {
    let [child, issuer] = [position - 1, position].map(|index| &chain[index].subject);
    let next = position + 1;
    format!("certificate {position} in {} ({child}) {between} certificate {next} ({issuer})", path.display())
}
