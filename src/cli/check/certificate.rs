//! Whether the chain is in order and valid now.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::identity::certificate::RENEW_AT;
use crate::platform::clock::{build_date, system_time};

pub(super) const CHECK: Check = Check {
    id: "certificate",
    sentence: "the chain is in order, the leaf's CN is a registration ID, and every certificate is valid now",
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
    let chain = chain.certificates();
    // The machine's clock will do when nobody vouches for it, unless it can't be right.
    let now = context.clock.certificate_time().unwrap_or_else(system_time);
    if now < build_date() {
        let text = format!(
            "CN {id}, {} certificates in order; whether they are valid now is not known",
            chain.len()
        );
        return Ok(Finding::warn(text, "the clock is not right yet, see the check of the clock"));
    }
    for (index, certificate) in chain.iter().enumerate() {
        let which = format!("certificate {} in {} ({})", index + 1, path.display(), certificate.subject);
        if now > certificate.not_after {
            let text = format!("{which} expired on {}", certificate.not_after.format("%Y-%m-%d"));
            return Ok(Finding::fail(text, "install a new chain; it is taken without a restart"));
        }
        if now < certificate.not_before {
            let text = format!(
                "{which} is valid only from {} on",
                certificate.not_before.format("%Y-%m-%d %H:%M UTC")
            );
            return Ok(Finding::fail(
                text,
                "correct the clock (timedatectl), or make a certificate that is valid now",
            ));
        }
    }
    let left = chain[0].not_after - now;
    let text = format!("CN {id}, chain of {}, {} days left", chain.len(), left.num_days());
    if left < RENEW_AT {
        return Ok(Finding::warn(text, "renew it: install a new chain; it is taken without a restart"));
    }
    if chain.len() == 1 && !chain[0].names_issuer(&chain[0]) {
        let mend = format!(
            "DPS usually needs the intermediate CA as well: cat leaf.pem intermediate.pem > {}",
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
